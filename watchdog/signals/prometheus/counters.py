"""Raw counters to counts: increases from scrape to scrape, on a grid of event time.

Role: the arithmetic of `signal`. Pure. Neighbours: `answer` gives series.
Guarantees: a reset loses nothing that the source has seen (the new value counts); a series that is born while its origin
was already scraped counts from zero (the first burst of errors is not lost, as it is for ``rate``); a pod that is younger
than the window counts from zero; an origin seen for the first time that is not known to be young counts from its second
scrape on. A bin is given out once every origin has been scraped in it or later, and a whole scrape late at the most.
Not guaranteed: that an event lies in the bin it is counted in - it happened up to one scrape interval earlier.

Traps in facts/back-ends 8: ``rate`` over a series born at 5 is 0 until its second sample.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from watchdog.model import record
from watchdog.signals.prometheus.answer import NoAnswer, Point, Series, finite

LIVE_BINS = 2.0
"""An origin whose newest scrape is this many intervals before a bin's end is no longer waited for."""

Origin = str
OriginOf = Callable[[Mapping[str, str]], Origin]


@record
class Bin:
    """Events of one origin in (start, end]."""

    origin: Origin
    start: float
    end: float
    events: float
    bad: float


@dataclass
class Scrapes:
    """Scrape times of each origin, oldest first."""

    times: dict[Origin, list[float]] = field(default_factory=dict)

    @classmethod
    def of(cls, series: Iterable[Series], origin_of: OriginOf) -> Scrapes:
        """Of all series of an origin together: one scrape gives all of them the same time."""
        found: dict[Origin, set[float]] = {}
        for one in series:
            found.setdefault(origin_of(one.labels), set()).update(at for at, _ in one.points)
        return cls({origin: sorted(times) for origin, times in found.items()})

    def interval(self) -> float | None:
        """Usual seconds between two scrapes; None before any origin was scraped twice."""
        gaps = [b - a for times in self.times.values() for a, b in itertools.pairwise(times)]
        return _steady(statistics.median(gaps)) if gaps else None

    def newest(self) -> float | None:
        """The latest scrape of any origin."""
        return max((times[-1] for times in self.times.values()), default=None)


def _steady(seconds: float) -> float:
    """Scrapes jitter by milliseconds; a grid must not."""
    step = 0.5 if seconds >= 1 else 0.1
    return max(step, round(seconds / step) * step)


def increases(
    series: Iterable[Series], scrapes: Scrapes, origin_of: OriginOf, young: Callable[[Origin], bool]
) -> dict[Origin, dict[float, float]]:
    """By origin and scrape time: what the counters grew by since the scrape before. Raises NoAnswer for a NaN."""
    grown: dict[Origin, dict[float, float]] = {}
    for one in series:
        origin = origin_of(one.labels)
        mine = grown.setdefault(origin, {})
        for at, delta in _deltas(one.points, scrapes.times.get(origin, []), young=young(origin)):
            mine[at] = mine.get(at, 0.0) + delta
    return grown


def _deltas(points: Sequence[Point], times: Sequence[float], *, young: bool) -> Iterable[Point]:
    before: float | None = None
    for at, value in points:
        finite(value, "a counter")
        if before is None:
            born = bool(times) and times[0] < at
            if born or young:
                yield at, value
        else:
            yield at, value - before if value >= before else value
        before = value


@record
class Grid:
    """Bins of `width` seconds; bin k covers (k width, (k+1) width]."""

    width: float

    def index(self, at: float) -> int:
        """The bin that holds a moment."""
        return math.ceil(round(at / self.width, 6)) - 1

    def end(self, index: int) -> float:
        """The end of a bin."""
        return (index + 1) * self.width

    def complete_up_to(self, scrapes: Scrapes, at: float) -> int:
        """The newest bin of which nothing more is to come; -1 when there is none yet."""
        late = self.index(at - 2 * self.width)
        live = [times[-1] for times in scrapes.times.values() if times[-1] > at - LIVE_BINS * self.width]
        seen = min((self.index(newest) for newest in live), default=-1)
        return max(late, seen)


def bins_of(
    grid: Grid,
    every: Mapping[Origin, Mapping[float, float]],
    bad: Mapping[Origin, Mapping[float, float]],
    span: tuple[int, int],
) -> list[Bin]:
    """One bin for each origin that was scraped in each bin of `span` (first, last). Raises NoAnswer.

    An origin without bad series had no bad event; bad events without any at all are a mistake in the queries.
    """
    first, last = span
    found: list[Bin] = []
    for origin in sorted({*every, *bad}):
        events, failed = _binned(grid, every.get(origin, {})), _binned(grid, bad.get(origin, {}))
        for index in sorted({*events, *failed}):
            if not first <= index <= last:
                continue
            end = grid.end(index)
            total, wrong = events.get(index, 0.0), failed.get(index, 0.0)
            if wrong > total + 0.5:
                raise NoAnswer(f"`bad` counts {wrong:g} events where `all` counts {total:g}: the two do not match")
            found.append(Bin(origin=origin, start=end - grid.width, end=end, events=total, bad=wrong))
    return found


def _binned(grid: Grid, grown: Mapping[float, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    for at, delta in grown.items():
        index = grid.index(at)
        found[index] = found.get(index, 0.0) + delta
    return found
