"""One daemon a store: a lock file beside the database.

Role: `ports.Lease` for one host. Neighbours: `sqlite` lies beside it; the composition root acquires before it opens the
store. Guarantees: the kernel lets go when the process ends, however it ends; a lock file that was removed or replaced
under us is noticed by `state`; trouble with the file is `LeaseUnknown`, never "held". The file stays after `release`:
removing it would let two daemons lock two files of one name.
Not guaranteed: anything between hosts (network filesystems are refused).
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from watchdog.ports import Held, LeaseState, LeaseUnknown, NotHolder, StoreDamaged
from watchdog.stores.places import prepare

NO_END_S = 1e9
"""Seconds that a held lock file is good for: it ends with the process, not with time."""


def lock_path(database: Path) -> Path:
    """The lock file that belongs to a database file."""
    return database.with_name(database.name + ".lock")


class FileLease:
    """The lock file `path`. `holder` is what others are told: who and where."""

    def __init__(self, path: Path, holder: str) -> None:
        """A lease that is not asked for yet."""
        self.path = path
        self._holder = holder
        self._descriptor: int | None = None
        self._known: LeaseState = LeaseUnknown(reason="not asked for yet")

    async def acquire(self) -> LeaseState:
        """Try to lock without waiting. System calls on a local file, so the loop is not kept."""
        if self._descriptor is None:
            try:
                self._known = self._lock()
            except (OSError, StoreDamaged) as error:
                self._known = LeaseUnknown(reason=f"{self.path}: {error}")
        return self.state()

    def state(self) -> LeaseState:
        """What is known now; while held, whether the file is still the one that we locked."""
        if self._descriptor is None:
            return self._known
        try:
            same = _same(self._descriptor, self.path)
        except OSError as error:
            return LeaseUnknown(reason=f"{self.path}: {error}")
        return self._known if same else LeaseUnknown(reason=f"{self.path} was replaced: another daemon may hold it")

    async def release(self) -> None:
        """Let go. Releasing what is not held does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._known = NotHolder(holder="")

    def _lock(self) -> LeaseState:
        prepare(self.path)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            state = self._locked(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if isinstance(state, Held):
            self._descriptor = descriptor
        else:
            os.close(descriptor)
        return state

    def _locked(self, descriptor: int) -> LeaseState:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return NotHolder(holder=os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "somebody")
        if not _same(descriptor, self.path):  # replaced between opening and locking
            return LeaseUnknown(reason=f"{self.path} was replaced while it was being locked")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{self._holder} (pid {os.getpid()})\n".encode(), 0)
        return Held(remaining=NO_END_S)


def _same(descriptor: int, path: Path) -> bool:
    ours, present = os.fstat(descriptor), path.stat()
    return (ours.st_dev, ours.st_ino) == (present.st_dev, present.st_ino)
