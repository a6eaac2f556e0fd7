from __future__ import annotations

import pytest

from tests.judgement.traces import at, context, first, play, pod, sample, settle
from watchdog.judgement.judge import judge, start
from watchdog.judgement.threshold import Consecutive, KOfN, default_rule
from watchdog.model import Counts, Health, Sample


def test_consecutive_fires_at_the_third_failure_in_a_row_and_not_before():
    verdicts = play(Consecutive("health", 3), "gggbbgbbb")
    assert first(verdicts, "failing") == 9
    assert verdicts[-1].first_bad == at(35)


def test_a_rule_by_position_reads_as_it_is_written():
    assert KOfN("health", 6, 12).recovers_at == 2
    assert Consecutive("health", 3, 4).recovers_at == 4


def test_unknown_polls_neither_reset_nor_complete_a_run():
    verdicts = play(Consecutive("health", 3), "gggbbuuub")
    assert [one.health for one in verdicts[4:8]] == [Health.INCONCLUSIVE] * 4
    assert verdicts[8].health is Health.FAILING


def test_unknown_polls_alone_never_fire_however_many():
    assert first(play(Consecutive("health", 1), "g" + "u" * 40), "failing") is None
    assert first(play(KOfN("health", 1, 2), "u" * 40), "failing") is None


def test_polls_without_events_never_fire_and_never_heal():
    verdicts = play(Consecutive("health", 2), "gg" + "-" * 10 + "b" + "-" * 5 + "b" + "-" * 20)
    assert verdicts[11].health is Health.HEALTHY
    assert verdicts[18].health is Health.FAILING
    assert verdicts[-1].health is Health.INCONCLUSIVE
    assert not verdicts[-1].recovered
    assert "was failing when the last came" in verdicts[-1].sentence


def test_once_firing_it_stays_failing_through_the_up_phase_of_a_crash_loop():
    verdicts = play(Consecutive("health", 3), "ggg" + "bbb" + "ggggg" + "b" + "ggggg")
    assert {one.health for one in verdicts[5:]} == {Health.FAILING}
    assert not any(one.recovered for one in verdicts[5:])
    assert {one.first_bad for one in verdicts[5:]} == {at(20)}
    assert "failing until 6 polls in a row are good" in verdicts[-1].sentence


def test_recovery_has_its_own_threshold():
    verdicts = play(Consecutive("health", 3, recover=4), "gggbbb" + "gggg")
    assert [one.recovered for one in verdicts[6:]] == [False, False, False, True]
    assert verdicts[-1].health is Health.HEALTHY
    assert verdicts[-1].first_bad is None


def test_k_of_n_counts_failures_anywhere_in_the_window():
    assert first(play(KOfN("health", 3, 5), "gggbgbgggbgbgb"), "failing") == 14
    assert first(play(KOfN("health", 3, 5), "gggbgggbgggbggg"), "failing") is None


def test_k_of_n_recovers_when_few_enough_are_left_in_the_window():
    verdicts = play(KOfN("health", 3, 5, recover_failed=1), "gggbbbgggg")
    assert first(verdicts, "failing") == 6
    assert [one.health for one in verdicts[6:]] == [Health.FAILING] * 3 + [Health.HEALTHY]


def test_the_default_is_six_of_twelve():
    rule = default_rule("health")
    assert (rule.failed, rule.of, rule.recovers_at) == (6, 12, 2)


def test_the_default_rule_sits_out_an_interruption_as_long_as_tolerated_at_any_poll_interval():
    for step in (1.0, 2.0, 5.0):
        short = int(29 / step) * "b"
        assert first(play(default_rule("health"), "g" * 12 + short + "g" * 20, step=step), "failing") is None
        verdicts = play(default_rule("health"), "g" * 12 + "b" * 60, step=step)
        assert first(verdicts, "failing") == 12 + 30 / step + 1


def test_the_default_rule_waits_for_what_the_target_tolerates_beyond_its_own_buffer():
    verdicts = play(default_rule("health"), "g" * 12 + "b" * 80, tolerate_interruption_s=300.0)
    assert first(verdicts, "failing") == 12 + 61


def test_health_says_what_is_missing_to_fire():
    verdicts = play(default_rule("health"), "g" * 12 + "bbbb")
    (signal,) = verdicts[-1].signals
    assert signal.missing == "3 more failing polls, about 15 s"
    assert signal.sentence == (
        "health: 4 of the last 12 polls failed (limit 6 of 12), newest 0 s old; last failure: GET /health: 500"
    )
    assert (signal.value, signal.limit, signal.events, signal.data_at) == (4.0, 6.0, 12, at(80))


def test_two_bad_polls_in_a_row_are_suspicious_and_one_is_not():
    verdicts = play(default_rule("health"), "g" * 12 + "bgbb")
    assert [one.suspicious for one in verdicts[12:]] == [False, False, False, True]
    assert verdicts[-1].health is Health.INCONCLUSIVE


def test_a_stray_failure_long_before_does_not_become_the_first_bad_sample():
    verdicts = play(default_rule("health"), "g" * 12 + "b" + "g" * 8 + "b" * 7)
    assert verdicts[-1].health is Health.FAILING
    assert verdicts[-1].first_bad == at(22 * 5)


def test_a_later_episode_that_arrives_in_one_batch_begins_with_its_own_first_failure():
    rule, known = default_rule("health"), context()
    early = [sample(5 * n, "b" if n == 12 else "g") for n in range(1, 13)]
    state, _ = judge([rule], start([rule], known, at(0)), early, known, at(60))
    later = [sample(5 * n, "g" if n < 21 else "b") for n in range(13, 28)]
    _, verdict = judge([rule], state, later, known, at(135))
    assert verdict.first_bad == at(105)


def test_the_first_bad_sample_stays_while_the_buffer_moves_on():
    verdicts = play(default_rule("health"), "g" * 12 + "b" * 200)
    assert verdicts[-1].first_bad == at(13 * 5)
    assert verdicts[-1].signals[0].since == at(19 * 5)


def test_a_poll_of_a_counter_fails_above_its_share_of_bad_events():
    rule = Consecutive("health", 2, fails_above=0.05)
    assert first(play(rule, [(95, 5)] * 10), "failing") is None
    assert first(play(rule, [(94, 6)] * 10), "failing") == 2


@pytest.mark.parametrize(("failed", "of", "recover"), [(0, 3, None), (4, 3, None), (2, 3, 2), (2, 3, -1)])
def test_k_of_n_refuses_numbers_that_cannot_be(failed, of, recover):
    with pytest.raises(ValueError, match="health"):
        KOfN("health", failed, of, recover)


@pytest.mark.parametrize(("n", "recover"), [(0, None), (3, 0)])
def test_consecutive_refuses_numbers_that_cannot_be(n, recover):
    with pytest.raises(ValueError, match="at least one"):
        Consecutive("health", n, recover)


def polls_of(pods: dict[str, str], known, polls: int):
    """Each pod gives one letter for all polls."""
    rule = Consecutive("health", 2)
    samples = [
        sample(5.0 * number, letter, instance=name, release="new")
        for number in range(1, polls + 1)
        for name, letter in pods.items()
    ]
    return settle([rule], samples, known, 5.0 * polls)[1].health


def test_pods_of_one_poll_are_one_observation_bad_when_half_of_the_ready_ones_failed():
    known = context(instances=tuple(pod(name) for name in "abcd"))
    assert polls_of({"a": "b", "b": "g", "c": "g", "d": "g"}, known, 8) is Health.HEALTHY
    assert polls_of({"a": "b", "b": "b", "c": "g", "d": "g"}, known, 2) is Health.FAILING


def test_ready_pods_that_say_nothing_count_in_the_denominator():
    known = context(instances=tuple(pod(name) for name in "abcd"))
    assert polls_of({"a": "b"}, known, 8) is Health.INCONCLUSIVE
    assert polls_of({"a": "b", "b": "b"}, known, 2) is Health.FAILING
    assert polls_of({"a": "b", "b": "u", "c": "u", "d": "u"}, known, 8) is Health.INCONCLUSIVE


def test_pods_that_answer_each_in_their_own_time_are_still_one_observation():
    known = context(instances=tuple(pod(name) for name in "abcd"))
    rule = Consecutive("health", 2)
    late = {"a": 0.0, "b": 0.3, "c": 1.1, "d": 2.0}
    for failing, expected in (("a", Health.HEALTHY), ("ad", Health.FAILING)):
        samples = [
            sample(5 * n + lag, "b" if name in failing else "g", instance=name)
            for n in range(1, 9)
            for name, lag in late.items()
        ]
        state, verdict = settle([rule], samples, known, 42)
        assert verdict.health is expected
        assert [poll.end for poll in state.rules[0].polls] == [at(5 * n + 2) for n in range(1, 9)]


def test_an_instance_that_speaks_again_or_much_later_begins_the_next_poll():
    known = context(instances=(pod("a"), pod("b")))
    samples = [sample(1, "g", instance="a"), sample(2, "g", instance="a"), sample(2.5, "g", instance="b")]
    state, _ = settle([Consecutive("health", 2)], [*samples, sample(20, "g", instance="c")], known, 20)
    assert [poll.end for poll in state.rules[0].polls] == [at(1), at(2.5), at(20)]


def mixed(rule, known, *polls: dict[str, str]):
    state = start([rule], known, at(0))
    for n, poll in enumerate(polls, start=1):
        samples = [sample(5 * n, letter, instance=name) for name, letter in poll.items()]
        state, verdict = judge([rule], state, samples, known, at(5 * n))
    return verdict


def test_a_poll_that_most_pods_did_not_answer_neither_fails_nor_breaks_a_run():
    known = context(instances=tuple(pod(name) for name in "abcd"))
    down, unclear = dict.fromkeys("abcd", "b"), {"a": "b", "b": "g"}
    rule = Consecutive("health", 3)
    assert mixed(rule, known, down, down, unclear).health is Health.INCONCLUSIVE
    assert mixed(rule, known, down, down, unclear, down).health is Health.FAILING
    assert mixed(rule, known, down, down, {"a": "g", "b": "g"}, down).health is not Health.FAILING


def test_only_polls_that_most_pods_answered_well_count_towards_recovery():
    known = context(instances=tuple(pod(name) for name in "abcd"))
    down, thin, well = dict.fromkeys("abcd", "b"), {"a": "g"}, dict.fromkeys("abcd", "g")
    rule = Consecutive("health", 2, recover=2)
    assert mixed(rule, known, down, down, *[thin] * 6).health is Health.FAILING
    assert mixed(rule, known, down, down, *[thin] * 6, well, well).recovered
    rule = KOfN("health", 2, 6)
    assert mixed(rule, known, down, down, *[thin] * 8).health is Health.FAILING
    assert mixed(rule, known, down, down, *[thin] * 8, well, well).recovered


def test_a_signal_that_leans_to_bad_is_not_called_healthy():
    assert play(default_rule("health"), "g" * 12 + "bb")[-1].signals[0].health is Health.INCONCLUSIVE
    assert play(KOfN("health", 4, 8), "g" * 8 + "bgbg")[-1].signals[0].health is Health.INCONCLUSIVE


def test_of_two_answers_to_the_same_poll_the_known_and_milder_one_stays_in_any_order():
    for better, worse, bad in (("b", "u", True), ("g", "b", False), ((5, 5), "g", True)):
        for pair in ((better, worse), (worse, better)):
            state, verdict = settle([Consecutive("health", 1)], [sample(5, one) for one in pair], context(), 5)
            assert (verdict.health is Health.FAILING) is bad
            assert len(state.rules[0].polls) == 1


def test_a_crowd_of_instances_is_bounded():
    crowd = [sample(5, "g", instance=str(number)) for number in range(3000)]
    state, _ = settle([Consecutive("health", 1)], crowd, context(), 5)
    assert len(state.rules[0].polls[0].voices) == 1000


def test_names_that_the_platform_does_not_know_count_among_themselves():
    known = context(instances=tuple(pod(name) for name in "abcd"))
    assert polls_of({"10.0.0.1:8080": "b"}, known, 2) is Health.FAILING


def test_a_pod_that_has_not_been_ready_is_not_judged():
    known = context(instances=(pod("a", ready=False), pod("b")))
    assert polls_of({"a": "b", "b": "g"}, known, 8) is Health.HEALTHY
    alone = context(instances=(pod("a", ready=False),))
    assert polls_of({"a": "b"}, alone, 8) is Health.INCONCLUSIVE


def test_a_pod_that_is_going_away_is_not_judged():
    known = context(instances=(pod("a", terminating=True), pod("b")))
    assert polls_of({"a": "b", "b": "g"}, known, 8) is Health.HEALTHY


def test_a_pod_that_loses_its_readiness_by_failing_still_counts():
    rule = Consecutive("health", 3)
    ready, lost = context(instances=(pod("a"),)), context(instances=(pod("a", ready=False),))
    state = start([rule], ready, at(0))
    state, _ = judge([rule], state, [sample(5, "g", instance="a")], ready, at(5))
    for number in (10, 15, 20):
        state, verdict = judge([rule], state, [sample(number, "b", instance="a")], lost, at(number))
    assert verdict.health is Health.FAILING


def test_a_value_does_not_fit_a_rule_that_counts_failures():
    verdicts = play(Consecutive("health", 1), [9.0] * 5)
    assert first(verdicts, "failing") is None
    assert verdicts[-1].health is Health.INCONCLUSIVE


def test_a_negative_count_is_unknown():
    odd = Sample(signal="health", start=at(4), end=at(5), reading=Counts(good=-9, bad=9))
    _, verdict = settle([Consecutive("health", 1)], [odd], context(), 5)
    assert verdict.health is Health.INCONCLUSIVE
    assert "negative count" in verdict.sentence
