"""The terms of the bet: everything that is fixed before the first sample of a release.

Role: knobs, kinds and baseline in; ladders of alternatives and their paces out. Neighbours: `knobs`, `baseline`,
`detector`. Guarantees: `Ladder.burst` is so small that bad polls which touch less than the tolerated interruption in
total cannot complete any alternative; it is never smaller than one poll.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field

from watchdog.judgement.evidence.baseline import Baseline
from watchdog.judgement.evidence.detector import Ladder
from watchdog.judgement.evidence.knobs import Kind, Knobs
from watchdog.model import record

ALTERNATIVES = 6
BURST_S = 15.0
"""Seconds of evidence that one bin may bring after a pause, where the promise allows as much."""

DOWN, PARTIAL, WEAK = 0.94, 1.15, 1.35
"""Times "tolerated interruption and two polls" that alternatives take: those of a service mostly down, of a partial outage
(two of them may follow each other closely), and weak ones, whose evidence outlives the good time between interruptions."""

MOSTLY_DOWN = 0.3

WASHED, WASHED_S = 8.0, 60.0
"""Alternatives below "unacceptable" are weak unless the usual traffic, when good, takes so many nats from them in so long."""

MIXED = 3.0
"""While old and new pods serve and requests cannot be told apart, alternatives below "unacceptable" take so many times as long."""

SAFETY = 0.98
"""Below one, so that the promise does not hang on the last bit of a float."""


@record
class Terms:
    """Fixed for the watch of one release.

    `every_s` = seconds that one delivery of a signal usually covers; `probes` and `requests` = signals of kind probe, err.
    """

    knobs: Knobs
    poll_s: float
    kinds: Mapping[str, Kind]
    ladders: Mapping[str, Ladder]
    every_s: Mapping[str, float]
    need: float
    probes: tuple[str, ...]
    requests: tuple[str, ...]
    own: Mapping[str, Knobs] = field(default_factory=dict)
    """Signals whose error rates were set apart."""

    @property
    def burst_s(self) -> float:
        """What one poll may bring at most."""
        return max(BURST_S, self.poll_s)

    @property
    def fill_s(self) -> float:
        """Touched seconds that the strongest alternative takes: the tolerated interruption and the two polls it may touch."""
        return self.knobs.tolerate_interruption_s + 2 * self.poll_s

    def unacceptable(self, name: str) -> float:
        """The share that is always a reason, by the knobs alone."""
        return self.own.get(name, self.knobs).ceiling(self.kinds[name])


def terms_of(
    kinds: Mapping[str, Kind],
    baselines: Mapping[str, Baseline],
    knobs: Knobs,
    poll_s: float,
    every_s: Mapping[str, float] | None = None,
    own: Mapping[str, Knobs] | None = None,
) -> Terms:
    """The terms for these signals; every one of `kinds` needs its baseline. `own` = knobs of signals set apart."""
    apart = own or {}
    return Terms(
        knobs=knobs,
        poll_s=poll_s,
        kinds=dict(kinds),
        ladders={
            name: ladder_of(baselines[name].rate, kind, apart.get(name, knobs), poll_s, baselines[name].per_s)
            for name, kind in kinds.items()
        },
        every_s={name: (every_s or {}).get(name, poll_s) for name in kinds},
        need=-math.log(knobs.expert.false_alarm_bound),
        probes=tuple(name for name, kind in kinds.items() if kind is Kind.PROBE),
        requests=tuple(name for name, kind in kinds.items() if kind is Kind.ERR),
        own=apart,
    )


def ladder_of(tolerated: float, kind: Kind, knobs: Knobs, poll_s: float, per_s: float = 0.0) -> Ladder:
    """Alternatives from twice the tolerated rate to 95 %, in equal ratios. `per_s` = usual events a second."""
    lowest = min(2 * tolerated, (tolerated + 1) / 2)
    highest = max(0.95, (1 + 3 * lowest) / 4)
    last = ALTERNATIVES - 1
    rates = tuple(math.exp(math.log(lowest) + math.log(highest / lowest) * k / last) for k in range(ALTERNATIVES))
    unacceptable = knobs.ceiling(kind)
    good = tuple(math.log((1 - rate) / (1 - tolerated)) for rate in rates)
    quick = [rate >= unacceptable or per_s * WASHED_S * -lose >= WASHED for rate, lose in zip(rates, good, strict=True)]
    tolerated_s = knobs.tolerate_interruption_s
    fastest = tolerated_s + 2 * poll_s
    lasts = [max(tolerated_s, fastest * _slowness(rate, at_once)) for rate, at_once in zip(rates, quick, strict=True)]
    mixed = [fastest * MIXED if rate < unacceptable else each for rate, each in zip(rates, lasts, strict=True)]
    bursts = tuple(_burst(each, tolerated_s, poll_s) for each in lasts)
    return Ladder(
        tolerated=tolerated,
        unacceptable=unacceptable,
        rates=rates,
        bad=tuple(math.log(rate / tolerated) for rate in rates),
        good=good,
        fill=tuple(each + burst - poll_s for each, burst in zip(lasts, bursts, strict=True)),
        fill_mixed=tuple(each + burst - poll_s for each, burst in zip(mixed, bursts, strict=True)),
        burst=bursts,
    )


def _slowness(rate: float, quick: bool) -> float:  # noqa: FBT001 - a private step of ladder_of
    """Times the tolerated interruption and two polls that this alternative takes."""
    if not quick:
        return WEAK
    return PARTIAL if rate < MOSTLY_DOWN else DOWN


def _burst(lasts_s: float, tolerated_s: float, poll_s: float) -> float:
    """Seconds of evidence one bin may bring, so that polls touched within the tolerated interruption do not fill it.

    A continuous disturbance fills in `lasts_s`: one burst, then a poll's worth a poll. At most m separate polls fit into
    less than the tolerated time; a whole burst each must stay below that: m b < lasts + b - poll.
    """
    separate = math.ceil(tolerated_s / poll_s) - 1
    allowed = SAFETY * (lasts_s - poll_s) / (separate - 1) if separate > 1 else math.inf
    return max(poll_s, min(BURST_S, allowed))
