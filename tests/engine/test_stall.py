"""P13: after our own stall and after a start, old samples do not count.

Mutations tried, each fails here: `Poller._watch_ourselves` without its `rearm`; the credit of `_credit_due` without its cap.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.house import House
from watchdog.model import Stage

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def freeze(seconds: float) -> None:
    """The whole process stands still, as under SIGSTOP or a paused virtual machine: time goes on without it."""
    loop = asyncio.get_running_loop()
    loop._LoopTimeEventLoop__now += round(seconds * loop._LoopTimeEventLoop__resolution_reciprocal)  # type: ignore[attr-defined]


async def test_p13_a_stall_inside_a_breach_needs_fresh_failing_samples() -> None:
    house = House()
    house.add(n=5)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN and found.evidence)
        freeze(600)
        awake = house.clock.now()
        await house.until(lambda: house.writes)
        assert house.world.writes[0].at - awake >= 4  # five polls, one a second
        await house.closed()
    assert house.writes == [("bad", "good")]


async def test_p13_what_recovered_while_we_stood_still_is_not_rolled_back() -> None:
    house = House()
    api = house.add(n=5)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN and found.evidence)
        api.behaviour.bad.clear()
        freeze(600)
        await house.closed()
    assert house.writes == []


async def test_p13_a_stall_shortly_before_a_breach_leaves_the_streak_behind() -> None:
    house = House()
    api = house.add(n=4)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.deploy("next")
        await house.pass_(3)
        api.behaviour.bad["next"] = 1.0
        await house.pass_(3)
        freeze(600)
        await house.pass_(2.2)
        assert await house.incidents() == []
        api.behaviour.bad.clear()
        await house.pass_(20)
    assert (await house.incidents(), house.writes) == ([], [])


async def test_p13_a_start_collects_its_samples_anew() -> None:
    house = House()
    api = house.add(n=5, countdown_s=0.0)
    await house.earn()
    house.go_bad()
    api.unit.settle()
    async with house.running():
        polls = len(api.signals[0].polls)
        await house.until(lambda: house.writes)
        assert len(api.signals[0].polls) - polls >= 5


async def test_p13_time_that_was_slept_through_earns_no_grade() -> None:
    house = House()
    api = house.add(bake_s=300.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.deploy("next")
        await house.pass_(40)
        freeze(3600)
        await house.pass_(40)
        entry = (await house.record()).release("next")
        assert entry is not None
        assert entry.watched_s < 150
        assert not entry.is_good


async def test_p13_a_stall_is_known_also_when_the_supervisor_has_restarted_the_loop_first() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        loop = daemon.supervisor._loops["poll api/probe"]
        await daemon.supervisor._end(loop)
        freeze(600)
        daemon.supervisor._start(loop)
        await house.pass_(2)
        assert daemon.board.seen["api"].fresh_why.startswith("our own stall")
