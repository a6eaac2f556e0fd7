"""The concurrent comparison: what the old release's pods, or a target that was not deployed, fail at the same time.

Role: turns the last minute of the comparison into a *level* for each kind of signal; bets then go against the level
instead of the baseline, so that an outage which hits both is never the release's. Neighbours: `weighing`, `detector`.
Guarantees: without a comparison there is no level; a level only lowers bets. Not guaranteed: a bound like Ville's, for the
level is an estimate (two standard errors above the rate). It ends 60 s after the comparison is well, 15 minutes after the
last old pod left at the latest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from watchdog.judgement.evidence.baseline import Pair
from watchdog.judgement.evidence.knobs import Kind
from watchdog.judgement.evidence.look import Look
from watchdog.judgement.evidence.recent import Recent, looks_fine, noted, sums
from watchdog.judgement.evidence.terms import Terms
from watchdog.model import record

WINDOW_S, LONGEST_S = 60.0, 900.0
LEAST_BAD, TIMES = 2, 3
"""The comparison fails with so many bad events, at more than so many times what is tolerated."""

REPLACED_BY = 0.8
"""An estimate gives way to a newer one that rests on at least this share of its events: it shrinks as old pods leave."""

MOST = 0.97
SHARED_KINDS = (Kind.PROBE, Kind.ERR)
"""One outage shows in probes and requests alike: the surer estimate of the two counts for both."""


@record
class Level:
    """`rate` with its upper margin, resting on `events`."""

    rate: float
    events: int


@record
class Comparison:
    """`levels` by signal, since event time `since`, until `until`; `recent` by signal."""

    recent: Mapping[str, Recent] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)
    since: float = 0.0
    until: float = -1.0

    def rate(self, name: str) -> float | None:
        """The level of one signal, None when the comparison is well or there is none."""
        level = self.levels.get(name)
        return None if level is None else level.rate


def compared(terms: Terms, before: Comparison, look: Look) -> Comparison:
    """The comparison after this look. Without old pods, control and memory it stays as it was."""
    rows = _rows(terms, look)
    if not rows and not before.recent and not before.levels:
        return before
    recent = {
        name: noted(before.recent.get(name, ()), look.at, rows.get(name, (0, 0)), WINDOW_S)
        for name in {**before.recent, **rows}
    }
    seen = {name: sums(cells, look.at, WINDOW_S) for name, cells in recent.items()}
    failing = [name for name, counts in seen.items() if _fails(counts, terms.ladders[name].tolerated)]
    since = look.at if failing and look.at > before.until else before.since
    levels = dict(before.levels)
    for name in failing:
        span = min(WINDOW_S, look.at - since + terms.poll_s)
        levels[name] = _estimate(sums(recent[name], look.at, span), levels.get(name))
    goes_on = look.at <= before.until and look.at - since < LONGEST_S and _left_failing(terms, look, seen)
    until = look.at + WINDOW_S if failing or goes_on else before.until
    levels = _one_outage(terms, levels) if look.at <= until else {}
    return replace(before, recent=recent, levels=levels, since=since, until=until)


def _rows(terms: Terms, look: Look) -> dict[str, Pair]:
    """Old pods one by one where they are known, else as a sum, and the control."""
    olds = [pod.counts for pod in look.pods or () if not pod.new and pod.ready]
    rows: dict[str, Pair] = {}
    for name in terms.kinds:
        found = [counts[name] for counts in olds if name in counts]
        if not found and look.old and name in look.old:
            found.append(look.old[name])
        if look.control and name in look.control:
            found.append(look.control[name])
        if found:
            rows[name] = (sum(events for events, _ in found), sum(bad for _, bad in found))
    return rows


def _fails(counts: Pair, tolerated: float) -> bool:
    events, bad = counts
    return bad >= LEAST_BAD and bad > TIMES * tolerated * events


def _estimate(counts: Pair, before: Level | None) -> Level:
    """The rate with two standard errors on top; of two estimates the surer or the higher one."""
    events, bad = counts
    rate = (bad + 1) / (events + 2)
    if before is not None and events < REPLACED_BY * before.events and rate <= before.rate:
        return before
    return Level(rate=min(MOST, rate + 2 * (rate * (1 - rate) / (events + 2)) ** 0.5), events=events)


def _left_failing(terms: Terms, look: Look, seen: Mapping[str, Pair]) -> bool:
    """The last old pod has left while the outage went on, and the service still fails."""
    if any(events for events, _ in seen.values()):
        return False
    probes = any(look.counts.get(name, (0, 0))[1] for name in terms.probes)
    return probes or not all(
        looks_fine(look.counts.get(name, (0, 0)), terms.ladders[name].tolerated) for name in terms.requests
    )


def _one_outage(terms: Terms, levels: Mapping[str, Level]) -> dict[str, Level]:
    shared = [name for name, kind in terms.kinds.items() if kind in SHARED_KINDS]
    known = [levels[name] for name in shared if name in levels]
    if not known:
        return dict(levels)
    surest = max(known, key=lambda level: level.events)
    return {**levels, **dict.fromkeys(shared, surest)}
