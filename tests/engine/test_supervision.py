"""P18: a hung loop is started anew three times and then given up, loudly; liveness is the progress of what matters.

Mutations tried, each fails here: `Loop.silent_s` by the beat alone; `_start` marking the beat (a hung engine is then never
seen by liveness); `Board.look` without the signals that are gone; restarts never forgiven.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from tests.engine.conftest import Log
from tests.engine.house import House
from watchdog.engine.supervisor import Beat, LoopGivenUp, Supervisor
from watchdog.model import Sample
from watchdog.ports import NotHolder, PollContext
from watchdog.testing.clock import WorldClock
from watchdog.testing.leases import FakeLease
from watchdog.testing.signals import FakeSignal

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def ignore_cancellation(let_go: asyncio.Event) -> None:
    """Wait, whatever anybody says; a test that failed meanwhile still ends, after an hour."""
    end = asyncio.get_running_loop().time() + 3600
    while not let_go.is_set() and asyncio.get_running_loop().time() < end:
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            async with asyncio.timeout_at(end):
                await let_go.wait()


class Stubborn(FakeSignal):
    """A broken signal that neither answers nor lets itself be cancelled, until it is let go."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.let_go = asyncio.Event()
        self.stubborn = False

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        if self.stubborn:
            await ignore_cancellation(self.let_go)
        return await super().poll(context)


async def test_p18_a_hung_poller_is_restarted_three_times_then_blind_while_the_others_are_on_time(log: Log) -> None:
    house = House()
    api = house.add()
    house.add("web")
    hung = Stubborn("probe", api.unit, api.behaviour)
    api.signals = [hung]
    await house.earn()
    await house.earn("web")
    async with house.running() as daemon:
        await house.pass_(5)
        hung.stubborn = True
        polls = len(house.targets["web"].signals[0].polls)
        await house.pass_(240)
        loops = {loop["name"]: loop for loop in daemon.supervisor.loops()}
        assert loops["poll api/probe"]["restarts"] == 3
        assert loops["poll api/probe"]["state"] == "gone"
        assert len(house.targets["web"].signals[0].polls) - polls >= 235
        web = house.control.status()["targets"][1]
        assert (web["state"], web["late_polls"]) == ("healthy", 0)
        assert house.control.health()["live"]
        row = house.control.status()["targets"][0]
        assert row["state"] == "blind"
        assert "its loop was given up" in row["sentence"]
        assert len(house.told("blind")) == 1
        assert ["poll api/probe was given up" in notice.body for notice in house.told("gone")] == [True]
        hung.let_go.set()
        await house.pass_(1)
    assert len(log.actions("loop_hangs")) == 4
    assert log.actions("loop_gone")
    assert house.writes == []


@pytest.mark.parametrize("paused", [False, True])
async def test_p18_a_hung_engine_fails_liveness_paused_or_not(paused: bool, log: Log) -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(5)
        if paused:
            await house.pause()
        assert house.control.health()["live"]
        hang = asyncio.Event()

        async def acquire() -> object:
            await ignore_cancellation(hang)
            return house.lease.state()

        real, house.lease.acquire = house.lease.acquire, acquire  # type: ignore[method-assign,assignment]
        await house.pass_(62 + 5)
        health = house.control.health()
        hang.set()
        house.lease.acquire = real  # type: ignore[method-assign]
        assert not health["live"]
        assert "engine" in health["sentence"]
        await house.pass_(40)
        assert house.control.health()["live"]


async def test_p18_readiness_is_not_the_lease() -> None:
    house = House()
    house.add()
    await house.earn()
    assert isinstance(house.lease, FakeLease)
    house.lease.force(NotHolder(holder="other"))
    async with house.running():
        await house.pass_(5)
        health = house.control.health()
    assert (health["live"], health["ready"]) == (True, True)


async def test_p18_every_loop_shows_the_time_of_its_last_progress() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(5)
        loops = {loop["name"]: loop for loop in house.control.health()["loops"]}
    assert set(loops) == {"poll api/probe", "track api", "respond api", "outbox", "engine", "care"}
    assert all(0 <= loop["last_s"] <= 3 and loop["state"] == "on_time" for loop in loops.values())


async def test_a_response_that_waits_for_a_slow_outside_is_no_standstill() -> None:
    """Every read of a pass takes almost as long as it may: that is slow, and it is progress."""
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        platform = daemon.board.seen["api"].watch.platform
        assert platform is not None
        for name in ("read_state", "detect_owner", "history", "preflight", "plan", "confirm"):
            slow(platform, name, 2.0)
        house.go_bad()
        incident = await house.closed(within=600)
        assert house.control.health()["live"]
    assert incident.reason == "recovered"
    assert house.writes == [("bad", "good")]


def slow(thing: object, name: str, seconds: float) -> None:
    real = getattr(thing, name)

    async def slowly(*args: object) -> object:
        await asyncio.sleep(seconds)
        return await real(*args)

    setattr(thing, name, slowly)


# -- the supervisor alone ----------------------------------------------------------------------------------------------


async def supervised(supervisor: Supervisor, seconds: float) -> BaseException | None:
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    await asyncio.sleep(seconds)
    stop.set()
    found = (await asyncio.gather(task, return_exceptions=True))[0]
    await supervisor.end()
    return found if isinstance(found, BaseException) else None


async def test_a_loop_that_returns_or_raises_is_noticed_and_started_anew(log: Log) -> None:
    log.bugs_expected = True
    supervisor, began = Supervisor(WorldClock()), []

    async def returns(beat: Beat) -> None:
        began.append("returns")

    async def raises(beat: Beat) -> None:
        began.append("raises")
        raise KeyError("x")

    gone: list[str] = []
    supervisor.add("returns", returns, limit_s=5, on_gone=gone.append)
    supervisor.add("raises", raises, limit_s=5, on_gone=gone.append)
    assert await supervised(supervisor, 20) is None
    assert (began.count("returns"), began.count("raises")) == (4, 4)
    assert sorted(gone) == ["KeyError: 'x'", "returned, though it should run for ever"]


async def test_an_essential_loop_that_is_given_up_ends_the_run(log: Log) -> None:
    log.bugs_expected = True
    supervisor = Supervisor(WorldClock())

    async def returns(beat: Beat) -> None:
        await asyncio.sleep(1)

    supervisor.add("engine", returns, limit_s=5, essential=True)
    assert isinstance(await supervised(supervisor, 30), LoopGivenUp)


async def test_a_loop_that_fails_seldom_is_never_given_up(log: Log) -> None:
    log.bugs_expected = True
    supervisor, began = Supervisor(WorldClock()), []

    async def fails_seldom(beat: Beat) -> None:
        began.append(1)
        for _ in range(11):
            await asyncio.sleep(60)
            beat.mark()

    supervisor.add("seldom", fails_seldom, limit_s=120)
    await supervised(supervisor, 8 * 661)
    (loop,) = supervisor.loops()
    assert loop["state"] == "on_time"
    assert len(began) > 4


async def test_many_loops_that_ignore_cancellation_do_not_keep_the_supervisor_from_its_rounds(log: Log) -> None:
    log.bugs_expected = True  # a stubborn loop returns in the end
    supervisor, let_go = Supervisor(WorldClock()), asyncio.Event()

    async def stubborn(beat: Beat) -> None:
        await ignore_cancellation(let_go)

    async def well(beat: Beat) -> None:
        while True:
            beat.mark()
            await asyncio.sleep(1)

    for number in range(20):
        supervisor.add(f"stubborn {number}", stubborn, limit_s=10)
    supervisor.add("well", well, limit_s=10, essential=True)
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    for _ in range(100):
        await asyncio.sleep(1)
        assert supervisor.standing_still() == []
    let_go.set()
    stop.set()
    await task
    await supervisor.end()


async def test_the_event_loop_that_stands_still_is_seen() -> None:
    supervisor = Supervisor(WorldClock())
    stop = asyncio.Event()
    task = asyncio.create_task(supervisor.run(stop))
    await asyncio.sleep(2)
    loop = asyncio.get_running_loop()
    loop._LoopTimeEventLoop__now += round(90 * loop._LoopTimeEventLoop__resolution_reciprocal)  # type: ignore[attr-defined]
    assert supervisor.standing_still() == ["event loop"]
    await asyncio.sleep(2)
    assert supervisor.standing_still() == []
    assert supervisor.lag < 1
    stop.set()
    await task
