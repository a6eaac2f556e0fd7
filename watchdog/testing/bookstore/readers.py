"""Readers of the bookstore: ask for the page at a steady rate and count what they see, second by second.

Run: ``python -m watchdog.testing.bookstore.readers --front PORT --rate 40 --out FILE``. The file is JSON, replaced whole four
times a second: ``{"total", "failed", "seconds": [[UTC second, seen, failed], ...]}``. A reader who waits longer than
`PATIENCE_S` has seen a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from watchdog.testing.bookstore.lifeline import run_beside
from watchdog.testing.bookstore.speech import ask

PATIENCE_S = 2.0
WRITE_EVERY_S = 0.25
CROWD = 500
"""Readers who wait at once at most; more stay away and are not counted."""


class Readers:
    """Counts by second."""

    def __init__(self, front: int, rate: float, out: Path) -> None:
        """Ask `front` so often a second."""
        self._front, self._rate, self._out = front, rate, out
        self._seconds: dict[int, list[int]] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    async def work(self) -> None:
        """Read for ever."""
        loop = asyncio.get_running_loop()
        begun, sent, written = loop.time(), 0, 0.0
        while True:
            while sent < (loop.time() - begun) * self._rate:
                sent += 1
                if len(self._waiting) < CROWD:
                    task = asyncio.create_task(self._read())
                    self._waiting.add(task)
                    task.add_done_callback(self._waiting.discard)
            if loop.time() - written >= WRITE_EVERY_S:
                written = loop.time()
                self._write()
            await asyncio.sleep(1 / self._rate)

    async def _read(self) -> None:
        try:
            good = (await ask(self._front, "/", timeout_s=PATIENCE_S)).status == 200  # noqa: PLR2004 - OK
        except (OSError, ValueError):
            good = False
        second = int(time.time())  # noqa: TID251 - a process of its own: nobody is there to inject a clock
        counts = self._seconds.setdefault(second, [0, 0])
        counts[0] += 1
        counts[1] += not good

    def _write(self) -> None:
        seconds = [[second, *counts] for second, counts in sorted(self._seconds.items())]
        document = {
            "total": sum(counts[0] for counts in self._seconds.values()),
            "failed": sum(counts[1] for counts in self._seconds.values()),
            "seconds": seconds,
        }
        fresh = self._out.with_suffix(".new")
        fresh.write_text(json.dumps(document))
        fresh.replace(self._out)


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--front", type=int, required=True)
    parser.add_argument("--rate", type=float, default=40.0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    run_beside(Readers(given.front, given.rate, given.out).work)


if __name__ == "__main__":
    main()
