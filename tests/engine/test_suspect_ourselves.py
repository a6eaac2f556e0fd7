"""P14: when most independent groups, or our reference probe, fail at once, we suspect ourselves and hold everything.

Mutations tried, each fails here: `Gatherer.suspicion` counting targets instead of groups, or not handed to the gate.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import Stage

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def fleet(house: House, *groups: str) -> list[str]:
    names = [f"t{number}" for number in range(len(groups))]
    for name, group in zip(names, groups, strict=True):
        house.add(name, group=group)
        await house.earn(name)
    return names


async def test_p14_ten_groups_that_fail_together_are_held_and_told_once() -> None:
    house = House()
    names = await fleet(house, *(f"g{number}" for number in range(10)))
    async with house.running():
        await house.pass_(3)
        for name in names:
            house.go_bad(name)
        await house.pass_(40)
        assert {found.stage for found in await house.incidents()} == {Stage.HELD}
    assert house.writes == []
    assert len(house.told("suspect-self")) == 1


async def test_p14_one_of_ten_groups_that_fails_is_rolled_back() -> None:
    house = House()
    names = await fleet(house, *(f"g{number}" for number in range(10)))
    async with house.running():
        await house.pass_(3)
        house.go_bad(names[4])
        await house.until(lambda: house.writes)
    assert house.writes == [("bad", "good")]
    assert house.told("suspect-self") == []


async def test_p14_many_targets_of_one_group_are_one_failure() -> None:
    house = House()
    names = await fleet(house, *["big"] * 6, "g1", "g2", "g3", "g4")
    async with house.running():
        await house.pass_(3)
        for name in names[:6]:
            house.go_bad(name)
        await house.until(lambda: house.writes)
    assert house.told("suspect-self") == []


async def test_p14_api_and_web_of_the_only_group_both_red_are_rolled_back_one_after_the_other() -> None:
    house = House()
    names = await fleet(house, "shop", "shop")
    async with house.running():
        await house.pass_(3)
        for name in names:
            house.go_bad(name)
        await house.until(lambda: len(house.writes) == 2)
        first, second = house.world.writes
        assert second.at - first.at >= 10  # one in flight a group: the second waits for the first one's verification
    assert house.writes == [("bad", "good")] * 2


async def test_p14_a_failing_reference_probe_holds_and_its_recovery_lets_go() -> None:
    house = House()
    await fleet(house, "shop")
    outside = house.add("outside", platform=False)
    house.reference = ("outside",)
    async with house.running():
        await house.pass_(5)
        outside.behaviour.dependency_down = True
        house.go_bad("t0")
        await house.pass_(40)
        assert house.writes == []
        assert len(house.told("suspect-self")) == 1
        outside.behaviour.dependency_down = False
        await house.until(lambda: house.writes)
