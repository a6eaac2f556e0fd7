"""What other knobs would have cost and brought, from a stretch of history that was healthy.

Role: behind `watchdog tune`; pure. Neighbours: `replaying` judges each stretch. Method: pretend that a release began at many moments of the
history. What fires there is a false rollback of that choice. Then let a share of the good events of the very same stretches
fail, from their beginning, and see how long it takes to be noticed. Guarantees: the same history gives the same figures; the
failures are spread evenly, without luck. Not guaranteed: that the coming weeks are like the history, nor that a real fault
fails evenly.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from watchdog.judgement.evidence.beta import upper
from watchdog.judgement.replaying import Recording, Rhythm, Rollout, baseline_of, replay_one
from watchdog.judgement.rule import Rule
from watchdog.model import Counts, Instant, Sample, instant, record

FAULTS: Mapping[str, float] = {"down": 1.0, "30 %": 0.3, "5 %": 0.05}
"""Shares of good events that fail."""

RISK = 0.05
"""The bound on false rollbacks holds with 95 %."""

NOTICED = 0.95
"""A fault counts as noticed when so many of its stretches fired."""


@record
class Stretch:
    """A pretended rollout: its samples and the hour before."""

    began: Instant
    until: Instant
    samples: tuple[Sample, ...]
    baseline: Mapping[str, tuple[tuple[int, int], ...]]


@record
class Tried:
    """One choice of knobs. `fired` of `stretches` healthy ones; `at_most` bounds their rate from above."""

    tolerate_s: float
    unacceptable: float
    stretches: int
    fired: int
    at_most: float
    notices: Mapping[str, float | None]
    """By fault the middle of the times to notice it, seconds; None = less than 95 % were noticed within the stretch."""


def stretches_of(
    recording: Recording, watch_s: float, most: int, spared: Sequence[tuple[Instant, Instant]] = ()
) -> tuple[Stretch, ...]:
    """At most so many stretches of `watch_s`, spread over the history, each with an hour before and none in `spared`."""
    if not recording.samples:
        return ()
    first, last = recording.samples[0].end + 3600.0, recording.last - watch_s
    if last < first:
        return ()
    count = max(1, min(most, int((last - first) // (watch_s / 4)) + 1))
    step = (last - first) / max(1, count - 1)
    begins = [instant(first + step * place) for place in range(count)]
    made = []
    for began in begins:
        until = instant(began + watch_s)
        if any(began < end and begin < until for begin, end in spared):
            continue
        samples = tuple(recording.between(began, until))
        if samples:
            made.append(Stretch(began=began, until=until, samples=samples, baseline=baseline_of(recording, began)))
    return tuple(made)


def try_out(
    rules: Sequence[Rule], stretches: Sequence[Stretch], faulty: int, rhythm: Rhythm, unacceptable: float
) -> Tried:
    """One choice over all stretches; its faults over `faulty` of them."""
    fired = sum(_seconds(rules, stretch, stretch.samples, rhythm) is not None for stretch in stretches)
    some = stretches[:: max(1, len(stretches) // max(1, faulty))][:faulty]
    notices = {name: _notice(rules, some, share, rhythm) for name, share in FAULTS.items()}
    return Tried(
        tolerate_s=rhythm.tolerate_s,
        unacceptable=unacceptable,
        stretches=len(stretches),
        fired=fired,
        at_most=_at_most(fired, stretches),
        notices=notices,
    )


def _at_most(fired: int, stretches: Sequence[Stretch]) -> float:
    """The bound on the rate. Stretches that overlap are not so many observations as they are stretches."""
    apart, until = 0, float("-inf")
    for stretch in stretches:
        if stretch.began >= until:
            apart, until = apart + 1, stretch.until
    return upper(math.ceil(fired * apart / len(stretches)), apart, RISK)


def best(tried: Sequence[Tried], in_force: tuple[float, float]) -> Tried:
    """The quickest of those that fired least often; of equals the nearest to (tolerated, unacceptable) `in_force`."""

    def order(one: Tried) -> tuple[float, ...]:
        tolerated, unacceptable = in_force
        changed = one.tolerate_s != tolerated, one.unacceptable != unacceptable
        return one.fired, _slowness(one), sum(changed), abs(one.unacceptable - unacceptable)

    return min(tried, key=order)


def _slowness(one: Tried) -> float:
    """All three faults count; one that is not noticed counts as a day."""
    return sum(86_400.0 if seconds is None else seconds for seconds in one.notices.values())


def _notice(rules: Sequence[Rule], stretches: Sequence[Stretch], share: float, rhythm: Rhythm) -> float | None:
    found = [_seconds(rules, one, tuple(failing(one.samples, share)), rhythm) for one in stretches]
    noticed = [seconds for seconds in found if seconds is not None]
    return statistics.median(noticed) if found and len(noticed) >= NOTICED * len(found) else None


def _seconds(rules: Sequence[Rule], stretch: Stretch, samples: Sequence[Sample], rhythm: Rhythm) -> float | None:
    rollout = Rollout(release="", began=stretch.began)
    fired = replay_one(rules, samples, stretch.baseline, rollout, stretch.until, rhythm).fired_at
    return None if fired is None else fired - stretch.began


def failing(samples: Sequence[Sample], share: float) -> Iterator[Sample]:
    """The same samples with that share of their good events failed, spread evenly over each signal."""
    owed: dict[str, float] = {}
    for sample in samples:
        if not isinstance(sample.reading, Counts):
            yield sample
            continue
        due = owed.get(sample.signal, 0.0) + sample.reading.good * share
        failed = min(sample.reading.good, int(due))
        owed[sample.signal] = due - failed
        counts = Counts(good=sample.reading.good - failed, bad=sample.reading.bad + failed)
        yield replace(sample, reading=counts)
