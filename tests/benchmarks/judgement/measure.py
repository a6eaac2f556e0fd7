"""Runs families through the product's judgement and through peers, block by block, resumable.

A block is `BLOCK` traces of one cell (family, rate, poll period). Its result is one line of JSON in the file that is given;
a run that was interrupted goes on with the blocks that are missing.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.judgement.families import FAULTS, HEALTHY, Family, Trace
from tests.benchmarks.judgement.peers import PEERS
from tests.benchmarks.judgement.rollouts import FAULTY_ROLLOUTS, HEALTHY_ROLLOUTS
from watchdog.testing.judging import engine

BLOCK = 10
OURS = "watchdog"
FAMILIES: dict[str, Family] = {**HEALTHY, **HEALTHY_ROLLOUTS, **FAULTS, **FAULTY_ROLLOUTS}


@dataclass(frozen=True)
class Cell:
    """One family at one rate and one poll period."""

    family: str
    rps: float
    poll_s: float = 5.0
    peers: bool = False

    @property
    def healthy(self) -> bool:
        """A rollback in this family is a false one."""
        return self.family in HEALTHY or self.family in HEALTHY_ROLLOUTS


@dataclass(frozen=True)
class Block:
    """Some traces of a cell."""

    seed: str
    cell: Cell
    number: int

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return f"{self.seed}|{self.cell.family}|{self.cell.rps:g}|{self.cell.poll_s:g}|{self.number}"


def made(seed: str, cell: Cell, index: int) -> Trace:
    """One trace; the same for everybody."""
    rng = random.Random(f"{seed}|{cell.family}|{cell.rps:g}|{cell.poll_s:g}|{index}")
    return FAMILIES[cell.family](rng, cell.rps, cell.poll_s)


def fired(judge: Any, trace: Trace, poll_s: float) -> tuple[float | None, str]:
    """Seconds after the deploy at which it rolls back, and why."""
    for number, bins in enumerate(trace.polls, start=1):
        if judge.update(bins) == "rollback":
            return number * poll_s, getattr(judge, "why", "")
    return None, ""


def run_block(block: Block) -> dict[str, Any]:
    """The results of one block: for each rule (fired at, onset, why) a trace."""
    cell = block.cell
    rules = [OURS, *(PEERS if cell.peers else ())]
    found: dict[str, list[Any]] = {name: [] for name in rules}
    for index in range(block.number * BLOCK, (block.number + 1) * BLOCK):
        trace = made(block.seed, cell, index)
        for name in rules:
            judge = engine(trace.history, cell.poll_s) if name == OURS else PEERS[name](cell.poll_s)
            at, why = fired(judge, trace, cell.poll_s)
            found[name].append((at, trace.onset, why))
    return {"key": block.key, "cell": asdict(cell), "found": found}


def run(cells: Sequence[tuple[Cell, int]], seed: str, results: Path | None, jobs: int) -> list[dict[str, Any]]:
    """All blocks of these cells (cell, number of traces); what `results` already holds is not run again."""
    done = {line["key"]: line for line in _stored(results)}
    blocks = [Block(seed, cell, number) for cell, traces in cells for number in range(-(-traces // BLOCK))]
    missing = [block for block in blocks if block.key not in done]
    began, count = time.monotonic(), 0
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for line in pool.imap_unordered(run_block, missing):
            done[line["key"]] = line
            count += 1
            if results is not None:
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            if count % 20 == 0 or count == len(missing):
                left = (time.monotonic() - began) / count * (len(missing) - count)
                print(
                    f"\r{count} of {len(missing)} blocks, about {left:.0f} s more ", end="", file=sys.stderr, flush=True
                )
    print(file=sys.stderr)
    return [done[block.key] for block in blocks]


def _stored(results: Path | None) -> Iterator[dict[str, Any]]:
    if results is None or not results.exists():
        return
    for line in results.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the line that was being written when the run was interrupted
            continue
