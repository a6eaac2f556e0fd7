"""P17: a new configuration is built whole before the old one is let go, and a bad one changes nothing.

Mutations tried, each fails here: `_change` not comparing `config`; `_bind_at_once` without the stricter mode, or without the
removal; `Response.under_way` true while held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.engine.conftest import Log
from tests.engine.house import House
from watchdog.engine.daemon import Daemon, Setup
from watchdog.model import Budget, CloseReason, Incident, Mode, Pause, Stage, instant
from watchdog.ports import ControlRefused
from watchdog.testing.channels import RecordingChannel
from watchdog.testing.platforms import WriteFault
from watchdog.testing.signals import FakeSignal

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def rebuilt(house: House, config_hash: str = "new") -> Callable[[], Awaitable[Setup | None]]:
    """The next reload finds the house's targets as they are then; signals are new ones, as after reading a file."""

    async def rebuild() -> Setup | None:
        for target in house.targets.values():
            target.signals = [FakeSignal(old.name, old.unit, old.script) for old in target.signals]
        return house.setup(config_hash)

    return rebuild


def change(house: House, name: str = "api", **changes: object) -> None:
    house.targets[name].policy = replace(house.targets[name].policy, **changes)


async def reload(daemon: Daemon) -> tuple[bool, str]:
    return await daemon.reloader.reload()


@pytest.mark.parametrize("error", [ValueError("line 3: did you mean `mode`?"), OSError("permission denied")])
async def test_p17_a_bad_configuration_changes_nothing_is_told_once_and_sampling_goes_on(
    error: Exception, log: Log
) -> None:
    house = House()
    api = house.add()
    await house.earn()

    async def broken() -> Setup | None:
        await house.clock.sleep(5.0)  # a sample is taken during the reload
        raise error

    async with house.running() as daemon:
        await house.pass_(3)
        daemon.rebuild = broken
        before, polls = house.control.status(), len(api.signals[0].polls)
        window = daemon.board.seen["api"].fresh_from
        answer = await house.control.reload()
        assert len(api.signals[0].polls) - polls >= 4
        assert (answer["reloaded"], answer["problems"]) == (False, [str(error)])
        again = await house.control.reload()
        status = house.control.status()
        assert status["config"]["hash"] == before["config"]["hash"] == again["hash"]
        assert status["config"]["error"] == str(error)
        assert status["config"]["reload_failed"] == 2
        assert daemon.board.seen["api"].fresh_from == window
        await house.pass_(1)
        assert len(house.told("reload")) == 1
        house.go_bad()
        await house.closed()
        daemon.rebuild = rebuilt(house)
        await reload(daemon)
        assert house.control.status()["config"]["error"] == ""
    assert house.writes == [("bad", "good")]
    assert log.actions("reload_refused")


async def test_p17_a_build_that_hangs_is_refused() -> None:
    house = House()
    house.add()
    await house.earn()

    async def hang() -> Setup | None:
        await house.clock.sleep(1e6)
        return None

    async with house.running() as daemon:
        await house.pass_(3)
        daemon.rebuild = hang
        done, sentence = await reload(daemon)
    assert (done, "could not be built" in sentence) == (False, True)


async def test_p17_a_target_that_did_not_change_keeps_its_window_and_one_that_did_begins_anew() -> None:
    house = House()
    old, web = house.add(), house.add("web")
    signals = (old.signals[0], web.signals[0])
    await house.earn()
    await house.earn("web")
    async with house.running() as daemon:
        await house.pass_(10)
        windows = {name: seen.fresh_from for name, seen in daemon.board.seen.items()}
        change(house, "web", countdown_s=3.0)
        daemon.rebuild = rebuilt(house)
        assert (await reload(daemon))[0]
        await house.pass_(3)
        assert daemon.board.seen["api"].fresh_from == windows["api"]
        assert daemon.board.seen["web"].fresh_from > windows["web"]
        assert [signal.closed for signal in signals] == [False, True]
        assert old.signals[0].closed  # built for nothing
        assert len(signals[0].polls) > len(signals[1].polls)
        house.go_bad("web")
        incident = await house.closed(target="web")
    assert incident.reason is CloseReason.RECOVERED


async def test_p17_targets_come_and_go() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        gone = house.targets.pop("api")
        house.add("web")
        await house.earn("web")
        daemon.rebuild = rebuilt(house)
        assert (await reload(daemon))[0]
        await house.pass_(3)
        assert [row["name"] for row in house.control.status()["targets"]] == ["web"]
        gone.unit.deploy("bad")
        gone.behaviour.bad["bad"] = 1.0
        house.go_bad("web")
        await house.closed(target="web")
        assert not [loop for loop in daemon.supervisor.loops() if "api" in loop["name"]]
    assert [write.intent for write in gone.unit.our_writes] == []
    assert house.writes == [("bad", "good")]


async def test_p17_observe_binds_at_once_in_the_middle_of_a_countdown_and_the_rest_waits_for_its_end() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        change(house, mode=Mode.OBSERVE, countdown_s=5.0)
        daemon.rebuild = rebuilt(house)
        await reload(daemon)
        incident = await house.closed()
        assert incident.reason is CloseReason.WOULD_HAVE
        await house.pass_(5)
        assert daemon.board.seen["api"].watch.policy.countdown_s == 5.0
    assert house.writes == []


async def test_p17_a_less_strict_mode_waits_for_the_end_of_the_response() -> None:
    house = House()
    house.add(mode=Mode.ASK)
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.ASKED)
        change(house, mode=Mode.ENFORCE)
        daemon.rebuild = rebuilt(house)
        await reload(daemon)
        await house.pass_(30)
        assert house.writes == []
        incident = await house.when(lambda found: found.reason is CloseReason.EXPIRED)
        await house.until(lambda: daemon.board.seen["api"].watch.policy.mode is Mode.ENFORCE)
    assert incident.needs_human


async def test_p17_a_target_removed_in_a_countdown_is_never_written() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        house.targets.clear()
        daemon.rebuild = rebuilt(house)
        await reload(daemon)
        await house.pass_(30)
        incident = await house.incident()
        assert daemon.responses == {}
    assert (incident.reason, house.writes) == (CloseReason.CANCELLED, [])


async def test_p17_a_target_removed_after_the_write_is_verified_to_the_end_and_then_gone() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.VERIFYING)
        house.targets.clear()
        daemon.rebuild = rebuilt(house)
        await reload(daemon)
        incident = await house.closed()
        await house.until(lambda: not daemon.board.seen)
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def left_behind(house: House, stage: Stage) -> Incident:
    """An incident that a killed daemon left in that stage."""
    house.add()
    house.add("other", platform=False)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is stage)
        house.life.gone.set()
    return incident


async def test_an_open_incident_of_a_target_that_was_removed_meanwhile_is_told_and_can_be_ended() -> None:
    house = House()
    incident = await left_behind(house, Stage.COUNTDOWN)
    del house.targets["api"]
    async with house.running():
        await house.until(lambda: house.told("orphan"))
        (told,) = house.told("orphan")
        assert "nobody drives it" in told.body
        assert f"watchdog cancel {incident.id}" in told.body
        with pytest.raises(ControlRefused, match="asks nothing"):
            await house.control.approve(incident.id, "ann", "yes")
        await house.control.cancel(incident.id, "ann", "it is gone")
        await house.pass_(10)
    assert (await house.incident()).reason is CloseReason.CANCELLED
    assert (len(house.told("orphan")), house.writes) == (1, [])


async def test_a_rollback_whose_target_was_removed_meanwhile_is_told_and_goes_on_when_it_is_back() -> None:
    house = House()
    await left_behind(house, Stage.VERIFYING)
    api = house.targets.pop("api")
    async with house.running():
        await house.until(lambda: house.told("orphan"))
        assert "was begun and is not verified" in house.told("orphan")[0].body
        assert "watchdog cancel" not in house.told("orphan")[0].body
    house.targets["api"] = api
    async with house.running():
        assert (await house.closed()).reason is CloseReason.RECOVERED


async def test_p17_a_held_response_goes_on_with_the_new_policy() -> None:
    """A person says in the file what was missing: nobody has to wait for the incident to end by itself."""
    house = House()
    house.add(budget=Budget(per_target=0))
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.HELD)
        change(house, budget=Budget())
        daemon.rebuild = rebuilt(house)
        await reload(daemon)
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p17_a_reload_during_the_write_does_not_disturb_it() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        api.unit.fail_next_write(WriteFault.APPLIED_NO_ANSWER)
        house.go_bad()
        await house.until(lambda: house.writes)
        change(house, countdown_s=5.0)
        daemon.rebuild = rebuilt(house)
        await reload(daemon)
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert len(incident.intents) == 1


async def test_p17_new_channels_are_used_at_once() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        other = RecordingChannel("other")
        house.channels = {"other": other}
        daemon.rebuild = rebuilt(house)
        await reload(daemon)
        house.go_bad()
        await house.closed()
        await house.pass_(1)
    assert [notice.kind for notice, _ in other.delivered] == ["pending", "rolled_back", "recovered"]
    assert house.pager.delivered == []


async def test_p17_two_reloads_at_once_follow_each_other() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(3)
        daemon.rebuild = rebuilt(house)
        change(house, countdown_s=4.0)
        answers = await asyncio.gather(reload(daemon), reload(daemon))
        await house.pass_(3)
        names = [loop["name"] for loop in daemon.supervisor.loops()]
    assert [done for done, _ in answers] == [True, True]
    assert len(names) == len(set(names))


async def test_p5_a_window_that_a_reload_takes_out_leaves_fresh_windows_behind() -> None:
    house = House()
    house.add()
    await house.earn()
    now = house.clock.now()
    house.windows = (
        Pause(id="w", scope="all", who="configuration", why="nightly", since=instant(now), until=instant(now + 900)),
    )
    async with house.running() as daemon:
        await house.pass_(10)
        before = daemon.board.seen["api"].fresh_from
        house.windows = ()
        daemon.rebuild = rebuilt(house)
        assert (await reload(daemon))[0]
        await house.until(lambda: house.told("pause-ended"), within=10)
        assert daemon.board.seen["api"].fresh_from > before
    (notice,) = house.told("pause-ended")
    assert "was taken out of the configuration" in notice.body
