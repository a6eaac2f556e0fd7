"""P6 and P7: doing it twice is doing it once, and what somebody else released is never overwritten.

Mutations tried, each fails here: `_standing_by` answering False (two daemons then undo each other's countdown);
`_closed` dropping the breach of the release that superseded the blamed one. (An answer about another intent is refused in
`tests/safety/test_machine.py`.)
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Stage
from watchdog.ports import Held
from watchdog.testing.leases import FakeLease, LeaseDesk
from watchdog.testing.platforms import WriteFault

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def two_houses() -> tuple[House, House]:
    desk, one = LeaseDesk(), House()
    one.lease = FakeLease("one", desk)
    one.add()
    await one.earn()
    two = House(one)
    two.lease = FakeLease("two", desk)
    return one, two


async def test_p6_two_daemons_at_one_desk_change_the_target_once_and_tell_it_once() -> None:
    one, two = await two_houses()
    async with one.running():
        await one.pass_(1)
        async with two.running():
            await one.pass_(3)
            one.go_bad()
            incident = await one.closed()
            await one.pass_(30)
            assert two.control.status()["headline"] == "NOT HOLDER: one acts"
    assert one.writes == [("bad", "good")]
    assert (incident.reason, incident.reopened) == (CloseReason.RECOVERED, 0)
    assert [notice.kind for notice, _ in one.pager.delivered] == ["pending", "rolled_back", "recovered"]


async def test_the_end_of_a_pause_is_told_once_whichever_daemon_sees_it_first() -> None:
    one, two = await two_houses()
    async with one.running():
        await one.pass_(1)
        for begin in range(4):  # their loops lie differently each time
            async with two.running():
                await one.pass_(1 + 0.3 * begin)
                await one.pause(20)
                await one.pass_(60)
                assert len(one.told("pause-ended")) == begin + 1
                assert one.daemon.board.seen["api"].fresh_why == "the end of a pause (all)"
                assert two.daemon.board.seen["api"].fresh_why == "the end of a pause (all)"


async def test_a_pause_that_is_ended_at_the_daemon_that_stands_by_is_over_for_both_and_told_once() -> None:
    one, two = await two_houses()
    async with one.running():
        await one.pass_(1)
        async with two.running():
            await one.pass_(3)
            await one.pause(600)
            await one.pass_(5)
            assert two.control.status()["headline"].startswith("NOT HOLDER")
            assert (await two.control.resume("all", "ann"))["applied"]
            one.go_bad()
            await one.closed()
            await one.pass_(60)
    assert one.writes == [("bad", "good")]
    assert len(one.told("pause-ended")) == 1


@pytest.mark.parametrize("stage", [Stage.COUNTDOWN, Stage.ISSUED, Stage.VERIFYING])
async def test_p6_the_second_daemon_takes_over_where_the_first_one_died(stage: Stage) -> None:
    one, two = await two_houses()
    one._shared = True  # its end is judged by the other
    lease = one.lease
    assert isinstance(lease, FakeLease)
    async with one.running():
        await one.pass_(1)
        async with two.running():
            await one.pass_(3)
            one.go_bad()
            await one.when(lambda found: found.stage is stage)
            one.life.gone.set()
            lease.desk.holder = ""  # its time ran out
            incident = await one.closed()
    assert one.writes == [("bad", "good")]
    assert incident.reason is CloseReason.RECOVERED


async def test_p6_two_daemons_that_both_believe_to_hold_the_lease_still_change_the_target_once() -> None:
    one, two = await two_houses()
    for house in (one, two):
        assert isinstance(house.lease, FakeLease)
        house.lease.force(Held(remaining=1e9))
    async with one.running(), two.running():
        await one.pass_(3)
        one.go_bad()
        incident = await one.closed()
        await one.pass_(60)
    assert one.writes == [("bad", "good")]
    assert len(await one.incidents()) == 1
    assert incident.reason is CloseReason.RECOVERED
    assert len((await one.record()).acts) == 1


async def test_p6_a_breach_seen_again_after_a_restart_is_the_same_incident() -> None:
    house = House()
    house.add(countdown_s=60.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        first = await house.when(lambda found: found.stage is Stage.COUNTDOWN)
    async with house.running():
        second = await house.closed()
    assert second.id == first.id
    assert second.reopened == 0
    assert house.writes == [("bad", "good")]


async def test_p7_a_deploy_that_slips_in_before_the_write_is_never_overwritten() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.fail_next_write(WriteFault.OVERTAKEN, deploy="newer")
        house.go_bad()
        incident = await house.closed()
        await house.pass_(30)
    assert (incident.reason, house.writes, api.unit.current) == (CloseReason.SUPERSEDED, [], "newer")
    assert [notice.kind for notice, _ in house.pager.delivered] == ["pending", "closed"]


async def test_p7_a_release_during_the_countdown_ends_it() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        api.unit.deploy("fixed")
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.SUPERSEDED, [])


async def test_p7_a_bad_release_that_follows_another_gets_its_own_incident() -> None:
    """The breach of the second one must not get lost with the first one's end."""
    house = House()
    house.add(n=1, countdown_s=30.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        house.go_bad(fingerprint="worse")
        await house.until(lambda: house.writes)
        found = {entry.blamed.fingerprint: entry for entry in await house.incidents()}
    assert house.writes == [("worse", "good")]
    assert found["bad"].reason is CloseReason.SUPERSEDED


async def test_p7_the_breach_of_the_second_one_is_not_lost_with_the_end_of_the_first_one_that_was_held_for_long() -> (
    None
):
    """Long holds are looked at every few seconds only: the next release may have failed before the first one is closed."""
    house = House()
    house.add(n=1, tolerate_interruption_s=0.5, countdown_s=2.0)
    await house.earn()
    assert isinstance(house.lease, FakeLease)
    async with house.running():
        await house.pass_(3)
        house.lease.remaining = 3.0
        house.go_bad()
        await house.pass_(150)
        house.go_bad(fingerprint="worse")
        await house.pass_(12)
        house.lease.remaining = 1e9
        await house.pass_(20)
        found = {entry.blamed.fingerprint: entry for entry in await house.incidents()}
    assert found["bad"].reason is CloseReason.SUPERSEDED
    assert found["worse"].stage is Stage.HELD  # recorded and told, though not blamed: it failed before its rollout
    assert "before the rollout began" in str(found["worse"].decision)
    assert house.writes == []


async def test_p7_somebody_who_goes_back_by_hand_ends_the_response() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        api.unit.deploy("good", by="ann")
        incident = await house.closed()
        await house.pass_(20)
    assert (incident.reason, house.writes) == (CloseReason.SUPERSEDED, [])
