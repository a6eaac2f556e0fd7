"""The engine for anyone's traces: its interface, and what it ignores."""

from __future__ import annotations

import random

import pytest

from tests.benchmarks.judgement.families import HEALTHY
from tests.benchmarks.judgement.report import size_of
from tests.judgement.evidence.streams import fires_at, new_engine, poll, quiet_hour
from watchdog.testing.judging import engine


def test_it_says_ok_or_rollback():
    judge = new_engine()
    assert judge.update(poll(50)) == "ok"
    assert fires_at(judge, [poll(50, 1.0)] * 20) is not None
    assert judge.update(poll(50)) == "rollback"
    assert judge.why


def test_unknown_keys_are_ignored_and_missing_ones_say_nothing():
    judge = new_engine()
    assert judge.update({"weather": (5, 5), "probe": (1, 0)}) == "ok"
    assert judge.update({}) == "ok"
    assert judge.update({"probe": None, "err": None, "slow": None, "control": None, "old": None, "pods": None}) == "ok"


def test_a_history_of_one_stream_is_enough_and_of_none_is_refused():
    judge = engine({"err": [(50, 0)] * 720}, 5)
    assert fires_at(judge, [{"err": (50, 50)}] * 30) is not None
    with pytest.raises(ValueError, match="probe, err, slow"):
        engine({"other": [(1, 0)]}, 5)


def test_counts_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="5 bad of 2"):
        new_engine().update({"err": (2, 5)})


def test_a_late_bin_counts_at_its_own_time():
    judge = new_engine()
    for _ in range(10):
        judge.update(poll(50))
    judge.update({"probe": (1, 0), "err": (50, 0, 2)})
    assert judge.state.memory.latest["err"][0] == 50.0
    assert judge.state.memory.latest["probe"][0] == 55.0


def test_late_bins_change_the_moment_of_a_crash_only_by_their_lateness():
    bins = [poll(50)] * 40 + [poll(50, 1.0)] * 40
    late = [
        {**b, "err": (*bins[max(0, n - 3)]["err"], 3), "slow": (*bins[max(0, n - 3)]["slow"], 3)}
        for n, b in enumerate(bins)
    ]
    first, second = fires_at(new_engine(), bins), fires_at(new_engine(), late)
    assert first is not None
    assert second is not None
    assert 0 <= second - first <= 3


def test_sums_of_a_minute_do_not_fire_on_one_interruption_and_do_on_lasting_errors():
    history = {"probe": [(1, 0)] * 720, "err": [(600, 0) if n % 12 == 0 else (0, 0) for n in range(720)]}

    def minutes(shares: list[float]) -> list[dict[str, object]]:
        polls: list[dict[str, object]] = []
        for share in shares:
            polls += [{"probe": (1, 0), "err": None}] * 11 + [{"probe": (1, 0), "err": (600, round(600 * share))}]
        return polls

    assert fires_at(engine(history, 5), minutes([0, 0, 0.25, 0.25, 0, 0, 0])) is None
    number = fires_at(engine(history, 5), minutes([0, 0, *[0.2] * 8]))
    assert number is not None
    assert 5 * number - 120 <= 240


@pytest.mark.parametrize("every_s", [30, 60])
@pytest.mark.parametrize("split", [1, 3, 5])
def test_one_interruption_that_two_neighbouring_sums_share_never_fires(every_s, split):
    """30 s in which everything fails, so many polls of it before the end of a sum and the others after it; then a few more errors."""
    every = every_s // 5
    history = {"probe": [(1, 0)] * 720, "err": [(50 * every, 0) if n % every == 0 else (0, 0) for n in range(720)]}
    down = [False] * (10 * every - split) + [True] * 6 + [False] * (10 * every)
    polls, bad = [], 0
    for number, is_down in enumerate(down, start=1):
        bad += 50 if is_down else 0
        whole = number % every == 0
        polls.append({"probe": (1, int(is_down)), "err": (50 * every, bad) if whole else None})
        bad = 1 if whole else bad
    assert fires_at(engine(history, 5), polls) is None


def test_one_poll_is_a_pure_step_and_the_same_trace_gives_the_same_answer():
    trace = HEALTHY["reference"](random.Random(3), 10.0, 5.0)
    one, other = engine(trace.history, 5), engine(trace.history, 5)
    for bins in trace.polls[:100]:
        before = one.state
        one.update(bins)
        other.update(bins)
        assert one.state is not before
    assert one.state == other.state


def test_state_a_signal_stays_within_its_budget_after_a_whole_watch():
    trace = HEALTHY["reference"](random.Random(4), 10.0, 5.0)
    for poll_s, polls in ((5.0, trace.polls), (1.0, [poll(10, 0.1 if n % 7 == 0 else 0.0) for n in range(1500)])):
        judge = engine(quiet_hour(10, poll_s), poll_s)
        for bins in polls:
            judge.update(bins)
        seen: set[int] = set()
        size_of(judge.terms, seen)
        assert size_of(judge.state, seen) / 3 <= 2048
