"""What a source counted before we looked: the baseline of a fresh install.

Role: minute counts of the hour before, for the ledger. Neighbours: `signal` offers them, `engine.remembering` asks once.
Guarantees: raises NoAnswer rather than give half a history; minutes without any events are given as such only where the
source has data for them. Not guaranteed: whole counts - ``increase`` extrapolates, so each minute is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from watchdog.model import Instant
from watchdog.signals.prometheus.answer import Answer, NoAnswer
from watchdog.signals.prometheus.questions import INTERVAL, Expression, Ratio
from watchdog.signals.prometheus.source import PrometheusSource

MINUTE_S = 60.0
LEAST_SCRAPES = 4.0

Minutes = list[tuple[float, int, int]]
"""(end of the minute, events, bad)."""


async def minutes_of(
    question: Ratio | Expression, source: PrometheusSource, scrape_s: float, since: Instant, until: Instant
) -> Minutes:
    """Counts of each whole minute in (since, until], oldest first. Raises NoAnswer."""
    step = MINUTE_S * max(1, math.ceil(LEAST_SCRAPES * scrape_s / MINUTE_S))
    first = math.floor(since / MINUTE_S) * MINUTE_S + step
    last = math.floor(until / MINUTE_S) * MINUTE_S
    if last < first:
        return []
    span = datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
    window = f"{step:g}s"
    every = await source.ask_range(_total(question, question.every, window), *span, step)
    if not every.series:
        raise NoAnswer(f"no series matches {question.every}")
    rest = question.part if isinstance(question, Ratio) else question.bad
    part = _by_moment(await source.ask_range(_total(question, rest, window), *span, step))
    spread = int(step / MINUTE_S)
    found: Minutes = []
    for end, events in sorted(_by_moment(every).items()):
        other = part.get(end, 0.0)
        bad = events - other if isinstance(question, Ratio) and question.good else other
        for minute in range(spread):
            total = round(events / spread)
            found.append((end - minute * MINUTE_S, total, min(total, max(0, round(bad / spread)))))
    return sorted(found)


def _total(question: Ratio | Expression, query: str, window: str) -> str:
    if isinstance(question, Expression):
        return query.replace(INTERVAL, window)
    return f"sum(increase({query}[{window}]))"


def _by_moment(answer: Answer) -> Mapping[float, float]:
    """Values by moment; what is no number is left out: nobody knows that minute."""
    if len(answer.series) > 1:
        raise NoAnswer(f"{len(answer.series)} series where one is meant")
    points = answer.series[0].points if answer.series else ()
    return {at: value for at, value in points if math.isfinite(value)}
