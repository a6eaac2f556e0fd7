"""Evidence and reports in a directory.

Role: `ports.Files` on a local disk or a mounted volume. Neighbours: `capture` and `report` write through it.
Guarantees: a file is the old or the new one, never half, also after kill -9 (write aside, sync, rename, sync the
folder); files are for their owner alone (0600); nothing is written outside the root, not even through a link;
a file or a sum beyond the limits is refused before it is written. Trouble is Unavailable, which stops no response.
Not guaranteed: a thread that hangs in the kernel cannot be stopped; every call then ends by its deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from watchdog.incidents.paths import check
from watchdog.model import EvidenceFile, Instant
from watchdog.ports import Clock, Unavailable

T = TypeVar("T")

FILE_LIMIT = 4 * 1024 * 1024
"""Largest file in bytes: a report with all its rows, and far above the cap of one stream of evidence."""
TOTAL_LIMIT = 1024 * 1024 * 1024
"""Bytes of all files under the root: more than a hundred full incidents."""
ROOMY = 0.8
"""Share of the limit that may be full: above it the oldest closed incidents go."""
CALL_S = 10.0
"""Longest wait for one call."""

_ASIDE = ".part"


class DirectoryFiles:
    """Files below `root`. The folder is made when the first file is written."""

    def __init__(
        self, root: Path, clock: Clock, *, file_limit: int = FILE_LIMIT, total_limit: int = TOTAL_LIMIT
    ) -> None:
        """A place at `root`; limits in bytes. Nothing is touched before the first call."""
        self.root = root
        self._clock = clock
        self._file_limit = file_limit
        self._total_limit = total_limit
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watchdog-files")
        self._total: int | None = None  # belongs to the thread; None until the root was looked through

    async def write(self, path: str, content: bytes) -> EvidenceFile:
        """Write atomically. Raises Unavailable; ValueError for a path that is not relative and plain."""
        check(path)
        if len(content) > self._file_limit:
            raise Unavailable(f"{path} has {len(content)} bytes, and {self._file_limit} are the limit of a file")
        await self._call(lambda: self._write(self.root / path, content))
        digest = hashlib.sha256(content).hexdigest()
        return EvidenceFile(path=path, size=len(content), sha256=digest, taken_at=self._clock.now())

    async def read(self, path: str) -> bytes:
        """The content. Raises Unavailable when it is not there or cannot be read."""
        check(path)
        return await self._call(lambda: self._inside(self.root / path).read_bytes())

    def location(self, path: str) -> str:
        """The file's full path."""
        return str(self.root / check(path))

    async def make_room(self, keep: Collection[str], older_than: Instant) -> Sequence[str]:
        """Remove old folders, and the oldest ones while less than a fifth is free. Raises Unavailable."""
        return await self._call(lambda: self._make_room(frozenset(keep), older_than))

    async def close(self) -> None:
        """End the thread; a write that is under way is finished by it."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(CALL_S):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except TimeoutError as error:
            raise Unavailable(f"{self.root} gave no answer within {CALL_S:g} s") from error
        except OSError as error:
            raise Unavailable(f"{error.filename or self.root}: {error.strerror or error}") from error

    # -- in the thread ---------------------------------------------------------------------------------------------

    def _write(self, file: Path, content: bytes) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._inside(file)
        if self._total is None:
            self._total = _look_through(self.root)
        old = file.stat().st_size if file.exists() else 0
        total = self._total - old + len(content)
        if total > self._total_limit:
            raise Unavailable(
                f"{self.root} holds {self._total} of at most {self._total_limit} bytes: remove old incidents"
            )
        _replace(file, content)
        self._total = total

    def _make_room(self, keep: frozenset[str], older_than: float) -> list[str]:
        if not self.root.is_dir():
            return []
        folders = sorted((_touched(one), one) for one in self.root.iterdir() if one.is_dir() and not one.is_symlink())
        self._total = _look_through(self.root)
        removed: list[str] = []
        for touched, one in folders:
            crowded = self._total > ROOMY * self._total_limit
            if one.name in keep or not (touched < older_than or crowded):
                continue
            size = _look_through(one)
            shutil.rmtree(one)
            self._total -= size
            removed.append(one.name)
        return removed

    def _inside(self, file: Path) -> Path:
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise Unavailable(f"{file} leads out of {self.root}")
        return file


def _touched(folder: Path) -> float:
    """When something in it was written last."""
    return max((found.lstat().st_mtime for found in (folder, *folder.rglob("*"))), default=0.0)


def _look_through(root: Path) -> int:
    """Bytes of all files under `root`. What a crash left half written is removed on the way."""
    total = 0
    for found in root.rglob("*"):
        if found.name.startswith(".") and found.name.endswith(_ASIDE):
            found.unlink(missing_ok=True)
        elif found.is_file() and not found.is_symlink():
            total += found.stat().st_size
    return total


def _replace(file: Path, content: bytes) -> None:
    aside = file.with_name(f".{file.name}{_ASIDE}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(descriptor)
        aside.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
