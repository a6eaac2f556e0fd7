"""Which samples a rule gets to see, and which are kept apart as the live control.

Role: first stop of every sample in the judgement. Neighbours: `judge` calls it; `live_control` keeps what it sorts out.
Guarantees: a sample that ended before the fresh window is dropped; one of another release never reaches a rule; one of an
instance that is starting or going away says "no events" (the source answered, yet nothing may be concluded); one whose
time lies in our future is unknown; answers of several instances to one poll get one end. Nothing is made worse than it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from watchdog.judgement.rule import Context
from watchdog.judgement.wording import duration
from watchdog.model import Counts, Instance, Instant, Sample, Unknown, Value, record

AHEAD_S = 30.0
"""A source whose clock is further ahead than this is not believed: its samples would look fresh for ever."""

SPREAD_S = 5.0
"""Answers of several instances that came within less than this, each instance once, are answers to one poll."""

COLD_START_S = 120.0
"""Latency of an instance counts only this long after it became ready; its errors at once (design.md, table)."""


@record
class Intake:
    """`counted` goes to the rules, `old` to the live control. `ready_once` names instances that have been ready."""

    counted: tuple[Sample, ...]
    old: tuple[Sample, ...]
    ready_once: tuple[str, ...]


def sort_out(samples: Sequence[Sample], context: Context, ready_once: tuple[str, ...], now: Instant) -> Intake:
    """Sort samples by what they may be used for.

    An instance that was ready once and then is not still counts: losing readiness is how a bad release looks.
    """
    known = {instance.name: instance for instance in context.instances}
    ready = tuple(i.name for i in context.instances if i.ready or i.name in ready_once)
    counted: list[Sample] = []
    old: list[Sample] = []
    for sample in _as_polls([sample for sample in samples if sample.end > context.fresh_from]):
        placed = _muted_unless_ready(_labelled(_in_our_time(sample, now), known), known, ready)
        ours = not context.release or placed.release in (None, context.release)
        (counted if ours else old).append(placed)
    return Intake(counted=tuple(counted), old=tuple(old), ready_once=ready)


def _as_polls(samples: Sequence[Sample]) -> list[Sample]:
    """Give the answers of several instances to one poll the same end, that of the slowest.

    Each instance answers in its own time, yet a poll is one observation. A poll asks every instance once, so an instance
    that speaks again begins the next poll.
    """
    alone = [sample for sample in samples if sample.instance is None]
    by_signal: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.instance is not None:
            by_signal.setdefault(sample.signal, []).append(sample)
    for group in by_signal.values():
        group.sort(key=lambda sample: sample.end)
        for poll in _polls_of(group):
            alone += [sample if sample.end == poll[-1].end else replace(sample, end=poll[-1].end) for sample in poll]
    return alone


def _polls_of(ordered: Sequence[Sample]) -> list[list[Sample]]:
    polls: list[list[Sample]] = []
    spoke: dict[str | None, Instant] = {}
    for sample in ordered:
        again = spoke.get(sample.instance, sample.end) != sample.end
        if not polls or again or sample.end - polls[-1][0].end >= SPREAD_S:
            polls.append([])
            spoke.clear()
        polls[-1].append(sample)
        spoke[sample.instance] = sample.end
    return polls


def _in_our_time(sample: Sample, now: Instant) -> Sample:
    ahead = sample.end - now
    if ahead <= AHEAD_S:
        return sample
    reading = Unknown(reason=f"the source's clock is {duration(ahead)} ahead of ours")
    return replace(sample, start=now, end=now, reading=reading, detail="")


def _labelled(sample: Sample, known: Mapping[str, Instance]) -> Sample:
    """Take the release from the instance where the source itself could not say it."""
    if sample.release is not None or sample.instance is None:
        return sample
    instance = known.get(sample.instance)
    return sample if instance is None or instance.release is None else replace(sample, release=instance.release)


def _muted_unless_ready(sample: Sample, known: Mapping[str, Instance], ready: tuple[str, ...]) -> Sample:
    instance = known.get(sample.instance) if sample.instance is not None else None
    if instance is None or isinstance(sample.reading, Unknown):
        return sample
    why = ""
    if instance.terminating:
        why = "the instance is going away"
    elif instance.name not in ready:
        why = "the instance has not been ready yet"
    elif isinstance(sample.reading, Value) and _is_cold(instance, sample.end):
        why = "the instance became ready only just now"
    return replace(sample, reading=Counts(good=0, bad=0), detail=why) if why else sample


def _is_cold(instance: Instance, moment: Instant) -> bool:
    return instance.ready_since is not None and moment - instance.ready_since < COLD_START_S
