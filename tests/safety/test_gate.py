"""The gate as a whole: order, completeness, closed reasons, would-have, approvals, overrides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.safety.passing import (
    BAD,
    GOOD,
    NEWER,
    NOW,
    PAUSE,
    act,
    approval,
    check_of,
    override,
    passing,
    policy,
    record_of,
    state,
    verdict,
)
from watchdog.model import (
    DataSafety,
    Decision,
    Effect,
    Finding,
    Grade,
    Health,
    Instant,
    Mode,
    Outcome,
    Owner,
    Ownership,
)
from watchdog.model.codec import from_document, to_document
from watchdog.safety import machine
from watchdog.safety.facts import BlameView, GateFacts, HazardView, Leadership, PausesRead, SelfSuspicion
from watchdog.safety.gate import CHECKS, SIMULATED, pass_gate

ORDER = [
    "breach_stands", "store", "target_known", "mode", "first_start", "pause", "shutting_down", "leadership",
    "in_progress_by_others", "bake", "blame", "data", "good_exists", "good_near", "good_not_condemned", "good_can_run",
    "hazards", "budget", "self_suspect", "approval", "countdown",
]  # fmt: skip

OBSERVE = policy(mode=Mode.OBSERVE)
ASKS = policy(mode=Mode.ASK)
PAUSED = PausesRead(readable=True, active=(PAUSE,))
EVERYTHING_WRONG = passing(
    policy=replace(OBSERVE, data=DataSafety.NOT_SAID, first_start="observe"),
    verdict=None,
    pauses=PAUSED,
    leadership=Leadership(held=False),
    state=state(release=NEWER),
    owner=Ownership(owner=Owner.GITOPS, sentence=""),
    in_bake=False,
    blame=BlameView(to_blame=False),
    good=replace(GOOD, grade=Grade.CONDEMNED),
    good_far=True,
    preflight=None,
    hazards=(HazardView(hazard="M", present=True),),
    record=record_of(acts=(act(5, source="bad"),)),
    suspect=SelfSuspicion(verdict=True),
    approvals=(approval("mode", to_release="other"),),
    countdown_started=False,
    armed=False,
    shutting_down=True,
    store_ok=False,
    target_known=False,
)


def decide(**changes: object) -> Decision:
    return pass_gate(passing(**changes), NOW)


def test_a_clean_breach_is_rolled_back() -> None:
    decision = decide()
    assert (decision.outcome, decision.would, decision.asking) == (Outcome.ROLL_BACK, Outcome.ROLL_BACK, ())
    assert (decision.from_release, decision.to_release, decision.target, decision.at) == ("bad", "good", "api", NOW)
    assert "rolling back from revision 7 to revision 6; all 21 checks pass" in decision.sentence


@pytest.mark.parametrize("facts", [passing(), EVERYTHING_WRONG, passing(policy=OBSERVE), passing(verdict=None)])
def test_all_checks_run_always_and_in_the_order_of_the_design(facts: GateFacts) -> None:
    assert [check.name for check in pass_gate(facts, NOW).checks] == ORDER == [name for name, _ in CHECKS]


def test_everything_wrong_is_said_check_by_check() -> None:
    decision = pass_gate(EVERYTHING_WRONG, NOW)
    silent = {check.name for check in decision.checks if check.effect is Effect.PASS}
    assert silent == {"good_exists"}  # a condemned release exists; good_not_condemned speaks about it
    assert decision.outcome is Outcome.ESCALATE
    assert "(and 18 more)" in decision.sentence


def test_the_same_facts_give_the_same_decision() -> None:
    assert pass_gate(EVERYTHING_WRONG, NOW) == pass_gate(EVERYTHING_WRONG, NOW)


def test_a_decision_survives_its_document_form() -> None:
    for facts in (passing(), EVERYTHING_WRONG):
        decision = pass_gate(facts, NOW)
        assert from_document(Decision, to_document(decision)) == decision


CLOSED_REASONS: dict[str, dict[str, object]] = {
    "recovered": {"verdict": verdict(Health.HEALTHY, recovered=True)},
    "blind": {"verdict": verdict(Health.BLIND)},
    "no verdict": {"verdict": None},
    "stale breach": {"failing_seen_s": 60.0},
    "store": {"store_ok": False},
    "removed": {"target_known": False},
    "watch only": {"policy": policy(watch_only=True)},
    "observe": {"policy": OBSERVE},
    "ask": {"policy": ASKS},
    "unarmed": {"armed": False},
    "pause": {"pauses": PAUSED},
    "pauses unreadable": {"pauses": PausesRead(readable=False)},
    "shutdown": {"shutting_down": True},
    "lease lost": {"leadership": Leadership(held=False)},
    "lease unknown": {"leadership": Leadership(held=None)},
    "lease too short": {"leadership": Leadership(held=True, remaining_s=5.0)},
    "newer release": {"state": state(release=NEWER)},
    "other rollout": {"state": state(release=NEWER, in_progress=True, complete=False)},
    "already back": {"state": state(release=GOOD)},
    "deleted": {"state": state(deleting=True)},
    "paused workload": {"state": state(paused=True)},
    "unreadable target": {"state": None},
    "helm": {"owner": Ownership(owner=Owner.HELM, sentence="")},
    "gitops": {"owner": Ownership(owner=Owner.GITOPS, sentence="")},
    "owner unknown": {"owner": None},
    "in flight": {"in_flight": ("inc-2",)},
    "outside bake": {"in_bake": False},
    "not to blame": {"blame": BlameView(to_blame=False)},
    "blame unknown": {"blame": BlameView(to_blame=None)},
    "data not said": {"policy": policy(data=DataSafety.NOT_SAID)},
    "breaking migration": {"blamed": replace(BAD, claims={"migration": "breaking"})},
    "no-rollback": {"blamed": replace(BAD, claims={"no-rollback": "true"})},
    "no good": {"good": None},
    "far": {"good_far": True},
    "condemned": {"good": replace(GOOD, grade=Grade.CONDEMNED)},
    "secret gone": {"preflight": (Finding(name="secret", sentence="gone", blocks=True),)},
    "preflight unknown": {"preflight": None},
    "hazard": {"hazards": (HazardView(hazard="M", present=True),)},
    "hazard unknown": {"hazards": (HazardView(hazard="M", present=None),)},
    "same release": {"record": record_of(acts=(act(5, source="bad"),))},
    "target budget": {"record": record_of(acts=(act(5), act(6)))},
    "fleet budget": {"fleet_acts": (act(5), act(6), act(7))},
    "rollback of a rollback": {"record": record_of(acts=(act(5, to="bad"),))},
    "refused before": {"record": record_of(cancelled=("bad",))},
    "suspect ourselves": {"suspect": SelfSuspicion(verdict=True)},
    "other approval": {"approvals": (approval("mode", to_release="other"),)},
    "countdown": {"countdown_until": Instant(NOW + 5)},
}


@pytest.mark.parametrize("reason", CLOSED_REASONS)
def test_p1_each_closed_reason_keeps_the_gate_shut_and_is_named(reason: str) -> None:
    decision = decide(**CLOSED_REASONS[reason])
    objecting = [check for check in decision.checks if check.effect is not Effect.PASS]
    assert decision.outcome is not Outcome.ROLL_BACK
    assert objecting and objecting[0].sentence in decision.sentence


@pytest.mark.parametrize("reason", ["observe", "ask", "unarmed", "pause", "pauses unreadable"])
def test_would_takes_mode_arming_and_pauses_out_of_the_way(reason: str) -> None:
    decision = decide(**CLOSED_REASONS[reason])
    assert decision.would is Outcome.ROLL_BACK


def test_would_names_what_else_would_have_kept_it() -> None:
    assert decide(policy=OBSERVE, in_bake=False).would is Outcome.ESCALATE
    assert decide(policy=OBSERVE, countdown_until=Instant(NOW + 5)).would is Outcome.HOLD
    assert decide(pauses=PAUSED, verdict=verdict(Health.HEALTHY, recovered=True)).would is Outcome.RECOVERED_UNAIDED


def test_the_response_simulates_past_the_same_checks_as_the_gate() -> None:
    assert machine.SIMULATED == SIMULATED


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        ("recovered", "unreadable target"),
        ("blind", "no good"),
        ("no good", "pause"),
        ("pause", "ask"),
        ("recovered", "pause"),
        ("in flight", "far"),
    ],
)
def test_precedence(winner: str, loser: str) -> None:
    alone = decide(**CLOSED_REASONS[winner])
    both = decide(**CLOSED_REASONS[loser], **CLOSED_REASONS[winner])
    assert both.outcome is alone.outcome
    assert "(and 1 more)" in both.sentence


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"state": None}, False),
        ({"state": state(release=NEWER)}, True),
        ({"state": state(release=GOOD)}, True),
        ({"state": state(release=GOOD), "step": 1}, False),
        ({"state": state(release=NEWER), "step": 1}, True),
        ({"state": state(release=GOOD), "step": 1, "good": None}, True),
    ],
)
def test_superseded_is_known_and_never_guessed(changes: dict[str, object], expected: bool) -> None:
    assert passing(**changes).superseded is expected


# -- approvals -------------------------------------------------------------------------------------------------------

QUESTIONS = {"policy": replace(ASKS, data=DataSafety.NOT_SAID), "countdown_started": False}


def test_all_questions_are_asked_by_name() -> None:
    decision = decide(policy=replace(ASKS, data=DataSafety.NOT_SAID))
    assert (decision.outcome, decision.asking) == (Outcome.ASK, ("mode", "data"))


def test_an_approval_of_all_questions_opens_the_gate_and_no_countdown_follows() -> None:
    decision = decide(**QUESTIONS, approvals=(approval("mode", "data", why="seen the graphs"),))
    assert (decision.outcome, decision.asking) == (Outcome.ROLL_BACK, ())
    assert check_of(decision, "mode").overridden_by == check_of(decision, "data").overridden_by == "a-1"
    assert "approved by bea: seen the graphs" in check_of(decision, "data").sentence
    assert "mode, data answered by a person" in decision.sentence


def test_an_approval_answers_only_the_questions_it_names() -> None:
    decision = decide(**QUESTIONS, approvals=(approval("mode"),))
    assert (decision.outcome, decision.asking) == (Outcome.ASK, ("data",))


def test_two_people_may_answer_one_question_each() -> None:
    decision = decide(**QUESTIONS, approvals=(approval("mode"), approval("data", id="a-2", who="dora")))
    assert decision.outcome is Outcome.ROLL_BACK
    assert check_of(decision, "data").overridden_by == "a-2"


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": NOW},
        {"expires": Instant(NOW - 1)},
        {"from_release": "other"},
        {"to_release": "other"},
        {"to_release": ""},
        {"checks": ("store", "countdown")},
        {"checks": ()},
        {"id": ""},
        {"at": Instant(NOW - 31)},  # before the incident was re-opened
    ],
)
def test_an_approval_that_does_not_fit_answers_nothing(changes: dict[str, object]) -> None:
    decision = decide(policy=ASKS, approvals=(replace(approval("mode"), **changes),))
    assert decision.outcome is Outcome.ASK
    assert "mode" in decision.asking


@pytest.mark.parametrize(
    "reason", ["pause", "pauses unreadable", "no good", "lease lost", "same release", "outside bake", "observe"]
)
def test_an_approval_never_answers_a_block(reason: str) -> None:
    decision = decide(**CLOSED_REASONS[reason], approvals=(approval(*ORDER),))
    assert decision.outcome in (Outcome.HOLD, Outcome.ESCALATE)
    assert not any(check.overridden_by for check in decision.checks)


def test_an_approval_without_a_release_to_go_to_counts_for_nothing() -> None:
    decision = decide(policy=ASKS, good=None, approvals=(approval("mode", to_release=""),))
    assert decision.asking == ("mode",)


def test_a_spent_approval_counts_for_the_response_that_spent_it_only() -> None:
    spent = approval("mode", spent_at=Instant(NOW - 5))
    assert decide(policy=ASKS, approvals=(spent,)).outcome is Outcome.ROLL_BACK
    assert decide(policy=ASKS, approvals=(spent,), began=Instant(NOW - 4)).outcome is Outcome.ASK
    assert decide(policy=ASKS, approvals=(spent,), began=None).outcome is Outcome.ASK


def test_a_plan_begun_with_an_approval_is_finished_after_the_approval_expired() -> None:
    spent = approval("mode", spent_at=Instant(NOW - 5), expires=Instant(NOW - 1))
    second_step = {"policy": ASKS, "step": 1, "wrote": True, "state": state(release=GOOD)}
    assert decide(**second_step, approvals=(spent,)).outcome is Outcome.ROLL_BACK
    assert decide(**second_step, approvals=(replace(spent, spent_at=None),)).outcome is Outcome.ASK
    assert decide(policy=ASKS, approvals=(spent,)).outcome is Outcome.ASK


# -- by hand ---------------------------------------------------------------------------------------------------------

BY_HAND: dict[str, dict[str, object]] = {
    "bake": {"in_bake": False},
    "blame": {"blame": BlameView(to_blame=False)},
    "data": {"policy": policy(data=DataSafety.NOT_SAID)},
    "hazards": {"hazards": (HazardView(hazard="M", present=True),)},
    "budget": {"wrote": True},
    "countdown": {"countdown_started": False},
    "mode": {"policy": OBSERVE},
    "pause": {"pauses": PAUSED},
    "first_start": {"armed": False},
    "self_suspect": {"suspect": SelfSuspicion(verdict=True)},
    "good_near": {"good_far": True},
    "good_not_condemned": {"good": replace(GOOD, grade=Grade.CONDEMNED)},
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand_a_named_override_answers_its_check_and_is_recorded(name: str) -> None:
    without = decide(**BY_HAND[name], manual=True)
    assert without.outcome is not Outcome.ROLL_BACK
    decision = decide(**BY_HAND[name], manual=True, overrides=(override(name),))
    assert decision.outcome is Outcome.ROLL_BACK
    assert check_of(decision, name).overridden_by == "o-1"
    assert check_of(decision, name).effect is not Effect.PASS
    assert "overridden by carl: users suffer" in check_of(decision, name).sentence


@pytest.mark.parametrize("name", BY_HAND)
def test_an_override_of_another_check_changes_nothing(name: str) -> None:
    others = tuple(other for other in ORDER if other != name)
    assert decide(**BY_HAND[name], manual=True, overrides=(override(*others),)).outcome is not Outcome.ROLL_BACK


@pytest.mark.parametrize("name", BY_HAND)
def test_an_override_counts_only_for_a_rollback_by_hand(name: str) -> None:
    assert decide(**BY_HAND[name], overrides=(override(name),)).outcome is not Outcome.ROLL_BACK


@pytest.mark.parametrize(
    "reason",
    [
        "lease lost", "lease unknown", "lease too short", "in flight", "newer release", "other rollout", "already back",
        "deleted", "unreadable target", "helm", "gitops", "owner unknown", "removed", "watch only", "store", "shutdown",
        "pauses unreadable", "no good", "secret gone",
    ],
)  # fmt: skip
def test_no_person_overrides_what_keeps_two_writes_apart(reason: str) -> None:
    decision = decide(
        **CLOSED_REASONS[reason], manual=True, overrides=(override(*ORDER),), approvals=(approval(*ORDER),)
    )
    assert decision.outcome is not Outcome.ROLL_BACK


def test_by_hand_needs_no_breach() -> None:
    for now_seen in (None, verdict(Health.HEALTHY, recovered=True), verdict(Health.BLIND)):
        assert decide(manual=True, verdict=now_seen, failing_seen_s=None).outcome is Outcome.ROLL_BACK


def test_an_override_without_audit_id_counts_for_nothing() -> None:
    assert decide(manual=True, in_bake=False, overrides=(override("bake", id=""),)).outcome is Outcome.ESCALATE


def test_a_pause_made_after_the_override_is_not_overridden() -> None:
    later = replace(PAUSE, id="p-2", since=Instant(NOW - 1))
    pauses = PausesRead(readable=True, active=(PAUSE, later))
    assert decide(manual=True, pauses=pauses, overrides=(override("pause"),)).outcome is Outcome.HOLD
