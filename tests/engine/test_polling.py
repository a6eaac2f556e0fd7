"""The poll loop: steady phases, no bunching, and every trouble of a source ends with its poll."""

from __future__ import annotations

import statistics
from itertools import pairwise

import pytest

from tests.engine.house import House
from watchdog.engine.polling import phase

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_phases_are_the_same_after_a_restart_and_spread_over_the_interval() -> None:
    phases = [phase(f"target-{n}", "probe", 5.0) for n in range(200)]
    assert phases == [phase(f"target-{n}", "probe", 5.0) for n in range(200)]
    assert all(0 <= one < 5 for one in phases)
    assert 2 < statistics.mean(phases) < 3
    assert statistics.stdev(phases) > 1


async def test_polls_come_on_the_grid_of_the_interval() -> None:
    house = House()
    api = house.add()
    async with house.running():
        await house.pass_(30)
        moments = api.signals[0].polls
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(gap == pytest.approx(1.0, abs=1e-6) for gap in gaps)
    assert (moments[0] - house.started) % 1.0 == pytest.approx(phase("api", "probe", 1.0), abs=1e-5)


async def test_a_slow_poll_skips_moments_instead_of_bunching_them() -> None:
    house = House()
    api = house.add()
    api.timeout_s = 3.5
    async with house.running():
        await house.pass_(5)
        api.signals[0].hang = True
        await house.pass_(4)
        api.signals[0].hang = False
        polls = len(api.signals[0].polls)
        await house.pass_(10)
        assert 8 <= len(api.signals[0].polls) - polls <= 11
        assert house.daemon is not None
        assert house.daemon.board.seen["api"].verdict is not None


async def test_a_target_that_hangs_costs_only_its_own_deadline() -> None:
    house = House()
    api, web = house.add(), house.add("web")
    async with house.running():
        await house.pass_(3)
        api.signals[0].hang = True
        polls = len(web.signals[0].polls)
        await house.pass_(30)
        row = house.control.status()["targets"][1]
        assert len(web.signals[0].polls) - polls == 30
        assert row["late_polls"] == 0
