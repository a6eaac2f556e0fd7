from __future__ import annotations

from dataclasses import replace

import pytest

from tests.judgement.traces import at, context, first, play, pod, sample, settle
from watchdog.judgement.judge import breach_of, judge, old_instances, rearm, start
from watchdog.judgement.threshold import Above, Consecutive, KOfN, default_rule
from watchdog.model import Health, Sample, Unknown

RULE = Consecutive("health", 3)


def test_p12_a_silent_source_is_blind_after_its_limit_and_never_failing():
    verdicts = play(RULE, "ggg" + "u" * 40)
    assert first(verdicts, "blind") == 3 + 13
    assert first(verdicts, "failing") is None
    (signal,) = verdicts[-1].signals
    assert signal.blind_since == at(15)
    assert "blind since" in signal.sentence
    assert "the source timed out" in signal.sentence


def test_a_source_that_sends_nothing_at_all_is_blind_too():
    known = context()
    state = start([RULE], known, at(0))
    for moment in (0, 30, 60):
        state, verdict = judge([RULE], state, [], known, at(moment))
        assert verdict.health is Health.INCONCLUSIVE
    state, verdict = judge([RULE], state, [], known, at(61))
    assert verdict.health is Health.BLIND
    assert "nothing came from the source" in verdict.sentence


def test_the_limit_of_blindness_follows_a_slow_source_or_is_given():
    assert first(play(RULE, "ggg" + "u" * 8, step=60.0), "blind") == 3 + 4
    assert first(play(Consecutive("health", 3, stale_s=10.0), "ggg" + "u" * 8), "blind") == 3 + 3


def test_a_failing_signal_that_goes_blind_is_blind_and_comes_back_failing():
    verdicts = play(RULE, "gggbbb" + "u" * 20 + "b")
    assert verdicts[5].health is Health.FAILING
    assert verdicts[25].health is Health.BLIND
    assert not verdicts[25].recovered
    assert not verdicts[25].suspicious
    assert verdicts[26].health is Health.FAILING
    assert verdicts[26].first_bad == at(20)


def test_evidence_of_more_than_an_hour_ago_is_no_evidence_of_now():
    verdicts = play(KOfN("health", 3, 5), "gggbb" + "u" * 800 + "b")
    assert verdicts[-1].health is Health.INCONCLUSIVE


def test_p5_p13_samples_from_before_the_fresh_window_do_not_count():
    known = context(fresh_from=at(100))
    old = [sample(5 * n, "b") for n in range(1, 21)]
    state, verdict = judge([RULE], start([RULE], known, at(100)), old, known, at(100))
    assert verdict.health is Health.INCONCLUSIVE
    state, verdict = judge([RULE], state, [sample(105, "b"), sample(110, "b")], known, at(110))
    assert verdict.health is Health.INCONCLUSIVE
    _, verdict = judge([RULE], state, [sample(115, "b")], known, at(115))
    assert verdict.health is Health.FAILING
    assert verdict.first_bad == at(105)


def test_a_moved_fresh_window_forgets_a_breach_without_being_told_to_rearm():
    before = context()
    state, verdict = settle([RULE], [sample(5 * n, "b") for n in range(1, 6)], before, 25)
    assert verdict.health is Health.FAILING
    after = context(fresh_from=at(25))
    state, verdict = judge([RULE], state, [sample(5 * n, "b") for n in range(1, 6)], after, at(26))
    assert verdict.health is Health.INCONCLUSIVE
    assert not verdict.suspicious
    assert state == rearm([RULE], after, at(26))


def test_a_state_of_other_rules_is_refused():
    state = start([RULE], context(), at(0))
    with pytest.raises(ValueError, match="rearm"):
        judge([RULE, default_rule("books")], state, [], context(), at(5))


def test_a_sample_from_our_future_is_unknown_and_does_not_stay_fresh_for_ever():
    known = context()
    state, verdict = settle([RULE], [sample(4000 + n, "b") for n in range(5)], known, 5)
    assert verdict.health is Health.INCONCLUSIVE
    _, verdict = judge([RULE], state, [], known, at(100))
    assert verdict.health is Health.BLIND
    assert "ahead of ours" in verdict.sentence


def test_bad_from_before_the_rollout_stays_the_first_bad_sample_of_a_service_wide_signal():
    old, new = context(release="old"), context(release="new", rollout_started=at(50))
    state = start([RULE], old, at(0))
    for number in range(1, 40):
        known = old if number <= 10 else new
        state, verdict = judge([RULE], state, [sample(5 * number, "b")], known, at(5 * number))
    assert verdict.health is Health.FAILING
    assert verdict.first_bad == at(5)


def test_pods_are_judged_by_their_own_release_from_its_first_poll_on():
    old, new = context(release="old"), context(release="new")
    state = start([RULE], old, at(0))
    for number in range(1, 6):
        bad = sample(5 * number, "b", release="old", instance="a")
        state, verdict = judge([RULE], state, [bad], old, at(5 * number))
    assert verdict.health is Health.FAILING
    state, verdict = judge([RULE], state, [sample(30, "b", release="new", instance="b")], new, at(30))
    assert verdict.health is Health.INCONCLUSIVE
    assert verdict.first_bad is None or verdict.first_bad == at(30)


def test_a_change_of_release_counts_at_once_also_when_no_sample_came_with_it():
    old, new = context(release="old"), context(release="new")
    state, verdict = settle([RULE], [sample(5 * n, "b", release="old", instance="a") for n in range(1, 6)], old, 25)
    assert verdict.health is Health.FAILING
    _, verdict = judge([RULE], state, [], new, at(26))
    assert verdict.health is Health.INCONCLUSIVE
    assert not verdict.suspicious


def test_what_was_said_of_nobody_in_particular_outlives_a_release_and_what_was_said_of_the_old_one_does_not():
    old, new = context(release="old"), context(release="new")
    samples = [sample(5 * n, "g") for n in range(1, 6)] + [sample(5 * n, "b", release="old") for n in (6, 7)]
    state, verdict = settle([RULE], samples, old, 35)
    assert verdict.suspicious
    _, verdict = judge([RULE], state, [], new, at(36))
    assert verdict.health is Health.HEALTHY
    assert not verdict.suspicious


def test_samples_of_the_old_release_never_move_the_verdict_of_the_new_one():
    known = context(instances=(pod("o", release="old"), pod("n")))
    named = [sample(5 * n, "b", release="old", instance="o") for n in range(1, 20)]
    told_by_platform = [sample(5 * n, "b", instance="o") for n in range(1, 20)]
    good = [sample(5 * n, "g", release="new", instance="n") for n in range(1, 20)]
    for old in (named, told_by_platform):
        state, verdict = settle([RULE], [*old, *good], known, 95)
        assert verdict.health is Health.HEALTHY
        assert old_instances(state, verdict, known, at(95)).control == "failing"


def test_any_one_failing_rule_fires_alone():
    rules = [RULE, Above("errors", 0.05, for_s=10)]
    samples = [sample(5 * n, "g") for n in range(1, 10)]
    samples += [sample(5 * n, (0, 50), signal="errors") for n in range(1, 10)]
    _, verdict = settle(rules, samples, context(), 45)
    assert verdict.health is Health.FAILING
    breach = breach_of(verdict)
    assert breach is not None
    assert breach.signals == ("errors",)
    assert breach.first_bad == at(5)
    assert "errors: 100 % of" in breach.sentence
    assert "health:" not in breach.sentence


def test_only_a_failing_verdict_is_a_breach():
    for letters in ("ggggg", "gggbb", "u" * 20, "-" * 20):
        assert breach_of(play(RULE, letters)[-1]) is None


def verdict_of(*letters: str):
    rules = [Consecutive(f"s{number}", 3, recover=3) for number in range(len(letters))]
    samples = [
        sample(5 * n, letter, signal=f"s{number}")
        for number, trace in enumerate(letters)
        for n, letter in enumerate(trace, start=1)
    ]
    return settle(rules, samples, context(), 5 * max(map(len, letters)))[1]


def test_blind_only_when_every_signal_is_blind():
    assert verdict_of("g" + "u" * 20, "u" * 21).health is Health.BLIND
    partly = verdict_of("g" * 21, "u" * 21)
    assert partly.health is Health.INCONCLUSIVE
    assert "s1: blind" in partly.sentence


def test_recovered_only_when_every_signal_is_known_and_good():
    assert verdict_of("g" * 21, "g" * 21).recovered
    assert not verdict_of("g" * 21, "u" * 21).recovered
    assert not verdict_of("g" * 21, "-" * 21).recovered
    assert not verdict_of("g" * 21, "g" * 20 + "b").recovered
    assert not verdict_of("g" * 21, "gg").recovered


class Boastful(Consecutive):
    """Says recovered whatever it knows, as a rule of somebody else might."""

    __slots__ = ()

    compares = False

    def verdicts(self, state, context, now):
        return tuple(replace(one, recovered=True) for one in super().verdicts(state, context, now))


def test_a_rule_that_calls_itself_recovered_while_it_knows_nothing_is_not_believed():
    for letters in ("g" + "u" * 20, "-" * 20, "gggbbb"):
        assert not play(Boastful("health", 3), letters)[-1].recovered


def test_a_signal_without_traffic_does_not_keep_a_target_from_being_healthy():
    assert verdict_of("g" * 21, "-" * 21).health is Health.HEALTHY


def test_a_signal_that_leans_to_bad_does():
    assert verdict_of("g" * 21, "g" * 19 + "bb").health is Health.INCONCLUSIVE


def test_a_target_without_signals_is_never_healthy():
    _, verdict = settle([], [], context(), 5)
    assert verdict.health is Health.INCONCLUSIVE
    assert not verdict.recovered
    assert "no signal is configured" in verdict.sentence


def test_a_reason_that_is_empty_or_endless_still_makes_one_sentence():
    for reason in ("", "x" * 10_000):
        odd = Sample(signal="health", start=at(1), end=at(1), reading=Unknown(reason=reason))
        _, verdict = settle([RULE], [odd], context(), 100)
        assert verdict.health is Health.BLIND
        assert 20 < len(verdict.sentence) < 400
