"""Releases: what was deployed, when, and what we think of it.

Role: the ledger's entries (`judgement.ledger`) and what a platform reads (`ports.Platform`). Guarantees: a release is
named by its fingerprint, never by a revision number (numbers move when the controller re-uses a ReplicaSet).
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from watchdog.model.record import Instant, JsonObject, record


class Grade(StrEnum):
    """What a release has earned."""

    NEW = "new"
    GOOD = "good"  # earned by soak under our eyes
    ASSUMED_GOOD = "assumed_good"  # found complete for longer than the soak, and healthy, at first sight
    CONDEMNED = "condemned"  # blamed for a breach; stays so until a person clears it


@record
class Release:
    """A change of the target's template or revision.

    `template` is the raw template (for Kubernetes the pod template as JSON) where the platform has one: history may be
    pruned, and then only our own copy brings the release back. `images` maps container name to image; `digests` container
    name to the digest that really ran. `claims` are what the template itself says about it (``migration``,
    ``no-rollback``). `address` is how the platform finds it again (ReplicaSet name, release id of a command).
    """

    fingerprint: str
    revision: str = ""
    address: str = ""
    images: JsonObject = field(default_factory=dict)
    digests: JsonObject = field(default_factory=dict)
    claims: JsonObject = field(default_factory=dict)
    template: JsonObject | None = None
    change_cause: str = ""
    actor: str = ""
    started: Instant | None = None
    completed: Instant | None = None
    grade: Grade = Grade.NEW
    graded_at: Instant | None = None
    watched_s: float = 0.0
    """Seconds of bake that were really watched (neither paused nor blind) after completion."""
    events: int = 0
    """User events seen by counting signals since completion."""
    note: str = ""

    @property
    def is_good(self) -> bool:
        """Earned or assumed good."""
        return self.grade in (Grade.GOOD, Grade.ASSUMED_GOOD)

    @property
    def label(self) -> str:
        """How a person names it: revision and images, else the short fingerprint."""
        images = ", ".join(str(image) for image in self.images.values())
        name = f"revision {self.revision}" if self.revision else self.fingerprint[:12]
        return f"{name} ({images})" if images else name
