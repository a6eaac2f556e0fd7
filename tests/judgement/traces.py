"""Builders for samples and contexts, and a run of a whole trace through the judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watchdog.judgement.judge import JudgementState, judge, start
from watchdog.judgement.rule import Context, Rule
from watchdog.model import Counts, Instance, Instant, Reading, Sample, TargetVerdict, Unknown, Value

T0 = 1_700_000_000.0
STEP = 5.0


def at(seconds: float) -> Instant:
    return Instant(T0 + seconds)


def context(**changes: object) -> Context:
    return Context(**{"target": "api", "fresh_from": at(0), "release": "new", **changes})  # type: ignore[arg-type]


def reading(letter: str | float | tuple[int, int]) -> Reading:
    """``g`` and ``b`` are one good or bad probe, ``u`` unknown, ``-`` no events, a pair counts, a number is a value."""
    if isinstance(letter, tuple):
        return Counts(good=letter[0], bad=letter[1])
    if isinstance(letter, float):
        return Value(value=letter, unit="s")
    if letter == "u":
        return Unknown(reason="the source timed out")
    return Counts(good=int(letter == "g"), bad=int(letter == "b"))


def sample(
    seconds: float,
    letter: str | float | tuple[int, int],
    *,
    signal: str = "health",
    release: str | None = None,
    instance: str | None = None,
    width: float = 0.0,
    detail: str = "",
) -> Sample:
    return Sample(
        signal=signal,
        start=at(seconds - width),
        end=at(seconds),
        reading=reading(letter),
        release=release,
        instance=instance,
        detail=detail,
    )


def pod(name: str, release: str = "new", *, ready: bool = True, **changes: object) -> Instance:
    return Instance(**{"name": name, "release": release, "ready": ready, **changes})  # type: ignore[arg-type]


def play(
    rule: Rule,
    letters: Sequence[str | float | tuple[int, int]],
    *,
    step: float = STEP,
    width: float = 0.0,
    **changes: object,
) -> list[TargetVerdict]:
    """The verdict after each poll of one signal."""
    known = context(**changes)
    state = start([rule], known, at(0))
    seen = []
    for number, letter in enumerate(letters, start=1):
        moment = number * step
        one = sample(moment, letter, width=width, detail="GET /health: 500")
        state, verdict = judge([rule], state, [one], known, at(moment))
        seen.append(verdict)
    return seen


def settle(
    rules: Sequence[Rule], samples: Iterable[Sample], known: Context, now: float
) -> tuple[JudgementState, TargetVerdict]:
    """All samples in one batch."""
    return judge(rules, start(rules, known, at(0)), list(samples), known, at(now))


def first(verdicts: Sequence[TargetVerdict], health: str) -> int | None:
    """Number (from 1) of the first poll with this verdict."""
    return next((number for number, one in enumerate(verdicts, start=1) if one.health == health), None)
