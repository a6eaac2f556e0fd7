"""The command line against the fake control, served on a real unix socket by a thread of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog.testing
from click.testing import CliRunner, Result

from watchdog.cli.main import cli
from watchdog.cli.terminal import Terminal
from watchdog.model import Instant, instant
from watchdog.testing.clock import NEW_YEAR
from watchdog.testing.control import FakeControl
from watchdog.web.server import Faces

NOON = instant(NEW_YEAR + 12 * 3600)
"""2026-01-01T12:00:00Z: when everything in these tests happens."""


class NoonClock:
    """Stands still, and needs no loop: the control is read from two threads."""

    def now(self) -> Instant:
        return NOON

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class Running:
    """A daemon that answers, and the command line beside it."""

    path: Path
    control: FakeControl
    acknowledged_within_s: float = 5.0
    environ: dict[str, str] = field(default_factory=dict)

    def terminal(self, **facts: object) -> Terminal:
        environ = {"WATCHDOG_SOCKET": str(self.path), **self.environ}
        return Terminal(environ=environ, zone=UTC, now=lambda: datetime.fromtimestamp(NOON, UTC), **facts)

    def __call__(self, *args: str, terminal: Terminal | None = None, **facts: object) -> Result:
        return CliRunner().invoke(cli, args, obj=terminal or self.terminal(**facts), prog_name="watchdog")

    def ok(self, *args: str) -> str:
        result = self(*args)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    @property
    def orders(self) -> Mapping[str, dict[str, object]]:
        return dict(self.control.calls)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The fake daemon lives in this process; its log must not get into what the command line prints."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="wd-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def serve(short_directory: Path) -> Iterator[Callable[..., Running]]:
    """Starts daemons; ends them after the test."""
    ends: list[Callable[[], None]] = []

    def start(name: str = "w.sock", *, acknowledged_within_s: float = 5.0) -> Running:
        running = Running(short_directory / name, FakeControl(lambda: NOON))
        ends.append(_serve_in_thread(running, acknowledged_within_s))
        return running

    yield start
    for end in ends:
        end()


@pytest.fixture
def daemon(serve: Callable[..., Running]) -> Running:
    """One daemon with the fake bookstore."""
    return serve()


@pytest.fixture
def nobody(short_directory: Path) -> Running:
    """The command line where no daemon is."""
    return Running(short_directory / "w.sock", FakeControl(lambda: NOON))


def _serve_in_thread(running: Running, acknowledged_within_s: float) -> Callable[[], None]:
    started = threading.Event()
    loop_and_end: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def live() -> None:
        faces = Faces(
            control=running.control,
            clock=NoonClock(),
            socket_path=running.path,
            host="127.0.0.1",
            port=0,
            acknowledged_within_s=acknowledged_within_s,
        )
        await faces.start()
        end = asyncio.Event()
        loop_and_end.append((asyncio.get_running_loop(), end))
        started.set()
        await end.wait()
        for held in running.control.held.values():
            held.set()
        await faces.stop()

    def body() -> None:
        try:
            asyncio.run(live())
        finally:
            started.set()

    thread = threading.Thread(target=body, name="fake daemon")
    thread.start()
    assert started.wait(10)
    assert loop_and_end, "the fake daemon did not start: see the thread's traceback"

    def stop() -> None:
        loop, end = loop_and_end[0]
        if thread.is_alive():
            loop.call_soon_threadsafe(end.set)
        thread.join(10)
        assert not thread.is_alive()

    return stop
