"""The same judgement over what has been: when it would have fired, on what, and on which releases it would not.

Role: what `watchdog replay` runs on recorded samples; pure. Neighbours: `judge` is the daemon's own, rule by rule. Guarantees: each
rollout is judged as a running daemon would have: a fresh window from its beginning, the hour before as baseline (without the
minutes in which an earlier release had fired), samples in the order of their ends, and time that passes where nothing
comes. Not guaranteed: what was not recorded - readiness, restarts, pods one by one, controls, pauses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from watchdog.judgement.judge import breach_of, judge, start
from watchdog.judgement.ledger import BASELINE_S
from watchdog.judgement.rule import Context, Rule
from watchdog.model import Counts, Instant, Sample, TargetVerdict, instant, record

FIRED_FOR_S = 600.0
"""After a release fired its minutes are no baseline for so long: somebody had to put it right first."""


@record
class Rollout:
    """A release and when it began. `release` empty = samples do not say which release they are of."""

    release: str
    began: Instant


@record
class Replayed:
    """What the judgement says of one rollout. `fired_at` None = it would not have fired until `ended`."""

    release: str
    began: Instant
    ended: Instant
    events: int
    bad_events: int
    baseline_minutes: int
    fired_at: Instant | None = None
    first_bad: Instant | None = None
    signals: tuple[str, ...] = ()
    sentence: str = ""
    """Of the verdict that fired, else of the one that came nearest."""
    progress: float = 0.0
    """The largest share of what was needed, 0 to 1."""


class Recording:
    """Samples in the order of their ends, cut out by time."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        """Samples in any order."""
        self.samples = sorted(samples, key=lambda sample: sample.end)
        self._ends = [sample.end for sample in self.samples]

    @property
    def last(self) -> Instant:
        """The end of the last sample; 0 for none."""
        return self.samples[-1].end if self.samples else Instant(0.0)

    def between(self, after: float, until: float) -> list[Sample]:
        """Samples that end in (after, until]."""
        return self.samples[bisect_right(self._ends, after) : bisect_right(self._ends, until)]


@record
class Rhythm:
    """What else the daemon would know: its target, the tolerated interruption, how long it watches, how often it looks."""

    target: str
    tolerate_s: float
    watch_s: float
    step_s: float


def replay(
    rules: Sequence[Rule], recording: Recording, rollouts: Sequence[Rollout], rhythm: Rhythm
) -> Iterator[Replayed]:
    """Judge each rollout, oldest first, for as long as it is watched or until the next one. Rollouts in any order."""
    begun = sorted(rollouts, key=lambda rollout: rollout.began)
    ends = [*(after.began for _, after in pairwise(begun)), recording.last]
    spoilt: list[tuple[Instant, Instant]] = []
    for rollout, following in zip(begun, ends, strict=True):
        until = instant(min(following, rollout.began + rhythm.watch_s))
        own = recording.between(rollout.began, until)
        baseline = baseline_of(recording, rollout.began, spoilt)
        found = replay_one(rules, own, baseline, rollout, until, rhythm)
        if found.fired_at is not None:
            spoilt.append((found.first_bad or rollout.began, instant(max(following, found.fired_at + FIRED_FOR_S))))
        yield found


def replay_one(
    rules: Sequence[Rule],
    samples: Sequence[Sample],
    baseline: Mapping[str, tuple[tuple[int, int], ...]],
    rollout: Rollout,
    until: Instant,
    rhythm: Rhythm,
) -> Replayed:
    """Judge one rollout from its beginning to `until` by its own samples, in the order of their ends."""
    context = Context(
        target=rhythm.target,
        fresh_from=rollout.began,
        release=rollout.release,
        rollout_started=rollout.began,
        tolerate_interruption_s=rhythm.tolerate_s,
        baseline=baseline,
    )
    return _judged(rules, samples, context, until, rhythm.step_s)


def baseline_of(
    recording: Recording, began: Instant, spoilt: Sequence[tuple[Instant, Instant]] = ()
) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """By signal: (events, bad) of each minute of the hour before, without the times that are `spoilt`."""
    minutes: dict[str, dict[int, tuple[int, int]]] = {}
    for sample in recording.between(began - BASELINE_S, began):
        clean = not any(first <= sample.end <= last for first, last in spoilt)
        if clean and isinstance(sample.reading, Counts):
            minute = int((began - sample.end) // 60.0)
            events, bad = minutes.setdefault(sample.signal, {}).get(minute, (0, 0))
            minutes[sample.signal][minute] = (events + sample.reading.events, bad + sample.reading.bad)
    return {name: tuple(found[key] for key in sorted(found, reverse=True)) for name, found in minutes.items()}


def _judged(
    rules: Sequence[Rule], samples: Sequence[Sample], context: Context, until: Instant, step_s: float
) -> Replayed:
    began = context.fresh_from
    counts = [one.reading for one in samples if isinstance(one.reading, Counts) and _is_of(one, context.release)]
    found = Replayed(
        release=context.release,
        began=began,
        ended=until,
        events=sum(one.events for one in counts),
        bad_events=sum(one.bad for one in counts),
        baseline_minutes=max((len(minutes) for minutes in context.baseline.values()), default=0),
    )
    state, nearest = start(rules, context, began), 0.0
    sentence = ""
    for now, taken in _looks(samples, began, until, step_s):
        state, verdict = judge(rules, state, taken, context, now)
        breach = breach_of(verdict)
        if breach is not None:
            return _fired(found, verdict, breach.first_bad, breach.signals)
        progress = max((one.progress for one in verdict.signals), default=0.0)
        if progress > nearest or not sentence:
            nearest, sentence = progress, verdict.sentence
    return replace(found, progress=nearest, sentence=sentence)


def _fired(found: Replayed, verdict: TargetVerdict, first_bad: Instant, signals: tuple[str, ...]) -> Replayed:
    return replace(
        found, fired_at=verdict.at, first_bad=first_bad, signals=signals, sentence=verdict.sentence, progress=1.0
    )


def _looks(
    samples: Sequence[Sample], began: Instant, until: Instant, step_s: float
) -> Iterator[tuple[Instant, list[Sample]]]:
    """The moments of the daemon's looks with what has come: at each end of samples, and in silence every `step_s`."""
    at, place = began, 0
    while at < until:
        upcoming = samples[place].end if place < len(samples) else until
        at = instant(min(upcoming, at + step_s, until))
        first = place
        while place < len(samples) and samples[place].end <= at:
            place += 1
        yield at, list(samples[first:place])


def _is_of(sample: Sample, release: str) -> bool:
    return sample.release in (None, release) or not release
