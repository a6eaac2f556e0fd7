"""P11 and P21: without the state store no new act, loudly; without the place for reports the rollback happens all the same.

Mutations tried, each fails here: `Outbox._serve` delivering again what was delivered; `Outbox.owe` dropping what cannot be
stored; `documents.bounded` without its timeout.
"""

from __future__ import annotations

import pytest

from tests.engine.conftest import Log
from tests.engine.house import House
from watchdog.model import CloseReason, Stage

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


@pytest.mark.parametrize("trouble", ["read_only", "unavailable", "hang"])
async def test_p21_without_the_state_store_nothing_is_written_and_it_is_said_loudly(trouble: str, log: Log) -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        setattr(house.store, trouble, True)
        polls = len(api.signals[0].polls)
        house.go_bad()
        await house.pass_(60)
        status = house.control.status()
        setattr(house.store, trouble, False)
        assert house.writes == []
        assert status["headline"].startswith("PAUSED: the store cannot be used")
        assert (status["store"]["ok"], status["counters"]["store_unavailable"]) == (False, 1)
        assert [notice.severity for notice in house.told("store")] == ["page"]
        assert len(api.signals[0].polls) - polls >= 55  # watching went on
        assert log.actions("store_unavailable")
        assert not log.actions("lease_unknown") + log.actions("lease_lost")
        incident = await house.closed()
        assert house.control.status()["store"]["ok"]
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p21_a_store_that_fails_during_the_countdown_keeps_it_from_acting() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN and found.evidence)
        house.store.read_only = True
        await house.pass_(40)
        assert house.writes == []
        house.store.read_only = False
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p21_a_store_that_fails_right_after_the_write_keeps_the_outcome_findable() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.until(lambda: house.writes)
        house.store.read_only = True
        await house.pass_(20)
        house.store.read_only = False
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert len((await house.record()).acts) == 1


async def test_p21_a_full_disk_does_not_page_the_same_thing_again_and_again() -> None:
    """What was delivered and cannot be recorded is not delivered again."""
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        house.store.read_only = True
        await house.pass_(60)
        assert len(house.told("pending")) == 1
        house.store.read_only = False
        await house.closed()
        await house.pass_(70)
    assert len(house.told("pending")) == len(house.told("recovered")) == 1


async def test_p21_a_store_that_is_down_at_the_start_is_found_later_and_fails_closed_until_then() -> None:
    house = House()
    house.add()
    await house.earn()
    house.store.unavailable = True
    async with house.running() as daemon:
        await house.pass_(10)
        assert not daemon.begun
        house.go_bad()
        await house.pass_(30)
        assert house.writes == []
        house.store.unavailable = False
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p21_a_broken_capture_and_a_slow_one_do_not_keep_the_rollback() -> None:
    for slow in (False, True):
        house = House()
        house.add(evidence_s=5.0)
        await house.earn()
        house.recorder.broken, house.recorder.takes_s = not slow, 30.0 if slow else 0.0
        async with house.running():
            await house.pass_(3)
            house.go_bad()
            incident = await house.closed()
        assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
        assert incident.evidence is not None
        assert incident.evidence.missing


async def test_p21_a_capture_that_ignores_its_time_box_is_cut_off() -> None:
    house = House()
    house.add(evidence_s=5.0)
    await house.earn()

    async def capture(*_: object) -> object:
        await house.clock.sleep(1e6)
        return None

    house.recorder.capture = capture  # type: ignore[assignment,method-assign]
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert incident.evidence is not None
    assert "time box" in incident.evidence.missing[0]


async def test_p21_a_report_that_hangs_holds_up_nothing_and_is_written_at_the_next_start() -> None:
    house = House()
    house.add()
    await house.earn()
    report = house.recorder.report

    async def hang(*_: object) -> None:
        await house.clock.sleep(1e6)

    house.recorder.report = hang  # type: ignore[method-assign]
    async with house.running():
        await house.pass_(3)
        house.go_bad(fingerprint="bad1")
        await house.until(lambda: house.told("recovered"))
        house.go_bad(fingerprint="bad2")
        await house.until(lambda: len(house.told("recovered")) == 2)
    house.recorder.report = report  # type: ignore[method-assign]
    async with house.running():
        await house.until(lambda: len(house.recorder.reported) == 2)
    assert house.writes == [("bad1", "good"), ("bad2", "good")]


async def test_p21_entries_are_only_ever_appended(log: Log) -> None:
    house = House()
    house.add()
    await house.earn()
    seen: list[tuple[str, ...]] = []
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        while not seen or seen[-1][-1] != "reported":
            for incident in await house.incidents():
                kinds = tuple(entry.kind for entry in incident.entries)
                assert not seen or kinds[: len(seen[-1])] == seen[-1]
                seen.append(kinds)
            await house.pass_(0.2)


async def test_an_incident_that_cannot_be_read_is_left_alone_and_said(log: Log) -> None:
    house = House()
    house.add()
    house.add("web")
    await house.earn()
    await house.earn("web")
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    house.store.garbage.add(incident.key)
    async with house.running():
        await house.pass_(3)
        assert log.actions("incident_damaged")
        house.go_bad("web")
        await house.until(lambda: ("bad", "good") in house.writes[1:])
        await house.pass_(1)
        assert house.control.health()["live"]
