"""The bookstore from outside: start it, deploy to it, break its database, read what readers saw, stop it.

Role: what the demo and tests hold in their hands. Neighbours: `manager` is the one process it starts. Guarantees: open within
`OPEN_S` or an OSError with what the log says; after the block nothing of it runs, and if this process is killed, neither.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from watchdog.testing.bookstore import ctl
from watchdog.testing.bookstore.fleet import python_module, search_path
from watchdog.testing.bookstore.speech import ask

OPEN_S = 20.0
CLOSE_S = 5.0


@dataclass(frozen=True, slots=True)
class ReaderCounts:
    """What readers saw: all of it, and by UTC second as (second, seen, failed)."""

    total: int
    failed: int
    seconds: tuple[tuple[int, int, int], ...] = ()

    @property
    def first_failed(self) -> int | None:
        """The first UTC second in which a reader saw a failure."""
        return next((second for second, _, failed in self.seconds if failed), None)

    @property
    def last_failed(self) -> int | None:
        """The last UTC second in which a reader saw a failure."""
        return next((second for second, _, failed in reversed(self.seconds) if failed), None)

    def between(self, begin: float, end: float) -> ReaderCounts:
        """Only the seconds from `begin` until `end`."""
        part = tuple(entry for entry in self.seconds if begin <= entry[0] < end)
        return ReaderCounts(sum(entry[1] for entry in part), sum(entry[2] for entry in part), part)


class Bookstore:
    """A running bookstore. Use ``async with Bookstore.start(directory) as store``."""

    def __init__(self, directory: Path, known: dict[str, Any], process: asyncio.subprocess.Process) -> None:
        """Made by `start`."""
        self.directory = directory
        self._known = known
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(cls, directory: Path | str, *, release: str = "1.0", rate: float = 40.0) -> AsyncIterator[Self]:
        """Open the store with `release` and `rate` readers a second (0 = none). Raises OSError when it does not open."""
        home = Path(directory).resolve()  # noqa: ASYNC240 - once, at the start
        home.mkdir(parents=True, exist_ok=True)
        with (home / "manager.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *python_module("manager"),
                str(home),
                "--release",
                release,
                "--rate",
                str(rate),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": search_path()},
                start_new_session=True,
            )
        try:
            await _opened(process, home)
            yield cls(home, json.loads((home / "bookstore.json").read_text()), process)
        finally:
            await _close(process)

    @property
    def front_url(self) -> str:
        """The readers' door."""
        return f"http://127.0.0.1:{self._known['front']}"

    @property
    def api_url(self) -> str:
        """The API's door at the balancer: ``/api/books``, ``/api/authors``."""
        return f"http://127.0.0.1:{self._known['api']}"

    @property
    def stats_url(self) -> str:
        """Good and bad answers by release, as JSON."""
        return f"{self.api_url}/-/stats"

    @property
    def database_url(self) -> str:
        """The database's own health: 503 while it is down."""
        return f"http://127.0.0.1:{self._known['database']}/health"

    def ctl_argv(self, *words: str) -> tuple[str, ...]:
        """Argv of bookstorectl: ``ctl_argv("current")``."""
        return (sys.executable, "-S", "-E", ctl.__file__, str(self.directory), *words)

    async def current(self) -> dict[str, Any]:
        """What the current command says."""
        return dict(json.loads(await self._order("GET", "/current")))

    async def deploy(self, release: str, *, actor: str = "ci") -> None:
        """Begin to roll a release out. Raises ValueError for a name that means nothing."""
        await self._order("POST", f"/deploy?{urlencode({'release': release, 'actor': actor})}")

    async def settled(self, within_s: float = 30.0) -> None:
        """Wait until the wanted release is completely rolled out. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not (await self.current())["complete"]:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.05)

    def dependency(self, *, down: bool) -> None:
        """Take the database away from every release, or give it back."""
        flag = self.directory / "database.down"
        if down:
            flag.touch()
        else:
            flag.unlink(missing_ok=True)

    def reader_counts(self) -> ReaderCounts:
        """What readers have seen until a quarter of a second ago."""
        path = self.directory / "readers.json"
        if not path.exists():
            return ReaderCounts(0, 0)
        document = json.loads(path.read_text())
        seconds = tuple((int(second), int(seen), int(failed)) for second, seen, failed in document["seconds"])
        return ReaderCounts(document["total"], document["failed"], seconds)

    async def stats(self) -> dict[str, dict[str, int]]:
        """Good and bad answers of the API by release, as the balancer saw them."""
        answer = await ask(self._known["api"], "/-/stats")
        return dict(json.loads(answer.body)["releases"])

    async def _order(self, method: str, target: str) -> bytes:
        answer = await ask(self._known["control"], target, method=method, headers={"X-Token": self._known["token"]})
        if answer.status != ctl.OK:
            raise ValueError(json.loads(answer.body)["error"])
        return answer.body


async def _opened(process: asyncio.subprocess.Process, home: Path) -> None:
    try:
        async with asyncio.timeout(OPEN_S):
            line = await process.stdout.readline() if process.stdout else b""
    except TimeoutError:
        line = b""
    if line.strip() != b"open":
        said = (home / "manager.log").read_text()[-2000:]
        raise OSError(f"the bookstore did not open: {said or 'it said nothing'}")


async def _close(process: asyncio.subprocess.Process) -> None:
    """Let it end by itself, then end what is left of its group."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await process.wait()
    except TimeoutError:
        pass  # it had its time: the group is ended below
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
