"""``make bench-judgement``: the short form. ``python -m tests.benchmarks.judgement --long --results FILE``: the long one, resumable.

The seeds that are reported are never those on which anything was tuned.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from tests.benchmarks.judgement.bounds import BOUNDS
from tests.benchmarks.judgement.families import FAULTS, HEALTHY
from tests.benchmarks.judgement.measure import Cell, run
from tests.benchmarks.judgement.report import (
    gathered,
    print_cost,
    print_faults,
    print_healthy,
    print_longest_tolerated,
    print_scores,
)
from tests.benchmarks.judgement.rollouts import FAULTY_ROLLOUTS, HEALTHY_ROLLOUTS

RATES, ROLLOUT_RATES = (0.1, 1.0, 10.0), (1.0, 20.0)
PERIODS = (1.0, 2.0, 10.0, 15.0, 30.0)
SEED = "report-4"
SIZES = (("healthy", 30, 5000), ("faults", 20, 400), ("rollouts", 20, 5000), ("periods", 10, 1000))
"""Traces a cell in the short and in the long form."""


def cells(healthy: int, faults: int, rollouts: int, periods: int) -> list[tuple[Cell, int]]:
    """Every cell with its number of traces."""
    found = [(Cell(name, rps, peers=True), healthy) for name in HEALTHY for rps in RATES]
    rates = {name: {*RATES, *(rps for family, rps in BOUNDS if family == name)} for name in FAULTS}
    found += [(Cell(name, rps, peers=True), faults) for name in FAULTS for rps in sorted(rates[name])]
    found += [(Cell(name, rps), rollouts) for name in HEALTHY_ROLLOUTS for rps in ROLLOUT_RATES]
    found += [(Cell(name, rps), min(faults, rollouts)) for name in FAULTY_ROLLOUTS for rps in ROLLOUT_RATES]
    found += [(Cell(name, 10.0, poll_s), periods) for poll_s in PERIODS for name in ("reference", "crash", "err20")]
    return found


def main() -> None:
    """Run, print, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="5000 traces a healthy family and rate: hours")
    parser.add_argument("--results", type=Path, help="file of results, to go on after an interruption")
    parser.add_argument("--seed", default=SEED)
    for name, short, long in SIZES:
        parser.add_argument(
            f"--{name}", type=int, help=f"traces a cell: {short} in the short form, {long} in the long one"
        )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    began = time.monotonic()
    sizes = [getattr(chosen, name) or (long if chosen.long else short) for name, short, long in SIZES]
    wanted = cells(*sizes)
    found = gathered(run(wanted, chosen.seed, chosen.results, chosen.jobs))
    print(
        f"## judgement: traces a cell {dict(zip([name for name, *_ in SIZES], sizes, strict=True))}, seed {chosen.seed}"
    )
    print_healthy(found)
    print_faults(found)
    print_scores(found)
    print_longest_tolerated(200 if chosen.long else 30, chosen.seed)
    print_cost(chosen.seed)
    print(f"\n{time.monotonic() - began:.0f} s on {chosen.jobs} processes")


if __name__ == "__main__":
    main()
