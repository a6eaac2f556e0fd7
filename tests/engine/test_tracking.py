"""Tracking: what runs is known and earns its grade only by time that was watched."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import Grade, Mode, UnitRecord
from watchdog.ports import NotHolder
from watchdog.testing.leases import FakeLease

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def record_of(house: House) -> UnitRecord:
    return await house.record()


async def test_a_release_earns_the_grade_good_by_its_bake_and_is_then_the_way_back() -> None:
    house = House()
    api = house.add(bake_s=60.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.deploy("next")
        await house.pass_(50)
        entry = (await record_of(house)).release("next")
        assert entry is not None
        assert entry.grade is Grade.NEW
        await house.pass_(40)
        entry = (await record_of(house)).release("next")
        assert entry is not None
        assert entry.grade is Grade.GOOD
        house.go_bad()
        await house.closed()
    assert house.writes == [("bad", "next")]


@pytest.mark.parametrize("why", ["paused", "blind", "failing"])
async def test_time_that_was_not_watched_earns_nothing(why: str) -> None:
    house = House()
    api = house.add(bake_s=60.0, mode=Mode.OBSERVE)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        if why == "paused":
            await house.pause(3000)
        api.unit.deploy("next")
        await house.pass_(3)
        if why == "blind":
            api.behaviour.unknown = "no answer"
        elif why == "failing":
            api.behaviour.bad["next"] = 1.0
        await house.pass_(200)
        entry = (await record_of(house)).release("next")
    assert entry is not None
    assert entry.grade is Grade.NEW
    assert entry.watched_s < 60


async def test_user_events_are_demanded_where_something_counts_them() -> None:
    house = House()
    api = house.add(bake_s=30.0, bake_events=1000)
    api.signals[0].counts_users = True
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.deploy("next")
        await house.pass_(100)
        entry = (await record_of(house)).release("next")
        assert entry is not None
        assert entry.grade is Grade.NEW
        api.behaviour.events = 50
        await house.pass_(40)
        entry = (await record_of(house)).release("next")
    assert entry is not None
    assert entry.grade is Grade.GOOD
    assert entry.events >= 1000


async def test_what_ran_for_long_before_the_first_look_is_assumed_good_while_healthy() -> None:
    house = House()
    house.add()
    async with house.running():
        await house.pass_(30)
    entry = (await record_of(house)).release("good")
    assert entry is not None
    assert entry.grade is Grade.ASSUMED_GOOD


async def test_the_baseline_survives_a_restart_and_holds_no_minutes_of_an_incident() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(180)
        house.go_bad()
        await house.closed()
        await house.pass_(60)
    minutes = (await record_of(house)).minutes
    assert sum(minute.good for minute in minutes) >= 150
    assert sum(minute.bad for minute in minutes) == 0
    async with house.running():
        await house.pass_(30)
    assert len((await record_of(house)).minutes) >= len(minutes)


async def test_a_platform_that_cannot_be_read_is_said_and_recovers_by_itself() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        for reason, hang in (("connection refused", False), ("", True)):
            api.unit.fail_reads(reason, hang=hang)
            await house.pass_(40)
            assert "the platform cannot be read" in house.control.status()["targets"][0]["sentence"]
            api.unit.fail_reads()
            await house.pass_(12)
            assert "cannot be read" not in house.control.status()["targets"][0]["sentence"]
        house.go_bad()
        incident = await house.closed()
    assert incident.reason == "recovered"


async def test_a_platform_that_cannot_be_read_at_the_breach_holds_blind_until_it_can() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.pass_(1.5)
        api.unit.fail_reads("connection refused")
        incident = await house.when(lambda found: found.decision)
        await house.pass_(40)
        assert incident.decision is not None
        assert (incident.decision.outcome, house.writes) == ("blind", [])
        api.unit.fail_reads()
        closed = await house.closed()
    assert (closed.reason, house.writes) == ("recovered", [("bad", "good")])


async def test_a_daemon_that_stands_by_reads_the_ledger_and_keeps_its_hands_off() -> None:
    house = House()
    house.add()
    await house.earn()
    assert isinstance(house.lease, FakeLease)
    house.lease.force(NotHolder(holder="other"))
    async with house.running() as daemon:
        await house.pass_(60)
        assert daemon.board.seen["api"].record is not None
        assert house.life.writes == []


async def test_breach_and_release_noticed_late_blame_the_release_that_failed() -> None:
    """Polls are faster than reads of the platform: the breach waits until tracking has seen what runs."""
    house = House()
    api = house.add(n=2, countdown_s=2.0)
    api.track_s = 15.0
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert [found.blamed.fingerprint for found in await house.incidents()] == ["bad"]
    assert (incident.reason, house.writes) == ("recovered", [("bad", "good")])
