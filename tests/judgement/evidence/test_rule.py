"""The evidence rule behind the interface of all rules: samples in by event time, verdicts with their sentence out."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from tests.judgement.evidence.streams import fires_at, quiet_hour
from tests.judgement.traces import at, context, pod
from watchdog.judgement.evidence import EvidenceRule, Kind, Knobs
from watchdog.judgement.judge import JudgementState, breach_of, judge, rearm, start
from watchdog.judgement.rule import Context, Rule
from watchdog.model import Counts, Health, Reading, Sample, SignalVerdict, TargetVerdict, Unknown, Value
from watchdog.testing.judging import engine

KINDS = {"health": Kind.PROBE, "errors": Kind.ERR, "slow": Kind.SLOW}
MINUTES = {"health": [(12, 0)] * 60, "errors": [(600, 0)] * 60, "slow": [(600, 0)] * 60}


def rule(**changes: Any) -> EvidenceRule:
    return EvidenceRule(**{"signals": tuple(KINDS), "kinds": KINDS, "baseline": MINUTES, **changes})


def counts(events: int, bad: int) -> Counts:
    return Counts(good=events - bad, bad=bad)


def one(seconds: float, signal: str, reading: Reading, width: float = 0.0, **who: Any) -> Sample:
    return Sample(signal=signal, start=at(seconds - width), end=at(seconds), reading=reading, **who)


def everything(seconds: float, share: float = 0.0, **who: Any) -> list[Sample]:
    """One poll of all three signals in which this share is bad."""
    return [
        one(seconds, "health", counts(1, int(share > 0.5)), **who),
        one(seconds, "errors", counts(50, round(50 * share)), width=5, **who),
        one(seconds, "slow", counts(50, round(50 * share)), width=5, **who),
    ]


def watch(
    rules: Sequence[Rule],
    polls: Iterable[list[Sample]],
    known: Context | None = None,
    state: JudgementState | None = None,
) -> tuple[list[TargetVerdict], JudgementState]:
    """The verdict after each poll."""
    known = known or context()
    state = state or start(rules, known, at(0))
    seen = []
    for samples in polls:
        state, verdict = judge(rules, state, samples, known, max((s.end for s in samples), default=at(0)))
        seen.append(verdict)
    return seen, state


def by_name(verdict: TargetVerdict) -> dict[str, SignalVerdict]:
    return {each.signal: each for each in verdict.signals}


def test_it_is_a_rule_and_covers_its_signals():
    plain: Rule = rule()
    seen, _ = watch([plain], [everything(5)])
    assert [each.signal for each in seen[0].signals] == list(KINDS)
    assert seen[0].health is Health.HEALTHY


def test_a_crash_becomes_a_breach_with_its_beginning():
    trace = [everything(5 * n, 1.0 if n > 20 else 0.0) for n in range(1, 40)]
    seen, _ = watch([rule()], trace)
    first = next(number for number, verdict in enumerate(seen, 1) if verdict.health is Health.FAILING)
    assert 35 <= 5 * (first - 20) <= 50
    breach = breach_of(seen[first - 1])
    assert breach is not None
    assert at(100) <= breach.first_bad <= at(105)
    assert "enough evidence against the release" in breach.sentence


def test_the_sentence_says_what_was_seen_and_what_is_missing():
    trace = [everything(5 * n, 0.0) for n in range(1, 20)]
    trace += [[one(5 * n, "errors", counts(50, 5), width=5), one(5 * n, "health", counts(1, 0))] for n in range(20, 27)]
    seen, _ = watch([rule()], trace)
    sentence = by_name(seen[-1])["errors"].sentence
    assert re.fullmatch(
        r"errors \d+(\.\d+)? % of 600 \(tolerated 0\.5 %\): \d\d % of the evidence needed, about \d+ s more at this rate.*",
        sentence,
    ), sentence
    assert by_name(seen[-1])["errors"].missing.startswith(re.search(r"\d\d % of the evidence needed", sentence)[0])


def test_a_quiet_signal_says_that_nothing_counts_against_the_release():
    seen, _ = watch([rule()], [everything(5 * n) for n in range(1, 10)])
    assert "nothing counts against the release" in by_name(seen[-1])["errors"].sentence


def test_evidence_that_does_not_grow_says_so():
    trace = [everything(5 * n, 1.0 if n in (10, 11, 12, 13) else 0.0) for n in range(1, 17)]
    seen, _ = watch([rule()], trace)
    assert "not growing now" in by_name(seen[-1])["errors"].sentence


def test_it_decides_like_the_engine_for_traces_on_the_same_counts():
    rng = random.Random(3)
    for share in (0.05, 0.2, 1.0):
        bins = []
        for _ in range(150):
            bad = sum(rng.random() < share for _ in range(50))
            bins.append({"probe": (1, int(rng.random() < share)), "err": (50, bad), "slow": (50, 0)})
        expected = fires_at(engine(quiet_hour(), 5.0), bins)
        trace = [
            [
                one(5 * n, "health", counts(*b["probe"])),
                one(5 * n, "errors", counts(*b["err"])),
                one(5 * n, "slow", counts(*b["slow"])),
            ]
            for n, b in enumerate(bins, 1)
        ]
        seen, _ = watch([rule()], trace)
        assert expected == next((n for n, v in enumerate(seen, 1) if v.health is Health.FAILING), None)
        assert expected is not None


def test_signals_polled_on_phases_of_their_own_are_judged_alike():
    trace: list[list[Sample]] = []
    for n in range(1, 50):
        share = 1.0 if n > 20 else 0.0
        health, errors, slow = everything(5 * n, share)
        trace += [[health], [one(5 * n + 1.7, "errors", errors.reading)], [one(5 * n + 3.1, "slow", slow.reading)]]
    seen, _ = watch([rule()], trace)
    first = next(number for number, verdict in enumerate(seen, 1) if verdict.health is Health.FAILING)
    assert 35 <= 5 * first / 3 - 100 <= 55


def test_a_sample_that_comes_again_counts_once():
    trace = [everything(5 * n, 1.0) for n in range(1, 7)]
    once, _ = watch([rule()], trace)
    again, _ = watch([rule()], [samples * 3 for samples in trace for _ in range(3)])
    assert once[-1].health is again[-1].health is not Health.FAILING
    assert by_name(again[-1])["errors"].progress == pytest.approx(by_name(once[-1])["errors"].progress)
    assert by_name(again[-1])["errors"].events == by_name(once[-1])["errors"].events == 300


def test_unknown_never_moves_it_and_is_blind_after_its_limit():
    lost = [[one(5 * n, name, Unknown(reason="timed out")) for name in KINDS] for n in range(8, 40)]
    seen, _ = watch([rule()], [*[everything(5 * n, 1.0) for n in range(1, 8)], *lost])
    assert all(verdict.health is not Health.FAILING for verdict in seen)
    assert seen[-1].health is Health.BLIND
    assert "timed out" in seen[-1].sentence


def test_counts_that_cannot_be_and_values_without_a_limit_say_nothing():
    broken = [
        [one(5 * n, "errors", Counts(good=-5, bad=9)), one(5 * n, "slow", Value(value=9.0))] for n in range(1, 40)
    ]
    seen, _ = watch([rule()], broken)
    assert all(verdict.health is not Health.FAILING for verdict in seen)


def test_a_value_counts_as_one_event_against_its_limit():
    latency = rule(signals=("p95",), kinds={"p95": Kind.SLOW}, baseline={"p95": [(12, 0)] * 60}, limits={"p95": 0.8})
    slow = [[one(5 * n, "p95", Value(value=2.0, unit="s"))] for n in range(1, 30)]
    fast = [[one(5 * n, "p95", Value(value=0.2, unit="s"))] for n in range(1, 30)]
    assert watch([latency], slow)[0][-1].health is Health.FAILING
    assert watch([latency], fast)[0][-1].health is Health.HEALTHY


def test_rearming_forgets_every_sample():
    trace = [everything(5 * n, 1.0) for n in range(1, 8)]
    _, state = watch([rule()], trace)
    later = context(fresh_from=at(35))
    fresh = rearm([rule()], later, at(35))
    seen, _ = watch([rule()], [everything(5 * n, 1.0) for n in range(8, 12)], later, fresh)
    assert all(verdict.health is not Health.FAILING for verdict in seen)
    assert (
        watch([rule()], [everything(5 * n, 1.0) for n in range(8, 12)], context(), state)[0][-1].health
        is Health.FAILING
    )


def test_another_release_begins_anew():
    _, state = watch([rule()], [everything(5 * n, 1.0) for n in range(1, 8)])
    seen, _ = watch([rule()], [everything(40, 1.0)], context(release="newer"), state)
    assert seen[-1].health is not Health.FAILING


def test_it_stays_failing_through_a_short_good_time_and_recovers_after_twice_the_tolerated_one():
    bad = [everything(5 * n, 1.0) for n in range(1, 15)]
    good = [everything(5 * n) for n in range(15, 45)]
    seen, _ = watch([rule()], [*bad, *good])
    assert seen[13].health is Health.FAILING
    assert seen[13 + 6].health is Health.FAILING
    assert not seen[13 + 6].recovered
    assert seen[-1].health is Health.HEALTHY
    assert seen[-1].recovered
    back = next(n for n, verdict in enumerate(seen) if n > 14 and verdict.health is Health.HEALTHY)
    assert 5 * (back - 13) >= 60


def test_a_failing_control_holds_it_and_the_sentence_says_why():
    control = TargetVerdict(target="postgres", at=at(0), health=Health.FAILING, sentence="", suspicious=True)
    trace = [everything(5 * n, 0.5) for n in range(1, 60)]
    held, _ = watch([rule()], trace, context(controls=(control,)))
    assert all(verdict.health is not Health.FAILING for verdict in held)
    assert "postgres, not deployed, fails too" in by_name(held[-1])["errors"].sentence
    assert watch([rule()], trace)[0][-1].health is Health.FAILING


def test_restarts_of_the_new_pods_fire_and_all_signals_say_so():
    known = context(instances=tuple(pod(name, restarts=2) for name in "abc"), wanted=3, ready=3)
    seen, _ = watch([rule()], [everything(5)], known)
    assert seen[-1].health is Health.FAILING
    assert "3 of 3 new pods restarted" in seen[-1].sentence


def test_restarts_from_before_the_watch_do_not_count_and_later_ones_do():
    """After a resume or a rollback the pods are still there with all the restarts they ever had."""
    plain = rule()
    before = tuple(pod(name, restarts=7, started=at(-900)) for name in "abc")
    known = context(instances=before, wanted=3, ready=3)
    _, state = watch([plain], [everything(5)], known)
    assert not state.rules[0].weighed.fires
    later = context(instances=tuple(pod(one.name, restarts=9, started=at(-900)) for one in before), wanted=3, ready=3)
    assert watch([plain], [everything(10)], later, state)[0][-1].health is Health.FAILING


def test_it_fires_by_restarts_also_when_no_sample_comes():
    known = context(instances=tuple(pod(name, ready=False, restarts=2) for name in "abc"), wanted=3)
    plain = rule()
    state = plain.observe(plain.start(known, at(0)), [], known, at(5))
    assert state.weighed.fires


def test_samples_of_each_pod_are_weighed_pod_by_pod():
    """One of three pods fails for good; the others are fine and so is the old release's pod."""
    names = "abc"
    ready = {name: pod(name, ready_since=at(-200)) for name in names}
    known = context(instances=tuple(ready.values()), wanted=3, ready=3)
    trace = [[s for name in names for s in everything(5 * n, float(name == "a"), instance=name)] for n in range(1, 40)]
    seen, state = watch([rule()], trace, known)
    assert set(state.rules[0].weighed.pods.known) == set(names)
    assert seen[-1].health is Health.FAILING


def test_old_pods_among_the_samples_are_the_live_control():
    """Where the judge hands them over, which it does not do yet: they are never counted against the new release."""
    plain, known = rule(), context()
    state = plain.start(known, at(0))
    for n in range(1, 60):
        samples = everything(5 * n, 0.4) + everything(5 * n, 0.4, release="old")
        state = plain.observe(state, samples, known, at(5 * n))
    assert not state.weighed.fires
    assert state.weighed.comparison.levels


def test_a_longer_tolerance_of_the_target_holds_over_the_knob():
    trace = [everything(5 * n, 1.0) for n in range(1, 40)]
    plain, patient = watch([rule()], trace)[0], watch([rule()], trace, context(tolerate_interruption_s=90.0))[0]
    first = [next(n for n, verdict in enumerate(seen) if verdict.health is Health.FAILING) for seen in (plain, patient)]
    assert 5 * (first[1] - first[0]) >= 55


def test_a_signal_without_a_kind_is_refused():
    with pytest.raises(ValueError, match="errors"):
        EvidenceRule(signals=("errors",), kinds={})
    with pytest.raises(ValueError, match="poll period"):
        rule(poll_s=0.0)


def test_a_shorter_tolerance_of_target_and_signal_makes_it_hastier():
    hasty = rule(knobs=Knobs(tolerate_interruption_s=10))
    trace = [everything(5 * n, 1.0) for n in range(1, 40)]
    seen = [watch([hasty], trace, context(tolerate_interruption_s=10.0))[0], watch([rule()], trace)[0]]
    first = [next(n for n, v in enumerate(each) if v.health is Health.FAILING) for each in seen]
    assert first[0] < first[1]


def test_a_sample_without_width_is_an_ordinary_bin_also_as_the_first_one():
    """It must not be taken for a sum over an unknown time, which may bring more evidence at once."""
    trace = [[one(5 * n, "errors", counts(50, 50)), one(5 * n, "health", counts(1, 1))] for n in range(1, 8)]
    assert all(verdict.health is not Health.FAILING for verdict in watch([rule()], trace)[0])
