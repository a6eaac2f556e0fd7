"""What the rule promises, by property: what must never fire, and what must not matter."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.judgement.evidence.streams import fires_at, new_engine, poll, quiet_hour
from watchdog.judgement.evidence.detector import start_weight
from watchdog.testing.judging import engine

PERIODS = st.sampled_from([1.0, 2.0, 5.0, 7.0, 10.0, 15.0, 30.0])
RATES = st.sampled_from([0.2, 1.0, 2.0, 10.0, 100.0])


@st.composite
def short_disturbances(draw: Any) -> tuple[float, float, list[dict[str, Any]]]:
    """A watch in which polls of less than 30 s in total are bad, each as bad as it likes, with any silence between."""
    poll_s, rps = draw(PERIODS), draw(RATES)
    requests = max(1, round(rps * poll_s))
    most = -int(-30 // poll_s) - 1
    bad = draw(st.integers(0, most))
    between = draw(st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=bad, max_size=bad))
    polls = [poll(requests) for _ in range(draw(st.sampled_from([0, 1, 3, 50, 400])))]
    for gap, silent in between:
        polls += [{} if silent else poll(requests)] * gap
        polls.append(draw(st.sampled_from([poll(requests, 1.0), poll(requests, 0.5), poll(requests, 1.0, probe=0)])))
    return poll_s, rps, [*polls, *[poll(requests)] * 20]


@given(short_disturbances())
@example((5.0, 2.0, [{"probe": (1, 1), "err": (10, 10), "slow": (10, 10)}, {}, {}] * 5))
@example((1.0, 10.0, [poll(10, 1.0), poll(10, 1.0), *[poll(10)] * 15] * 4))
@settings(max_examples=60)
def test_disturbances_of_less_than_the_tolerated_time_in_total_never_fire(trace):
    poll_s, rps, polls = trace
    judge = engine(quiet_hour(rps, poll_s), poll_s)
    assert fires_at(judge, polls) is None, judge.why


@pytest.mark.parametrize("poll_s", [1.0, 2.0, 5.0, 10.0, 15.0, 30.0])
@pytest.mark.parametrize("after_s", [0, 60, 1500, 7200])
def test_one_total_outage_of_the_tolerated_time_never_fires_at_any_poll_period_and_any_time(poll_s, after_s):
    """Also long after the first half hour: there is no horizon to run past."""
    requests = round(10 * poll_s)
    touched = -int(-30 // poll_s) + 1
    judge = new_engine(10, poll_s)
    polls = [poll(requests)] * round(after_s / poll_s) + [poll(requests, 1.0)] * touched + [poll(requests)] * 20
    assert fires_at(judge, polls) is None


@given(RATES, st.integers(1, 900), st.sampled_from([None, (0, 0)]))
@settings(max_examples=30)
def test_no_data_never_fires(rps, silence, nothing):
    """Neither a silent source nor no traffic, and neither does the first good poll after it."""
    requests = max(1, round(rps * 5))
    judge = new_engine(rps)
    fires_at(judge, [poll(requests)] * 5)
    assert fires_at(judge, [dict.fromkeys(("probe", "err", "slow"), nothing)] * silence) is None
    assert fires_at(judge, [poll(requests)] * 3) is None


def test_one_bad_poll_after_a_long_silence_does_not_bring_the_evidence_of_the_silence():
    judge = new_engine()
    fires_at(judge, [{}] * 120)
    assert fires_at(judge, [poll(50, 1.0)]) is None
    assert judge.evidence < 0.5


@given(st.lists(st.sampled_from([0.0, 0.0, 0.02, 0.2, 1.0]), min_size=1, max_size=120), st.integers(0, 40))
@settings(max_examples=40)
def test_unknown_never_moves_evidence(shares, silence):
    judge = new_engine()
    fires_at(judge, [poll(50, share) for share in shares])
    before, streams = judge.evidence, judge.state.service.streams
    fires_at(judge, [{"probe": None, "err": None, "slow": None}] * silence)
    assert judge.state.service.streams == streams
    assert judge.evidence <= before


@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.1, 1.0]), min_size=2, max_size=150),
    st.sampled_from([5, 50, 500]),
    st.integers(0, 2**16),
)
@example([0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0] * 6, 50, 1)
@settings(max_examples=60)
def test_shown_evidence_never_rises_on_good_samples_and_stays_between_nothing_and_all(shares, requests, seed):
    """Also while some signals say nothing: what they showed before must not weigh more for it."""
    judge, before, rng = new_engine(), 0.0, random.Random(seed)
    for share in shares:
        bins = {name: pair if rng.random() > 0.3 else None for name, pair in poll(requests, share).items()}
        judge.update(bins)
        assert 0.0 <= judge.evidence <= 1.0
        if not any(pair and pair[1] for pair in bins.values()):
            assert judge.evidence <= before or judge.why
        before = judge.evidence


@given(
    st.lists(st.sampled_from([0.0, 0.0, 0.05, 0.3]), min_size=10, max_size=80),
    st.permutations(["probe", "err", "slow"]),
)
@settings(max_examples=25)
def test_the_order_of_signals_does_not_matter(shares, order):
    history = quiet_hour()
    one, other = engine(history, 5), engine({name: history[name] for name in order}, 5)
    for share in shares:
        bins = poll(50, share)
        one.update(bins)
        other.update({name: bins[name] for name in order})
    assert one.state.evidence == pytest.approx(other.state.evidence, rel=1e-9)
    assert one.why == other.why


@pytest.mark.parametrize("share", [1.0, 0.5, 0.2, 0.05])
@pytest.mark.parametrize("parts", [2, 5])
def test_splitting_each_bin_in_time_moves_the_moment_by_at_most_two_of_the_longer_polls(share, parts):
    """The same traffic asked more often: bins of a fraction of the time, failures spread evenly."""
    whole = fires_at(new_engine(100, 10.0), [poll(1000, share)] * 120)
    split = fires_at(new_engine(100, 10.0 / parts), [poll(1000 // parts, share)] * (120 * parts))
    assert whole is not None
    assert split is not None
    assert abs(10 * whole - 10 / parts * split) <= 2 * 10 + 2 * (10 - 10 / parts)


@pytest.mark.parametrize("poll_s", [1.0, 2.0, 5.0, 10.0, 15.0])
def test_a_crash_is_seen_soon_after_the_tolerated_time_at_any_poll_period(poll_s):
    requests = round(10 * poll_s)
    judge = new_engine(10, poll_s)
    fires_at(judge, [poll(requests)] * round(300 / poll_s))
    after = fires_at(judge, [poll(requests, 1.0)] * 200)
    assert after is not None
    assert 30 < after * poll_s <= 30 + 4 * poll_s + 5


@pytest.mark.parametrize("seed", range(5))
def test_polls_that_jitter_and_fail_to_come_change_the_moment_little(seed):
    rng = random.Random(seed)
    judge, at = new_engine(), 0.0
    while judge.state.at < 600:
        at += 5 + rng.uniform(-1.5, 1.5)
        if rng.random() > 1 / 3:
            share = 1.0 if at > 300 else 0.0
            if judge.update({**poll(50, share), "at": at}) == "rollback":
                break
    assert 330 < at <= 300 + 65


def test_the_weights_of_all_starts_add_up_to_one_over_the_watch_for_any_grid():
    for step in (1.0, 5.0, 7.0, 60.0):
        ends = [step * n for n in range(int(1800 / step) + 1)]
        total = sum(math.exp(start_weight(a, b, 1800)) for a, b in pairwise(ends))
        assert total <= 1 + 1e-9
        assert total == pytest.approx(1, abs=0.01)
