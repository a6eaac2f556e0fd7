"""P15: one rollback a bad release, a few a window, never a rollback of a rollback; a fight is told, not fought.

Mutations tried, each fails here: `_book` without `ledger.condemn`, or without its act; `_fleet_acts` without what is under
way.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import Budget, CloseReason, Grade, Stage
from watchdog.testing.platforms import WriteFault

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_p15_a_bad_release_that_is_applied_five_times_is_rolled_back_once_and_the_fight_is_told_once() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.closed()
        for _ in range(5):
            api.unit.deploy("bad", by="gitops")
            await house.pass_(25)
            api.unit.deploy("good", by="ann")
            await house.pass_(15)
    assert house.writes == [("bad", "good")]
    assert len(house.told("fought")) == 1
    assert "fought over" in house.told("fought")[0].body
    incident = await house.incident()
    assert (incident.reason, incident.reopened) == (CloseReason.SUPERSEDED, 5)


async def test_p15_a_bad_release_that_comes_back_during_the_verification_is_not_rolled_back_again() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.VERIFYING)
        api.unit.deploy("bad", by="gitops")
        incident = await house.when(lambda found: found.stage is Stage.HELD)
        await house.pass_(60)
    assert house.writes == [("bad", "good")]
    assert incident.needs_human
    assert len(house.told("fought")) == 1


async def test_p15_the_budget_survives_a_restart() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.closed()
    async with house.running():
        await house.pass_(3)
        api.unit.deploy("bad", by="gitops")
        await house.pass_(60)
    assert house.writes == [("bad", "good")]
    assert len(house.told("fought")) == 1


async def test_p15_the_third_bad_release_in_a_day_waits_for_a_person() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        for number in (1, 2):
            house.go_bad(fingerprint=f"bad{number}")
            await house.until(lambda number=number: len(house.told("recovered")) == number)  # type: ignore[misc]
        house.go_bad(fingerprint="bad3")
        await house.pass_(60)
        found = {entry.blamed.fingerprint: entry for entry in await house.incidents()}
    assert house.writes == [("bad1", "good"), ("bad2", "good")]
    assert found["bad3"].stage is Stage.HELD
    assert "limit 2" in str(found["bad3"].decision)


async def test_p15_over_all_targets_only_so_many_even_when_all_break_in_the_same_second() -> None:
    house = House()
    names = ["a", "b", "c", "d"]
    for name in names:
        house.add(name, budget=Budget(fleet=2))
        await house.earn(name)
    async with house.running():
        await house.pass_(3)
        for name in names:
            house.go_bad(name)
        await house.pass_(90)
        stages = sorted(entry.stage for entry in await house.incidents())
    assert house.writes == [("bad", "good")] * 2
    assert stages == [Stage.CLOSED, Stage.CLOSED, Stage.HELD, Stage.HELD]


async def test_p15_a_write_that_is_still_under_way_counts_in_the_budget_of_all() -> None:
    house = House()
    names = ["a", "b", "c"]
    for name in names:
        house.add(name, budget=Budget(fleet=1)).unit.fail_next_write(WriteFault.APPLIED_NO_ANSWER)
        await house.earn(name)
    async with house.running():
        await house.pass_(3)
        for name in names:
            house.go_bad(name)
        await house.pass_(60)
    assert house.writes == [("bad", "good")]


async def test_p15_never_a_rollback_of_a_rollback() -> None:
    house = House()
    api = house.add()
    await house.earn()
    await house.known("older", grade=Grade.GOOD, graded_at=house.clock.now())
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.closed()
        await house.pass_(10)
        api.behaviour.bad["good"] = 1.0
        await house.pass_(60)
        found = {entry.blamed.fingerprint: entry for entry in await house.incidents()}
    assert house.writes == [("bad", "good")]
    assert (found["good"].stage, found["good"].needs_human) == (Stage.HELD, True)
