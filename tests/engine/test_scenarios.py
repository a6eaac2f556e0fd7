"""The whole daemon on fakes, in virtual time: what an operator would tell about it."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Stage

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_bad_release_is_noticed_rolled_back_once_and_verified() -> None:
    house = House()
    api = house.add()
    await house.earn()
    api.behaviour.bad["bad"] = 1.0
    async with house.running():
        await house.pass_(10)
        api.unit.deploy("bad")
        incident = await house.closed()
    assert incident.reason is CloseReason.RECOVERED, await house.story()
    assert house.writes == [("bad", "good")]
