"""The response machine, replayed at every prefix (after Patroni's quorum tests)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from watchdog.model import (
    Approval,
    Breach,
    Check,
    CloseReason,
    Confirmation,
    Decision,
    Effect,
    Evidence,
    Incident,
    Instant,
    Intent,
    Issue,
    Outcome,
    Plan,
    Progress,
    Release,
    Resolution,
    Stage,
    Step,
    StepOutcome,
    TargetPolicy,
    UnitRef,
    from_document,
    to_document,
)
from watchdog.safety.machine import (
    ATTEMPTS,
    CHOOSING,
    MOST_INTENTS,
    TABLE,
    Answered,
    Approved,
    Breached,
    Cancelled,
    Captured,
    Decided,
    Event,
    Expired,
    IllegalTransition,
    Intended,
    Looked,
    Rehearsed,
    Reported,
    Resolved,
    Superseded,
    Verified,
    incident_id,
    open_incident,
    rehearsal_of,
    reported,
    transition,
)
from watchdog.safety.wording import LINE

UNIT = UnitRef(target="api", platform="fake", uid="u1", name="api")
BAD = Release(fingerprint="bad", revision="2")
GOOD = Release(fingerprint="good", revision="1")
STEP = Step(name="patch", unit=UNIT, words="patch api", precondition="version 7")
PLAN = Plan(unit=UNIT, from_release="bad", to_release="good", steps=(STEP,))
TWO = replace(PLAN, steps=(STEP, replace(STEP, name="second", words="delete pod")))
BREACH = Breach(target="api", at=Instant(10.0), first_bad=Instant(5.0), signals=("probe",), sentence="probe fails")
EVIDENCE = Evidence(started=Instant(11.0), finished=Instant(12.0))


def start() -> Incident:
    return open_incident(UNIT, TargetPolicy(target="api"), BAD, BREACH, Instant(10.0))


def decision(outcome: Outcome, *objecting: Check, would: Outcome | None = None) -> Decision:
    asking = tuple(check.name for check in objecting if check.outcome is Outcome.ASK)
    return Decision(
        at=Instant(11.0),
        target="api",
        outcome=outcome,
        would=would or outcome,
        checks=(Check(name="store", effect=Effect.PASS, sentence="fine"), *objecting),
        sentence=outcome.value,
        from_release="bad",
        to_release="good",
        asking=asking,
    )


def no(name: str, outcome: Outcome = Outcome.HOLD) -> Check:
    effect = Effect.ASK if outcome is Outcome.ASK else Effect.BLOCK
    return Check(name=name, effect=effect, sentence=f"{name} objects", outcome=outcome)


def decided(what: Decision, plan: Plan = PLAN) -> Decided:
    return Decided(decision=what, countdown_s=10.0, ask_s=600.0, good=GOOD, plan=plan)


GO = decision(Outcome.ROLL_BACK)
COUNTING = decision(Outcome.HOLD, no("countdown"))
OBSERVED = decision(Outcome.HOLD, no("mode"), would=Outcome.ROLL_BACK)
OBSERVED_COUNTING = decision(Outcome.HOLD, no("mode"), no("countdown"), would=Outcome.HOLD)
ASKING = decision(Outcome.ASK, no("data", Outcome.ASK))


def intent(step: Step = STEP, number: int = 1) -> Intent:
    return Intent(
        id=f"i{number}",
        incident="x",
        step=step,
        from_release="bad",
        to_release="good",
        stored_at=Instant(20.0),
        attempt=number,
    )


def run(incident: Incident, *events: Event) -> Incident:
    for number, event in enumerate(events):
        incident = transition(incident, event, Instant(20.0 + number), ("stdout",))
    return incident


ISSUED = Answered(outcome=StepOutcome(issue=Issue.ISSUED, sentence="done"))
UNCLEAR = Answered(outcome=StepOutcome(issue=Issue.UNKNOWN, sentence="timeout"))
LOST = Answered(outcome=StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence="409"))
OBSERVED_OUTSIDE = Looked(confirmation=Confirmation(progress=Progress.OBSERVED, sentence="3 of 3"))
RECOVERED = Verified(reason=CloseReason.RECOVERED, sentence="healthy")
TO_THE_INTENT = (decided(COUNTING), Captured(evidence=EVIDENCE), decided(GO), Intended(intent=intent(), decision=GO))
WHOLE = (*TO_THE_INTENT, ISSUED, OBSERVED_OUTSIDE, RECOVERED)


def test_a_whole_response_goes_from_breach_to_recovered() -> None:
    stages = []
    incident = start()
    for event in WHOLE:
        incident = run(incident, event)
        stages.append(incident.stage)
    assert stages == [
        Stage.COUNTDOWN, Stage.COUNTDOWN, Stage.CAPTURED, Stage.INTENDED, Stage.ISSUED, Stage.VERIFYING, Stage.CLOSED,
    ]  # fmt: skip
    assert incident.reason is CloseReason.RECOVERED
    assert not incident.needs_human


@pytest.mark.parametrize("length", range(len(WHOLE) + 1))
def test_every_prefix_survives_its_stored_form_and_goes_on_to_the_same_end(length: int) -> None:
    before = run(start(), *WHOLE[:length])
    after_restart = from_document(Incident, to_document(before))
    assert after_restart == before
    end = run(after_restart, *WHOLE[length:])
    assert end.reason is CloseReason.RECOVERED
    assert len(end.intents) == 1


@pytest.mark.parametrize("resolution", list(Resolution))
def test_an_unclear_reply_is_resolved_by_reading_and_only_not_issued_leads_back_to_the_gate(
    resolution: Resolution,
) -> None:
    incident = run(start(), *TO_THE_INTENT, UNCLEAR)
    assert incident.stage is Stage.INTENDED
    assert incident.intents[-1].open
    after = run(incident, Resolved(resolution=resolution))
    expected = {
        Resolution.ISSUED: Stage.ISSUED,
        Resolution.NOT_ISSUED: Stage.CAPTURED,
        Resolution.UNKNOWN: Stage.INTENDED,
    }.get(resolution, Stage.CLOSED)
    assert after.stage is expected


def test_no_second_intent_while_one_is_open() -> None:
    incident = replace(run(start(), *TO_THE_INTENT), stage=Stage.CAPTURED)
    with pytest.raises(IllegalTransition, match="not settled"):
        run(incident, Intended(intent=intent(number=2), decision=GO))


def test_an_intent_needs_a_decision_to_roll_back() -> None:
    incident = run(start(), *TO_THE_INTENT[:3])
    with pytest.raises(IllegalTransition, match="decision"):
        run(incident, Intended(intent=intent(), decision=COUNTING))


@pytest.mark.parametrize("missing", ["evidence", "plan"])
def test_evidence_and_plan_come_before_the_intent(missing: str) -> None:
    incident = replace(run(start(), *TO_THE_INTENT[:3]), **{missing: None})
    with pytest.raises(IllegalTransition, match="before the intent"):
        run(incident, Intended(intent=intent(), decision=GO))


def test_lost_preconditions_go_back_to_the_gate_and_then_to_a_person() -> None:
    incident = run(start(), *TO_THE_INTENT[:3])
    for number in range(1, ATTEMPTS + 1):
        assert incident.stage is Stage.CAPTURED
        incident = run(incident, Intended(intent=intent(number=number), decision=GO), LOST)
    assert incident.reason is CloseReason.PRECONDITION_FAILED
    assert incident.needs_human


def test_observe_simulates_everything_but_the_write() -> None:
    incident = run(start(), decided(OBSERVED_COUNTING))
    assert (incident.stage, incident.simulated) == (Stage.COUNTDOWN, True)
    incident = run(incident, Captured(evidence=EVIDENCE), decided(OBSERVED))
    assert incident.reason is CloseReason.WOULD_HAVE
    assert incident.intents == ()
    assert "would have rolled back" in incident.entries[-1].sentence


def test_a_simulated_record_never_reaches_an_intent() -> None:
    incident = replace(run(start(), *TO_THE_INTENT[:3]), simulated=True)
    with pytest.raises(IllegalTransition):
        run(incident, Intended(intent=intent(), decision=GO))


def test_a_pause_ends_a_countdown_and_an_open_question() -> None:
    paused = decision(Outcome.HOLD, no("pause"), would=Outcome.ROLL_BACK)
    for begun in (decided(COUNTING), decided(ASKING)):
        incident = run(start(), begun, decided(paused))
        assert incident.stage is Stage.HELD
        assert incident.countdown_until is None
        assert incident.ask_until is None


def test_a_countdown_that_was_simulated_is_no_warning_and_begins_anew() -> None:
    simulated = run(start(), decided(OBSERVED_COUNTING))
    real = run(simulated, decided(COUNTING))
    assert real.countdown_until == Instant(20.0 + 10.0)
    assert simulated.countdown_until == Instant(20.0 + 10.0)
    later = transition(simulated, decided(COUNTING), Instant(29.0))
    assert later.countdown_until == Instant(39.0)


def test_asking_ends_by_approval_refusal_or_time() -> None:
    asked = run(start(), decided(ASKING))
    assert (asked.stage, asked.ask_until) == (Stage.ASKED, Instant(620.0))
    approval = Approval(
        id="a",
        who="ann",
        at=Instant(21.0),
        from_release="bad",
        to_release="good",
        checks=("data",),
        expires=Instant(700.0),
    )
    assert run(asked, Approved(approval=approval)).approvals == (approval,)
    assert run(asked, Cancelled(who="ann", why="no", refused=True)).reason is CloseReason.REFUSED
    expired = run(asked, Expired(sentence="nobody"))
    assert (expired.reason, expired.needs_human) == (CloseReason.EXPIRED, True)


def test_an_approval_is_spent_by_the_intent() -> None:
    approval = Approval(
        id="a",
        who="ann",
        at=Instant(21.0),
        from_release="bad",
        to_release="good",
        checks=("data",),
        expires=Instant(700.0),
    )
    incident = run(start(), decided(ASKING), Approved(approval=approval), Captured(evidence=EVIDENCE), decided(GO))
    assert run(incident, Intended(intent=intent(), decision=GO)).approvals[0].spent_at is not None


def test_nobody_can_cancel_what_is_already_written() -> None:
    with pytest.raises(IllegalTransition):
        run(start(), *TO_THE_INTENT, Cancelled(who="ann", why="late"))


@pytest.mark.parametrize("stage", sorted(CHOOSING, key=str))
def test_a_person_can_cancel_in_every_stage_before_the_write(stage: Stage) -> None:
    after = run(replace(start(), stage=stage), Cancelled(who="ann", why="no"))
    assert after.reason is CloseReason.CANCELLED


def test_recovery_before_the_write_closes_unaided_and_after_it_does_not() -> None:
    over = decided(decision(Outcome.RECOVERED_UNAIDED, no("breach_stands", Outcome.RECOVERED_UNAIDED)))
    assert run(start(), decided(COUNTING), over).reason is CloseReason.RECOVERED_UNAIDED
    half = run(start(), decided(COUNTING, TWO), Captured(evidence=EVIDENCE), decided(GO, TWO))
    half = run(half, Intended(intent=intent(), decision=GO), ISSUED)
    assert (half.stage, half.step) == (Stage.CAPTURED, 1)
    held = run(half, over)
    assert held.stage is Stage.HELD
    assert held.needs_human


def test_a_pause_between_two_steps_stops_and_calls_a_person_with_the_mixed_state() -> None:
    half = run(start(), decided(COUNTING, TWO), Captured(evidence=EVIDENCE), decided(GO, TWO))
    half = run(half, Intended(intent=intent(), decision=GO), ISSUED)
    paused = run(half, decided(decision(Outcome.HOLD, no("pause"), would=Outcome.ROLL_BACK), TWO))
    assert (paused.stage, paused.needs_human, paused.simulated) == (Stage.HELD, True, False)
    assert any("Not done: delete pod" in entry.sentence for entry in paused.entries)
    assert any(notice.severity == "page" for notice in paused.notices if notice.kind == "not_acting")
    assert run(paused, decided(GO, TWO)).stage is Stage.CAPTURED


COURTESY = replace(PLAN, steps=(STEP, replace(STEP, name="hand-back", words="hand fields back", courtesy=True)))


def written_but_for_a_courtesy() -> Incident:
    half = run(start(), decided(COUNTING, COURTESY), Captured(evidence=EVIDENCE), decided(GO, COURTESY))
    return run(half, Intended(intent=intent(), decision=GO), ISSUED)


def left_out(incident: Incident) -> None:
    assert (incident.stage, incident.step, incident.needs_human) == (Stage.ISSUED, 2, False)
    (skipped,) = [entry.sentence for entry in incident.entries if entry.kind == "skipped"]
    assert skipped.startswith("left out: hand fields back")
    assert run(incident, OBSERVED_OUTSIDE, RECOVERED).reason is CloseReason.RECOVERED


def test_a_courtesy_is_written_like_every_step_when_nothing_objects() -> None:
    half = written_but_for_a_courtesy()
    assert (half.stage, half.step) == (Stage.CAPTURED, 1)
    second = Intended(intent=intent(COURTESY.steps[1], 2), decision=GO)
    assert run(half, decided(GO, COURTESY), second, ISSUED).stage is Stage.ISSUED


@pytest.mark.parametrize("objection", ["pause", "breach_stands", "leadership"])
def test_a_courtesy_that_may_not_be_written_is_left_out_and_calls_nobody(objection: str) -> None:
    closed = decided(decision(Outcome.HOLD, no(objection)), COURTESY)
    left_out(run(written_but_for_a_courtesy(), closed))


def test_a_courtesy_that_is_refused_or_lost_too_often_is_left_out() -> None:
    half = written_but_for_a_courtesy()
    refused = StepOutcome(issue=Issue.REFUSED, sentence="forbidden")
    left_out(run(half, Rehearsed(outcome=refused)))
    second = Intended(intent=intent(COURTESY.steps[1], 2), decision=GO)
    left_out(run(half, second, Answered(outcome=refused)))
    for number in range(2, 2 + ATTEMPTS):
        assert half.stage is Stage.CAPTURED
        half = run(half, Intended(intent=intent(COURTESY.steps[1], number), decision=GO), LOST)
    left_out(half)


def test_what_is_written_but_for_a_courtesy_cannot_be_cancelled() -> None:
    with pytest.raises(IllegalTransition, match="already written"):
        run(written_but_for_a_courtesy(), Cancelled(who="ann", why="late"))


def test_not_recovered_calls_a_person_once() -> None:
    incident = run(start(), *WHOLE[:-1], Verified(reason=CloseReason.NOT_RECOVERED, sentence="still failing"))
    assert incident.needs_human
    assert [n.severity for n in incident.notices if n.kind == "not_recovered"] == ["page"]


def test_a_new_breach_reopens_the_same_record_and_forgets_the_old_road() -> None:
    closed = run(start(), *WHOLE)
    again = run(closed, Breached(breach=BREACH))
    assert (again.stage, again.reopened, again.intents, again.evidence) == (Stage.OPENED, 1, (), None)
    assert len(again.past_intents) == 1
    assert again.entries[: len(closed.entries)] == closed.entries


def test_the_identity_of_an_incident_is_unit_and_fingerprint() -> None:
    other = replace(UNIT, uid="u2")
    assert incident_id(UNIT, "bad") == incident_id(UNIT, "bad")
    assert len({incident_id(UNIT, "bad"), incident_id(other, "bad"), incident_id(UNIT, "worse")}) == 3


def test_whatever_is_not_in_the_table_is_refused() -> None:
    events: list[Event] = [
        *WHOLE, UNCLEAR, Resolved(resolution=Resolution.ISSUED), Breached(breach=BREACH), Cancelled(who="a", why=""),
        Expired(sentence=""), Superseded(sentence=""),
    ]  # fmt: skip
    for stage in Stage:
        for event in events:
            if (stage, type(event)) not in TABLE:
                with pytest.raises(IllegalTransition):
                    run(replace(start(), stage=stage), event)


def test_entries_are_only_ever_appended_and_a_notice_is_owed_once() -> None:
    incident = start()
    for event in (*WHOLE[:2], decided(COUNTING), *WHOLE[2:]):
        before, incident = incident, run(incident, event)
        assert incident.entries[: len(before.entries)] == before.entries
        keys = [notice.key for notice in incident.notices]
        assert len(keys) == len(set(keys))
    assert {notice.kind for notice in incident.notices} == {"pending", "rolled_back", "recovered"}


def test_headlines_fit_a_lock_screen() -> None:
    long = Release(fingerprint="bad", revision="2", images={"app": "registry.example/" + "x" * 300})
    incident = run(replace(start(), blamed=long), *WHOLE)
    assert all(len(notice.headline) <= LINE for notice in incident.notices)


@pytest.mark.parametrize("event", [ISSUED, Resolved(resolution=Resolution.ISSUED)])
def test_what_became_of_another_intent_says_nothing_about_the_open_one(event: Answered | Resolved) -> None:
    incident = run(start(), *TO_THE_INTENT)
    with pytest.raises(IllegalTransition, match="not the intent"):
        run(incident, replace(event, intent="another_intent"))
    assert run(incident, replace(event, intent="i1")).stage is Stage.ISSUED


def test_an_unchanged_decision_changes_nothing_so_that_the_record_is_not_written_at_every_look() -> None:
    held = run(start(), decided(decision(Outcome.HOLD, no("budget"))))
    later = transition(held, decided(replace(decision(Outcome.HOLD, no("budget")), at=Instant(99.0))), Instant(99.0))
    assert later is held
    assert transition(held, decided(decision(Outcome.HOLD, no("blame"))), Instant(99.0)) != held


def test_a_countdown_beside_a_question_is_no_objection_of_its_own() -> None:
    both = decision(Outcome.HOLD, no("data", Outcome.ASK), no("countdown"))
    asked = run(start(), decided(both))
    assert (asked.stage, asked.ask_until) == (Stage.ASKED, Instant(620.0))


def test_another_question_gets_its_own_time_and_its_own_notice() -> None:
    asked = run(start(), decided(ASKING))
    again = transition(asked, decided(decision(Outcome.ASK, no("hazards", Outcome.ASK))), Instant(500.0), ("stdout",))
    assert again.ask_until == Instant(1100.0)
    assert [notice.kind for notice in again.notices] == ["ask", "ask"]


def test_in_simulation_a_question_is_recorded_with_its_evidence_and_asked_of_nobody() -> None:
    would_ask = decision(Outcome.HOLD, no("mode"), no("data", Outcome.ASK), would=Outcome.ASK)
    first = run(start(), decided(would_ask))
    assert (first.stage, first.ask_until) == (Stage.OPENED, None)
    closed = run(first, Captured(evidence=EVIDENCE), decided(would_ask))
    assert (closed.reason, closed.needs_human) == (CloseReason.WOULD_HAVE, False)
    assert [notice.kind for notice in closed.notices] == ["would_have"]


def test_what_recovers_in_simulation_recovered_unaided_and_would_not_have_been_rolled_back() -> None:
    over = decided(decision(Outcome.RECOVERED_UNAIDED, no("mode"), no("breach_stands", Outcome.RECOVERED_UNAIDED)))
    assert run(start(), decided(OBSERVED_COUNTING), over).reason is CloseReason.RECOVERED_UNAIDED


def test_only_a_missing_poll_leaves_a_countdown_running_and_any_other_hold_ends_it() -> None:
    waiting = decided(decision(Outcome.HOLD, no("breach_stands"), no("countdown")))
    running = run(start(), decided(COUNTING), waiting)
    assert (running.stage, running.countdown_until) == (Stage.COUNTDOWN, Instant(30.0))
    held = run(start(), decided(COUNTING), decided(decision(Outcome.HOLD, no("budget"), no("countdown"))))
    assert (held.stage, held.countdown_until) == (Stage.HELD, None)


def test_an_escalation_that_is_only_noted_or_simulated_calls_nobody() -> None:
    up = decision(Outcome.ESCALATE, no("bake", Outcome.ESCALATE))
    for event, human in (
        (decided(up), True),
        (replace(decided(up), noted=("bake",)), False),
        (decided(decision(Outcome.ESCALATE, no("mode"), no("bake", Outcome.ESCALATE), would=Outcome.ESCALATE)), False),
    ):
        held = run(start(), event)
        assert (held.stage, held.needs_human) == (Stage.HELD, human)
        assert [notice.severity for notice in held.notices] == ["page" if human else "info"]


def test_the_report_of_a_closing_is_noted_once_and_owed_again_after_a_reopening() -> None:
    closed = run(start(), *WHOLE)
    assert not reported(closed)
    done = run(closed, Reported())
    assert reported(done)
    assert run(done, Reported()) == done
    again = run(done, Breached(breach=BREACH), *WHOLE)
    assert not reported(again)


def test_a_cancelled_half_plan_leaves_a_person_with_what_stands() -> None:
    half = run(start(), decided(COUNTING, TWO), Captured(evidence=EVIDENCE), decided(GO, TWO))
    half = run(half, Intended(intent=intent(), decision=GO), ISSUED, Cancelled(who="ann", why="enough"))
    assert (half.reason, half.needs_human) == (CloseReason.CANCELLED, True)
    assert any("Not done: delete pod" in entry.sentence for entry in half.entries)
    assert half.notices[-1].severity == "page"


def test_the_countdown_stays_over_for_a_second_try_and_for_later_steps() -> None:
    incident = run(start(), *TO_THE_INTENT, LOST)
    assert (incident.stage, incident.countdown_until) == (Stage.CAPTURED, Instant(30.0))


def test_a_person_who_was_called_before_is_not_needed_once_it_recovered() -> None:
    held = run(start(), decided(decision(Outcome.ESCALATE, no("good_can_run", Outcome.ESCALATE))))
    assert held.needs_human
    recovered = run(held, decided(COUNTING), *WHOLE[1:])
    assert (recovered.reason, recovered.needs_human) == (CloseReason.RECOVERED, False)


def to_the_second_intent() -> Incident:
    return run(start(), *TO_THE_INTENT[:3])


def test_a_release_that_our_write_overwrote_is_paged_and_never_written_again() -> None:
    lost = Answered(outcome=StepOutcome(issue=Issue.ISSUED, sentence="done", overwrote="3.0"))
    incident = run(start(), *TO_THE_INTENT, lost)
    assert (incident.stage, incident.needs_human) == (Stage.ISSUED, True)
    assert [notice.severity for notice in incident.notices if notice.kind == "overwrote"] == ["page"]


def test_a_refused_dry_run_ends_with_a_person_and_an_unclear_one_leaves_it_to_the_write() -> None:
    captured = to_the_second_intent()
    refused = run(captured, Rehearsed(outcome=StepOutcome(issue=Issue.REFUSED, sentence="forbidden")))
    assert (refused.reason, refused.needs_human, refused.intents) == (CloseReason.REFUSED, True, ())
    unclear = run(captured, Rehearsed(outcome=StepOutcome(issue=Issue.UNKNOWN, sentence="timeout")))
    assert (unclear.stage, unclear.rehearsed) == (Stage.CAPTURED, rehearsal_of(captured))


def test_a_step_that_only_ever_has_to_wait_ends_with_a_person() -> None:
    incident = to_the_second_intent()
    for number in range(1, MOST_INTENTS + 1):
        not_yet = Resolved(resolution=Resolution.NOT_ISSUED)
        incident = run(incident, Intended(intent=intent(number=number), decision=GO), UNCLEAR, not_yet)
    assert (incident.reason, incident.needs_human) == (CloseReason.PRECONDITION_FAILED, True)
