"""Tables of the benchmark: F with upper bounds, R, H, misses, L*, cost."""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from tests.benchmarks.judgement.bounds import BOUNDS, MISSED_S
from tests.benchmarks.judgement.families import HEALTHY, SEVERITY
from tests.benchmarks.judgement.measure import OURS, Cell, fired
from tests.benchmarks.judgement.peers import PEERS
from tests.benchmarks.judgement.weather import Weather, total
from watchdog.judgement.evidence.beta import upper
from watchdog.testing.judging import engine

Outcome = Sequence[Any]
Found = dict[Cell, dict[str, list[Outcome]]]


def gathered(lines: Iterable[Mapping[str, Any]]) -> Found:
    """Outcomes by cell and rule."""
    found: Found = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for rule, outcomes in line["found"].items():
            found[Cell(**line["cell"])][rule] += outcomes
    return found


def false_rate(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """False rollbacks per 1000, and the 95 % upper bound."""
    count = sum(at is not None for at, _, _ in outcomes)
    return 1000 * count / len(outcomes), 1000 * upper(count, len(outcomes), 0.05)


def delays(outcomes: Sequence[Outcome]) -> list[float]:
    """Seconds from the fault, sorted; a miss counts as the whole watch, a rollback before the fault not at all."""
    return sorted(MISSED_S if at is None else at - onset for at, onset, _ in outcomes if at is None or at > onset)


def print_healthy(found: Found) -> None:
    """F of every healthy family."""
    print("\n### F: false rollbacks per 1000 healthy releases (95 % upper bound), and what fired\n")
    ours: list[Outcome] = []
    for cell, rules in found.items():
        if cell.healthy:
            rate, bound = false_rate(rules[OURS])
            why = ", ".join(f"{reason} {count}" for reason, count in Counter(w for _, _, w in rules[OURS] if w).items())
            print(
                f"{cell.family:28} {cell.rps:6g} rps, poll {cell.poll_s:3g} s  {rate:7.1f} ({bound:6.1f}) of {len(rules[OURS]):5}  {why}"
            )
            ours += [] if "prober" in cell.family else rules[OURS]
    if ours:
        rate, bound = false_rate(ours)
        print(f"{'all but prober':28} {'':26} {rate:7.2f} ({bound:6.2f}) of {len(ours):5}")


def print_faults(found: Found) -> None:
    """Median and p95 of every fault."""
    print("\n### Delay after the fault: median / p95 s, missed and early per 1000\n")
    for cell, rules in found.items():
        if not cell.healthy:
            seen = delays(rules[OURS])
            early = sum(at is not None and at <= onset for at, onset, _ in rules[OURS])
            missed = sum(delay >= MISSED_S for delay in seen)
            median, late = seen[len(seen) // 2], seen[int(0.95 * len(seen))]
            share = 1000 / len(rules[OURS])
            print(
                f"{cell.family:28} {cell.rps:6g} rps, poll {cell.poll_s:3g} s  {median:6.0f} / {late:6.0f}"
                f"   missed {share * missed:4.0f}  early {share * early:3.0f}"
            )


def print_scores(found: Found) -> None:
    """R and H of the product and of peers, beside their F in ordinary weather."""
    print("\n### Both axes: F per 1000 (95 %) in `reference` and `blip2`, R, H\n")
    for rule in (OURS, *PEERS):
        healthy = [
            o
            for cell, rules in found.items()
            if cell.family in ("reference", "blip2") and cell.poll_s == 5
            for o in rules.get(rule, [])
        ]
        seen = {
            (cell.family, cell.rps): delays(rules[rule])
            for cell, rules in found.items()
            if not cell.healthy and rules.get(rule) and cell.poll_s == 5
        }
        rows = {row: statistics.median(found_at) for row, found_at in seen.items() if found_at}
        logs = [math.log(rows[row] / bound) for row, bound in BOUNDS.items() if row in rows]
        harm = [
            SEVERITY[family] * delay
            for (family, rps), delay in rows.items()
            if family in SEVERITY and rps in (0.1, 1, 10)
        ]
        rate, bound = false_rate(healthy)
        print(
            f"{rule:32} F {rate:7.1f} ({bound:6.1f})   R {math.exp(statistics.mean(logs)):5.2f} over {len(logs)} rows"
            f"   H {statistics.mean(harm):6.1f} over {len(harm)}"
        )


def print_longest_tolerated(traces: int, seed: str) -> None:
    """L*: the longest single total outage at 10 rps that fires in less than 1 %, and the crash delay beyond it."""
    longest = 0.0
    for lasts in range(20, 95, 5):
        count = sum(_outage_fires(f"{seed}|L*|{lasts}|{index}", lasts) is not None for index in range(traces))
        if count > 0.01 * traces:
            break
        longest = lasts
    crash = [_outage_fires(f"{seed}|L* crash|{index}", 1500) or MISSED_S for index in range(traces)]
    delay = statistics.median(crash)
    print(
        f"\nL* = {longest:.0f} s of a total outage tolerated at 10 rps ({traces} traces a length); crash {delay:.0f} s; beyond L* {delay - longest:.0f} s"
    )


def _outage_fires(seed: str, lasts: float) -> float | None:
    rng = random.Random(seed)
    start = rng.uniform(200, 205)
    weather = Weather(10.0, [total(start, lasts)])
    history = {name: [pair] * 720 for name, pair in (("probe", (1, 0)), ("err", (50, 0)), ("slow", (50, 0)))}
    judge = engine(history, 5.0)
    for index in range(140):
        if judge.update(weather.counts(rng, index * 5.0, index * 5.0 + 5.0)) == "rollback":
            return (index + 1) * 5.0 - start
    return None


def print_cost(seed: str) -> None:
    """Microseconds a sample and bytes of state a signal."""
    samples, spent = 0, 0.0
    for index in range(8):
        trace = HEALTHY["reference"](random.Random(f"{seed}|cost|{index}"), 10.0, 5.0)
        judge = engine(trace.history, 5.0)
        began = time.process_time()
        fired(judge, trace, 5.0)
        spent += time.process_time() - began
        samples += 3 * len(trace.polls)
    seen: set[int] = set()
    shared = size_of(judge.terms, seen)
    state = size_of(judge.state, seen)
    print(
        f"\ncost: {1e6 * spent / samples:.1f} microseconds a sample (of process time), {state / 3:.0f} bytes of state a signal, {shared / 3:.0f} of fixed terms"
    )


def size_of(value: Any, seen: set[int]) -> int:
    """Bytes of a record with all that it alone holds; small numbers and names are shared by the interpreter."""
    if id(value) in seen or value is None or isinstance(value, bool):
        return 0
    seen.add(id(value))
    size = 0 if isinstance(value, str) else sys.getsizeof(value)
    if is_dataclass(value):
        return size + sum(size_of(getattr(value, one.name), seen) for one in fields(value))
    if isinstance(value, Mapping):
        return size + sum(size_of(one, seen) for one in value.values())
    if isinstance(value, tuple | list):
        return size + sum(size_of(one, seen) for one in value)
    return size
