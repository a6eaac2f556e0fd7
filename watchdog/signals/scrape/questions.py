"""What may be asked of a metrics page, and what two looks at it mean.

Role: the arithmetic of `signal`: counters to counts, values to one good or bad event. Pure. Neighbours: `page` gives series,
`growth` says what they grew by. Guarantees: what cannot be concluded raises `NoAnswer` with its clause; a metric that is on no
page is the business of `signal`, since one instance without traffic may not show it yet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from watchdog.model import Counts, record
from watchdog.signals.scrape.page import Key, NoAnswer, Page, Selector

MOST_BOUNDS = 12
"""Bounds of a histogram that are named when none of them is the limit."""

HALF = 0.5
"""An event: counters may be floats, whose sums are not exact."""

Growth = Mapping[Key, float]
"""What each series of one instance grew by between two looks."""


@record
class Part:
    """Counters: `part` of `every` event is bad, or good when `good` is True."""

    part: Selector
    every: Selector
    good: bool = False
    word = "bad"

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """All that is read; the first must be somewhere."""
        return (self.every, self.part)

    def counts(self, page: Page, grown: Growth) -> Counts:
        """Events between two looks. Raises NoAnswer."""
        every, part = (_sum(page.of(selector), grown) for selector in self.selectors)
        bad = every - part if self.good else part
        return _counts(every, bad, self.part.text, self.every.text)


@record
class Slow:
    """A classic histogram: an event slower than `within_s` is bad; that must be one of its bounds."""

    histogram: Selector
    within_s: float
    word = "slow"

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """All that is read; the first must be somewhere."""
        return (self.histogram.also("_count"), self.histogram.also("_bucket"))

    def counts(self, page: Page, grown: Growth) -> Counts:
        """Events between two looks. Raises NoAnswer."""
        count, bucket = self.selectors
        found = page.of(bucket)
        within = {key: value for key, value in found.items() if _bound(key) == self.within_s}
        counted = page.of(count)
        if counted and not within:
            bounds = sorted({bound for bound in map(_bound, found) if bound is not None and math.isfinite(bound)})
            shown = ", ".join(f"{bound:g}" for bound in bounds[:MOST_BOUNDS]) or "none"
            raise NoAnswer(f"{self.within_s:g} s is none of the bounds of {self.histogram.metric} ({shown})")
        every, quick = _sum(counted, grown), _sum(within, grown)
        return _counts(every, every - quick, bucket.text, count.text)


@record
class Within:
    """One value of each instance, bad above `above` or below `below`."""

    value: Selector
    above: float | None = None
    below: float | None = None
    word = "bad"

    def __post_init__(self) -> None:
        """Exactly one limit."""
        if (self.above is None) == (self.below is None):
            raise ValueError("exactly one of above and below")

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """All that is read."""
        return (self.value,)

    def judged(self, page: Page) -> tuple[Counts, str]:
        """One event, good or bad, and its words. Raises NoAnswer."""
        found = page.of(self.value)
        if len(found) != 1:
            raise NoAnswer(f"{self.value.text} is {len(found)} series there, where one is meant")
        value = next(iter(found.values()))
        if not math.isfinite(value):
            raise NoAnswer(f"{self.value.text} is {value}, which is no number")
        high = self.above is not None and value > self.above
        low = self.below is not None and value < self.below
        limit = f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"
        words = f"{value:g}, {limit}" if high or low else f"{value:g}, not {limit}"
        return Counts(good=int(not (high or low)), bad=int(high or low)), words


Question = Part | Slow | Within


def _sum(series: Mapping[Key, float], grown: Growth) -> float:
    return math.fsum(grown.get(key, 0.0) for key in series)


def _bound(key: Key) -> float | None:
    try:
        return float(dict(key[1]).get("le", ""))
    except ValueError:
        return None


def _counts(every: float, bad: float, part: str, whole: str) -> Counts:
    if not -HALF < bad < every + HALF:
        raise NoAnswer(f"{part} and {whole} do not match: one counts more than the other")
    events = round(every)
    wrong = min(events, max(0, round(bad)))
    return Counts(good=events - wrong, bad=wrong)
