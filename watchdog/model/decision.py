"""Decisions: the gate's answer, check by check, and the permit that a write demands.

Role: made by `safety.gate`, carried by the incident, shown by every face. Guarantees: every check that ran is in it,
in order, also when an early one blocks.
"""

from __future__ import annotations

from enum import StrEnum

from watchdog.model.record import Instant, record


class Mode(StrEnum):
    """How far the watchdog may go. Ordered from strictest to least strict."""

    OBSERVE = "observe"
    ASK = "ask"
    ENFORCE = "enforce"


class Effect(StrEnum):
    """What one check does to the decision."""

    PASS = "pass"
    BLOCK = "block"
    ASK = "ask"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """Where a decision leads. Precedence of design: recovered, blind > escalate > hold > ask > roll_back."""

    RECOVERED_UNAIDED = "recovered_unaided"
    BLIND = "blind"
    ESCALATE = "escalate"
    HOLD = "hold"
    ASK = "ask"
    ROLL_BACK = "roll_back"


@record
class Check:
    """One check of the gate: its answer, one sentence, and the outcome it leads to when it does not pass."""

    name: str
    effect: Effect
    sentence: str
    outcome: Outcome = Outcome.ROLL_BACK
    overridable: bool = False
    overridden_by: str = ""
    hazard: str = ""


@record
class Decision:
    """All checks of one pass through the gate. `would` is the outcome if mode and pause were out of the way."""

    at: Instant
    target: str
    outcome: Outcome
    would: Outcome
    checks: tuple[Check, ...]
    sentence: str
    from_release: str = ""
    to_release: str = ""
    asking: tuple[str, ...] = ()
    """Names of the checks that ask: an approval answers only these."""


@record
class Permit:
    """The gate's leave for exactly one write. `nonce` makes it unforgeable within the process (see `safety.permits`)."""

    unit: str
    from_release: str
    to_release: str
    step: str
    incident: str
    expires: float
    """Monotonic seconds (the injected clock's), at most 5 s after the gate passed."""
    nonce: str
