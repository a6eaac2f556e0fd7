"""Sums over stretches of event time: the arithmetic under the rule `above`.

Role: turns polls into buckets (all instances together) and answers "how many events, how many bad, between here and
there" in logarithmic time. Neighbours: `threshold.Above`. Guarantees: counts of one poll may be split over any number of
instances without changing a sum. Several *values* of one poll count as their upper median: above a limit means that at
least half of the instances are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from watchdog.judgement.polls import Poll
from watchdog.model import Instant, record

SMALL_S = 1e-6
"""Below the resolution of an Instant: keeps a poll that is exactly one window old out of the window."""


@record
class Bucket:
    """What one poll measured. `hot` = by itself above the limit. `paused` = the source did not answer just before it."""

    start: Instant
    end: Instant
    good: int
    bad: int
    value: float | None
    unit: str
    hot: bool
    paused: bool


def buckets_of(polls: Sequence[Poll], above: float) -> list[Bucket]:
    """Polls that say something, in order of event time."""
    found: list[Bucket] = []
    paused = False
    for poll in polls:
        if poll.speaks:
            found.append(_bucket(poll, above, paused=paused))
            paused = False
        elif not poll.answered:
            paused = True
    return found


def _bucket(poll: Poll, above: float, *, paused: bool) -> Bucket:
    good, bad = sum(voice.good for voice in poll.voices), sum(voice.bad for voice in poll.voices)
    values = sorted((voice.value, voice.unit) for voice in poll.voices if voice.value is not None)
    value, unit = values[len(values) // 2] if values else (None, "")
    hot = value > above if value is not None else bad > above * (good + bad)
    return Bucket(start=poll.start, end=poll.end, good=good, bad=bad, value=value, unit=unit, hot=hot, paused=paused)


class Series:
    """Buckets with running sums. Indexes are positions in `buckets`; stretches include both ends."""

    def __init__(self, buckets: Sequence[Bucket]) -> None:
        self.buckets = buckets
        self._ends = [bucket.end for bucket in buckets]
        self._events = [0, *accumulate(bucket.good + bucket.bad for bucket in buckets)]
        self._bad = [0, *accumulate(bucket.bad for bucket in buckets)]

    def first_within(self, last: int, seconds: float) -> int:
        """The first bucket that ended less than `seconds` before `last`; `last` itself at least."""
        return min(last, bisect_right(self._ends, self._ends[last] - seconds + SMALL_S))

    def shortest(self, last: int, seconds: float, events: int, at_most: float) -> int:
        """Start of the shortest stretch up to `last` with `seconds` and `events`, not longer than `at_most` seconds."""
        by_events = bisect_right(self._events, self._events[last + 1] - events) - 1
        return max(min(self.first_within(last, seconds), max(by_events, 0)), self.first_within(last, at_most))

    def sums(self, first: int, last: int) -> tuple[int, int]:
        """All events and bad events of the stretch."""
        return self._events[last + 1] - self._events[first], self._bad[last + 1] - self._bad[first]

    def lasted(self, first: int, last: int, longest_gap: float) -> float:
        """Seconds that bad surely lasted from bucket `first` to bucket `last`.

        Time in which the source did not answer, and gaps longer than `longest_gap`, do not count. The last bucket's own
        interval does not count either: the trouble may have ended right after that interval began.
        """
        known = 0.0
        for index in range(first + 1, last + 1):
            step = self._ends[index] - self._ends[index - 1]
            if not self.buckets[index].paused and step <= longest_gap:
                known += step
        return max(0.0, known - (self.buckets[last].end - self.buckets[last].start))
