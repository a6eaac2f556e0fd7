"""Permits: only the gate's own leave for this very write opens the writer (P1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.safety.passing import GOOD, NOW, UNIT, passing
from watchdog.model import Instant, Intent, Outcome, Permit, Step
from watchdog.safety.gate import pass_gate
from watchdog.safety.permits import LIFETIME_S, PermitOffice

OFFICE = PermitOffice(b"sixteen bytes or")
STEP = Step(name="patch", unit=UNIT, words="patch the template", precondition="resourceVersion 42")
INTENT = Intent(
    id="i-1", incident="inc-1", step=STEP, from_release="bad", to_release="good", stored_at=Instant(NOW), attempt=1
)
T0 = 500.0


def issued() -> Permit:
    return OFFICE.issue(pass_gate(passing(), NOW), INTENT, T0)


def test_a_permit_of_the_gate_covers_its_write_for_five_seconds() -> None:
    permit = issued()
    assert permit.expires == T0 + LIFETIME_S == T0 + 5.0
    for moment in (T0, T0 + 2.5, T0 + 5.0):
        assert OFFICE.check(permit, STEP, INTENT, moment) == ""


@pytest.mark.parametrize("moment", [T0 + 5.001, T0 + 3600, T0 - 0.001, float("nan")])
def test_an_expired_permit_is_refused(moment: float) -> None:
    assert OFFICE.check(issued(), STEP, INTENT, moment) == "the permit has expired"


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "unit/kubernetes/u-2"},
        {"from_release": "other"},
        {"to_release": "other"},
        {"step": "delete-pods"},
        {"incident": "inc-2"},
        {"expires": T0 + 60.0},
        {"nonce": ""},
        {"nonce": "0" * 64},
    ],
)
def test_a_changed_permit_is_refused(change: dict[str, object]) -> None:
    assert OFFICE.check(replace(issued(), **change), STEP, INTENT, T0 + 1)


@pytest.mark.parametrize(
    "step",
    [
        replace(STEP, name="delete-pods"),
        replace(STEP, unit=replace(UNIT, uid="u-2")),
        replace(STEP, unit=replace(UNIT, platform="command")),
    ],
)
def test_a_permit_for_another_step_or_unit_is_refused(step: Step) -> None:
    assert OFFICE.check(issued(), step, replace(INTENT, step=step), T0 + 1)
    assert OFFICE.check(issued(), step, INTENT, T0 + 1)


@pytest.mark.parametrize("change", [{"id": "i-2"}, {"incident": "inc-2"}, {"from_release": "x"}, {"to_release": "x"}])
def test_a_permit_for_another_intent_is_refused(change: dict[str, str]) -> None:
    assert OFFICE.check(issued(), STEP, replace(INTENT, **change), T0 + 1)


def test_a_permit_forged_with_another_secret_is_refused() -> None:
    forged = PermitOffice(b"another sixteen b").issue(pass_gate(passing(), NOW), INTENT, T0)
    assert (
        OFFICE.check(forged, STEP, INTENT, T0 + 1) == "the permit was not issued by the gate for this step and incident"
    )


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.ROLL_BACK])
def test_no_permit_without_a_decision_to_roll_back(outcome: Outcome) -> None:
    decision = replace(pass_gate(passing(), NOW), outcome=outcome)
    with pytest.raises(ValueError, match=f"the gate said {outcome.value}"):
        OFFICE.issue(decision, INTENT, T0)


def test_no_permit_for_other_releases_than_decided() -> None:
    decision = pass_gate(passing(good=replace(GOOD, fingerprint="older")), NOW)
    with pytest.raises(ValueError, match="other releases"):
        OFFICE.issue(decision, INTENT, T0)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 secret bytes"):
        PermitOffice(b"fifteen bytes..")
