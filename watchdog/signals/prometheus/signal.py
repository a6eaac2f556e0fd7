"""A signal from Prometheus: counts by pod and release where the series tell pods apart, values against a limit.

Role: implements `ports.Signal` over one `PrometheusSource`. Neighbours: `questions` says what is asked, `counters` does the
arithmetic, `series` says whose a series is.
Guarantees: every oddity (nothing matches, NaN, several series, warnings, old data, a source that cannot be asked) is an
Unknown with its reason, never bad and never good; samples carry event time, each bin is given out once; the interval
between scrapes is learned from the data unless it is said. Not guaranteed: that an expression's ``increase`` counts whole
events - Prometheus extrapolates; plain selectors are counted exactly.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from watchdog.model import Counts, Instant, Reading, Sample, Unknown, instant
from watchdog.ports import Clock, PollContext, Unavailable
from watchdog.signals.prometheus.answer import Answer, NoAnswer, one_value
from watchdog.signals.prometheus.counters import Bin, Grid, Scrapes, bins_of, increases
from watchdog.signals.prometheus.history import MINUTE_S, minutes_of
from watchdog.signals.prometheus.questions import (
    INTERVAL,
    Expression,
    Limit,
    Quantile,
    Question,
    Ratio,
    is_selector,
    with_suffix,
)
from watchdog.signals.prometheus.series import Labels, Whose
from watchdog.signals.prometheus.source import SHARE_S, PrometheusSource

USUAL_SCRAPE_S = 15.0
"""Where nothing is said and nothing was seen yet."""
LOOK_BACK = 6.0
"""Scrape intervals that one question covers: a bin may come two late, and a scrape may be missed."""
OLD_S, OLD_SCRAPES = 60.0, 4.0
"""Data older than both is no data."""
MOST_BINS = 20
"""Bins one poll gives out at most: after a gap the newest count."""
LEAST_SCRAPES = 4.0
"""Scrape intervals in the window of a quantile."""


class PrometheusSignal:
    """One question to one source. `every_s` is how often it is polled."""

    def __init__(
        self,
        name: str,
        question: Question,
        source: PrometheusSource,
        clock: Clock,
        *,
        every_s: float,
        labels: Labels | None = None,
        counts_users: bool = False,
    ) -> None:
        """Ask through `source`, which is shared and closed by its owner."""
        self.name = name
        self.counts_users = counts_users
        self.question = question
        self.source = source
        self._clock = clock
        self._every_s = every_s
        self._labels = labels or Labels()
        self._scrape_s = source.access.scrape_s
        self._given: float | None = None
        """Event time up to which samples were given out."""
        self.asked: tuple[str, ...] = ()
        """The queries of the last poll, for a person who looks."""

    def apart(self) -> PrometheusSignal:
        """The same question, of which nothing was given out yet: for a person's look."""
        other = PrometheusSignal(
            self.name,
            self.question,
            self.source,
            self._clock,
            every_s=self._every_s,
            labels=self._labels,
            counts_users=self.counts_users,
        )
        other._scrape_s = self._scrape_s
        return other

    @property
    def deadline_s(self) -> float:
        """What a poll takes at most."""
        return self.source.access.timeout_s + 1.0

    @property
    def learned_s(self) -> float | None:
        """Seconds between two scrapes, where they were said or seen."""
        return self._scrape_s

    @property
    def scrape_s(self) -> float:
        """Seconds between two scrapes: said, learned, or the usual."""
        return self._scrape_s or USUAL_SCRAPE_S

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        """The bins that have become complete, or one value."""
        try:
            match self.question:
                case Ratio():
                    return await self._counters(self.question, context)
                case Expression():
                    return await self._expressions(self.question)
                case Quantile():
                    return await self._quantile(self.question)
                case Limit():
                    return await self._limit(self.question)
        except NoAnswer as error:
            now = self._clock.now()
            return [Sample(signal=self.name, start=now, end=now, reading=Unknown(reason=str(error)))]

    async def minutes(self, since: Instant, until: Instant) -> Sequence[Sample]:
        """Counts of the minutes before, for the baseline; of values there are none. Raises Unavailable."""
        if not isinstance(self.question, Ratio | Expression):
            return ()
        try:
            found = await minutes_of(self.question, self.source, self.scrape_s, since, until)
        except NoAnswer as error:
            raise Unavailable(f"{self.name}: {error}") from None
        return [
            self._sample(end - MINUTE_S, end, Counts(good=events - bad, bad=bad), "counted before we looked")
            for end, events, bad in found
        ]

    async def close(self) -> None:
        """Nothing of its own to close."""

    # -- counters ----------------------------------------------------------------------------------------------------

    async def _counters(self, question: Ratio, context: PollContext) -> list[Sample]:
        window = f"[{math.ceil(LOOK_BACK * self.scrape_s)}s]"
        every, part = await self._both(question.every + window, question.part + window)
        if not every.series:
            raise NoAnswer(f"no series matches {question.every}: a metric or label that is not there")
        whose = Whose(self._labels, context.state)
        scrapes = Scrapes.of((*every.series, *part.series), whose.origin)
        self._scrape_s = self.source.access.scrape_s or scrapes.interval() or self._scrape_s
        self._refuse_old(scrapes.newest(), every.at)
        if self._scrape_s is None:
            return []  # scraped once: nothing has grown, and nobody knows yet how long a bin is
        grid = Grid(width=self.scrape_s)
        last = grid.complete_up_to(scrapes, every.at)
        first = max(last - MOST_BINS, last - 1 if self._given is None else grid.index(self._given)) + 1
        young = whose.younger_than(every.at - LOOK_BACK * self.scrape_s)
        grown = increases(every.series, scrapes, whose.origin, young)
        bad = increases(part.series, scrapes, whose.origin, young)
        if question.good:
            if not part.series and any(delta for mine in grown.values() for delta in mine.values()):
                raise NoAnswer(f"no series matches {question.part}: the limit must be one of the histogram's bounds")
            bad = {
                origin: {at: max(0.0, delta - bad.get(origin, {}).get(at, 0.0)) for at, delta in mine.items()}
                for origin, mine in grown.items()
            }
        bins = bins_of(grid, grown, bad, (first, last))
        samples = self._samples(bins, whose, question)
        if bins and not samples:
            raise NoAnswer("the series belong to no pod of the target: look at pod_label, and at the selectors")
        self._given = max(self._given or 0.0, grid.end(last))
        return samples

    def _samples(self, bins: Sequence[Bin], whose: Whose, question: Ratio) -> list[Sample]:
        word = "slow" if question.slow else "bad"
        together: dict[tuple[str | None, str | None, float], list[Bin]] = {}
        for one in bins:
            owner = whose.owner(one.origin)
            if owner is not None:
                together.setdefault((*owner, one.end), []).append(one)
        samples = []
        for (instance, release, end), group in sorted(together.items(), key=lambda item: item[0][2]):
            events, bad = (round(math.fsum(values)) for values in ((b.events for b in group), (b.bad for b in group)))
            where = f" on {instance}" if instance else ""
            detail = f"{bad} {word} of {events} events{where} in {end - group[0].start:g} s"
            reading = Counts(good=max(0, events - bad), bad=min(bad, events))
            samples.append(self._sample(group[0].start, end, reading, detail, instance=instance, release=release))
        return samples

    def _refuse_old(self, newest: float | None, at: float) -> None:
        if newest is None:
            raise NoAnswer("the series hold no points")
        age = at - newest
        if age > max(OLD_S, OLD_SCRAPES * self.scrape_s):
            raise NoAnswer(f"the newest data is {age:.0f} s old: it is not scraped any more")
        if age < -self.scrape_s - OLD_S:
            raise NoAnswer(f"the newest data is {-age:.0f} s in our future: the clocks differ")

    # -- values ------------------------------------------------------------------------------------------------------

    async def _expressions(self, question: Expression) -> list[Sample]:
        seconds = f"{self._every_s:g}s"
        every, part = await self._both(
            question.every.replace(INTERVAL, seconds), question.bad.replace(INTERVAL, seconds)
        )
        if self._given is not None and every.at < self._given + self._every_s - SHARE_S:
            return []  # it would count again what was counted
        self._given = every.at
        events = one_value(every, "`all`")
        bad = one_value(part, "`bad`") if part.series else 0.0
        if bad > events + max(1.0, 0.05 * events):
            raise NoAnswer(f"`bad` counts {bad:g} events where `all` counts {events:g}: the two do not match")
        whole, wrong = round(events), min(round(bad), round(events))
        detail = f"{wrong} bad of {whole} events in {seconds}"
        return [self._sample(every.at - self._every_s, every.at, Counts(good=whole - wrong, bad=wrong), detail)]

    async def _quantile(self, question: Quantile) -> list[Sample]:
        window = f"[{math.ceil(LEAST_SCRAPES * self.scrape_s)}s]"
        buckets = with_suffix(question.histogram, "_bucket") + window
        counted = with_suffix(question.histogram, "_count") + window
        value_query = f"histogram_quantile({question.quantile:g}, sum by (le) (increase({buckets})))"
        count, value = await self._both(f"sum(increase({counted}))", value_query)
        if not count.series:  # no classic histogram of this name: perhaps a native one
            native = f"sum(increase({question.histogram}{window}))"
            count, value = await self._both(
                f"histogram_count({native})", f"histogram_quantile({question.quantile:g}, {native})"
            )
        events = one_value(count, question.histogram)
        if events < question.min_events:
            raise NoAnswer(f"{events:.0f} events are fewer than the {question.min_events} a quantile needs")
        seconds = one_value(value, f"the {question.quantile:g} quantile")
        words = f"{question.quantile:g} quantile {seconds:.3g} s"
        return [self._judged(value.at, seconds, Limit(query="", above=question.above), words)]

    async def _limit(self, question: Limit) -> list[Sample]:
        plain = is_selector(question.query)
        query = f"{question.query}[{math.ceil(OLD_SCRAPES * self.scrape_s)}s]" if plain else question.query
        answer = await self._one(query)
        value = one_value(answer, question.query)
        if plain:
            self._refuse_old(answer.series[0].points[-1][0], answer.at)
        return [self._judged(answer.at, value, question, f"{value:g}")]

    def _judged(self, at: float, value: float, limit: Limit, words: str) -> Sample:
        """A value is one event: bad beyond its limit."""
        high = limit.above is not None and value > limit.above
        low = limit.below is not None and value < limit.below
        bound = f"above {limit.above:g}" if limit.above is not None else f"below {limit.below:g}"
        detail = f"{words}, {bound}" if high or low else f"{words}, not {bound}"
        return self._sample(at - self._every_s, at, Counts(good=int(not (high or low)), bad=int(high or low)), detail)

    # -- asking ------------------------------------------------------------------------------------------------------

    async def _one(self, query: str) -> Answer:
        self.asked = (query,)
        return await self.source.ask(query, self.source.moment())

    async def _both(self, first: str, second: str) -> tuple[Answer, Answer]:
        """Two answers for the same moment."""
        self.asked = (first, second)
        at = self.source.moment()
        asked = (self.source.ask(query, at) for query in (first, second))
        one, other = await asyncio.gather(*asked, return_exceptions=True)
        for found in (one, other):
            if isinstance(found, BaseException):
                raise found
        assert isinstance(one, Answer)  # noqa: S101 - what is no exception is an answer
        assert isinstance(other, Answer)  # noqa: S101
        return one, other

    def _sample(
        self,
        start: float,
        end: float,
        reading: Reading,
        detail: str,
        *,
        instance: str | None = None,
        release: str | None = None,
    ) -> Sample:
        return Sample(
            signal=self.name,
            start=instant(start),
            end=instant(end),
            reading=reading,
            release=release,
            instance=instance,
            detail=detail,
        )


def ages(samples: Sequence[Sample], now: Instant) -> float | None:
    """Seconds since the newest data of these samples; None when they say nothing."""
    known = [sample.end for sample in samples if not isinstance(sample.reading, Unknown)]
    return now - max(known) if known else None
