"""Where a state file may lie, and how its folder is made.

Role: shared by `sqlite` and `lock`. Guarantees: a network filesystem is refused when the kernel's mount table names it,
because locks and write-ahead logs do not work there; a folder that we make is for its owner alone.
Not guaranteed: a network disk behind a filesystem of another name is not recognised.
"""

from __future__ import annotations

import re
from pathlib import Path

from watchdog.ports import StoreDamaged

MOUNTS = Path("/proc/self/mounts")
"""The kernel's table; missing on systems without /proc, where nothing is refused."""

NETWORK_FILESYSTEMS = frozenset(
    {"cifs", "smb3", "smbfs", "nfs", "nfs4", "afs", "fuse.sshfs", "fuse.s3fs", "fuse.blobfuse2"}
)


def prepare(path: Path) -> None:
    """Make the folder of `path` (0700) when it is missing. Raises StoreDamaged on a network filesystem, OSError else."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not MOUNTS.exists():
        return
    found = filesystem(path.parent.resolve(), MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if found in NETWORK_FILESYSTEMS:
        raise StoreDamaged(
            f"{path} would lie on a {found} share, where SQLite's locks and write-ahead log do not work: "
            "state could be lost. Put it on a local disk or a block volume"
        )


def filesystem(folder: Path, mounts: str) -> str:
    """The type of the filesystem that holds `folder`, from the text of a mount table; empty when none fits."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 - device, mount point, type
            continue
        point = Path(_unescaped(fields[1]))
        depth = len(point.parts)
        if folder.is_relative_to(point) and depth >= best:  # a later mount hides an earlier one on the same point
            best, kind = depth, fields[2]
    return kind


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), field)
