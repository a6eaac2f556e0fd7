"""The baseline: what the hour before the rollout says is tolerated.

Role: minute counts of one signal in, the tolerated rate p0 out. Neighbours: `beta` (bounds), `terms` (uses p0).
Guarantees: p0 lies between the floor and the ceiling of its kind, unless the service was surely bad already in the last 5
or 15 minutes; then p0 is the upper bound of the last 5, so that only a clear worsening counts. The six worst minutes do
not count: an incident of some minutes in the hour before does not blunt the rule. Without any history p0 is the
ceiling: the rule is blind for anything weaker, and `Baseline.sentence` says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from watchdog.judgement.evidence.beta import lower, upper
from watchdog.judgement.evidence.knobs import Kind, Knobs
from watchdog.judgement.wording import percent
from watchdog.model import record

Pair = tuple[int, int]
"""(events, bad events)."""

MINUTE_S = 60.0
WORST_MINUTES = 6
RECENT = ((5, 3), (15, 12))
"""(minutes looked at, best of them that are believed): degraded when even the best are surely above the floor."""

SURELY = 0.05
MOST = 0.9
"""Above this no alternative is left to bet on."""

LEAST_DELIVERIES = 10
"""So many deliveries, at least, show a rhythm."""


@record
class Baseline:
    """What is tolerated of one signal, and why. `per_s` = usual events a second, 0 where nothing is known."""

    rate: float
    degraded: bool
    events: int
    per_s: float
    sentence: str


def tolerated_rate(minutes: Sequence[Pair], kind: Kind, knobs: Knobs) -> Baseline:
    """`minutes`: (events, bad) a minute, oldest first, about an hour."""
    floor, risk = knobs.floor(kind), knobs.expert.false_alarm_bound
    kept = sorted(minutes, key=lambda minute: minute[1])[:-WORST_MINUTES]
    events, bad = _sums(kept)
    rate = max(floor, min(knobs.times_worse * upper(bad, events, risk), knobs.ceiling(kind)))
    degraded = any(_surely_above(minutes[-span:], believed, floor) for span, believed in RECENT)
    if degraded:
        recent_events, recent_bad = _sums(minutes[-RECENT[0][0] :])
        rate = max(rate, upper(recent_bad, recent_events, risk))
    rate = min(rate, MOST)
    return Baseline(
        rate=rate,
        degraded=degraded,
        events=events,
        per_s=events / (MINUTE_S * len(kept)) if kept else 0.0,
        sentence=_sentence(rate, bad, events, degraded=degraded),
    )


def minutes_of(polls: Sequence[Pair], poll_s: float) -> list[Pair]:
    """Polls of equal length, oldest first, as minutes; a poll belongs to the minute in which it begins."""
    minutes: dict[int, list[int]] = {}
    for index, (events, bad) in enumerate(polls):
        sums = minutes.setdefault(int((index * poll_s + 1e-6) // MINUTE_S), [0, 0])
        sums[0] += events
        sums[1] += bad
    return [(events, bad) for events, bad in minutes.values()]


def rhythm(polls: Sequence[Pair], poll_s: float) -> float:
    """Seconds between two deliveries of a source that brings its counts as one sum; `poll_s` where there is no such rhythm."""
    at = [index for index, (events, _) in enumerate(polls) if events]
    if len(at) <= LEAST_DELIVERIES:
        return poll_s
    return poll_s * math.gcd(*(later - earlier for earlier, later in pairwise(at)))


def _sums(pairs: Sequence[Pair]) -> Pair:
    return sum(events for events, _ in pairs), sum(bad for _, bad in pairs)


def _surely_above(minutes: Sequence[Pair], believed: int, floor: float) -> bool:
    best = sorted(minutes, key=lambda minute: minute[1] / max(minute[0], 1))[:believed]
    events, bad = _sums(best)
    return lower(bad, events, SURELY) > floor


def _sentence(rate: float, bad: int, events: int, *, degraded: bool) -> str:
    if not events:
        return f"nothing is known of the hour before: {percent(rate)} is tolerated"
    was = f"{percent(bad / events)} of {events} were bad in the hour before"
    return (
        f"{was}, already degraded: {percent(rate)} is tolerated" if degraded else f"{was}: {percent(rate)} is tolerated"
    )
