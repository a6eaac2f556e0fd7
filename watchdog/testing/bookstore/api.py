"""One instance of the bookstore's API: /health, /api/books, /api/authors, /metrics.

Run: ``python -m watchdog.testing.bookstore.api --version 1.2 [--port P] [--database PORT]``. The port is written to
standard output. It asks the database for each book, as an API does; `behaviour` says what the version does wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
from collections import Counter
from time import monotonic, time  # noqa: TID251 - a process of its own, whose page names its start

from watchdog.testing.bookstore.behaviour import BLIP_AFTER_S, Behaviour, behaviour_of
from watchdog.testing.bookstore.lifeline import run_server
from watchdog.testing.bookstore.speech import Asked, Told, ask

BOOKS = ["The Left Hand of Darkness", "Middlemarch", "The Periodic Table", "Solaris"]
AUTHORS = ["Ursula K. Le Guin", "George Eliot", "Primo Levi", "Stanislaw Lem"]
_SHELVES = {"/api/books": BOOKS, "/api/authors": AUTHORS}
CRASH_CODE = 70


class Api:
    """Answers for one version."""

    def __init__(self, version: str, database: int) -> None:
        """`database` is its port, 0 = none."""
        self._version = version
        self._behaviour: Behaviour = behaviour_of(version)
        self._database = database
        self._born = monotonic()
        self._started = time()
        self._counts: Counter[int] = Counter()
        self._dying = False

    async def answer(self, asked: Asked) -> Told:
        """One request."""
        self._plan_crash()
        if asked.path == "/health":
            status = 503 if self._behaviour.unready else 200
            return Told(status, json.dumps({"version": self._version}).encode())
        if asked.path == "/metrics":
            return Told(200, self._metrics().encode(), "text/plain; version=0.0.4")
        if asked.path not in _SHELVES:
            return Told(404, b"{}")
        told = await self._shelf(asked.path)
        self._counts[told.status] += 1
        return told

    def _plan_crash(self) -> None:
        """The first question finds the loop running, and sets the fuse."""
        if self._behaviour.crash_after_s and not self._dying:
            self._dying = True
            left = self._born + self._behaviour.crash_after_s - monotonic()
            asyncio.get_running_loop().call_later(max(0.0, left), os._exit, CRASH_CODE)

    async def _shelf(self, path: str) -> Told:
        wrong = self._behaviour
        if wrong.slow_s:
            await asyncio.sleep(wrong.slow_s)
        age = monotonic() - self._born
        if wrong.blip_s and BLIP_AFTER_S <= age < BLIP_AFTER_S + wrong.blip_s:
            return Told(500, b'{"error": "not yet warm"}')
        if random.random() < wrong.error_share:  # noqa: S311 - no secret hangs on it
            return Told(500, b'{"error": "unexpected shelf"}')
        if self._database and not await self._asked_database():
            return Told(503, b'{"error": "the database does not answer"}')
        return Told(200, json.dumps(_SHELVES[path]).encode())

    async def _asked_database(self) -> bool:
        try:
            return (await ask(self._database, "/query", timeout_s=1.0)).status == 200  # noqa: PLR2004 - OK
        except (OSError, ValueError):
            return False

    def _metrics(self) -> str:
        lines = ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {self._started:.2f}"]
        lines.append("# TYPE http_requests_total counter")
        for code, count in sorted(self._counts.items()):
            lines.append(f'http_requests_total{{app="bookstore-api",version="{self._version}",code="{code}"}} {count}')
        return "\n".join(lines) + "\n"


def main() -> None:
    """Run one instance."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", type=int, default=0)
    given = parser.parse_args()
    run_server(Api(given.version, given.database).answer, given.port)


if __name__ == "__main__":
    main()
