"""The clock of tests: UTC and intervals both follow the running loop, so virtual time drives both.

Role: `WorldClock` stands in for the real clock. Neighbours: looptime moves the loop, `step` moves only the wall clock, as
NTP or a person would. Guarantees: `monotonic()` is the loop's time and never steps; `now()` differs from it by a constant
until `step` is called. Not guaranteed: use outside a running loop.
"""

from __future__ import annotations

import asyncio

from watchdog.model import Instant, instant

NEW_YEAR = Instant(1_767_225_600.0)
"""2026-01-01T00:00:00Z: where the world of a test begins unless it says otherwise."""


class WorldClock:
    """A `ports.Clock` for tests. `base` is the UTC moment at which the clock is first looked at."""

    def __init__(self, base: float = NEW_YEAR) -> None:
        """Begin at `base`, UTC seconds."""
        self._base = base
        self._origin: float | None = None

    def now(self) -> Instant:
        """UTC: `base`, plus the loop's seconds since the first look, plus every `step`."""
        loop_time = self.monotonic()
        if self._origin is None:
            self._origin = loop_time
        return instant(self._base + loop_time - self._origin)

    def monotonic(self) -> float:
        """The running loop's time."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait on the loop's clock. 0 or less yields once."""
        await asyncio.sleep(max(0.0, seconds))

    def step(self, seconds: float) -> None:
        """Move the wall clock alone, forwards or backwards, as a clock correction does."""
        self._base += seconds
