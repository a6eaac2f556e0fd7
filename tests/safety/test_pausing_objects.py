"""Objects and register are one pause: the object says until when, the register since when and how often."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from watchdog.model import Instant, Pause, PauseRegister, TargetPolicy, instant
from watchdog.safety import pausing

API = TargetPolicy(target="api")
NOW = instant(1_000.0)
ASKED = Pause(
    id="object-maintenance",
    scope="target/api",
    who="ann",
    why="maintenance",
    since=instant(900.0),
    until=instant(2_000.0),
    applied_at=instant(901.0),
)


def taken_in(*objects: Pause, register: PauseRegister | None = None, now: Instant = NOW) -> PauseRegister:
    return pausing.with_objects(register or PauseRegister(), objects, now)


def test_one_seen_for_the_first_time_binds_from_now_whatever_time_it_names() -> None:
    (held,) = taken_in(ASKED).pauses
    assert (held.since, held.applied_at, held.until) == (NOW, NOW, 2_000.0)


def test_one_that_is_over_when_it_is_first_seen_is_none() -> None:
    assert taken_in(replace(ASKED, until=NOW)) == PauseRegister()


def test_one_that_is_held_keeps_since_when_and_its_count_and_follows_end_and_reason() -> None:
    held = pausing.count_suppressed(taken_in(ASKED), (ASKED,))
    later = taken_in(replace(ASKED, until=instant(3_000.0), why="longer"), register=held, now=instant(1_100.0))
    (pause,) = later.pauses
    assert (pause.since, pause.suppressed, pause.until, pause.why) == (NOW, 1, 3_000.0, "longer")


def test_one_that_is_gone_has_ended_and_what_it_covered_counts_as_just_ended() -> None:
    gone = taken_in(register=taken_in(ASKED), now=instant(1_100.0))
    (pause,) = gone.pauses
    assert (pause.ended_at, pause.ended_by) == (1_100.0, pausing.DELETED)
    read = pausing.active(gone, instant(1_101.0), API, fresh_from=instant(1_050.0))
    assert (read.active, read.just_ended) == ((), pause)


def test_one_that_was_taken_in_after_the_list_was_made_is_not_gone() -> None:
    held = taken_in(ASKED)
    after = pausing.with_objects(held, (), instant(1_001.0), listed_at=instant(999.0))
    assert [pause.id for pause in pausing.active(after, instant(1_001.0), API).active] == [ASKED.id]
    assert pausing.sweep(held, instant(1_001.0), objects=(), listed_at=instant(999.0)) == (held, ())


def test_one_that_is_gone_is_told_once_by_the_sweep() -> None:
    held = taken_in(ASKED)
    swept, over = pausing.sweep(held, instant(1_100.0), objects=())
    assert [pause.ended_by for pause in over] == [pausing.DELETED]
    assert pausing.sweep(swept, instant(1_102.0), objects=())[1] == ()


def test_one_that_ran_out_is_told_by_the_sweep_also_when_its_object_is_gone() -> None:
    _, over = pausing.sweep(taken_in(ASKED), instant(2_001.0), objects=())
    assert [(pause.ended_by, pause.ended_at) for pause in over] == [(pausing.ITS_END, 2_000.0)]


def test_without_asking_for_objects_the_sweep_ends_none() -> None:
    assert pausing.sweep(taken_in(ASKED), instant(1_100.0))[1] == ()


def test_pauses_of_people_and_windows_are_left_alone() -> None:
    typed = replace(ASKED, id="1a2b3c4d")
    assert taken_in(register=PauseRegister(pauses=(typed,))).pauses == (typed,)


@given(st.lists(st.tuples(st.booleans(), st.floats(1, 50), st.floats(0, 400)), max_size=12))
def test_it_pauses_exactly_while_its_object_is_there_and_not_over(steps: list[tuple[bool, float, float]]) -> None:
    """However it comes, goes and is given other ends, and whether a sweep was in between or not."""
    register, now = PauseRegister(), NOW
    for there, passed, length in steps:
        now = instant(now + passed)
        objects = (replace(ASKED, until=instant(now + length)),) if there else ()
        read = pausing.active(pausing.with_objects(register, objects, now), now, API)
        assert bool(read.active) == (there and instant(now + length) > now)
        if passed > 10:
            register, _ = pausing.sweep(register, now, objects=objects)
