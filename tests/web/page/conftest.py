"""The page on a real port in front of the fake control."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import yaml

from watchdog.testing.clock import WorldClock
from watchdog.testing.control import FakeControl
from watchdog.web.server import Faces
from watchdog.web.tokens import SCOPES, make_token


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


@dataclass
class Door(Looked):
    """A page where people may log in."""

    file: Path
    tokens: dict[str, str]

    def allow(self, name: str, *scopes: str, targets: tuple[str, ...] = ()) -> None:
        self.tokens[name], hashed = make_token(name)
        entries = yaml.safe_load(self.file.read_text()) if self.file.exists() else []
        entry = {"name": name, "hash": hashed, "scopes": list(scopes), "targets": list(targets)}
        self.file.write_text(yaml.safe_dump([*entries, entry]))

    async def log_in(self, name: str) -> str:
        """The mark that this session's forms carry."""
        status, _ = await self.post("/login", token=self.tokens[name])
        assert status == 200
        found = re.search(r'name="csrf" value="([^"]+)"', await self.get("/pauses"))
        return found[1] if found else ""

    async def post(self, path: str, headers: dict[str, str] | None = None, **form: str) -> tuple[int, str]:
        async with self.session.post(self.url + path, data=form, headers=headers) as reply:
            return reply.status, await reply.text()

    def did(self) -> list[str]:
        return [name for name, _ in self.control.calls if name in ("pause", "resume", "stop", "approve", "cancel")]


@pytest_asyncio.fixture
async def door(request: pytest.FixtureRequest, short_directory: Path, tmp_path: Path) -> AsyncIterator[Door]:
    clock = WorldClock()
    control = FakeControl(clock.now)
    control.add_incident("inc-1")
    found = Door(control, clock, None, None, tmp_path / "tokens.yaml", {})  # type: ignore[arg-type]
    found.allow("ann", *SCOPES)
    found.allow("eve", "read")
    found.allow("team", *SCOPES, targets=("bookstore-web",))
    found.faces = Faces(
        control=control,
        clock=clock,
        socket_path=short_directory / "w.sock",
        host="127.0.0.1",
        port=0,
        page=("127.0.0.1", 0),
        tokens=found.file,
        closed=getattr(request, "param", False),
    )
    await found.faces.start()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as found.session:
        yield found
    await found.faces.stop()
