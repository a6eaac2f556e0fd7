"""The sequential rule joins behind the same interface: its executable statement is plugged in as one rule.

It covers three signals and weighs them together, which no threshold rule does; judge, verdict and breach need no change.
"""

from __future__ import annotations

import copy
import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.judgement.traces import at, context, sample
from watchdog.judgement.judge import breach_of, judge, rearm, start
from watchdog.judgement.rule import Context, Rule
from watchdog.judgement.threshold import Consecutive
from watchdog.model import Counts, Health, Instant, Sample, SignalVerdict, record

STATEMENT = Path(__file__).parents[3] / "shared" / "judgement" / "reference.py"
STREAMS = ("probe", "err", "slow")
HISTORY = {"probe": [(1, 0)] * 720, "err": [(50, 0)] * 720, "slow": [(50, 0)] * 720}


def reference() -> Any:
    if not STATEMENT.is_file():
        pytest.skip(f"the executable statement of the sequential rule is not at {STATEMENT}")
    spec = importlib.util.spec_from_file_location("reference", STATEMENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@record
class Weighed:
    """The engine after the last whole poll, when that was, and what it says."""

    engine: Any
    upto: Instant
    rolls_back: bool = False
    progress: float = 0.0
    first_bad: Instant | None = None


@dataclass(frozen=True)
class Sequential:
    engine: Any
    signals: tuple[str, ...] = STREAMS

    def start(self, context: Context, now: Instant) -> Weighed:
        return Weighed(engine=copy.deepcopy(self.engine), upto=context.fresh_from)

    def observe(self, state: Weighed, samples: Sequence[Sample], context: Context, now: Instant) -> Weighed:
        engine, fires, first_bad = copy.deepcopy(state.engine), state.rolls_back, state.first_bad
        ends = sorted({one.end for one in samples if one.end > state.upto})
        for end in ends:
            bins = {
                one.signal: (one.reading.events, one.reading.bad)
                for one in samples
                if one.end == end and isinstance(one.reading, Counts)
            }
            fires |= engine.update(bins) == "rollback"
            first_bad = end if first_bad is None and any(bad for _, bad in bins.values()) else first_bad
        if not ends:
            return state
        progress = 1.0 if fires else min(0.99, max(0.0, engine.evidence / math.log(100)))
        return Weighed(engine=engine, upto=ends[-1], rolls_back=fires, progress=progress, first_bad=first_bad)

    compares = False

    def verdicts(self, state: Weighed, context: Context, now: Instant) -> tuple[SignalVerdict, ...]:
        health = Health.FAILING if state.rolls_back else Health.HEALTHY
        return tuple(
            SignalVerdict(
                signal=name,
                health=health,
                sentence=f"{name}: evidence {100 * state.progress:.0f} % over three signals",
                progress=state.progress,
                first_bad=state.first_bad,
                recovered=not state.rolls_back,
            )
            for name in self.signals
        )


@pytest.fixture
def rule() -> Rule:
    return Sequential(reference().Engine(HISTORY, alpha=1e-2))


def polls(number: int, *, down: bool) -> list[Sample]:
    moment = 5 * number
    said = {"probe": (0, 1) if down else (1, 0), "err": (0, 50) if down else (50, 0), "slow": (50, 0)}
    return [sample(moment, counts, signal=name) for name, counts in said.items()]


def fired_at(rules: Sequence[Rule], trace: Sequence[bool]) -> tuple[int | None, Any]:
    known = context()
    state = start(rules, known, at(0))
    for number, down in enumerate(trace, start=1):
        state, verdict = judge(rules, state, polls(number, down=down), known, at(5 * number))
        if verdict.health is Health.FAILING:
            return number, verdict
    return None, verdict


def test_a_crash_fires_after_what_the_sequential_rule_tolerates(rule):
    number, verdict = fired_at([rule], [False] * 10 + [True] * 20)
    assert number is not None
    assert 45 <= 5 * (number - 10) <= 55
    breach = breach_of(verdict)
    assert breach is not None
    assert breach.signals == STREAMS
    assert breach.first_bad == at(55)


def test_a_healthy_trace_and_a_passing_blip_do_not_fire(rule):
    number, verdict = fired_at([rule], [False] * 20 + [True] * 6 + [False] * 200)
    assert number is None
    assert verdict.recovered


def test_it_stands_beside_a_threshold_rule_and_either_fires_alone(rule):
    rules = [rule, Consecutive("probe", 2)]
    number, _ = fired_at(rules, [False] * 5 + [True] * 10)
    assert number == 7


def test_rearming_gives_it_a_fresh_window(rule):
    known = context()
    state = start([rule], known, at(0))
    for number in range(1, 30):
        state, verdict = judge([rule], state, polls(number, down=True), known, at(5 * number))
    assert verdict.health is Health.FAILING
    later = context(fresh_from=at(150))
    _, verdict = judge([rule], rearm([rule], later, at(150)), polls(31, down=True), later, at(155))
    assert verdict.health is Health.HEALTHY
