"""P22: a first start on an unknown environment only observes until somebody arms it.

Mutations tried, each fails here: `_born` always armed; `armed_at_birth` answering True while the store is not begun.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Stage
from watchdog.ports import StoreUnavailable

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_p22_a_fresh_store_yields_a_would_have_record_only_until_it_is_armed() -> None:
    house = House()
    house.add()
    async with house.running():
        await house.pass_(60)
        assert house.control.status()["headline"].startswith("OBSERVE: the store was empty")
        house.go_bad()
        incident = await house.closed()
        assert (incident.reason, house.writes) == (CloseReason.WOULD_HAVE, [])
        assert "watchdog arm" in incident.entries[-2].sentence
        await house.control.arm("ann", None)
        assert house.control.status()["headline"] == "ARMED"
        await house.until(lambda: house.writes)
    assert house.writes == [("bad", "good")]
    assert (await house.record()).armed_by == "ann"


async def test_p22_what_is_not_armed_stays_so_over_a_restart_and_what_is_armed_too() -> None:
    house = House()
    house.add()
    async with house.running():
        await house.pass_(30)
    async with house.running():
        await house.pass_(5)
        house.go_bad()
        incident = await house.closed()
        assert (incident.reason, house.writes) == (CloseReason.WOULD_HAVE, [])
        await house.control.arm("ann", "api")
        await house.pass_(1)
    async with house.running():
        await house.until(lambda: house.writes)


async def test_p22_act_by_wish_acts_on_a_release_whose_start_was_seen() -> None:
    house = House()
    house.add(first_start="act")
    house.first_start = "act"
    async with house.running():
        await house.pass_(60)
        assert house.control.status()["headline"] == "ARMED"
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p22_act_by_wish_does_not_act_on_a_release_that_was_there_before() -> None:
    house = House()
    api = house.add(first_start="act")
    house.first_start = "act"
    api.behaviour.bad["bad"] = 1.0
    api.unit.deploy("bad")
    await house.pass_(10)
    async with house.running():
        await house.pass_(60)
        incident = await house.incident()
    assert house.writes == []
    assert incident.stage in (Stage.HELD, Stage.CLOSED)


async def test_p22_as_long_as_it_is_not_known_whether_this_is_a_first_start_no_unit_is_born_armed() -> None:
    house = House()
    house.add()
    real, down = house.store.found_empty, [True]

    async def found_empty() -> bool:
        if down[0]:
            raise StoreUnavailable("not now")
        return await real()

    house.store.found_empty = found_empty  # type: ignore[method-assign]
    async with house.running() as daemon:
        await house.pass_(20)
        assert (daemon.begun, await house.inner.list("unit")) == (False, [])
        down[0] = False
        await house.pass_(30)
        assert daemon.first_start
        house.go_bad()
        await house.closed()
    assert house.writes == []
    assert not (await house.record()).armed
