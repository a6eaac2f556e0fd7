"""The hour before we looked: a fresh install is not blind for an hour, and a source that hangs keeps nobody waiting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.house import House
from watchdog.engine.daemon import Daemon
from watchdog.engine.remembering import TRIES
from watchdog.judgement.evidence import EvidenceRule, Kind, Knobs
from watchdog.model import CloseReason, Grade, MinuteCount, instant
from watchdog.testing.signals import RememberingSignal

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def minutes_known(daemon: Daemon) -> tuple[MinuteCount, ...]:
    seen = daemon.board.seen.get("api")
    return seen.record.minutes if seen and seen.record else ()


def shop(share: float = 0.0) -> tuple[House, RememberingSignal]:
    house = House()
    api = house.add(tolerate_interruption_s=10.0)
    signal = RememberingSignal("probe", api.unit, api.behaviour, share=share)
    api.signals = [signal]
    api.rules = (EvidenceRule(("probe",), {"probe": Kind.ERR}, Knobs(tolerate_interruption_s=10.0), poll_s=1.0),)
    api.behaviour.events = 50
    return house, signal


async def test_a_fresh_install_knows_the_hour_before_within_seconds() -> None:
    house, signal = shop(share=0.1)
    await house.earn()
    async with house.running() as daemon:
        await house.until(lambda: len(minutes_known(daemon)) > 50, within=20.0)
        assert signal.asked == 1
        await house.pass_(60)
        assert signal.asked == 1


async def test_a_release_that_is_as_bad_as_the_remembered_hour_is_not_blamed_and_a_worse_one_is() -> None:
    house, _ = shop(share=0.1)
    await house.earn()
    async with house.running():
        await house.pass_(15)
        house.targets["api"].behaviour.bad["good"] = 0.1
        house.targets["api"].behaviour.bad["same"] = 0.1
        house.targets["api"].unit.deploy("same")
        await house.pass_(240)
        assert house.writes == []
        house.go_bad()
        incident = await house.closed()
    assert incident.reason is CloseReason.RECOVERED


async def test_what_we_counted_ourselves_is_never_replaced_nor_is_what_came_after_the_release_began() -> None:
    house, signal = shop()
    await house.earn()
    now = house.clock.now()
    own = tuple(MinuteCount(minute=instant(now - 60.0 * n), signal="probe", good=7, bad=0) for n in range(5, 0, -1))
    await house.edit("api", lambda record: replace(record, minutes=own))
    async with house.running():
        await house.until(lambda: signal.asked, within=20.0)
        await house.pass_(5)
        found = {one.minute: one for one in (await house.record()).minutes}
    assert all(found[one.minute].good == 7 for one in own)
    assert sum(one.good == 600 for one in found.values()) > 50


async def test_minutes_of_a_young_release_that_has_earned_nothing_are_left_out() -> None:
    house, signal = shop()
    await house.earn()
    began = instant(house.clock.now() - 600)
    change = {"grade": Grade.NEW, "graded_at": None, "started": began, "completed": instant(began + 5)}
    await house.edit("api", lambda record: replace(record, releases=(replace(record.releases[0], **change),)))
    async with house.running():
        await house.until(lambda: signal.asked, within=20.0)
        await house.pass_(5)
        remembered = [one.minute for one in (await house.record()).minutes if one.good == 600]
    assert len(remembered) > 40
    assert max(remembered) + 60 <= began


@pytest.mark.parametrize("trouble", ["hang", "the source is down"])
async def test_a_source_that_cannot_say_is_asked_a_few_times_and_nobody_waits_for_it(trouble: str) -> None:
    house, signal = shop()
    signal.trouble = trouble
    await house.earn()
    async with house.running():
        await house.pass_(12)
        house.go_bad()
        incident = await house.closed()
        await house.pass_(120)
    assert incident.reason is CloseReason.RECOVERED
    assert signal.asked == TRIES
