"""Polls: samples of one signal, gathered by event time into a small buffer.

Role: what the threshold rules count. Neighbours: `threshold` (evaluates), `intake` (what comes in).
Guarantees: the buffer depends on *which* samples came, not on their order or how often each came; it is bounded. Of two
samples for the same end, instance and release the known one stays, then the one with more events, then the milder one.
Several instances of one poll (same `end`) are **one** observation: bad when at least half of the new release's ready
instances failed, good when more spoke well than badly; silent ready instances count in the denominator, never as bad.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import field
from enum import StrEnum
from itertools import pairwise

from watchdog.judgement.rule import Context
from watchdog.model import Counts, Instant, Sample, Unknown, record

MOST_VOICES = 1000
"""Instances of one poll that are kept; more would say nothing new."""

DETAIL_LENGTH = 200


@record
class Voice:
    """What one instance (None = the whole service) said in one poll. `unknown` is the reason; empty = it answered."""

    instance: str | None
    release: str | None
    good: int = 0
    bad: int = 0
    value: float | None = None
    unit: str = ""
    unknown: str = ""
    detail: str = ""

    @property
    def speaks(self) -> bool:
        """It answered, and something may be concluded from it."""
        return not self.unknown and (self.good + self.bad > 0 or self.value is not None)

    @property
    def silent(self) -> bool:
        """It answered that there was nothing: no events, or an instance that is not to be counted."""
        return not self.unknown and not self.speaks


@record
class Poll:
    """All voices of one poll. `expected` = how many should have spoken."""

    start: Instant
    end: Instant
    voices: tuple[Voice, ...]
    expected: int

    answered: bool = field(init=False, repr=False, compare=False)
    """The source worked, whatever it said."""
    speaks: bool = field(init=False, repr=False, compare=False)
    """Something may be concluded from it."""

    def __post_init__(self) -> None:
        """Both are asked of every kept poll at every look: worked out once."""
        object.__setattr__(self, "answered", any(not voice.unknown for voice in self.voices))
        object.__setattr__(self, "speaks", any(voice.speaks for voice in self.voices))


class Tone(StrEnum):
    """What one poll comes to when failures are counted by polls."""

    BAD = "bad"
    GOOD = "good"  # not bad, but fewer than half of the instances said so
    WELL = "well"  # good, and most instances said so: only this counts towards recovery
    UNCLEAR = "unclear"  # some good, some bad, too many silent
    SILENT = "silent"
    UNKNOWN = "unknown"


def tone(poll: Poll, fails_above: float) -> Tone:
    """The tone of one poll; a voice fails when its share of bad events is above `fails_above`."""
    bad = good = 0
    for voice in poll.voices:
        events = voice.good + voice.bad
        if events:  # an unknown voice has none
            failed = voice.bad > fails_above * events
            bad, good = bad + failed, good + (not failed)
    if bad and 2 * bad >= poll.expected:
        return Tone.BAD
    if good > bad:
        return Tone.WELL if 2 * good > poll.expected else Tone.GOOD
    if bad or good:
        return Tone.UNCLEAR
    return Tone.SILENT if any(voice.silent for voice in poll.voices) else Tone.UNKNOWN


def gather(polls: tuple[Poll, ...], samples: Sequence[Sample], context: Context) -> tuple[Poll, ...]:
    """The buffer with `samples` put in at their event time."""
    if not samples:
        return polls
    by_end = {poll.end: poll for poll in polls}
    ready = _ready_names(context)
    fresh: dict[Instant, list[Sample]] = {}
    for sample in samples:
        fresh.setdefault(sample.end, []).append(sample)
    for end, group in fresh.items():
        by_end[end] = _with(by_end.get(end), group, ready)
    return tuple(by_end[end] for end in sorted(by_end))


def of_release(polls: tuple[Poll, ...], release: str) -> tuple[Poll, ...]:
    """The buffer without voices that are labelled with another release."""
    kept: list[Poll] = []
    for poll in polls:
        voices = tuple(voice for voice in poll.voices if voice.release in (None, release))
        if len(voices) == len(poll.voices):
            kept.append(poll)
        elif voices:
            kept.append(Poll(start=poll.start, end=poll.end, voices=voices, expected=_expected(voices, frozenset())))
    return tuple(kept)


def newest(polls: tuple[Poll, ...], room: int) -> tuple[Poll, ...]:
    """At most `room` polls that say something and `room` that do not, the newest of each: silence never pushes data out.

    Nothing older than a full set of polls that say something stays, so that a late repetition cannot bring it back.
    """
    if len(polls) <= room:
        return polls
    left = {True: room, False: room}
    kept: list[Poll] = []
    for poll in reversed(polls):
        kind = poll.speaks
        if left[kind]:
            left[kind] -= 1
            kept.append(poll)
        if not left[True]:
            break
    return tuple(reversed(kept))


def usual_gap(ends: Sequence[Instant]) -> float | None:
    """Seconds between two neighbours of these ordered times (median), None when there are fewer than two."""
    gaps = sorted(later - earlier for earlier, later in pairwise(ends))
    return gaps[len(gaps) // 2] if gaps else None


def _ready_names(context: Context) -> frozenset[str]:
    return frozenset(
        instance.name
        for instance in context.instances
        if instance.ready and not instance.terminating and instance.release in (None, context.release)
    )


def _with(poll: Poll | None, samples: Sequence[Sample], ready: frozenset[str]) -> Poll:
    voices = {(voice.instance, voice.release): voice for voice in poll.voices} if poll else {}
    start = min(sample.start for sample in samples)
    for sample in samples:
        said = _voice(sample)
        key = (said.instance, said.release)
        before = voices.get(key)
        voices[key] = said if before is None else max(before, said, key=_weight)
    kept = tuple(voices[key] for key in sorted(voices, key=_key_order)[:MOST_VOICES])
    if poll:
        start = min(start, poll.start)
    expected = max(_expected(kept, ready), poll.expected if poll else 0)
    return Poll(start=start, end=samples[0].end, voices=kept, expected=expected)


def _expected(voices: Iterable[Voice], ready: frozenset[str]) -> int:
    """Voices that do not merely say "nothing", and ready instances that said nothing at all."""
    speaking = {voice.instance for voice in voices if not voice.silent}
    named = speaking - {None}
    return len(speaking | ready) if named & ready else len(speaking)


def _key_order(key: tuple[str | None, str | None]) -> tuple[str, str]:
    return (key[0] or "", key[1] or "")


def _weight(voice: Voice) -> tuple[bool, int, int, float, str]:
    value = -math.inf if voice.value is None else -voice.value
    return (not voice.unknown, voice.good + voice.bad, -voice.bad, value, voice.unknown + voice.detail)


def _voice(sample: Sample) -> Voice:
    reading, detail = sample.reading, sample.detail[:DETAIL_LENGTH]
    if isinstance(reading, Unknown):
        return _unknown(sample, reading.reason)
    if isinstance(reading, Counts):
        if reading.good < 0 or reading.bad < 0:
            return _unknown(sample, "the source gave a negative count")
        return Voice(
            instance=sample.instance, release=sample.release, good=reading.good, bad=reading.bad, detail=detail
        )
    if not math.isfinite(reading.value):
        return _unknown(sample, "the source gave no number")
    return Voice(
        instance=sample.instance, release=sample.release, value=reading.value, unit=reading.unit, detail=detail
    )


def _unknown(sample: Sample, reason: str) -> Voice:
    reason = (reason or "the source gave no reason")[:DETAIL_LENGTH]
    return Voice(instance=sample.instance, release=sample.release, unknown=reason)
