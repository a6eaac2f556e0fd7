"""A reader of hazard facts that says what it was told to say, late, or not at all.

Role: the `ports.HazardReader` of tests, and of those who build a reader of their own. Neighbours: the gate asks a person
when a reader cannot be asked. Guarantees: every question is remembered in `asked`; a fault stays until it is taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from watchdog.model import Release, UnitRef
from watchdog.ports import HazardFact, Unavailable


class FakeHazardReader:
    """A reader called `name` that knows `facts`. Faults: `unreachable`, `hang`."""

    def __init__(self, name: str, *facts: HazardFact) -> None:
        """Know `facts`, which may be changed while a test runs; none = nothing to object."""
        self.name = name
        self.facts = facts
        self.unreachable = ""
        """While set, every question raises Unavailable with this reason."""
        self.asked: list[tuple[str, str, str]] = []
        """(target, blamed, good) of every question, by fingerprint."""
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def hang(self) -> bool:
        """While true, every question waits until it is switched off or the asker gives up."""
        return not self._flowing.is_set()

    @hang.setter
    def hang(self, on: bool) -> None:
        if on:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def read(self, unit: UnitRef, blamed: Release, good: Release) -> Sequence[HazardFact]:
        """The facts. Raises Unavailable."""
        self.asked.append((unit.target, blamed.fingerprint, good.fingerprint))
        await asyncio.sleep(0)
        await self._flowing.wait()
        if self.unreachable:
            raise Unavailable(self.unreachable)
        return self.facts
