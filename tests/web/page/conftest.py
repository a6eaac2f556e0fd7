"""The page on a real port in front of the fake control."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest_asyncio

from watchdog.testing.clock import WorldClock
from watchdog.testing.control import FakeControl
from watchdog.web.server import Faces


@dataclass
class Looked:
    """A browser's view, and what stands behind it."""

    control: FakeControl
    clock: WorldClock
    faces: Faces
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.faces.page_port}"

    async def get(self, path: str, status: int = 200) -> str:
        async with self.session.get(self.url + path) as reply:
            assert reply.status == status, await reply.text()
            return await reply.text()


@pytest_asyncio.fixture
async def page(short_directory: Path) -> AsyncIterator[Looked]:
    clock = WorldClock()
    control = FakeControl(clock.now)
    faces = Faces(
        control=control,
        clock=clock,
        socket_path=short_directory / "w.sock",
        host="127.0.0.1",
        port=0,
        page=("127.0.0.1", 0),
    )
    await faces.start()
    async with aiohttp.ClientSession() as session:
        yield Looked(control, clock, faces, session)
    await faces.stop()
