"""The five knobs of the evidence rule, and the few numbers that only an expert moves.

Role: what people may set, with the default, the unit and one line of meaning each. Neighbours: `terms` turns them into
ladders and paces. Guarantees: a combination that could never fire, or that contradicts itself, is refused with a sentence
naming the knob. Rates of probes and of slow requests are derived from the two error rates, so that five knobs are enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from watchdog.model import record

MEANING = {
    "tolerate_interruption_s": "an interruption this short never rolls back; longer ones do, 15-20 s later",
    "tolerate_error_rate": "a share of failed requests at or below this is never a reason (probes 6 times, slow requests 4 times)",
    "unacceptable_error_rate": "a share above this is a reason unless it was so before (probes 4 times, slow requests twice)",
    "times_worse": "between the two: a reason when it is worse than so many times the last hour",
    "max_interruptions": "so many separate interruptions within `interruptions_within_s` are borne; the next one rolls back",
}
"""One line a knob, for the schema of the configuration."""


class Kind(StrEnum):
    """What the events of a signal are."""

    PROBE = "probe"  # our own question, one event a poll
    ERR = "err"  # requests of users, bad = failed
    SLOW = "slow"  # requests of users, bad = slower than the latency limit (or a value above its limit)


FLOOR_TIMES = {Kind.PROBE: 6.0, Kind.ERR: 1.0, Kind.SLOW: 4.0}
CEILING_TIMES = {Kind.PROBE: 4.0, Kind.ERR: 1.0, Kind.SLOW: 2.0}
"""Multiples of the two error rates: by default probes 3 % and 20 %, slow requests 2 % and 10 % (facts, section 3)."""

MOST_TOLERATED = 0.5
"""No floor above this, however the knobs are set: a service that is down half of the time is not healthy."""


@record
class Expert:
    """What stays as it is unless somebody knows why. Seconds, and a probability."""

    false_alarm_bound: float = 0.01
    """Chance of a rollback by evidence when everything is exactly as bad as tolerated, over the watch."""
    watch_s: float = 1800.0
    """The watch over which the bound is stated. The rule goes on afterwards; the bound then grows with the logarithm."""
    nothing_ready_s: float = 75.0
    """How long no pod may be ready while the rollout itself replaces them all (strategy Recreate)."""
    none_new_ready_s: float = 240.0
    """How long new pods may exist without one of them becoming ready; below the platform's progress deadline of 600 s."""


@record
class Knobs:
    """The five knobs. Raises ValueError for impossible combinations; the message names the knobs."""

    tolerate_interruption_s: float = 30.0
    tolerate_error_rate: float = 0.005
    unacceptable_error_rate: float = 0.05
    times_worse: float = 3.0
    max_interruptions: int = 3
    interruptions_within_s: float = 600.0
    expert: Expert = Expert()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, all findings at once."""
        problems = list(_problems(self))
        if problems:
            raise ValueError("; ".join(problems))

    def tolerating(self, seconds: float) -> Knobs:
        """The same knobs for a target that tolerates a longer interruption; what must not be shorter grows with it."""
        expert = self.expert
        nothing = max(expert.nothing_ready_s, seconds)
        return replace(
            self,
            tolerate_interruption_s=seconds,
            interruptions_within_s=max(self.interruptions_within_s, 2 * (self.max_interruptions + 1) * seconds / 3),
            expert=replace(
                expert,
                nothing_ready_s=nothing,
                none_new_ready_s=max(expert.none_new_ready_s, nothing),
                watch_s=max(expert.watch_s, 2 * seconds),
            ),
        )

    def floor(self, kind: Kind) -> float:
        """The share of bad events that is never a reason."""
        return min(MOST_TOLERATED, FLOOR_TIMES[kind] * self.tolerate_error_rate)

    def ceiling(self, kind: Kind) -> float:
        """The share that is always a reason, unless it was so before."""
        return min(0.9, max(self.floor(kind), CEILING_TIMES[kind] * self.unacceptable_error_rate))


def _problems(knobs: Knobs) -> Iterator[str]:
    expert = knobs.expert
    if not 1 <= knobs.tolerate_interruption_s <= 3600:  # noqa: PLR2004 - the bounds are named in the sentence
        yield "tolerate_interruption must be between 1 s and 1 h"
    if not 0 < knobs.tolerate_error_rate < knobs.unacceptable_error_rate < 1:
        yield "0 < tolerate_error_rate < unacceptable_error_rate < 100 % must hold"
    if knobs.times_worse < 1:
        yield "times_worse must be at least 1: below it the last hour itself would be a reason"
    if knobs.max_interruptions < 1:
        yield "max_interruptions must be at least 1: with 0 the first interruption would roll back, however short"
    if knobs.interruptions_within_s <= (knobs.max_interruptions + 1) * knobs.tolerate_interruption_s / 3:
        yield "max_interruptions: that many interruptions do not fit into the time in which they are counted"
    if not 0 < expert.false_alarm_bound <= 0.2:  # noqa: PLR2004 - the bounds are named in the sentence
        yield "false_alarm_bound must be above 0 and at most 20 %"
    if expert.watch_s < 2 * knobs.tolerate_interruption_s:
        yield "watch must be at least twice tolerate_interruption"
    if expert.nothing_ready_s < knobs.tolerate_interruption_s:
        yield "nothing_ready must not be shorter than tolerate_interruption"
    if expert.none_new_ready_s < expert.nothing_ready_s:
        yield "none_new_ready must not be shorter than nothing_ready"
