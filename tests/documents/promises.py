"""``docs/promises.md``: each promise with the tests that keep it, found by their names.

    python -m tests.documents.promises > docs/promises.md

A test whose name begins with ``test_p7_`` (or ``test_p5_p13_``) keeps that promise. `test_promises` compares the page with this.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"test_((?:p\d+_)+)")

PROMISES = {
    1: "Every change of a workload passes one gate, anew at that moment, and carries the gate's permit. What closes the gate is recorded as what would have been done, and why not.",
    2: "While paused nothing is written, on any path: breach, retry, verification, start, shutdown, resumed intent, reload.",
    3: "A pause says who, why, until and what for. It survives restarts; one that is missing, unreadable or mistyped means paused.",
    4: "Pause and resume are acknowledged: *applied*, with the cycle, or *pending*.",
    5: "The end of a pause begins a fresh window: only new samples count, of the release that runs then.",
    6: "A rollback has a name. Doing it twice is doing it once, also with two daemons.",
    7: "The write is conditional on the release it is meant for: a newer one, by a person or a pipeline, is never overwritten.",
    8: "The intent is stored before the act, the outcome after. Killed at any point it comes to the same end, with one write.",
    9: "An unclear answer is resolved by reading, never by writing again.",
    10: "Nothing is written on a lease that does not outlast the write, measured by a clock that never steps; a lost lease ends the process.",
    11: "A store or lease that cannot be asked is *unknown*: watched, not acted on. That differs from *lost*, in log, metric and message.",
    12: "What cannot be told (no data, no number, an error of the source) never rolls back. It calls people by its own limit.",
    13: "After our own stall or start, samples of before do not count.",
    14: "When most independent groups, or our reference probe, fail at once, it may be us: everything is held and told.",
    15: "One rollback for a bad release, so many in a window, never a rollback of a rollback; a release that somebody keeps applying is told, not fought.",
    16: "Verification decides: recovered, not recovered, unknown. What did not help calls a person, and nothing more is done by itself.",
    17: "A configuration is taken whole or not at all. A bad one changes nothing, shows everywhere, and watching goes on.",
    18: "A loop that hangs is started anew three times, then its signal is blind and said. Liveness fails when the engine stands still, paused or not.",
    19: "What changes something cannot be reached without credentials. Who ordered is recorded; no answer, log or file holds a secret.",
    20: "A message that hangs or fails delays no rollback. *Sent* is recorded after sending.",
    21: "The record is only added to, whole or not there, and bounded. Without its folder the rollback happens; without the store of state it does not.",
    22: "The first start on an unknown environment only watches, until somebody arms it.",
    23: "A shutdown in the middle of a response reaches a point that is recorded; nothing new begins after SIGTERM.",
}


def kept() -> dict[int, list[str]]:
    """The tests of each promise, as ``path::name``."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            named = NAMED.match(node.name) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
            for number in re.findall(r"p(\d+)_", named[1]) if named else ():
                found[int(number)].append(f"{path.relative_to(ROOT)}::{node.name}")  # type: ignore[union-attr]
    return found


def page() -> str:
    """The whole page."""
    tests = kept()
    lines = [
        "# Promises",
        "",
        "What may be relied on, and the tests that keep it. This page is made from the names of the tests (`python -m tests.documents.promises`) and",
        "compared with them. *On the real API server* are tests with real processes on a real control plane; the others run the whole daemon in",
        "virtual time, or one room of it.",
        "",
    ]
    for number, promise in PROMISES.items():
        lines += [f"## P{number}", "", promise, ""]
        lines += [f"- {_shown(test)}" for test in sorted(tests[number], key=lambda name: "cluster" not in name)]
        lines.append("")
    return "\n".join(lines)


def _shown(test: str) -> str:
    path, _, name = test.partition("::")
    words = NAMED.sub("", name).replace("_", " ")
    real = "on the real API server: " if path.startswith("tests/cluster") else ""
    return f"{real}{words} (`{path}`)"


if __name__ == "__main__":
    sys.stdout.write(page())
