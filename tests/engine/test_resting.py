"""At rest the outside and the store are left alone; whatever is not at rest is looked at as ever.

Guards that were removed once to see a test fail: the quiet of signals, the wellness of instances, the resync, the time of the state.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.house import House, Target
from watchdog.engine import resting
from watchdog.model import Grade, WorkloadState
from watchdog.safety.permits import PermitOffice
from watchdog.testing.platforms import FakePlatform, FakeUnit, FakeWriter, WatchedPlatform

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
HOUR = 3600.0


class Liar(WatchedPlatform):
    """Whose watch never tells of anything."""

    def unchanged(self, since: float) -> bool:
        return self._first is not None


def watched(
    house: House, kind: type[WatchedPlatform] = WatchedPlatform, **changes: object
) -> tuple[Target, Callable[[], WatchedPlatform]]:
    """A target whose platform watches; the latter as the daemon made it."""
    made: list[WatchedPlatform] = []

    def connect(unit: FakeUnit, office: PermitOffice) -> tuple[FakePlatform, FakeWriter]:
        made.append(kind(unit))
        return made[-1], FakeWriter(unit, office)

    target = house.add(**changes)
    target.connect = connect
    return target, lambda: made[-1]


async def test_at_rest_the_platform_is_read_a_few_times_an_hour_and_the_store_hardly_written() -> None:
    house = House()
    _, platform = watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(60)
        before, written = platform().looks, len(house.life.writes)
        await house.pass_(HOUR)
        assert platform().looks - before <= HOUR / resting.RESYNC_S + 1
        assert len(house.life.writes) - written <= HOUR / resting.KEEP_S + 5
        seen = house.daemon.board.seen["api"]
        assert house.clock.now() - seen.state.at <= 2.0
        assert house.control.status()["targets"][0]["state"] == "healthy"


async def test_a_release_is_seen_as_soon_as_it_is_told_and_a_bad_one_goes_back() -> None:
    house = House()
    api, _ = watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        api.unit.deploy("bad")
        await house.pass_(2)
        assert house.daemon.board.seen["api"].state.release.fingerprint == "bad"
        api.behaviour.bad["bad"] = 1.0
        incident = await house.closed()
    assert (incident.reason, house.writes) == ("recovered", [("bad", "good")])


async def test_a_new_release_earns_its_grade_in_time() -> None:
    house = House()
    api, _ = watched(house, bake_s=60.0)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        api.unit.deploy("next")
        await house.pass_(90)
        entry = (await house.record()).release("next")
        assert entry is not None
        assert entry.grade is Grade.GOOD


@pytest.mark.parametrize("trouble", ["nobody tells", "a signal fails", "an instance has a problem", "paused rollout"])
async def test_without_rest_it_is_read_as_ever(trouble: str) -> None:
    house = House()
    api, platform = watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        if trouble == "nobody tells":
            platform().told = False
        elif trouble == "a signal fails":
            api.behaviour.bad["good"] = 1.0
            await house.pass_(20)
        elif trouble == "an instance has a problem":
            api.unit.stuck["good"] = "CrashLoopBackOff"
        else:
            api.unit.paused = True
        await house.pass_(3)
        before = platform().looks
        await house.pass_(60)
        assert platform().looks - before >= 50


async def test_a_watch_that_tells_nothing_costs_time_and_no_truth() -> None:
    house = House()
    api, _ = watched(house, Liar)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        api.unit.deploy("bad")
        await house.pass_(20)
        assert house.daemon.board.seen["api"].state.release.fingerprint == "good"  # nobody told
        api.behaviour.bad["bad"] = 1.0
        incident = await house.closed()
    assert (incident.reason, house.writes) == ("recovered", [("bad", "good")])


async def test_a_watch_that_tells_nothing_is_found_out_by_the_read_that_comes_all_the_same() -> None:
    house = House()
    api, _ = watched(house, Liar)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        api.unit.deploy("next")
        await house.pass_(resting.RESYNC_S + 5)
        assert house.daemon.board.seen["api"].state.release.fingerprint == "next"


async def test_the_state_at_rest_is_as_of_now_so_that_a_signal_of_the_workload_does_not_go_stale() -> None:
    house = House()
    watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(250)
        seen = house.daemon.board.seen["api"]
        assert isinstance(seen.state, WorkloadState)
        assert house.clock.now() - seen.state.at < 3 * 5.0
