"""The contract of the platform port, on the fake and on the command platform with the example of its documentation."""

from __future__ import annotations

import pytest_asyncio

from tests.platforms.appctl import Appctl
from tests.platforms.contract import PlatformContract
from watchdog.safety.permits import PermitOffice
from watchdog.testing.clock import WorldClock
from watchdog.testing.platforms import FakeWorld


class FakeOutside:
    keeps_intents = True

    def __init__(self) -> None:
        self.clock = WorldClock()
        self.office = PermitOffice(b"sixteen secret b")
        world = FakeWorld(self.clock)
        self.unit = world.add("shop", "one")
        self.platform, self.writer = world.connect("shop", self.office)

    async def deploy(self, name: str) -> None:
        self.unit.deploy(name)

    async def settle(self) -> None:
        self.unit.settle()

    async def cut(self) -> None:
        self.unit.fail_reads("the outside does not answer")


class TestFakePlatform(PlatformContract):
    @pytest_asyncio.fixture
    async def outside(self):
        return FakeOutside()


class TestCommandPlatform(PlatformContract):
    @pytest_asyncio.fixture(params=["keeps intents", "forgetful"])
    async def outside(self, request, tmp_path):
        made = Appctl(tmp_path, forgetful=request.param == "forgetful")
        await made.deploy("one")
        await made.settle()
        return made
