"""Mutation check: each guard of the gate carries weight. Without it the very same facts would be rolled back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.safety.passing import BAD, GOOD, NEWER, NOW, PAUSE, act, approval, passing, policy, record_of, state, verdict
from watchdog.model import DataSafety, Finding, Grade, Health, Instant, Mode, Outcome, Owner, Ownership
from watchdog.safety.answers import objects
from watchdog.safety.facts import BlameView, HazardView, Leadership, PausesRead, SelfSuspicion
from watchdog.safety.gate import CHECKS, pass_gate

ONLY: dict[str, list[dict[str, object]]] = {
    "breach_stands": [
        {"verdict": None},
        {"verdict": verdict(Health.BLIND)},
        {"verdict": verdict(Health.HEALTHY, recovered=True)},
        {"failing_seen_s": 99.0},
    ],
    "store": [{"store_ok": False}],
    "target_known": [{"target_known": False}, {"policy": policy(watch_only=True)}],
    "mode": [{"policy": policy(mode=Mode.OBSERVE)}, {"policy": policy(mode=Mode.ASK)}],
    "first_start": [{"armed": False}],
    "pause": [{"pauses": PausesRead(readable=True, active=(PAUSE,))}, {"pauses": PausesRead(readable=False)}],
    "shutting_down": [{"shutting_down": True}],
    "leadership": [
        {"leadership": Leadership(held=False, remaining_s=60.0)},
        {"leadership": Leadership(held=None, remaining_s=60.0)},
        {"leadership": Leadership(held=True, remaining_s=3.0)},
    ],
    "in_progress_by_others": [
        {"owner": Ownership(owner=Owner.HELM, sentence="")},
        {"owner": None},
        {"state": None},
        {"state": state(release=NEWER, in_progress=True)},
        {"state": state(paused=True)},
        {"state": state(deleting=True)},
        {"in_flight": ("inc-9",)},
    ],
    "bake": [{"in_bake": False}],
    "blame": [{"blame": BlameView(to_blame=False)}, {"blame": BlameView(to_blame=None)}],
    "data": [
        {"policy": policy(data=DataSafety.NOT_SAID)},
        {"policy": policy(data=DataSafety.CHECK)},
        {"blamed": replace(BAD, claims={"migration": "breaking"})},
        {"blamed": replace(BAD, claims={"no-rollback": ""})},
    ],
    "good_exists": [{"good": None}, {"good": replace(GOOD, grade=Grade.NEW)}, {"good": replace(BAD, grade=Grade.GOOD)}],
    "good_near": [{"good_far": True}, {"steps_back": 3}],
    "good_not_condemned": [{"good": replace(GOOD, grade=Grade.CONDEMNED)}],
    "good_can_run": [{"preflight": None}, {"preflight": (Finding(name="secret", sentence="gone", blocks=True),)}],
    "hazards": [
        {"hazards": (HazardView(hazard="M", present=True),)},
        {"hazards": (HazardView(hazard="M", present=None),)},
    ],
    "budget": [
        {"wrote": True},
        {"record": record_of(acts=(act(90_000, source="bad"),))},
        {"record": record_of(acts=(act(5, to="bad"),))},
        {"record": record_of(acts=(act(5), act(6)))},
        {"record": record_of(cancelled=("bad",))},
        {"fleet_acts": (act(5), act(6), act(7))},
    ],
    "self_suspect": [{"suspect": SelfSuspicion(verdict=True)}, {"suspect": SelfSuspicion(verdict=None)}],
    "approval": [{"approvals": (approval("mode", to_release="older"),)}],
    "countdown": [{"countdown_until": Instant(NOW + 5)}, {"countdown_started": False, "countdown_until": None}],
}


def test_every_guard_is_examined() -> None:
    assert list(ONLY) == [name for name, _ in CHECKS]


@pytest.mark.parametrize(
    ("name", "changes"),
    [pytest.param(name, one, id=f"{name}-{n}") for name, many in ONLY.items() for n, one in enumerate(many)],
)
def test_the_guard_alone_keeps_the_gate_shut(name: str, changes: dict[str, object]) -> None:
    facts = passing(**changes)
    decision = pass_gate(facts, NOW)
    assert [check.name for check in decision.checks if objects(check)] == [name]
    assert decision.outcome is not Outcome.ROLL_BACK
    without = tuple((other, check) for other, check in CHECKS if other != name)
    assert pass_gate(facts, NOW, checks=without).outcome is Outcome.ROLL_BACK
