"""How a check answers: constructors for `Check`, which answers object, and how numbers are said.

Role: the grammar that the checks of `readiness`, `road`, `reasons` and `consent` share. Guarantees: an answer that is no
pass always carries the outcome it leads to.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from watchdog.model import Check, Effect, Instant, Outcome, iso

PRECEDENCE = (
    Outcome.RECOVERED_UNAIDED,
    Outcome.BLIND,
    Outcome.ESCALATE,
    Outcome.HOLD,
    Outcome.ASK,
    Outcome.ROLL_BACK,
)
"""Strongest first. A breach that is over ends everything; blind comes before what was concluded from sight."""

_MINUTE = 60
_HOUR = 3600
_DAY = 86_400


def passed(name: str, sentence: str) -> Check:
    """Nothing speaks against it."""
    return Check(name=name, effect=Effect.PASS, sentence=sentence)


def blocked(name: str, outcome: Outcome, sentence: str, *, overridable: bool = False, hazard: str = "") -> Check:
    """A definite no, leading to `outcome`."""
    return Check(
        name=name, effect=Effect.BLOCK, outcome=outcome, sentence=sentence, overridable=overridable, hazard=hazard
    )


def asks(name: str, sentence: str, *, overridable: bool = True, hazard: str = "") -> Check:
    """A person has to say yes."""
    return Check(
        name=name, effect=Effect.ASK, outcome=Outcome.ASK, sentence=sentence, overridable=overridable, hazard=hazard
    )


def unknown(name: str, outcome: Outcome, sentence: str, *, overridable: bool = False, hazard: str = "") -> Check:
    """Could not be found out, which is neither yes nor no; leads to `outcome`."""
    return Check(
        name=name, effect=Effect.UNKNOWN, outcome=outcome, sentence=sentence, overridable=overridable, hazard=hazard
    )


def objects(check: Check) -> bool:
    """The check does not pass, and no person has answered it."""
    return check.effect is not Effect.PASS and not check.overridden_by


def strongest(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that wins; `ROLL_BACK` when there is none."""
    return min(outcomes, key=PRECEDENCE.index, default=Outcome.ROLL_BACK)


def spell(seconds: float) -> str:
    """A duration as people say it: ``0.5 s``, ``45 s``, ``10 min``, ``2 h 5 min``, ``3 d``. Never raises."""
    if not isfinite(seconds):
        return "an unknown time"
    if seconds < 1:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    for size, name, smaller, small_name in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {small_name}" if rest else "")
    rest = whole % _MINUTE
    return f"{whole // _MINUTE} min" + (f" {rest} s" if rest else "")


def clock_time(moment: Instant) -> str:
    """A moment for people: ``2026-03-01 14:05:00 UTC``."""
    return f"{iso(moment)[:19].replace('T', ' ')} UTC"


def also(sentence: str, more: str) -> str:
    """Both sentences, when there is a second."""
    return f"{sentence}: {more}" if more else sentence
