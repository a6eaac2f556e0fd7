"""The rule beside its executable statements on the same seeded streams: the same decisions, and how far moments differ.

Where the rule is the same (readiness, restarts, gaps) the moment is the same. Where ours differs on purpose (the burst a
single poll may bring, the pace of strong alternatives, the counter by event time) the difference is bounded here and
stands in docs/judgement.md.
"""

from __future__ import annotations

import random
from statistics import median
from typing import Any

import pytest

from tests.benchmarks.judgement.families import FAULTS, HEALTHY
from tests.benchmarks.judgement.rollouts import FAULTY_ROLLOUTS, HEALTHY_ROLLOUTS
from tests.judgement.evidence.oracle import statement
from watchdog.testing.judging import engine

MISSED = 1800.0


def moments(family: Any, rps: float, traces: int, oracle: Any) -> tuple[list[float], list[float]]:
    """Seconds after the deploy at which ours and the oracle roll back."""
    ours, theirs = [], []
    for index in range(traces):
        trace = family(random.Random(f"agreement|{rps}|{index}"), rps, 5.0)
        for judge, found in ((engine(trace.history, 5.0), ours), (oracle(trace.history, 5.0), theirs)):
            found.append(
                next((5.0 * n for n, bins in enumerate(trace.polls, 1) if judge.update(bins) == "rollback"), MISSED)
            )
    return ours, theirs


@pytest.mark.parametrize(
    "name", ["roll: first pod crash-loops", "roll: first pod never ready", "roll: nothing ever ready"]
)
def test_readiness_and_restarts_decide_at_the_very_same_poll(name):
    ours, theirs = moments(FAULTY_ROLLOUTS[name], 10.0, 6, statement("pods").engine)
    assert ours == theirs
    assert max(ours) < MISSED


@pytest.mark.parametrize("name", ["reference", "iid", "clustered", "noisybase", "preoutage", "depout+control"])
def test_neither_fires_on_healthy_releases(name):
    ours, theirs = moments(HEALTHY[name], 10.0, 4, statement("pods").engine)
    assert set(ours) == {MISSED}
    assert set(theirs) == {MISSED}


@pytest.mark.parametrize("name", ["roll: brown-out 45-60 s", "roll: outage hits old too", "roll: warm-up pod by pod"])
def test_neither_fires_on_healthy_rollouts(name):
    ours, theirs = moments(HEALTHY_ROLLOUTS[name], 20.0, 2, statement("pods").engine)
    assert set(ours) == set(theirs) == {MISSED}


@pytest.mark.parametrize(
    ("name", "earlier", "later"),
    [
        ("crash", 10, 5),
        ("crash_silent", 10, 5),
        ("err50", 10, 5),
        ("err20", 15, 10),
        ("err5", 20, 15),
        ("latecrash", 10, 5),
    ],
)
def test_faults_are_found_at_nearly_the_same_moment(name, earlier, later):
    """By median at 10 rps: at most so many seconds earlier or later than the statement."""
    ours, theirs = moments(FAULTS[name], 10.0, 7, statement("pods").engine)
    assert -earlier <= median(ours) - median(theirs) <= later
    assert max(ours) < MISSED


def test_the_reference_itself_agrees_on_a_crash_and_on_one_interruption():
    oracle = statement("reference").Engine
    ours, theirs = moments(FAULTS["crash"], 1.0, 5, lambda history, _: oracle(history, alpha=0.01))
    assert abs(median(ours) - median(theirs)) <= 5
    ours, theirs = moments(HEALTHY["blip1"], 1.0, 5, lambda history, _: oracle(history, alpha=0.01))
    assert ours == theirs == [MISSED] * 5
