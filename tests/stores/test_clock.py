"""The clock of tests follows the loop, and steps only where it is told to."""

from __future__ import annotations

import asyncio

import pytest

from watchdog.model import iso
from watchdog.testing.clock import WorldClock


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_utc_and_intervals_both_follow_the_loop():
    clock = WorldClock()
    assert iso(clock.now()) == "2026-01-01T00:00:00.000000Z"
    before = clock.monotonic()
    await clock.sleep(3600)
    assert clock.monotonic() - before == pytest.approx(3600)
    assert iso(clock.now()) == "2026-01-01T01:00:00.000000Z"
    assert clock.monotonic() == asyncio.get_running_loop().time()


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_step_moves_the_wall_clock_alone():
    clock = WorldClock()
    start, before = clock.now(), clock.monotonic()
    clock.step(-3600)
    assert clock.now() - start == -3600
    assert clock.monotonic() == before


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("seconds", [0, -5])
async def test_sleeping_for_nothing_yields_once(seconds):
    ran = []
    other = asyncio.create_task(asyncio.sleep(0, ran.append(1)))
    await WorldClock().sleep(seconds)
    assert other.done() or ran == [1]
    await other
