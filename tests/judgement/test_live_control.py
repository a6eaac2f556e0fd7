from __future__ import annotations

from tests.judgement.traces import at, context, pod, sample
from watchdog.judgement.judge import judge, old_instances, start
from watchdog.judgement.live_control import LiveControl, remember, summarise
from watchdog.judgement.threshold import Above, Consecutive
from watchdog.model import Health


def shown(old: str | list[tuple[int, int]], new: str | list[tuple[int, int]], *, last: float = 60.0) -> LiveControl:
    """Old and new beside each other, five seconds a poll, up to `last`."""
    rules, known = [Consecutive("health", 3)], context()
    samples = [
        sample(last - 5 * n, letter, release=release, instance=release)
        for release, trace in (("old", old), ("new", new))
        for n, letter in enumerate(reversed(trace))
    ]
    state, verdict = judge(rules, start(rules, known, at(0)), samples, known, at(60))
    return old_instances(state, verdict, known, at(60))


def test_old_pods_that_fail_the_same_way_are_seen():
    found = shown("b" * 8, "b" * 8)
    assert found.control == "failing"
    assert found.sentence == (
        "the old release fails the same way: 100 % of 8 events bad in 60 s beside 100 % in the new one"
    )


def test_healthy_old_pods_speak_for_themselves():
    assert shown("g" * 8, "b" * 8).control == "ok"


def test_a_release_that_does_far_worse_than_a_shared_outage_is_not_excused():
    assert shown([(60, 40)] * 5, [(2, 98)] * 5).control == "ok"
    assert shown([(60, 40)] * 5, [(40, 60)] * 5).control == "failing"


def test_a_single_bad_event_of_the_old_release_excuses_nothing():
    assert shown("bgg", [(1, 1)] * 3).control == "ok"
    assert shown("bbgg", [(1, 1)] * 4).control == "failing"


def test_nothing_known_of_old_pods_is_none_and_not_ok():
    for old in ("", "gg", "uuuuuu", "------"):
        assert shown(old, "b" * 8).control == "none"


def test_only_the_last_minute_counts():
    kept = remember((), [sample(5 * n, "b", release="old") for n in range(20)], at(100))
    assert all(one.end > at(40) for one in kept)
    assert summarise(kept, "new", None, at(200)).control == "none"


def test_old_pods_that_are_going_away_or_never_were_ready_excuse_nothing():
    for odd in (pod("o", release="old", terminating=True), pod("o", release="old", ready=False)):
        rules, known = [Consecutive("health", 3)], context(instances=(odd, pod("n")))
        samples = [sample(5 * n, "b", instance="o") for n in range(1, 12)]
        samples += [sample(5 * n, "b", instance="n") for n in range(1, 12)]
        state, verdict = judge(rules, start(rules, known, at(0)), samples, known, at(60))
        assert verdict.health is Health.FAILING
        assert old_instances(state, verdict, known, at(60)).control == "none"


def test_only_signals_that_fail_now_are_compared():
    rules, known = [Consecutive("health", 3), Consecutive("books", 3)], context()
    samples = [sample(5 * n, "b", signal="health", release="new", instance="n") for n in range(1, 12)]
    samples += [sample(5 * n, "g", signal="health", release="old", instance="o") for n in range(1, 12)]
    samples += [sample(5 * n, "b", signal="books", release="old", instance="o") for n in range(1, 12)]
    state, verdict = judge(rules, start(rules, known, at(0)), samples, known, at(60))
    assert old_instances(state, verdict, known, at(60)).control == "ok"


def test_values_are_compared_with_the_limit_of_their_rule():
    rules, known = [Above("health", 0.8, for_s=20)], context()
    for old, expected in ((3.0, "failing"), (0.2, "ok")):
        samples = [sample(5 * n, 3.0, release="new", instance="n") for n in range(1, 12)]
        samples += [sample(5 * n, old, release="old", instance="o") for n in range(1, 12)]
        state, verdict = judge(rules, start(rules, known, at(0)), samples, known, at(60))
        assert verdict.health is Health.FAILING
        assert old_instances(state, verdict, known, at(60)).control == expected


def test_what_is_remembered_is_bounded_and_the_same_sample_counts_once():
    many = [sample(50, "b", release="old", instance=str(n)) for n in range(5000)]
    assert len(remember((), many, at(60))) == 2000
    assert len(remember(remember((), many[:3], at(60)), many[:3], at(60))) == 3
