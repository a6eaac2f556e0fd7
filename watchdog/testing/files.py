"""Files in memory, for evidence and reports in tests.

Role: `MemoryFiles` is the `ports.Files` of tests. Neighbours: the directory in `watchdog.incidents` keeps the same
contract. Guarantees: the same paths are refused; a refused write leaves the old content.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Sequence

from watchdog.model import EvidenceFile, Instant
from watchdog.ports import Clock, Unavailable


class MemoryFiles:
    """Paths and bytes in a dictionary. Faults: `read_only`, `unavailable`, `hang`."""

    def __init__(self, clock: Clock) -> None:
        """An empty place; `clock` dates the files."""
        self.contents: dict[str, bytes] = {}
        self.read_only = False
        """Writes raise Unavailable."""
        self.unavailable = False
        """Everything raises Unavailable."""
        self._clock = clock
        self._taken: dict[str, float] = {}
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def hang(self) -> bool:
        """While true, every call waits until it is switched off or the caller gives up."""
        return not self._flowing.is_set()

    @hang.setter
    def hang(self, on: bool) -> None:
        if on:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def write(self, path: str, content: bytes) -> EvidenceFile:
        """Keep `content` under `path`. Raises Unavailable; ValueError for a path that leaves the place."""
        name = _checked(path)
        await self._flowing.wait()
        if self.read_only or self.unavailable:
            raise Unavailable("the files are read-only (switched by the test)")
        self.contents[name] = bytes(content)
        self._taken[name] = self._clock.now()
        digest = hashlib.sha256(content).hexdigest()
        return EvidenceFile(path=name, size=len(content), sha256=digest, taken_at=self._clock.now())

    async def read(self, path: str) -> bytes:
        """The content. Raises Unavailable when it is not there."""
        name = _checked(path)
        await self._flowing.wait()
        if self.unavailable or name not in self.contents:
            raise Unavailable(f"{name} is not there")
        return self.contents[name]

    async def make_room(self, keep: Collection[str], older_than: Instant) -> Sequence[str]:
        """Remove folders that are not in `keep` and whose newest file was taken before `older_than`; here room never ends."""
        await self._flowing.wait()
        if self.unavailable:
            raise Unavailable("the files are away (switched by the test)")
        touched: dict[str, float] = {}
        for name in self.contents:
            folder = name.partition("/")[0]
            touched[folder] = max(touched.get(folder, 0.0), self._taken.get(name, 0.0))
        removed = sorted(name for name, at in touched.items() if name not in keep and at < older_than)
        self.contents = {name: one for name, one in self.contents.items() if name.partition("/")[0] not in removed}
        return removed

    def location(self, path: str) -> str:
        """A name for people."""
        return f"memory:{_checked(path)}"


def _checked(path: str) -> str:
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments) or not path.isprintable() or "\\" in path:
        raise ValueError(f"{path!r} is no relative path of plain names")
    return path
