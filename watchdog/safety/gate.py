"""The gate: the ordered checks between a breach and a write. All of them are evaluated every time.

Role: `pass_gate` turns `GateFacts` and a `now` into a `Decision`. Neighbours: the checks stand in `safety.readiness`, `road`,
`reasons` and `consent`; the response demands a `ROLL_BACK` before it asks `safety.permits` for leave. Guarantees: pure; the
same facts give the same decision; the order of `CHECKS` is that of the decision's checks, blocked early or not; an outcome
of `ROLL_BACK` means that no check objects and that there is a release to go to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from watchdog.model import Check, Decision, Effect, Instant, Outcome
from watchdog.safety import consent, readiness, reasons, road
from watchdog.safety.answers import objects, strongest
from watchdog.safety.consent import answered
from watchdog.safety.facts import GateFacts

CheckFunction = Callable[[GateFacts, Instant], Check]

CHECKS: tuple[tuple[str, CheckFunction], ...] = (
    ("breach_stands", readiness.breach_stands),
    ("store", readiness.store),
    ("target_known", readiness.target_known),
    ("mode", readiness.mode),
    ("first_start", readiness.first_start),
    ("pause", readiness.pause),
    ("shutting_down", readiness.shutting_down),
    ("leadership", readiness.leadership),
    ("in_progress_by_others", road.in_progress_by_others),
    ("bake", reasons.bake),
    ("blame", reasons.blame),
    ("data", reasons.data),
    ("good_exists", road.good_exists),
    ("good_near", road.good_near),
    ("good_not_condemned", road.good_not_condemned),
    ("good_can_run", road.good_can_run),
    ("hazards", reasons.hazards),
    ("budget", consent.budget),
    ("self_suspect", reasons.self_suspect),
    ("approval", consent.approval),
    ("countdown", consent.countdown),
)
"""Name and function of each check, in the order of design.md section 6."""

SIMULATED = frozenset({"mode", "first_start", "pause"})
"""What `Decision.would` takes out of the way."""

_VERBS = {
    Outcome.RECOVERED_UNAIDED: "over without a rollback",
    Outcome.BLIND: "blind",
    Outcome.ESCALATE: "a person is needed",
    Outcome.HOLD: "holding",
    Outcome.ASK: "waiting for a person's yes",
}


def pass_gate(facts: GateFacts, now: Instant, checks: Sequence[tuple[str, CheckFunction]] = CHECKS) -> Decision:
    """Run every check and decide. Precedence: recovered, blind, escalate, hold, ask, countdown, roll back.

    `checks` differs from `CHECKS` only where a test proves that each guard carries weight.
    """
    results = tuple(answered(check(facts, now), facts, now) for _, check in checks)
    decisive = _decisive(results)
    outcome = strongest(check.outcome for check in decisive)
    return Decision(
        at=now,
        target=facts.policy.target,
        outcome=outcome,
        would=strongest(check.outcome for check in _decisive([one for one in results if one.name not in SIMULATED])),
        checks=results,
        sentence=_sentence(facts, results, outcome),
        from_release=facts.blamed.fingerprint,
        to_release=facts.good.fingerprint if facts.good is not None else "",
        asking=tuple(check.name for check in results if objects(check) and check.outcome is Outcome.ASK),
    )


def _decisive(results: Sequence[Check]) -> tuple[Check, ...]:
    """The checks that object. A countdown is no objection beside another one: it comes after all else, or never."""
    objecting = [check for check in results if objects(check)]
    return tuple(check for check in objecting if check.name != "countdown") or tuple(objecting)


def _sentence(facts: GateFacts, results: Sequence[Check], outcome: Outcome) -> str:
    target = facts.policy.target
    if outcome is Outcome.ROLL_BACK:
        to = facts.good.label if facts.good is not None else "nothing"
        answers = [check.name for check in results if check.effect is not Effect.PASS]
        said = f" ({', '.join(answers)} answered by a person)" if answers else ""
        return f"{target}: rolling back from {facts.blamed.label} to {to}; all {len(results)} checks pass{said}"
    standing = _decisive(results)
    decisive = [check for check in standing if check.outcome is outcome]
    others = len(standing) - 1
    more = f" (and {others} more)" if others else ""
    return f"{target}: {_VERBS[outcome]}: {decisive[0].sentence}{more}"
