"""The bookstore's instances: started, watched, restarted when they die, and replaced one by one by a new release.

Role: the process manager. Neighbours: `balancer` asks it who is ready, `manager` tells it what to run. Guarantees: a rolling
replacement adds the new instance before it takes the old one away, and lets the old one finish what it was asked; a new order
ends the replacement that is under way. Not guaranteed: that a release which never becomes healthy is taken back - somebody
else's job.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchdog.testing.bookstore.speech import ask

START_S = 6.0
"""How long an instance may take to become healthy before its release is called stuck."""
RESTART_S = 0.5
LOOK_S = 0.2
DRAIN_S = 1.0
OK = 200


@dataclass(eq=False, slots=True)
class Running:
    """One process."""

    kind: str
    number: int
    release: str
    process: asyncio.subprocess.Process
    port: int
    restarts: int = 0
    ready: bool = False

    @property
    def name(self) -> str:
        """``api-1``: the place, which outlives the process."""
        return f"{self.kind}-{self.number}"

    @property
    def ended(self) -> bool:
        """The process is gone."""
        return self.process.returncode is not None


@dataclass(eq=False, slots=True)
class Place:
    """Where one instance runs."""

    kind: str
    number: int
    running: Running | None = None


@dataclass
class Fleet:
    """All instances. `arguments` are added to each kind's command line (ports of those it asks)."""

    logs: Path
    places: list[Place]
    arguments: dict[str, list[str]] = field(default_factory=dict)
    wanted: str = ""
    stuck: str = ""
    rolling: bool = False
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _roll: asyncio.Task[None] | None = None

    def ready(self, kind: str) -> list[Running]:
        """The instances of a kind that take traffic."""
        return [entry for entry in self.all(kind) if entry.ready]

    def all(self, kind: str) -> list[Running]:
        """The instances of a kind."""
        return [place.running for place in self.places if place.kind == kind and place.running is not None]

    @property
    def complete(self) -> bool:
        """Every place runs the wanted release, and nothing is being replaced."""
        return not self.rolling and all(
            place.running is not None and place.running.release == self.wanted for place in self.places
        )

    def want(self, release: str) -> None:
        """Begin to replace everything by `release`; an earlier replacement ends."""
        self.wanted, self.stuck, self.rolling = release, "", True
        before = self._roll
        self._roll = self._begin(self._replace_all(release, before), f"roll {release}")

    def tend(self) -> None:
        """Watch every place for ever."""
        for place in self.places:
            self._begin(self._tend(place), f"tend {place.kind}-{place.number}")

    async def close(self) -> None:
        """End everything."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for place in self.places:
            if place.running is not None:
                await _end(place.running.process)

    async def start(self, name: str, module: str, arguments: Sequence[str]) -> tuple[asyncio.subprocess.Process, int]:
        """Start a module of the bookstore that announces its port. Raises OSError when it does not."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *python_module(module),
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        try:
            async with asyncio.timeout(START_S):
                line = await process.stdout.readline() if process.stdout else b""
            return process, int(line)
        except (TimeoutError, ValueError) as error:
            await _end(process)
            raise OSError(f"{name} did not start") from error
        except asyncio.CancelledError:
            await _end(process)
            raise

    # -- replacing ---------------------------------------------------------------------------------------------------

    async def _replace_all(self, release: str, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
        for place in self.places:
            if place.running is None or place.running.release != release:
                await self._replace(place, release)
            if self.stuck:
                break
        self.rolling = bool(self.stuck)

    async def _replace(self, place: Place, release: str) -> None:
        try:
            async with self._fresh(place, release) as fresh:
                await _until_healthy(fresh)
                old, place.running = place.running, fresh
        except OSError as error:
            self.stuck = f"{place.kind}-{place.number} does not become healthy with {release}: {error}"
            return
        if old is not None:
            self._begin(_drain(old), f"drain {old.name}")

    @asynccontextmanager
    async def _fresh(self, place: Place, release: str, restarts: int = 0) -> AsyncIterator[Running]:
        """A new process for a place; it is ended again unless the place has taken it."""
        arguments = ["--version", release, *self.arguments.get(place.kind, [])]
        process, port = await self.start(f"{place.kind}-{place.number}", place.kind, arguments)
        fresh = Running(place.kind, place.number, release, process, port, restarts=restarts)
        try:
            yield fresh
        finally:
            if place.running is not fresh:
                await _end(process)

    # -- watching ----------------------------------------------------------------------------------------------------

    async def _tend(self, place: Place) -> None:
        while True:
            running = place.running
            if running is not None and running.ended:
                await self._restart(place, running)
            elif running is not None:
                running.ready = await _healthy(running)
            await asyncio.sleep(LOOK_S)

    async def _restart(self, place: Place, dead: Running) -> None:
        dead.ready = False
        await asyncio.sleep(RESTART_S)
        if place.running is not dead:
            return
        with suppress(OSError):
            async with self._fresh(place, dead.release, dead.restarts + 1) as fresh:
                if place.running is dead:
                    place.running = fresh

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def python_module(module: str) -> list[str]:
    """Argv that runs a module of the bookstore. ``-S``: they need no packages, and start twice as fast without."""
    return [sys.executable, "-S", "-m", f"watchdog.testing.bookstore.{module}"]


def search_path() -> str:
    """PYTHONPATH for the bookstore's processes: where this package was found, before what is set already."""
    root = str(Path(__file__).parents[3])
    return os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH", "")])])


async def _healthy(running: Running) -> bool:
    try:
        return (await ask(running.port, "/health", timeout_s=1.0)).status == OK
    except (OSError, ValueError):
        return False


async def _until_healthy(running: Running) -> None:
    """Raises OSError when it takes too long or the process ends."""
    try:
        async with asyncio.timeout(START_S):
            while not await _healthy(running):
                if running.ended:
                    raise OSError(f"it ended with code {running.process.returncode}")
                await asyncio.sleep(LOOK_S / 2)
    except TimeoutError as error:
        raise OSError(f"/health was not 200 for {START_S:g} s") from error
    running.ready = True


async def _drain(old: Running) -> None:
    """No new traffic comes here any more; what is under way may end."""
    try:
        await asyncio.sleep(DRAIN_S)
    finally:
        await _end(old.process)


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()
