"""From samples to looks: what the rule is given, sorted by event time, each sample once.

Role: turns samples and context into `Look`s. Neighbours: `rule`. Guarantees: a sample that comes twice counts once; one
that ended before the newest `REMEMBERED` ends of its source is too late and counts not at all; an Unknown, a count that
cannot be and a value without a limit say nothing. Event time is seconds since the watch began.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from watchdog.judgement.evidence.baseline import Pair
from watchdog.judgement.evidence.look import Look, PodLook
from watchdog.judgement.rule import Context
from watchdog.model import Counts, Health, Instance, Instant, Sample, Value, record

REMEMBERED = 12
"""Newest ends that are remembered of each signal and instance."""

Source = tuple[str, str | None, str | None]
Ends = Mapping[Source, tuple[Instant, ...]]


@record
class Heard:
    """One sample that says something. `counts` may be (0, 0): the source answered that nothing happened."""

    sample: Sample
    counts: Pair


def heard(samples: Sequence[Sample], before: Ends, limits: Mapping[str, float]) -> tuple[list[Heard], Ends]:
    """Samples that speak and have not been counted, in order of event time, and what is remembered of their ends."""
    ends = dict(before)
    found: list[Heard] = []
    for sample in sorted(samples, key=lambda one: one.end):
        counts = counts_of(sample, limits)
        source = (sample.signal, sample.instance, sample.release)
        known = ends.get(source, ())
        late = len(known) == REMEMBERED and sample.end < known[0]
        if counts is None or late or sample.end in known:
            continue
        ends[source] = tuple(sorted((*known, sample.end))[-REMEMBERED:])
        found.append(Heard(sample=sample, counts=counts))
    return found, ends


def counts_of(sample: Sample, limits: Mapping[str, float]) -> Pair | None:
    """(events, bad) of one sample, a value being one event against its limit; None where nothing may be concluded."""
    reading = sample.reading
    if isinstance(reading, Counts):
        return (reading.events, reading.bad) if reading.good >= 0 and reading.bad >= 0 else None
    if isinstance(reading, Value) and sample.signal in limits and math.isfinite(reading.value):
        return 1, int(reading.value > limits[sample.signal])
    return None


def restarts_before(context: Context, origin: Instant) -> dict[str, int]:
    """Restarts of pods that were there before the watch began: they say nothing of it."""
    return {one.name: one.restarts for one in context.instances if one.started is not None and one.started < origin}


def looks_of(
    found: Sequence[Heard], context: Context, origin: Instant, now: Instant, before: Mapping[str, int]
) -> list[Look]:
    """One look for each end of event time; without samples one that says how the pods are. `before` = restarts not to count."""
    by_end: dict[Instant, list[Heard]] = {}
    for one in found:
        by_end.setdefault(one.sample.end, []).append(one)
    looks = [_look(group, context, origin, end, before) for end, group in by_end.items()]
    return looks or [_look([], context, origin, now, before)]


def control_fails(context: Context) -> str:
    """Why evidence is held: a target that was not deployed fails, or begins to. Empty when none does."""
    bad = [one.target for one in context.controls if one.health is Health.FAILING or one.suspicious]
    return f"{', '.join(bad)}, not deployed, fails too" if bad else ""


def _look(
    group: Sequence[Heard], context: Context, origin: Instant, moment: Instant, before: Mapping[str, int]
) -> Look:
    whole: dict[str, Pair] = {}
    old: dict[str, Pair] = {}
    by_pod: dict[str, dict[str, Pair]] = {}
    covers: dict[str, float] = {}
    for one in group:
        sample = one.sample
        if context.release and sample.release not in (None, context.release):
            old[sample.signal] = _plus(old.get(sample.signal), one.counts)
            continue
        if sample.instance is not None:
            pod = by_pod.setdefault(sample.instance, {})
            pod[sample.signal] = _plus(pod.get(sample.signal), one.counts)
        whole[sample.signal] = _plus(whole.get(sample.signal), one.counts)
        covers[sample.signal] = sample.end - sample.start
    pods = tuple(
        _pod(
            one, by_pod.get(one.name, {}), context, moment - _since(one, origin), one.restarts - before.get(one.name, 0)
        )
        for one in context.instances
        if one.release is not None
    )
    return Look(
        at=moment - origin,
        counts=whole,
        covers=covers,
        old=old or None,
        held=control_fails(context),
        ready=(context.ready, context.wanted) if context.wanted else None,
        pods=pods or None,
    )


def _since(instance: Instance, origin: Instant) -> Instant:
    return instance.ready_since or instance.started or origin


def _pod(
    instance: Instance, counts: Mapping[str, Pair], context: Context, ready_for_s: float, restarts: int
) -> PodLook:
    return PodLook(
        name=instance.name,
        new=instance.release == context.release,
        ready=instance.ready and not instance.terminating,
        ready_for_s=ready_for_s if instance.ready else None,
        restarts=restarts,
        counts=counts,
    )


def _plus(before: Pair | None, counts: Pair) -> Pair:
    return counts if before is None else (before[0] + counts[0], before[1] + counts[1])
