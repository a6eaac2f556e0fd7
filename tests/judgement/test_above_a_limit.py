from __future__ import annotations

import pytest

from tests.judgement.traces import at, context, first, play, pod, sample, settle
from watchdog.judgement.threshold import Above
from watchdog.model import Health, Sample, Value

RULE = Above("health", above=0.05, for_s=60, min_events=20, recover_below=0.02)
GOOD, BAD, DOWN = (25, 0), (20, 5), (0, 25)


def test_it_fires_when_the_share_was_above_the_limit_for_the_whole_time():
    verdicts = play(RULE, [GOOD] * 12 + [BAD] * 20)
    assert first(verdicts, "failing") == 12 + 13
    assert verdicts[-1].first_bad == at(13 * 5)


@pytest.mark.parametrize("polls", range(1, 13))
def test_a_total_outage_shorter_than_its_time_never_fires(polls):
    assert first(play(RULE, [GOOD] * 24 + [DOWN] * polls + [GOOD] * 40), "failing") is None


def test_counters_over_an_interval_do_not_make_an_interruption_longer_than_it_was():
    # 59 s of outage touch three bins of 30 s; each bin by itself is far above the limit
    verdicts = play(RULE, [(150, 0)] * 4 + [(0, 150)] * 3 + [(150, 0)] * 10, step=30, width=30)
    assert first(verdicts, "failing") is None
    assert first(play(RULE, [(150, 0)] * 4 + [(0, 150)] * 6, step=30, width=30), "failing") == 4 + 4


def test_a_source_that_speaks_once_in_five_minutes_can_fire():
    assert first(play(RULE, [(500, 0)] * 3 + [(300, 200)] * 4, step=300, width=60), "failing") is not None


def test_two_short_outages_apart_from_each_other_do_not_add_up():
    trace = [GOOD] * 12 + [DOWN] * 5 + [GOOD] * 6 + [DOWN] * 5 + [GOOD] * 20
    assert first(play(RULE, trace), "failing") is None


def test_too_few_events_are_inconclusive():
    verdicts = play(RULE, [(0, 1)] + [(0, 0)] * 5 + [(0, 1)] + [(0, 0)] * 5 + [(0, 1)] * 3)
    assert {one.health for one in verdicts} == {Health.INCONCLUSIVE}
    assert "too few to judge" in verdicts[-1].sentence
    assert "more events" in verdicts[-1].signals[0].missing


def test_a_share_above_the_limit_is_not_called_healthy_from_its_first_poll_on():
    (signal,) = play(RULE, [GOOD] * 12 + [DOWN])[-1].signals
    assert (signal.health, signal.bad_run) == (Health.INCONCLUSIVE, 1)


def test_the_run_began_with_the_first_poll_above_though_good_traffic_hid_it():
    verdicts = play(RULE, [(100, 0)] * 12 + [(8, 2)] * 20)
    assert verdicts[13].first_bad is None or verdicts[13].first_bad == at(65)
    assert verdicts[-1].first_bad == at(65)


def test_it_recovers_at_its_own_lower_limit():
    verdicts = play(RULE, [GOOD] * 12 + [BAD] * 20 + [GOOD] * 20)
    health = [one.health for one in verdicts[32:]]
    assert health[:10] == [Health.FAILING] * 10
    assert health[-1] is Health.HEALTHY
    assert verdicts[-1].recovered
    assert "failing until it is at most 2 % over 60 s" in verdicts[40].sentence


def test_between_the_two_limits_it_stays_failing():
    verdicts = play(RULE, [GOOD] * 12 + [BAD] * 20 + [(97, 3)] * 40)
    assert verdicts[-1].health is Health.FAILING
    assert not verdicts[-1].recovered


def test_time_without_an_answer_stops_the_clock_and_does_not_reset_it():
    gap = [GOOD] * 12 + [BAD] * 7 + ["u"] * 8 + [BAD] * 4
    assert first(play(RULE, gap), "failing") is None
    assert first(play(RULE, [*gap, *[BAD] * 6]), "failing") is not None


def test_time_in_which_nobody_polled_does_not_count_either():
    known = context()
    polls = [(5 * n, GOOD) for n in range(1, 13)] + [(moment, BAD) for moment in (65, 70, 145, 150)]
    samples = [sample(moment, counts) for moment, counts in polls]
    assert settle([RULE], samples, known, 150)[1].health is Health.INCONCLUSIVE
    steady = [sample(5 * n, GOOD if n < 13 else BAD) for n in range(1, 31)]
    assert settle([RULE], steady, known, 150)[1].health is Health.FAILING


def test_low_traffic_looks_further_back_instead_of_breaking_the_run():
    trace = [(3, 0)] * 12 + [(1, 2), (3, 0), (2, 1)] * 12
    assert first(play(RULE, trace), "failing") is not None


def test_a_value_fires_when_it_was_above_for_the_whole_time():
    rule = Above("health", above=0.8, for_s=30)
    assert first(play(rule, [0.2] * 5 + [1.5] * 6 + [0.2] * 5), "failing") is None
    verdicts = play(rule, [0.2] * 5 + [1.5] * 8)
    assert first(verdicts, "failing") == 12
    assert "1.5 s (limit 0.8 s for 30 s)" in verdicts[-1].sentence


def test_one_value_below_the_limit_breaks_the_run():
    assert first(play(Above("health", above=0.8, for_s=30), ([1.5] * 6 + [0.2]) * 4), "failing") is None


def test_a_value_recovers_only_when_all_of_the_window_is_below():
    verdicts = play(Above("health", above=0.8, for_s=30, recover_below=0.5), [1.5] * 8 + [0.4] * 8)
    assert [one.health for one in verdicts[8:]].index(Health.HEALTHY) == 5


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_unknown(odd):
    rule = Above("health", above=0.8, for_s=0)
    known = Sample(signal="health", start=at(4), end=at(5), reading=Value(value=odd))
    _, verdict = settle([rule], [known], context(), 5)
    assert verdict.health is Health.INCONCLUSIVE
    assert "no number" in verdict.sentence


def test_latency_of_a_pod_counts_only_two_minutes_after_it_became_ready_its_errors_at_once():
    known = context(instances=(pod("a", ready_since=at(0)),))
    rule = Above("health", above=0.8, for_s=20)
    early = [sample(5 * n, 3.0, instance="a") for n in range(1, 20)]
    assert settle([rule], early, known, 95)[1].health is Health.INCONCLUSIVE
    late = [sample(5 * n, 3.0, instance="a") for n in range(24, 40)]
    assert settle([rule], late, known, 195)[1].health is Health.FAILING
    errors = [sample(5 * n, (0, 10), instance="a") for n in range(1, 20)]
    assert settle([rule], errors, known, 95)[1].health is Health.FAILING


@pytest.mark.parametrize("wrong", [{"for_s": -1}, {"min_events": -1}, {"recover_below": 0.2}])
def test_it_refuses_numbers_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="health"):
        Above("health", 0.05, **wrong)


def test_without_a_time_it_fires_at_the_first_poll_above():
    assert first(play(Above("health", 0.05, for_s=0), [GOOD, GOOD, BAD]), "failing") == 3
