"""Stopwatch: how long ago a stored moment was, in a way that a stepping wall clock cannot bend.

Role: records hold UTC moments (the end of a countdown, the time of an intent); the response asks here how far they lie
back. Guarantees: the wall clock is looked at once, when a moment is first asked about; from then on the monotonic clock
counts. Not guaranteed: anything about a step that happened while the daemon was not running.
"""

from __future__ import annotations

from watchdog.model import Instant
from watchdog.ports import Clock


class Stopwatch:
    """Seconds since stored moments."""

    def __init__(self, clock: Clock) -> None:
        """Begin without moments."""
        self._clock = clock
        self._began: dict[tuple[str, Instant], float] = {}

    def since(self, name: str, moment: Instant, *, at_least: float = 0.0) -> float:
        """Seconds since `moment`; negative while it lies ahead. At first sight never below `at_least`.

        `at_least` bounds what a clock that was set back can do: a moment of the past lies at most 0 s ahead, the end of
        a countdown at most the length of the countdown.
        """
        now = self._clock.monotonic()
        key = (name, moment)
        if key not in self._began:
            self._began[key] = now - max(at_least, self._clock.now() - moment)
        return now - self._began[key]

    def forget(self) -> None:
        """Forget every moment: the incident they belong to is over."""
        self._began.clear()
