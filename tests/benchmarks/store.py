"""What storing an intent costs: one compare-and-swap of a grown incident in SQLite (WAL, FULL), beside a bare sqlite3 commit."""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from pathlib import Path

from tests.benchmarks.processes import percentile, table
from watchdog.engine.clock import SystemClock
from watchdog.stores import SqliteStore

SIZE = 40_000
"""Characters of the document: a record with its journal, decision and plan."""


async def ours(path: Path, count: int) -> list[float]:
    """Seconds of each compare-and-swap."""
    store = SqliteStore(path, SystemClock())
    await store.open()
    stored = await store.create("incident/x", {"text": "x" * SIZE})
    took = []
    for number in range(count):
        began = time.perf_counter()
        stored = await store.replace("incident/x", {"text": "x" * SIZE, "n": number}, stored.version)
        took.append(time.perf_counter() - began)
    await store.close()
    return took


def bare(path: Path, count: int) -> list[float]:
    """Seconds of each commit of the same text by the library alone, on the calling thread."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("create table d (k text primary key, v text)")
    took = []
    for number in range(count):
        began = time.perf_counter()
        connection.execute("insert or replace into d values ('x', ?)", (json.dumps({"text": "x" * SIZE, "n": number}),))
        took.append(time.perf_counter() - began)
    connection.close()
    return took


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            ["bare sqlite3", *_row(bare(Path(folder) / "bare.db", count))],
            ["watchdog's store", *_row(asyncio.run(ours(Path(folder) / "ours.db", count)))],
        ]
    print(table(["commit of 40 kB", "median ms", "p99 ms"], rows))


def _row(took: list[float]) -> list[str]:
    return [f"{1000 * percentile(took, share):.2f}" for share in (0.5, 0.99)]


if __name__ == "__main__":
    main()
