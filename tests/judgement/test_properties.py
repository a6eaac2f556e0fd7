"""What must hold for every rule and every trace."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.judgement.traces import STEP, at, context, pod, sample
from watchdog.judgement.judge import judge, rearm, start
from watchdog.judgement.threshold import Above, Consecutive, KOfN, default_rule
from watchdog.model import Counts, Health, Sample, TargetVerdict

RULES = st.one_of(
    st.builds(Consecutive, st.just("health"), st.integers(1, 6), st.none() | st.integers(1, 8)),
    st.integers(1, 12).flatmap(lambda of: st.builds(KOfN, st.just("health"), st.integers(1, of), st.just(of))),
    st.just(default_rule("health")),
    st.builds(
        Above,
        st.just("health"),
        st.sampled_from([0.02, 0.1, 0.5]),
        st.sampled_from([0.0, 10.0, 30.0, 60.0]),
        st.sampled_from([0, 1, 10, 20]),
    ),
)
LETTERS = st.lists(
    st.sampled_from(["g", "g", "g", "b", "u", "-", (25, 0), (20, 5), (24, 1), (0, 25)]), min_size=1, max_size=45
)
PODS = ("a", "b", "c")


def trace(letters) -> list[Sample]:
    return [sample(STEP * number, letter) for number, letter in enumerate(letters, start=1)]


def follow(rule, batches, known=None) -> list[TargetVerdict]:
    known = known or context()
    state, seen = start([rule], known, at(0)), []
    for number, batch in enumerate(batches, start=1):
        state, verdict = judge([rule], state, batch, known, at(STEP * number))
        seen.append(verdict)
    return seen


@given(RULES, LETTERS, st.data())
def test_unknown_never_moves_the_verdict_towards_failing(rule, letters, data):
    """Unknown beside what came, and unknown in the place of what was bad."""
    plain = trace(letters)
    muddied = []
    for one in plain:
        what = data.draw(st.sampled_from(["leave", "beside", "between", "instead"]))
        bad = isinstance(one.reading, Counts) and one.reading.bad and not one.reading.good
        muddied.append([sample(one.end - at(0), "u")] if what == "instead" and bad else [one])
        if what == "beside":
            muddied[-1].append(sample(one.end - at(0), "u", instance="x"))
        if what == "between":
            muddied[-1].append(sample(one.end - at(0) - 2, "u"))
    before = follow(rule, [[one] for one in plain])
    after = follow(rule, muddied)
    for number, mud in enumerate(after, start=1):
        if mud.health is Health.FAILING:
            assert any(clean.health is Health.FAILING for clean in before[:number])


@given(RULES, LETTERS, st.integers(0, 2**32), st.integers(1, 3))
def test_order_within_a_batch_and_repetition_do_not_change_the_state(rule, letters, seed, copies):
    samples = trace(letters)
    shuffled = samples * copies
    random.Random(seed).shuffle(shuffled)
    known, now = context(), at(STEP * len(letters))
    assert judge([rule], start([rule], known, at(0)), shuffled, known, now) == judge(
        [rule], start([rule], known, at(0)), samples, known, now
    )


@example(KOfN("health", 1, 1), ["g"], ["u", *["g"] * 21])
@given(RULES, LETTERS, LETTERS)
def test_a_batch_that_comes_twice_changes_nothing(rule, letters, more):
    known = context()
    samples, later = trace(letters), trace(more)
    state, _ = judge([rule], start([rule], known, at(0)), samples, known, at(300))
    once, first = judge([rule], state, later, known, at(300))
    twice, second = judge([rule], once, later, known, at(300))
    assert first == second
    assert once == twice


@given(RULES, st.lists(st.sampled_from(["g", "b", "u", (25, 0), (20, 5), (0, 25)]), min_size=1, max_size=40))
def test_progress_never_rises_on_good_samples(rule, letters):
    seen = follow(rule, [[one] for one in trace(letters)])
    for number in range(1, len(letters)):
        if letters[number] in ("g", (25, 0), "u"):
            assert seen[number].signals[0].progress <= seen[number - 1].signals[0].progress


@given(RULES, LETTERS)
def test_fires_exactly_when_progress_is_full_and_always_says_why(rule, letters):
    for verdict in follow(rule, [[one] for one in trace(letters)]):
        (signal,) = verdict.signals
        assert 0 <= signal.progress <= 1
        assert signal.sentence.startswith("health: ")
        if signal.health is Health.FAILING:
            assert signal.progress == 1
            assert signal.missing == ""
            assert signal.first_bad is not None
        elif signal.progress < 1:
            assert signal.missing
        if verdict.recovered:
            assert verdict.health is Health.HEALTHY


@given(
    st.integers(1, 10),
    st.lists(st.sampled_from(["b", (0, 25), (10, 15)]), min_size=1, max_size=10),
    st.sampled_from([1.0, 2.0, 5.0, 7.0]),
)
def test_an_interruption_shorter_than_a_rule_allows_never_fires(before, down, step):
    rules = {
        Consecutive("health", len(down) + 1): True,
        KOfN("health", len(down) + 1, len(down) + 5): True,
        default_rule("health"): (len(down) + 1) * step < 29.5,
        Above("health", 0.05, for_s=60, min_events=0): (len(down) + 1) * step < 59.5,
    }
    letters = [(25, 0)] * (before + 12) + down + [(25, 0)] * 30
    for rule, tolerates in rules.items():
        if not tolerates:
            continue
        state, known = start([rule], context(), at(0)), context()
        for number, letter in enumerate(letters, start=1):
            one = sample(step * number, letter)
            state, verdict = judge([rule], state, [one], known, at(step * number))
            assert verdict.health is not Health.FAILING


@given(RULES, LETTERS, st.integers(0, 40))
def test_after_rearming_no_older_sample_counts(rule, letters, cut):
    known = context(fresh_from=at(STEP * cut))
    armed = rearm([rule], known, at(STEP * cut))
    samples, now = trace(letters), at(STEP * max(len(letters), cut))
    fresh = [one for one in samples if one.end > known.fresh_from]
    assert judge([rule], armed, samples, known, now) == judge([rule], armed, fresh, known, now)
    old = [one for one in samples if one.end <= known.fresh_from]
    state, verdict = judge([rule], armed, old, known, known.fresh_from)
    assert verdict.signals[0].progress == 0
    assert state.rules[0].polls == ()


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30),
    st.sampled_from([0.0, 10.0, 60.0]),
    st.integers(0, 40),
    st.data(),
)
def test_counts_may_be_split_over_instances_without_changing_what_above_says(counts, for_s, least, data):
    rule, known = Above("health", 0.05, for_s=for_s, min_events=least), context()
    whole, parts = [], []
    for number, (good, bad) in enumerate(counts, start=1):
        whole.append([sample(STEP * number, (good, bad))])
        some_good, some_bad = data.draw(st.integers(0, good)), data.draw(st.integers(0, bad))
        parts.append(
            [
                sample(STEP * number, (some_good, some_bad), instance="a"),
                sample(STEP * number, (good - some_good, bad - some_bad), instance="b"),
            ]
        )
    assert follow(rule, whole, known) == follow(rule, parts, known)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30), st.integers(1, 4))
def test_counts_may_be_merged_over_time_without_losing_an_event(counts, width):
    rule, known = Above("health", 0.05, for_s=600), context()
    padded = counts + [(0, 0)] * (-len(counts) % width)
    merged = [
        (sum(good for good, _ in padded[n : n + width]), sum(bad for _, bad in padded[n : n + width]))
        for n in range(0, len(padded), width)
    ]
    fine = [sample(STEP * n, pair, width=STEP) for n, pair in enumerate(padded, start=1)]
    coarse = [sample(STEP * width * n, pair, width=STEP * width) for n, pair in enumerate(merged, start=1)]
    now = at(STEP * len(padded))
    ((_, one), (_, other)) = (judge([rule], start([rule], known, at(0)), s, known, now) for s in (fine, coarse))
    assert (one.signals[0].events, one.signals[0].value) == (other.signals[0].events, other.signals[0].value)


@settings(max_examples=20)
@given(RULES, st.integers(0, 2**32))
def test_the_state_stays_small(rule, seed):
    choose = random.Random(seed)
    state, known = start([rule], context(), at(0)), context(instances=tuple(pod(name) for name in PODS))
    for number in range(1, 400):
        batch = [
            sample(STEP * number - choose.choice([0, 0, 0, 7]), choose.choice("gbu-"), instance=name, release="new")
            for name in PODS
        ]
        state, _ = judge([rule], state, batch, known, at(STEP * number))
    assert len(state.rules[0].polls) <= 100
    assert len(state.labelled) <= 100


@given(LETTERS)
def test_samples_of_another_release_never_change_a_verdict(letters):
    rule, known = default_rule("health"), context()
    samples = trace(letters)
    others = [replace(one, release="old", reading=Counts(good=0, bad=9), instance="o") for one in samples]
    now = at(STEP * len(letters))
    _, alone = judge([rule], start([rule], known, at(0)), samples, known, now)
    _, beside = judge([rule], start([rule], known, at(0)), [*others, *samples], known, now)
    assert alone == beside
