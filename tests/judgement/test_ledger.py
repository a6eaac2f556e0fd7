from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.judgement.traces import at, sample
from watchdog.judgement.ledger import (
    MOST_RELEASES,
    assume_good,
    clear,
    condemn,
    count_minutes,
    credit,
    in_bake,
    last_known_good,
    observe,
)
from watchdog.model import (
    Act,
    Grade,
    Health,
    Release,
    TargetPolicy,
    TargetVerdict,
    UnitRecord,
    UnitRef,
    WorkloadState,
    from_document,
    to_document,
)

UNIT = UnitRef(target="api", platform="kubernetes", uid="u1", name="bookstore/api")
EMPTY = UnitRecord(unit=UNIT)
POLICY = TargetPolicy(target="api", bake_s=1800, bake_events=1000, bake_at_most_s=43_200)
DAY = 86_400.0


def state(
    fingerprint: str, *, complete: bool = True, started: float | None = None, completed: float | None = None, **release
) -> WorkloadState:
    return WorkloadState(
        unit=UNIT,
        at=at(0),
        release=Release(**{"fingerprint": fingerprint, "revision": "7", "template": {"spec": fingerprint}, **release}),
        version="1",
        complete=complete,
        in_progress=not complete,
        started=None if started is None else at(started),
        completed=None if completed is None else at(completed),
    )


def verdict(health: Health = Health.HEALTHY) -> TargetVerdict:
    return TargetVerdict(target="api", at=at(0), health=health, sentence="")


def seen(*reads: tuple[float, WorkloadState], unit: UnitRecord = EMPTY) -> UnitRecord:
    for moment, read in reads:
        unit, _ = observe(unit, read, at(moment), POLICY)
    return unit


def graded(unit: UnitRecord, fingerprint: str, moment: float, grade: Grade = Grade.GOOD) -> UnitRecord:
    releases = tuple(
        replace(one, grade=grade, graded_at=at(moment)) if one.fingerprint == fingerprint else one
        for one in unit.releases
    )
    return replace(unit, releases=releases)


def released(*names: str, apart: float = 10_000.0) -> UnitRecord:
    """Releases one after the other, each good before the next; the last one is new and current."""
    unit = seen((0, state("first", started=-DAY * 9, completed=-DAY * 8)))
    for number, name in enumerate(names, start=1):
        unit = graded(unit, unit.current, number * apart - 1)
        unit = seen((number * apart, state(name)), unit=unit)
    return unit


# -- what runs now


def test_first_sight_notes_what_runs_without_suspecting_it():
    unit, sentences = observe(EMPTY, state("a"), at(50), POLICY)
    assert (unit.current, unit.first_seen) == ("a", at(50))
    entry = unit.release("a")
    assert entry is not None
    assert (entry.grade, entry.started, entry.completed) == (Grade.NEW, None, at(50))
    assert "was running when first seen" in sentences[0]
    inside, why = in_bake(unit, "a", at(51), POLICY)
    assert not inside
    assert "was not seen" in why


def test_one_found_complete_of_which_nobody_knows_since_when_is_not_suspected_whenever_it_began():
    unit = seen((50, state("a", started=0)))
    assert not in_bake(unit, "a", at(60), POLICY)[0]
    young = seen((50, state("a", started=0, completed=20)))
    assert in_bake(young, "a", at(60), POLICY)[0]


def test_a_new_release_is_seen_from_start_to_completion():
    unit = seen((0, state("a")))
    unit, sentences = observe(unit, state("b", complete=False), at(100), POLICY)
    assert "is being rolled out" in sentences[0]
    unit, sentences = observe(unit, state("b", complete=False), at(110), POLICY)
    assert sentences == ()
    unit, sentences = observe(unit, state("b"), at(130), POLICY)
    assert "is rolled out" in sentences[0]
    entry = unit.release("b")
    assert entry is not None
    assert (entry.started, entry.completed) == (at(100), at(130))


def test_times_of_the_platform_go_before_our_own():
    unit = seen((0, state("a")), (100, state("b", started=93, completed=97)))
    entry = unit.release("b")
    assert entry is not None
    assert (entry.started, entry.completed) == (at(93), at(97))


def test_a_state_the_controller_has_not_looked_at_changes_nothing():
    unit = seen((0, state("a")))
    assert observe(unit, replace(state("b"), observed=False), at(10), POLICY) == (unit, ())
    assert observe(unit, state(""), at(10), POLICY) == (unit, ())


def test_reading_the_same_twice_changes_nothing():
    unit = seen((0, state("a")), (100, state("b")))
    assert observe(unit, state("b"), at(105), POLICY) == (unit, ())


def test_an_image_that_changed_behind_its_tag_is_said_and_a_good_release_keeps_its_digest():
    unit = graded(seen((0, state("a", digests={"api": "sha256:1"}))), "a", 5)
    unit, sentences = observe(unit, state("a", digests={"api": "sha256:2"}), at(10), POLICY)
    assert "the image behind the tag changed in api" in sentences[0]
    entry = unit.release("a")
    assert entry is not None
    assert entry.digests == {"api": "sha256:1"}


def test_a_condemned_release_that_comes_back_is_said_once():
    unit = condemn(seen((0, state("a")), (100, state("b"))), "b", at(200), "30 % errors")
    unit, quiet = observe(unit, state("b"), at(205), POLICY)
    assert quiet == ()
    unit = seen((300, state("a")), unit=unit)
    unit, sentences = observe(unit, state("b", actor="flux"), at(400), POLICY)
    assert "condemned (30 % errors), was applied again by flux" in sentences[1]
    assert unit.fought == ("b",)
    unit = seen((500, state("a")), unit=unit)
    unit, sentences = observe(unit, state("b"), at(600), POLICY)
    assert not any("condemned" in one for one in sentences)
    entry = unit.release("b")
    assert entry is not None
    assert entry.grade is Grade.CONDEMNED


def test_one_that_came_back_between_two_of_our_reads_is_recognised_by_its_start():
    unit = condemn(seen((0, state("a")), (100, state("b", started=100))), "b", at(200), "bad")
    unit = replace(unit, acts=(Act(at=at(210), incident="i", from_release="b", to_release="a"),))
    unit, sentences = observe(unit, state("b", started=215), at(220), POLICY)
    assert unit.fought == ("b",)
    assert any("applied again" in one for one in sentences)


def test_a_rollout_of_the_condemned_release_from_before_our_act_did_not_come_back():
    unit = condemn(seen((0, state("a")), (100, state("b", started=100))), "b", at(200), "bad")
    unit = replace(unit, acts=(Act(at=at(230), incident="i", from_release="b", to_release="a"),))
    unit, sentences = observe(unit, state("b", started=215), at(231), POLICY)
    assert (unit.fought, sentences) == ((), ())


def test_a_known_good_release_rolled_out_again_keeps_its_grade_and_bakes_anew():
    unit = graded(seen((0, state("a"))), "a", 10)
    unit = seen((100, state("b")), (200, state("a", complete=False, started=-5)), unit=unit)
    entry = unit.release("a")
    assert entry is not None
    assert (entry.grade, entry.started, entry.completed) == (Grade.GOOD, at(200), None)
    assert in_bake(unit, "a", at(210), POLICY)[0]
    unit = seen((220, state("a", completed=-4)), unit=unit)
    again = unit.release("a")
    assert again is not None
    assert again.completed == at(220)
    unit, _ = credit(unit, 1800, None, True, at(2020), POLICY)
    assert not in_bake(unit, "a", at(2021), POLICY)[0]


# -- grades


def test_assumed_good_at_first_sight_when_complete_for_longer_than_the_soak_and_healthy():
    unit = seen((0, state("a", started=-4000, completed=-3600)))
    unit, sentences = assume_good(unit, state("a"), verdict(), at(60), POLICY)
    entry = unit.release("a")
    assert entry is not None
    assert entry.grade is Grade.ASSUMED_GOOD
    assert "is assumed good: complete for 60 min when first seen, and healthy" in sentences[0]
    assert not in_bake(unit, "a", at(61), POLICY)[0]
    assert assume_good(unit, state("a"), verdict(), at(70), POLICY) == (unit, ())


@pytest.mark.parametrize("health", [Health.FAILING, Health.INCONCLUSIVE, Health.BLIND])
def test_never_assumed_good_unless_healthy_now(health):
    unit = seen((0, state("a", started=-4000, completed=-3600)))
    assert assume_good(unit, state("a"), verdict(health), at(60), POLICY)[1] == ()


def test_never_assumed_good_when_young_incomplete_unknown_or_seen_to_begin():
    young = seen((0, state("a", started=-400, completed=-300)))
    assert assume_good(young, state("a"), verdict(), at(60), POLICY)[1] == ()
    old = seen((0, state("a", started=-4000, completed=-3600)))
    assert assume_good(old, state("a", complete=False), verdict(), at(60), POLICY)[1] == ()
    unknown = seen((0, state("a", started=-4000)))
    assert assume_good(unknown, state("a"), verdict(), at(9000), POLICY)[1] == ()
    begun = seen((0, state("a")), (10, state("b", completed=10)))
    assert assume_good(begun, state("b"), verdict(), at(9000), POLICY)[1] == ()
    condemned = condemn(old, "a", at(1), "bad")
    assert assume_good(condemned, state("a"), verdict(), at(60), POLICY)[1] == ()


def baking() -> UnitRecord:
    return seen((0, state("a")), (100, state("b")))


def test_good_is_earned_by_watched_minutes():
    unit, quiet = credit(baking(), 1799, None, True, at(1900), POLICY)
    assert quiet == ()
    assert in_bake(unit, "b", at(1900), POLICY) == (
        True,
        "revision 7 is in its bake time: 30 min of 30 min watched",
    )
    unit, sentences = credit(unit, 1, None, True, at(1901), POLICY)
    assert "has earned its grade good: healthy for 30 min watched" in sentences[0]
    entry = unit.release("b")
    assert entry is not None
    assert (entry.grade, entry.graded_at) == (Grade.GOOD, at(1901))
    assert not in_bake(unit, "b", at(1902), POLICY)[0]
    assert credit(unit, 15, 50, True, at(1916), POLICY) == (unit, ())


def test_paused_blind_unhealthy_and_unfinished_time_earns_nothing():
    unit = baking()
    assert credit(unit, 0, 5000, True, at(9000), POLICY) == (unit, ())
    assert credit(unit, 5000, 5000, False, at(9000), POLICY) == (unit, ())
    rolling = seen((0, state("a")), (100, state("b", complete=False)))
    assert credit(rolling, 5000, 5000, True, at(9000), POLICY) == (rolling, ())
    assert in_bake(rolling, "b", at(9000), POLICY)[0]


def test_a_condemned_release_earns_nothing():
    unit = condemn(baking(), "b", at(200), "bad")
    assert credit(unit, 5000, 5000, True, at(9000), POLICY) == (unit, ())


def test_where_users_are_counted_their_events_are_needed_until_bake_is_at_its_longest():
    unit, _ = credit(baking(), 2000, 10, True, at(3000), POLICY)
    assert in_bake(unit, "b", at(3000), POLICY)[0]
    enough, sentences = credit(unit, 5, 990, True, at(3005), POLICY)
    assert "1000 user events" in sentences[0]
    assert not in_bake(enough, "b", at(3006), POLICY)[0]
    assert not in_bake(unit, "b", at(100 + 43_200), POLICY)[0]
    late, sentences = credit(unit, 5, 0, True, at(100 + 43_200), POLICY)
    assert sentences
    entry = late.release("b")
    assert entry is not None
    assert entry.is_good


def test_a_rollout_that_never_completes_is_not_under_suspicion_for_ever():
    rolling = seen((0, state("a")), (100, state("b", complete=False)))
    inside, why = in_bake(rolling, "b", at(100 + 43_200), POLICY)
    assert not inside
    assert "bake lasts at most 12 h" in why


def test_what_is_not_in_the_ledger_is_not_in_bake():
    assert not in_bake(EMPTY, "x", at(0), POLICY)[0]


def test_a_person_clears_a_condemned_release_and_it_has_to_earn_its_grade_again():
    unit = condemn(baking(), "b", at(200), "bad")
    unit = replace(unit, cancelled=("b", "c"), fought=("b",))
    unit = clear(unit, "b", "ann", at(300))
    entry = unit.release("b")
    assert entry is not None
    assert (entry.grade, entry.note, entry.watched_s) == (Grade.NEW, "cleared by ann; was condemned: bad", 0.0)
    assert (unit.cancelled, unit.fought) == (("c",), ())


def test_a_release_can_be_condemned_that_was_never_seen():
    entry = condemn(EMPTY, "x", at(5), "bad").release("x")
    assert entry is not None
    assert entry.grade is Grade.CONDEMNED


# -- the way back


def choice(unit: UnitRecord, now: float, *names: str):
    return last_known_good(unit, at(now), POLICY, [Release(fingerprint=name, address=f"rs-{name}") for name in names])


def test_the_newest_good_release_is_the_way_back():
    found = choice(released("b", "c"), 20_050, "first", "b", "c")
    assert found.release is not None
    assert (found.release.fingerprint, found.release.address) == ("b", "rs-b")
    assert (found.steps_back, found.far, found.stored, found.age_s) == (1, False, False, 50)


def test_never_a_condemned_a_new_or_the_current_release():
    unit = condemn(released("b", "c"), "b", at(20_001), "bad")
    found = choice(unit, 20_050, "first", "b", "c")
    assert found.release is not None
    assert found.release.fingerprint == "first"
    only_new = seen((0, state("a")), (100, state("b")), (200, state("c")))
    assert choice(only_new, 300, "a", "b", "c").release is None
    alone = graded(seen((0, state("a"))), "a", 5)
    assert choice(alone, 300, "a").release is None


def test_no_way_back_while_it_is_not_known_what_runs():
    unit = replace(graded(seen((0, state("a"))), "a", 5), current="")
    assert "not known" in choice(unit, 10, "a").sentence


def test_a_pruned_history_falls_back_on_the_stored_template_and_says_so():
    found = choice(released("b", "c"), 20_050, "c")
    assert found.release is not None
    assert found.release.fingerprint == "b"
    assert found.release.template == {"spec": "b"}
    assert found.stored
    assert "the history no longer has it: our stored copy would be used" in found.sentence


def test_an_unreadable_history_is_said():
    found = last_known_good(released("b", "c"), at(20_050), POLICY, None)
    assert found.release is not None
    assert "history could not be read" in found.sentence


def test_one_that_is_nowhere_is_walked_past():
    unit = released("b", "c")
    bare = tuple(replace(one, template=None) if one.fingerprint == "b" else one for one in unit.releases)
    found = choice(replace(unit, releases=bare), 20_050, "first")
    assert found.release is not None
    assert (found.release.fingerprint, found.steps_back) == ("first", 2)
    assert "is neither in the history nor stored" in found.sentence
    nowhere = tuple(replace(one, template=None) for one in unit.releases)
    gone = choice(replace(unit, releases=nowhere), 20_050)
    assert gone.release is None
    assert "no good release can be brought back" in gone.sentence


def test_too_many_steps_or_too_long_ago_is_far():
    unit = released("b", "c", "d")
    bare = tuple(replace(one, template=None) if one.fingerprint in ("b", "c") else one for one in unit.releases)
    found = choice(replace(unit, releases=bare), 30_050, "first")
    assert found.steps_back == 3
    assert found.far
    assert "further back than 2 good releases" in found.sentence
    late = choice(released("b"), 10_000 + 8 * DAY, "first")
    assert late.far
    assert "older than 7 days" in late.sentence


def test_a_good_release_that_ran_for_a_month_until_just_now_is_not_far():
    unit = graded(seen((0, state("a", started=-DAY, completed=-DAY))), "a", 10)
    unit = seen((30 * DAY, state("b")), unit=unit)
    found = choice(unit, 30 * DAY + 60, "a")
    assert (found.age_s, found.far) == (60, False)


# -- bounds and baseline


@given(st.lists(st.sampled_from(["new", "good", "condemned"]), min_size=1, max_size=80))
def test_the_ledger_is_bounded_and_good_releases_go_last(fates):
    unit = EMPTY
    for number, fate in enumerate(fates):
        name = f"r{number}"
        unit = seen((number * 100, state(name)), unit=unit)
        if fate == "good":
            unit = graded(unit, name, number * 100 + 50)
        if fate == "condemned":
            unit = condemn(unit, name, at(number * 100 + 50), "bad")
    assert len(unit.releases) <= MOST_RELEASES
    assert unit.release(unit.current) is not None
    good = [f"r{n}" for n, fate in enumerate(fates[:-1]) if fate == "good"]
    kept_good = [one for one in good if unit.release(one) is not None]
    assert kept_good == good[-len(kept_good) :] if kept_good else True
    if len(kept_good) < len(good):
        assert all(one.is_good for one in unit.releases if one.fingerprint != unit.current)
    assert from_document(UnitRecord, to_document(unit)) == unit


def history(*fates: str) -> UnitRecord:
    unit = EMPTY
    for number, fate in enumerate(fates):
        unit = seen((number * 100, state(f"{fate}{number}")), unit=unit)
        if fate == "good":
            unit = graded(unit, unit.current, number * 100 + 50)
        if fate == "bad":
            unit = condemn(unit, unit.current, at(number * 100 + 50), "bad")
    return unit


def test_new_releases_are_forgotten_first_then_condemned_ones_and_the_current_one_never():
    kept = [one.fingerprint for one in history(*["good"] * 12, *["bad"] * 12, *["new"] * 12).releases]
    assert sum(name.startswith("good") for name in kept) == 12
    assert sum(name.startswith("bad") for name in kept) == 12
    assert "new35" in kept
    crowded = history(*["good"] * 20, *["bad"] * 12, "new").releases
    assert sum(one.grade is Grade.CONDEMNED for one in crowded) == 9
    full = history(*["good"] * 31, "new")
    assert full.current == "new31"
    assert full.release("new31") is not None


def test_templates_are_kept_where_they_may_be_needed():
    unit = seen((0, state("a")), (100, state("b")), unit=EMPTY)
    unit = seen((200, state("c")), unit=graded(unit, "b", 150))
    kept = {one.fingerprint for one in unit.releases if one.template is not None}
    assert kept == {"b", "c"}


def test_minutes_are_summed_kept_for_seventy_minutes_and_go_by_event_time():
    base = 40.0  # T0 + 40 s is a whole minute
    unit = seen((0, state("a")))
    samples = [
        sample(base + 1, (10, 1)), sample(base + 60, (5, 0)), sample(base + 61, (7, 0)), sample(base + 2, "u"),
        sample(base + 3, 0.4), sample(base + 4, (100, 9), release="b"), sample(base + 5, (1, 0), signal="books"),
    ]  # fmt: skip
    unit = count_minutes(unit, samples, at(base + 70))
    found = {(one.minute - at(base), one.signal): (one.good, one.bad) for one in unit.minutes}
    assert found == {(0, "health"): (15, 1), (60, "health"): (7, 0), (0, "books"): (1, 0)}
    unit = count_minutes(unit, [], at(base + 4210))
    assert {one.minute - at(base) for one in unit.minutes} == {60}
    assert count_minutes(unit, [sample(base, (9, 9))], at(base + 9000)).minutes == ()


def test_minutes_of_an_incident_form_no_baseline():
    unit = count_minutes(seen((0, state("a"))), [sample(41, (10, 0)), sample(101, (10, 0))], at(110))
    unit = count_minutes(unit, [sample(105, (0, 10))], at(110), baseline=False)
    assert [(one.good, one.bad) for one in unit.minutes] == [(10, 0)]
