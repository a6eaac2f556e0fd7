"""Once an hour old bundles make room, and the recorder is told which incidents are open."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import Mode

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_open_incidents_are_named_and_closed_ones_are_not() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(12)
        house.go_bad()
        closed = await house.closed()
        await house.pass_(3600)
        assert house.recorder.tidied[0] == frozenset()
        assert closed.id not in house.recorder.tidied[-1]
        assert len(house.recorder.tidied) == 2


async def test_an_incident_that_waits_for_a_person_keeps_its_bundle() -> None:
    house = House()
    house.mode = "ask"
    house.add(mode=Mode.ASK, ask_timeout_s=10_000.0)
    await house.earn()
    async with house.running():
        await house.pass_(12)
        house.go_bad()
        asked = await house.when(lambda found: found.stage.value == "asked")
        await house.pass_(3700)
        assert asked.id in house.recorder.tidied[-1]


async def test_without_the_store_nobody_is_told_to_remove_anything() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(5)
        before = len(house.recorder.tidied)
        house.store.unavailable = True
        await house.pass_(7300)
        assert len(house.recorder.tidied) == before
        house.store.unavailable = False
