"""What the hour before the rollout says is tolerated."""

from __future__ import annotations

import math
import random

import pytest

from tests.judgement.evidence.oracle import statement
from watchdog.judgement.evidence.baseline import minutes_of, rhythm, tolerated_rate
from watchdog.judgement.evidence.beta import incomplete, lower, upper
from watchdog.judgement.evidence.knobs import Expert, Kind, Knobs


def test_with_no_failure_the_upper_bound_is_the_rule_of_three():
    assert upper(0, 1000, 0.05) == pytest.approx(1 - 0.05 ** (1 / 1000), rel=1e-9)
    assert upper(0, 1000, 0.05) == pytest.approx(3 / 1000, rel=0.01)


def test_bounds_without_events_know_nothing():
    assert (upper(0, 0, 0.01), lower(0, 0, 0.01)) == (1.0, 0.0)


@pytest.mark.parametrize(("bad", "events"), [(1, 5), (3, 720), (40, 36_000), (350_000, 360_000), (719, 720)])
def test_a_bound_is_where_the_binomial_tail_has_the_stated_risk(bad, events):
    """The incomplete beta function of a bound, turned around, is the risk."""
    assert incomplete(bad + 1, events - bad, upper(bad, events, 0.01)) == pytest.approx(0.99, abs=1e-9)
    assert incomplete(bad, events - bad + 1, lower(bad, events, 0.05)) == pytest.approx(0.05, abs=1e-9)


def test_the_binomial_tail_itself_agrees():
    events, bad = 30, 4
    rate = upper(bad, events, 0.01)
    tail = sum(math.comb(events, k) * rate**k * (1 - rate) ** (events - k) for k in range(bad + 1))
    assert tail == pytest.approx(0.01, abs=1e-9)


def test_a_quiet_hour_tolerates_the_floor_of_each_kind():
    minutes = [(600, 0)] * 60
    rates = {kind: tolerated_rate(minutes, kind, Knobs()).rate for kind in Kind}
    assert rates == {Kind.PROBE: 0.03, Kind.ERR: 0.005, Kind.SLOW: 0.02}


def test_a_steady_error_rate_is_tolerated_three_times_over_but_never_above_the_ceiling():
    assert tolerated_rate([(6000, 24)] * 60, Kind.ERR, Knobs()).rate == pytest.approx(0.012, rel=0.1)
    assert tolerated_rate([(6000, 120)] * 60, Kind.ERR, Knobs(tolerate_error_rate=0.021)).rate == 0.05


def test_the_six_worst_minutes_do_not_blunt_the_rule():
    minutes = [(600, 0)] * 40 + [(600, 500)] * 6 + [(600, 0)] * 14
    assert tolerated_rate(minutes, Kind.ERR, Knobs()).rate == 0.005


def test_a_service_that_was_surely_bad_before_is_only_blamed_when_it_gets_clearly_worse():
    baseline = tolerated_rate([(600, 0)] * 45 + [(600, 180)] * 15, Kind.ERR, Knobs())
    assert baseline.degraded
    assert 0.3 < baseline.rate < 0.35
    assert "already degraded" in baseline.sentence


def test_one_bad_minute_just_before_is_not_degraded():
    assert not tolerated_rate([(600, 0)] * 59 + [(600, 300)], Kind.ERR, Knobs()).degraded


def test_without_history_the_ceiling_is_tolerated_and_the_sentence_says_so():
    baseline = tolerated_rate([], Kind.ERR, Knobs())
    assert baseline.rate == 0.05
    assert "nothing is known" in baseline.sentence


@pytest.mark.parametrize("seed", range(12))
def test_the_tolerated_rate_is_that_of_the_reference(seed):
    reference = statement("reference")
    rng = random.Random(seed)
    events, share = rng.choice([1, 2, 30, 300]), rng.choice([0.0, 0.001, 0.02, 0.3])
    polls = [(events, sum(rng.random() < share for _ in range(events))) for _ in range(720)]
    for kind in Kind:
        floor, ceiling = reference.FLOOR[kind.value]
        theirs = reference.tolerated_rate(polls, floor, ceiling, 3.0, 0.01, 5)
        assert tolerated_rate(minutes_of(polls, 5.0), kind, Knobs()).rate == pytest.approx(theirs, rel=1e-9)


def test_minutes_are_cut_by_event_time_for_any_poll_period():
    assert minutes_of([(1, 0)] * 720, 5.0) == [(12, 0)] * 60
    assert sum(events for events, _ in minutes_of([(1, 0)] * 514, 7.0)) == 514
    assert len(minutes_of([(1, 0)] * 60, 60.0)) == 60


def test_the_rhythm_of_sums_is_read_off_the_history_and_sparse_traffic_has_none():
    sums = [(600, 0) if index % 12 == 3 else (0, 0) for index in range(720)]
    assert rhythm(sums, 5.0) == 60.0
    rng = random.Random(1)
    sparse = [(int(rng.random() < 0.2), 0) for _ in range(720)]
    assert rhythm(sparse, 5.0) == 5.0
    assert rhythm([(0, 0)] * 720, 5.0) == 5.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tolerate_error_rate": 0.05, "unacceptable_error_rate": 0.05}, "unacceptable_error_rate"),
        ({"tolerate_error_rate": 0.0}, "tolerate_error_rate"),
        ({"tolerate_interruption_s": 0.5}, "tolerate_interruption"),
        ({"times_worse": 0.5}, "times_worse"),
        ({"max_interruptions": 0}, "max_interruptions"),
        ({"max_interruptions": 90}, "max_interruptions"),
        ({"expert": Expert(false_alarm_bound=0.5)}, "false_alarm_bound"),
        ({"expert": Expert(watch_s=30)}, "watch"),
        ({"expert": Expert(nothing_ready_s=10)}, "nothing_ready"),
        ({"expert": Expert(none_new_ready_s=70)}, "none_new_ready"),
    ],
)
def test_knobs_that_contradict_each_other_are_refused_by_name(changes, named):
    with pytest.raises(ValueError, match=named):
        Knobs(**changes)


def test_all_problems_of_the_knobs_are_said_at_once():
    with pytest.raises(ValueError, match=r"times_worse.*max_interruptions"):
        Knobs(times_worse=0, max_interruptions=0)


def test_the_defaults_are_the_five_of_the_design():
    knobs = Knobs()
    assert (knobs.tolerate_interruption_s, knobs.tolerate_error_rate, knobs.unacceptable_error_rate) == (
        30,
        0.005,
        0.05,
    )
    assert (knobs.times_worse, knobs.max_interruptions, knobs.interruptions_within_s) == (3, 3, 600)
    assert knobs.expert == Expert(false_alarm_bound=0.01, watch_s=1800, nothing_ready_s=75, none_new_ready_s=240)
