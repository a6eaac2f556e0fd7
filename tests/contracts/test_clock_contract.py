"""What every clock must do, run on the machine's and on that of tests."""

from __future__ import annotations

import asyncio
import math

import pytest

from watchdog.engine.clock import SystemClock
from watchdog.ports import Clock
from watchdog.testing.clock import WorldClock

pytestmark = pytest.mark.asyncio

SHORT = 0.03
SPARE = 5.0
"""A starved machine may sleep much longer than it was told, never shorter."""


@pytest.fixture(params=[SystemClock, WorldClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


async def test_now_is_utc_seconds_of_this_age(clock: Clock) -> None:
    now = clock.now()
    assert isinstance(now, float)
    assert math.isfinite(now)
    assert 1_735_689_600 < now < 4_102_444_800  # 2025 to 2100


async def test_intervals_are_the_running_loops(clock: Clock) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert before <= clock.monotonic() <= loop.time()


async def test_a_sleep_lasts_as_long_as_it_was_told_on_both_clocks(clock: Clock) -> None:
    wall, began = clock.now(), clock.monotonic()
    await clock.sleep(SHORT)
    slept = clock.monotonic() - began
    assert SHORT * 0.99 <= slept < SHORT + SPARE
    assert clock.now() - wall == pytest.approx(slept, abs=SPARE)
    assert clock.now() > wall


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_a_sleep_for_nothing_lets_others_run_once(clock: Clock, seconds: float) -> None:
    ran: list[int] = []
    asyncio.get_running_loop().call_soon(ran.append, 1)
    await clock.sleep(seconds)
    assert ran == [1]


async def test_a_sleep_can_be_cancelled(clock: Clock) -> None:
    sleeper = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper
