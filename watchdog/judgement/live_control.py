"""The live control: pods of the old release that still serve beside the new ones.

Role: keeps the last minute of samples that carry a release, and says whether the old release fails the same way as the new
one. Neighbours: `judge` feeds it, `blame` asks it. Guarantees: bounded; unknown samples count on neither side; too few
events on the old side = `NONE`, which speaks neither for nor against the release.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from watchdog.judgement.wording import count, duration, percent
from watchdog.model import Counts, Health, Instant, Sample, TargetVerdict, Value, record

WINDOW_S = 60.0
MOST_SAMPLES = 2000
LEAST_EVENTS = 3
"""Fewer known events of the old release say nothing."""

LEAST_BAD = 2
FAILS_ABOVE = 0.05


class Control(StrEnum):
    """What the old release shows."""

    OK = "ok"
    FAILING = "failing"
    NONE = "none"


@record
class LiveControl:
    """`old_share` and `new_share` are shares of bad events in the last minute; None without events."""

    control: Control
    sentence: str
    old_share: float | None = None
    new_share: float | None = None


def remember(kept: tuple[Sample, ...], samples: Sequence[Sample], now: Instant) -> tuple[Sample, ...]:
    """The last minute of samples that name their release, each once, ordered by event time."""
    by_key = {_key(sample): sample for sample in kept if sample.end > now - WINDOW_S}
    for sample in samples:
        if sample.release is not None and sample.end > now - WINDOW_S:
            by_key[_key(sample)] = max(by_key.get(_key(sample), sample), sample, key=_weight)
    ordered = sorted(by_key.values(), key=lambda sample: (sample.end, sample.signal, sample.instance or ""))
    return tuple(ordered[-MOST_SAMPLES:])


def summarise(kept: Sequence[Sample], release: str, verdict: TargetVerdict | None, now: Instant) -> LiveControl:
    """Old against new over the signals that fail now (all, when none does).

    Failing the same way = at least two bad events, more than 5 %, and at least half the share that is bad in the new
    release: a release that does far worse than a shared outage is still to blame.
    """
    recent = [sample for sample in kept if sample.end > now - WINDOW_S and _concerned(sample, verdict)]
    old_events, old_bad = _sums((s for s in recent if s.release != release), verdict)
    new_events, new_bad = _sums((s for s in recent if s.release == release), verdict)
    old_share = old_bad / old_events if old_events else None
    new_share = new_bad / new_events if new_events else None
    if old_share is None or old_events < LEAST_EVENTS:
        sentence = "no pods of the old release answered in the last minute"
        return LiveControl(control=Control.NONE, sentence=sentence, old_share=old_share, new_share=new_share)
    beside = f" beside {percent(new_share)} in the new one" if new_share is not None else ""
    seen = f"{percent(old_share)} of {count(old_events, 'event')} bad in {duration(WINDOW_S)}{beside}"
    shared = old_bad >= LEAST_BAD and old_share > FAILS_ABOVE and old_share >= (new_share or 0.0) / 2
    if shared:
        sentence = f"the old release fails the same way: {seen}"
        return LiveControl(control=Control.FAILING, sentence=sentence, old_share=old_share, new_share=new_share)
    sentence = f"the old release does not fail the same way: {seen}"
    return LiveControl(control=Control.OK, sentence=sentence, old_share=old_share, new_share=new_share)


def _key(sample: Sample) -> tuple[str, Instant, str | None, str | None]:
    return (sample.signal, sample.end, sample.instance, sample.release)


def _weight(sample: Sample) -> tuple[int, int, float]:
    """The same preference as for polls: known, then more events, then milder."""
    if isinstance(sample.reading, Counts):
        return (1 + sample.reading.events, -sample.reading.bad, 0.0)
    return (1, 0, -sample.reading.value) if isinstance(sample.reading, Value) else (0, 0, 0.0)


def _concerned(sample: Sample, verdict: TargetVerdict | None) -> bool:
    failing = {one.signal for one in verdict.signals if one.health is Health.FAILING} if verdict else set()
    return not failing or sample.signal in failing


def _sums(samples: Iterable[Sample], verdict: TargetVerdict | None) -> tuple[int, int]:
    limits = {one.signal: one.limit for one in verdict.signals} if verdict else {}
    events = bad = 0
    for sample in samples:
        reading = sample.reading
        if isinstance(reading, Counts):
            events, bad = events + reading.events, bad + reading.bad
        elif isinstance(reading, Value):
            limit = limits.get(sample.signal)
            if limit is not None:
                events, bad = events + 1, bad + (reading.value > limit)
    return events, bad
