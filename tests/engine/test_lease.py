"""P10 and P11: no act without a lease that outlasts it; unknown is not lost; a stepping wall clock changes nothing.

Mutations tried, each fails here: `Gatherer.may_write` answering True; `Care.keep_lease` without `lose`; `Stopwatch` on the
wall clock; `Care._watch_the_clock` without its `rearm_all`.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.conftest import Log
from tests.engine.house import House
from watchdog.engine.daemon import Daemon, LeaseLost
from watchdog.model import CloseReason, Stage
from watchdog.ports import LeaseUnknown, NotHolder
from watchdog.testing.leases import FakeLease
from watchdog.testing.platforms import WriteFault

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def lease(house: House) -> FakeLease:
    assert isinstance(house.lease, FakeLease)
    return house.lease


async def test_p10_a_lease_with_three_seconds_left_is_not_enough_and_its_renewal_is() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        lease(house).remaining = 3.0
        house.go_bad()
        await house.pass_(60)
        incident = await house.incident()
        assert (incident.stage, house.writes) == (Stage.HELD, [])
        lease(house).remaining = 30.0
        closed = await house.closed()
    assert (closed.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p10_a_request_is_always_shorter_than_what_the_lease_has_left() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        lease(house).remaining = 8.0
        api.unit.fail_next_write(WriteFault.NO_ANSWER)
        house.go_bad()
        incident = await house.when(lambda found: any(entry.kind == "unclear" for entry in found.entries))
        assert daemon.gatherer.write_deadline(10.0) == 6.0
        (unclear,) = [entry for entry in incident.entries if entry.kind == "unclear"]
        assert unclear.at - incident.intents[0].stored_at <= 8.0
        await house.closed()


@pytest.mark.parametrize("step", [3600.0, -3600.0])
@pytest.mark.parametrize("stage", [Stage.COUNTDOWN, Stage.ISSUED, Stage.VERIFYING])
async def test_p10_a_step_of_the_wall_clock_changes_nothing(step: float, stage: Stage) -> None:
    """Neither an act without a lease, nor a countdown cut short, nor an outcome that is given up."""
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is stage)
        breach = house.clock.monotonic()
        house.clock.step(step)
        if stage is Stage.COUNTDOWN:
            await house.pass_(5)
            assert house.writes == []
        incident = await house.closed()
        assert house.clock.monotonic() - breach < 60
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")]), await house.story()


async def test_p10_a_step_of_the_wall_clock_does_not_make_a_short_lease_long_enough() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        lease(house).remaining = 3.0
        house.go_bad()
        await house.pass_(20)
        house.clock.step(3600)
        await house.pass_(40)
    assert house.writes == []


async def test_p10_a_lost_lease_ends_the_daemon_its_write_is_cancelled_and_awaited_and_nothing_new_begins() -> None:
    house = House()
    api = house.add()
    await house.earn()
    daemon = Daemon(house.setup(), house.store, house.lease, house.recorder, house.clock, b"0123456789abcdef")
    house.daemon = daemon
    running = asyncio.create_task(daemon.run())
    await house.pass_(3)
    api.unit.fail_next_write(WriteFault.HANGS)
    house.go_bad()
    await house.when(lambda found: found.stage is Stage.INTENDED)
    lease(house).force(NotHolder(holder="other"))
    with pytest.raises(LeaseLost, match="other"):
        await asyncio.wait_for(running, 60)
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert house.writes == []
    assert lease(house).released == 1
    incident = await house.incident()
    assert (incident.stage, incident.intents[-1].open) == (Stage.INTENDED, True)


async def test_p10_a_lease_that_goes_between_the_intent_and_the_request_sends_nothing() -> None:
    house = House()
    house.add()
    await house.earn()

    def gone(verb: str, key: str) -> None:
        del verb
        if key.startswith("incident/") and '"intended"' in house.inner._texts[key][0]:
            lease(house).force(LeaseUnknown(reason="the lock file was replaced"))

    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.evidence)
        house.store.after_write = gone
        await house.when(lambda found: found.stage is Stage.INTENDED)
        await house.pass_(30)
        assert house.writes == []
        house.store.after_write = None
        lease(house).force(None)
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p11_unknown_and_lost_differ_in_log_headline_metric_and_notice(log: Log) -> None:
    unknown = House()
    unknown.add()
    await unknown.earn()
    async with unknown.running():
        await unknown.pass_(3)
        lease(unknown).force(LeaseUnknown(reason="no answer"))
        unknown.go_bad()
        await unknown.pass_(40)
        status = unknown.control.status()
        incident = await unknown.incident()
    assert (incident.stage, unknown.writes) == (Stage.HELD, [])
    assert status["headline"].startswith("BLIND")
    assert status["leader"]["held"] is None
    assert status["counters"]["lease_unknown"] == 1
    assert len(unknown.told("lease-unknown")) == 1
    assert log.actions("lease_unknown")
    assert not log.actions("lease_lost")

    log.entries.clear()
    standby = House()
    standby.add()
    await standby.earn()
    lease(standby).force(NotHolder(holder="other"))
    async with standby.running():
        await standby.pass_(3)
        standby.go_bad()
        await standby.pass_(40)
        status = standby.control.status()
        assert await standby.incidents() == []
    assert status["headline"] == "NOT HOLDER: other acts"
    assert status["leader"]["held"] is False
    assert "lease_unknown" not in status["counters"]
    assert standby.pager.delivered == []
    assert standby.writes == []
    assert log.actions("standing_by") or not log.actions("lease_unknown")


async def test_p11_a_lease_that_is_known_again_acts_after_all() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        lease(house).force(LeaseUnknown(reason="no answer"))
        house.go_bad()
        await house.pass_(40)
        lease(house).force(None)
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
