"""Pauses: scopes, what counts as paused, making and ending them (P2, P3)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.safety.passing import NOW, PAUSE, passing
from watchdog.model import Instant, Outcome, Pause, PauseRegister, TargetPolicy, from_document, to_document
from watchdog.safety.gate import pass_gate
from watchdog.safety.pausing import (
    KEEP_ENDED_S,
    LONGEST_TEXT,
    MAXIMUM_S,
    PauseRefused,
    Scope,
    active,
    add,
    count_suppressed,
    covers,
    describe,
    end,
    is_active,
    parse_scope,
    reminders,
    sweep,
)

EMPTY = PauseRegister()
API = TargetPolicy(target="api", group="shop", platform="helm", labels=("team=payments", "tier=web"))


def later(seconds: float) -> Instant:
    return Instant(NOW + seconds)


def made(
    register: PauseRegister = EMPTY, pause_id: str = "p-1", scope: str = "all", for_s: float = 600.0, **changes: str
) -> PauseRegister:
    words = {"who": "anna", "why": "maintenance", **changes}
    return add(register, pause_id=pause_id, scope=scope, until=later(for_s), now=NOW, **words)


# -- scopes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("all", Scope(kind="all")),
        (" all ", Scope(kind="all")),
        ("group/shop", Scope(kind="group", name="shop")),
        ("target/book-store.api_2", Scope(kind="target", name="book-store.api_2")),
        ("target/x", Scope(kind="target", name="x")),
        ("selector/a=b,c=d", Scope(kind="selector", name="a=b,c=d")),
        ("platform/container_app", Scope(kind="platform", name="container_app")),
    ],
)
def test_scopes_are_read(text: str, scope: Scope) -> None:
    assert parse_scope(text) == scope
    assert parse_scope(str(scope)) == scope


@pytest.mark.parametrize(
    "text",
    [
        "",
        "All",
        "all/",
        "all/x",
        "group",
        "group/",
        "target/",
        "target/a/b",
        "target/ x",
        "targets/x",
        "api",
        "target/-x",
        "target/*",
        "selector/tier",
        "selector/tier=",
        "selector/=web",
        "selector/tier=web,",
    ],
)
def test_a_mistyped_scope_is_refused_when_a_pause_is_made(text: str) -> None:
    with pytest.raises(
        PauseRefused, match=r"expected all, group/NAME, target/NAME, selector/KEY=VALUE or platform/KIND"
    ):
        made(scope=text)


@pytest.mark.parametrize("text", ["platform/nomad", "platform/"])
def test_a_platform_that_is_none_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(PauseRefused, match="one of kubernetes, helm, container_app, command"):
        parse_scope(text)


@pytest.mark.parametrize(
    ("scope", "target", "group", "expected"),
    [
        ("all", "api", "shop", True),
        ("all", "api", "", True),
        ("group/shop", "api", "shop", True),
        ("group/shop", "api", "other", False),
        ("group/shop", "shop", "", False),
        ("target/api", "api", "shop", True),
        ("target/api", "web", "api", False),
        ("taget/web", "api", "shop", True),
        ("selector/tier=db", "api", "shop", False),
        ("selector/tier=web", "api", "shop", True),
        ("selector/tier=web,team=payments", "api", "shop", True),
        ("selector/tier=web,team=books", "api", "shop", False),
        ("selector/tier", "api", "shop", True),
        ("platform/helm", "api", "shop", True),
        ("platform/kubernetes", "api", "shop", False),
        ("platform/nomad", "api", "shop", True),
        ("", "api", "shop", True),
    ],
)
def test_what_a_pause_covers_and_one_not_understood_covers_everything(
    scope: str, target: str, group: str, expected: bool
) -> None:
    assert covers(replace(PAUSE, scope=scope), replace(API, target=target, group=group)) is expected


# -- what counts as paused -------------------------------------------------------------------------------------------


def test_a_missing_register_means_paused() -> None:
    read = active(None, NOW, API)
    assert not read.readable
    assert "missing" in read.sentence
    assert pass_gate(passing(pauses=read), NOW).outcome is Outcome.HOLD


def test_an_unreadable_register_means_paused_and_says_why() -> None:
    read = active(None, NOW, API, trouble="the store did not answer within 2 s")
    assert "did not answer" in pass_gate(passing(pauses=read), NOW).sentence


def test_an_empty_register_means_not_paused() -> None:
    read = active(EMPTY, NOW, API)
    assert (read.readable, read.active) == (True, ())
    assert pass_gate(passing(pauses=read), NOW).outcome is Outcome.ROLL_BACK


def test_a_pause_binds_until_its_end_and_not_at_it() -> None:
    register = made(for_s=60.0)
    assert active(register, later(59.9), API).active
    assert not active(register, later(60.0), API).active


def test_a_clock_that_stepped_back_opens_no_hole() -> None:
    assert active(made(), later(-3600), API).active
    assert end(made(), "p-1", who="bea", now=later(-3600)).pauses[0].ended_at == later(-3600)


def test_a_window_of_the_configuration_binds_from_its_beginning_to_its_end() -> None:
    window = replace(PAUSE, since=later(60), until=later(120), applied_at=None)
    register = PauseRegister(pauses=(window,))
    bound = [second for second in range(0, 180, 20) if active(register, later(second), API).active]
    assert bound == [60, 80, 100]


def test_all_that_cover_are_named() -> None:
    register = made(made(made(scope="group/shop"), "p-2", "target/api"), "p-3", "target/web")
    read = active(register, NOW, API)
    assert [pause.id for pause in read.active] == ["p-1", "p-2"]
    assert "group/shop paused by anna: maintenance; until" in read.sentence


def test_a_pause_survives_the_store() -> None:
    register = end(made(made(), "p-2"), "p-1", who="bea", now=later(5))
    again = from_document(PauseRegister, to_document(register))
    assert again == register
    assert [pause.id for pause in active(again, later(6), API).active] == ["p-2"]


# -- making and ending -----------------------------------------------------------------------------------------------


def test_a_pause_carries_scope_who_why_until_and_is_applied_at_once() -> None:
    (pause,) = made(scope=" group/shop", who=" anna ", why="maintenance ").pauses
    assert pause == Pause(
        id="p-1",
        scope="group/shop",
        who="anna",
        why="maintenance",
        since=NOW,
        until=later(600),
        applied_at=NOW,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"who": " "}, "name of who"),
        ({"why": ""}, "needs a reason"),
        ({"why": "x" * (LONGEST_TEXT + 1)}, "at most 500"),
        ({"pause_id": ""}, "empty or taken"),
        ({"for_s": 0.0}, "end in the future"),
        ({"for_s": -1.0}, "end in the future"),
        ({"for_s": float("nan")}, "end in the future"),
        ({"for_s": MAXIMUM_S + 1}, "at most 7 d"),
        ({"for_s": float("inf")}, "at most 7 d"),
    ],
)
def test_an_incomplete_pause_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(PauseRefused, match=words):
        made(**changes)


def test_the_longest_pause_is_allowed() -> None:
    assert made(for_s=MAXIMUM_S).pauses


def test_a_name_is_used_once() -> None:
    with pytest.raises(PauseRefused, match="taken"):
        made(made())


def test_ending_records_who_and_when_and_keeps_the_entry() -> None:
    (pause,) = end(made(), "p-1", who=" bea ", now=later(5)).pauses
    assert (pause.ended_by, pause.ended_at) == ("bea", later(5))
    assert "ended at" in describe(pause, later(9))


def test_ending_twice_or_after_its_end_changes_nothing() -> None:
    once = end(made(), "p-1", who="bea", now=later(5))
    assert end(once, "p-1", who="carl", now=later(6)) is once
    ran_out = made(for_s=60.0)
    assert end(ran_out, "p-1", who="carl", now=later(61)) is ran_out


def test_ending_needs_a_name_and_a_pause_that_exists() -> None:
    with pytest.raises(PauseRefused, match="see `watchdog pauses`"):
        end(made(), "p-9", who="bea", now=NOW)
    with pytest.raises(PauseRefused, match="name of who"):
        end(made(), "p-1", who=" ", now=NOW)


def test_what_ran_out_is_marked_once_for_its_notice() -> None:
    register = made(made(for_s=60.0), "p-2", for_s=600.0)
    swept, ran_out = sweep(register, later(61))
    assert [(pause.id, pause.ended_at, pause.ended_by) for pause in ran_out] == [("p-1", later(60), "its end")]
    assert sweep(swept, later(62)) == (swept, ())
    assert "ran out" in describe(register.pauses[0], later(61))


def test_a_sweep_changes_nothing_while_nothing_ended() -> None:
    register = made()
    assert sweep(register, later(5)) == (register, ())


def test_ended_pauses_are_dropped_after_a_month_and_active_ones_never() -> None:
    register = end(made(made(), "p-2", for_s=MAXIMUM_S), "p-1", who="bea", now=later(5))
    kept, _ = sweep(register, later(KEEP_ENDED_S))
    assert [pause.id for pause in kept.pauses] == ["p-1", "p-2"]
    kept, _ = sweep(register, later(KEEP_ENDED_S + 6))
    assert [pause.id for pause in kept.pauses] == ["p-2"]


def test_people_are_reminded_before_a_long_pause_ends() -> None:
    register = made(made(for_s=3600.0), "p-2", for_s=900.0)
    assert reminders(register, later(0)) == ()
    assert reminders(register, later(3600 - 601)) == ()
    assert [pause.id for pause in reminders(register, later(3600 - 600))] == ["p-1"]
    assert reminders(register, later(3600)) == ()


def test_a_pause_counts_what_it_kept_from_happening() -> None:
    register = made(made(), "p-2")
    counted = count_suppressed(count_suppressed(register, register.pauses[:1]), register.pauses[:1])
    assert [pause.suppressed for pause in counted.pauses] == [2, 0]
    assert count_suppressed(register, ()) is register


# -- the property ----------------------------------------------------------------------------------------------------

SCOPES = ["all", "group/shop", "group/other", "target/api", "target/web"]
MEMBERS = {"api": "shop", "web": "shop", "cron": ""}
ORDERS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(SCOPES), st.integers(1, 300)),
        st.tuples(st.just("end"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("sweep"), st.just(0), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.integers(1, 200)),
    ),
    max_size=25,
)


@settings(max_examples=300, deadline=None)
@given(ORDERS)
def test_no_sequence_of_orders_lets_a_write_through_inside_a_pause(orders: list[tuple[str, object, int]]) -> None:
    register, clock = EMPTY, 0
    book: dict[str, tuple[str, int]] = {}  # the slow second book: id -> (scope, end); ended ones are struck out
    for number, (order, what, seconds) in enumerate(orders):
        if order == "add":
            register = add(
                register,
                pause_id=f"p-{number}",
                scope=str(what),
                who="a",
                why="b",
                until=later(clock + seconds),
                now=later(clock),
            )
            book[f"p-{number}"] = (str(what), clock + seconds)
        elif order == "end" and register.pauses:
            chosen = register.pauses[int(str(what)) % len(register.pauses)].id
            register = end(register, chosen, who="c", now=later(clock))
            book.pop(chosen, None)
        elif order == "sweep":
            register, _ = sweep(register, later(clock))
        else:
            clock += seconds
        _agrees(register, book, clock)


def _agrees(register: PauseRegister, book: dict[str, tuple[str, int]], clock: int) -> None:
    for target, group in MEMBERS.items():
        names = {"all", f"target/{target}", f"group/{group}"}
        expected = {name for name, (scope, until) in book.items() if scope in names and clock < until}
        read = active(register, later(clock), replace(API, target=target, group=group))
        assert {pause.id for pause in read.active} == expected
        assert all(is_active(pause, later(clock)) for pause in read.active)
        outcome = pass_gate(passing(pauses=read), NOW).outcome
        assert outcome is (Outcome.HOLD if expected else Outcome.ROLL_BACK)
