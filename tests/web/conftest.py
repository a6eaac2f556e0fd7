"""The faces on a real unix socket and a real TCP port, in front of the fake control."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from watchdog.testing.clock import WorldClock
from watchdog.testing.control import FakeControl
from watchdog.web.server import Faces


@dataclass
class Served:
    """What a test asks, and what stands behind it."""

    control: FakeControl
    clock: WorldClock
    faces: Faces
    session: aiohttp.ClientSession
    path: Path

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(f"http://watchdog/api/v1{path}") as reply:
            return reply.status, await reply.json(content_type=None)

    async def post(self, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
        async with self.session.request(method, f"http://watchdog/api/v1{path}", json=body) as reply:
            return reply.status, await reply.json(content_type=None)


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="wd-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def served_on(path: Path, **changes: Any) -> AsyncIterator[Served]:
    clock = WorldClock()
    control = FakeControl(clock.now)
    faces = Faces(control=control, clock=clock, socket_path=path, host="127.0.0.1", port=0, **changes)
    await faces.start()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
            yield Served(control, clock, faces, session, path)
    finally:
        await faces.stop()


@pytest_asyncio.fixture
async def served(short_directory: Path) -> AsyncIterator[Served]:
    async with served_on(short_directory / "w.sock") as running:
        yield running
