"""Which release a version label means.

Role: shared by the sources that name releases by a version (an image tag, a revision), not by a pod. Pure. Guarantees: what is
not the current release's name is another release's, never the current one's; without a version nothing is claimed.
"""

from __future__ import annotations

from watchdog.model import WorkloadState

OTHER = "version "
"""Begin of the release of what names another version than the current release's."""


def release_of_version(version: str, state: WorkloadState | None) -> str | None:
    """Fingerprint of the current release, where its version is meant; else a name of another one. None = not known."""
    if not version or state is None:
        return None
    current = state.release
    tags = {str(image).rpartition(":")[2] for image in current.images.values()}
    names = {current.revision, current.address, current.fingerprint, *tags}
    return current.fingerprint if version in names else OTHER + version
