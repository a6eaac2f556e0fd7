"""A sink of evidence that keeps parts in memory, and is slow when told to.

Role: the `ports.EvidenceSink` of tests, and of those who build a source of their own. Neighbours: the real one in
`watchdog.incidents` redacts, caps and writes. Guarantees: never raises; a path that leaves the bundle is named missing, as
the real one does. Not guaranteed: redaction - what is kept is what was handed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from watchdog.model import JsonObject

Content = bytes | str | JsonObject | Sequence[JsonObject]


class MemorySink:
    """What was handed over, by path in `files`, and what could not be had, in `missed` as (what, why)."""

    def __init__(self) -> None:
        """Empty, with a disk that answers."""
        self.files: dict[str, Content] = {}
        self.notes: dict[str, str] = {}
        self.missed: list[tuple[str, str]] = []
        self.hang = False
        """While true, a part is kept but its writer waits for ever."""

    async def file(self, path: str, content: Content, note: str = "") -> None:
        """Keep one part."""
        await asyncio.sleep(0)
        if any(segment in ("", ".", "..") for segment in path.split("/")):
            self.missing(path, "it is no relative path of plain names")
            return
        self.files[path], self.notes[path] = content, note
        if self.hang:
            await asyncio.Event().wait()

    def missing(self, what: str, why: str) -> None:
        """Name what could not be had; the same thing once."""
        if (what, why) not in self.missed:
            self.missed.append((what, why))
