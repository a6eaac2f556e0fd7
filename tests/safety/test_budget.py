"""The budget counts what was really issued (P15)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.safety.passing import BAD, GOOD, NOW, act, passing, policy, record_of
from watchdog.model import Act, Budget, Instant, Outcome
from watchdog.safety.budget import assess_budget, free_in_s, recent


def test_a_reconciler_that_re_applies_the_bad_release_gets_one_rollback_only() -> None:
    acts: tuple[Act, ...] = ()
    allowed = 0
    for again in range(5):
        now = Instant(NOW + again * 600)
        if assess_budget(passing(record=record_of(acts=acts)), now).outcome is Outcome.ROLL_BACK:
            allowed += 1
            acts = (*acts, Act(at=now, incident="inc-1", from_release="bad", to_release="good"))
    assert allowed == 1
    answer = assess_budget(passing(record=record_of(acts=acts)), Instant(NOW + 3000))
    assert answer.outcome is Outcome.ESCALATE
    assert "who re-applied it" in answer.sentence


def test_the_same_bad_release_is_remembered_for_ever() -> None:
    assert assess_budget(passing(record=record_of(acts=(act(1e7, source="bad"),))), NOW).outcome is Outcome.ESCALATE


def test_after_a_rollback_the_good_release_is_not_rolled_back_in_turn() -> None:
    went_back = record_of(acts=(act(600, source="bad", to="good"),))
    facts = passing(record=went_back, blamed=GOOD, good=replace(GOOD, fingerprint="older"))
    answer = assess_budget(facts, NOW)
    assert answer.outcome is Outcome.ESCALATE
    assert "never a rollback of a rollback" in answer.sentence
    assert assess_budget(facts, Instant(NOW + 20_000)).outcome is Outcome.ESCALATE  # within the longest bake
    long_after = assess_budget(facts, Instant(NOW + 43_200))
    assert long_after.outcome is Outcome.ROLL_BACK


def test_a_longer_bake_keeps_a_rollback_from_being_rolled_back_for_longer() -> None:
    facts = passing(
        record=record_of(acts=(act(50_000, to="bad"),)), policy=policy(bake_s=60_000.0, bake_at_most_s=43_200.0)
    )
    assert assess_budget(facts, NOW).outcome is Outcome.ESCALATE


def test_the_later_steps_of_a_plan_are_not_a_second_rollback() -> None:
    mine = act(20, source="bad", to="good", incident="inc-1")
    facts = passing(
        record=record_of(acts=(mine,)),
        fleet_acts=(mine,),
        wrote=True,
        policy=policy(budget=Budget(per_target=1, fleet=1)),
    )
    assert assess_budget(replace(facts, step=1), NOW).outcome is Outcome.ROLL_BACK
    assert assess_budget(facts, NOW).outcome is Outcome.ESCALATE


def test_a_later_step_does_not_forgive_acts_of_other_incidents() -> None:
    other = act(20, source="bad", to="good", incident="inc-2")
    assert assess_budget(passing(record=record_of(acts=(other,)), step=1), NOW).outcome is Outcome.ESCALATE


def test_the_windows_end() -> None:
    full = record_of(acts=(act(86_400), act(10)))
    assert assess_budget(passing(record=full), NOW).outcome is Outcome.ROLL_BACK
    assert assess_budget(passing(record=full), Instant(NOW - 1)).outcome is Outcome.HOLD
    fleet = (act(600), act(2), act(1))
    assert assess_budget(passing(fleet_acts=fleet), NOW).outcome is Outcome.ROLL_BACK
    assert assess_budget(passing(fleet_acts=fleet), Instant(NOW - 1)).outcome is Outcome.HOLD


def test_own_acts_count_for_the_fleet_even_when_left_out_and_never_twice() -> None:
    own = (act(30), act(20))
    one_more = policy(budget=Budget(per_target=9, fleet=3))
    assert assess_budget(passing(record=record_of(acts=own), policy=one_more), NOW).outcome is Outcome.ROLL_BACK
    both = passing(record=record_of(acts=own), fleet_acts=own, policy=one_more)
    assert assess_budget(both, NOW).outcome is Outcome.ROLL_BACK
    assert assess_budget(replace(both, fleet_acts=(*own, act(10))), NOW).outcome is Outcome.HOLD


def test_an_act_of_the_future_counts_as_recent() -> None:
    assert recent((act(-3600),), NOW, 600.0) == (act(-3600),)


def test_an_act_as_old_as_the_window_has_left_it() -> None:
    assert recent((act(600), act(599)), NOW, 600.0) == (act(599),)


def test_a_refused_release_stays_refused_until_cleared() -> None:
    refused = record_of(cancelled=(BAD.fingerprint,))
    assert assess_budget(passing(record=refused), NOW).outcome is Outcome.HOLD
    assert assess_budget(passing(record=replace(refused, cancelled=())), NOW).outcome is Outcome.ROLL_BACK


@pytest.mark.parametrize(("limit", "wait"), [(0, float("inf")), (1, 95.0), (2, 80.0), (3, 0.0)])
def test_the_wait_until_the_next_one(limit: int, wait: float) -> None:
    assert free_in_s((act(20), act(5)), limit, NOW, 100.0) == wait


@given(st.lists(st.floats(0, 1000), max_size=6), st.integers(1, 4), st.floats(1, 500))
def test_after_the_wait_one_more_fits_and_just_before_it_does_not(ages: list[float], limit: int, window: float) -> None:
    acts = [act(age) for age in ages]
    wait = free_in_s(acts, limit, NOW, window)
    assert len(recent(acts, Instant(NOW + wait + 0.001), window)) < limit
    if wait > 0.002:
        assert len(recent(acts, Instant(NOW + wait - 0.001), window)) >= limit
