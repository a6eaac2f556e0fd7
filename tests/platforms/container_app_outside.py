"""A container app as an `Outside` of the platform's contract, in single or in multiple mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from watchdog.clients.azure import Login
from watchdog.clients.azure_arm import Arm
from watchdog.engine.clock import SystemClock
from watchdog.platforms.container_app import ContainerAppPlatform, ContainerAppTarget, ContainerAppWriter
from watchdog.safety.permits import PermitOffice
from watchdog.testing.arm import NAME, FakeApp, FakeArm

IMAGES = {"one": "shop/api:1.0", "two": "shop/api:2.0", "three": "shop/api:3.0"}
CONFIG = ContainerAppTarget(target="api", subscription="sub", resource_group="shop", app=NAME)


class Outside:
    """An `Outside` of the contract: one app, in single or in multiple mode."""

    keeps_intents = True

    def __init__(self, server: FakeArm, mode: str) -> None:
        self.server, self.app, self.mode = server, server.app, mode
        self.clock, self.office = SystemClock(), PermitOffice(b"sixteen secret b")
        self.arm = Arm("prod", Login(kind="managed_identity"), endpoint=server.url)
        self.platform = ContainerAppPlatform(self.arm, CONFIG, self.clock)
        self.writer = ContainerAppWriter(self.arm, CONFIG, self.clock, self.office)

    async def deploy(self, name: str) -> None:
        self.app.deploy(IMAGES.get(name, name))
        self.app.traffic = [{"latestRevision": True, "weight": 100}]  # as a pipeline does that releases what it deploys

    async def settle(self) -> None:
        self.app.revisions[-1].ready_at = min(self.app.revisions[-1].ready_at, self.clock.now())
        async with asyncio.timeout(10):
            while not (await self.platform.read_state()).complete:
                await asyncio.sleep(0.05)

    async def cut(self) -> None:
        self.server.trouble = (503, {}, "{}")


@asynccontextmanager
async def opened(mode: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outside]:
    """The release ``one`` has run for an hour."""
    clock = SystemClock()
    app = FakeApp(clock.now, single=mode == "single", provisioning_s=0.6)
    app.deploy(IMAGES["one"])
    app.revisions[0].created = app.revisions[0].ready_at = clock.now() - 3600
    async with FakeArm(app) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        made = Outside(server, mode)
        yield made
        await made.arm.close()
