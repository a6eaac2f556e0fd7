"""P16: verification decides; what did not help goes to a person, and nothing more is done by itself.

Mutations tried, each fails here: `_verify` without its `rearm`; `look` reading a state from before the verification;
`_awaits_a_person` answering False.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Grade, Stage

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_p16_a_target_that_stays_bad_pages_once_needs_a_human_and_is_left_alone() -> None:
    house = House()
    api = house.add()
    await house.earn()
    await house.known("older", grade=Grade.GOOD, graded_at=house.clock.now())
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.until(lambda: house.writes)
        api.behaviour.dependency_down = True
        incident = await house.closed()
        await house.pass_(120)
        row = house.control.status()["targets"][0]
    assert (incident.reason, incident.needs_human) == (CloseReason.NOT_RECOVERED, True)
    assert row["state"] == "needs_human"
    assert house.writes == [("bad", "good")]
    pages = [notice for notice, _ in house.pager.delivered if notice.severity == "page"]
    assert [notice.kind for notice in pages] == ["not_recovered"]
    assert len(await house.incidents()) == 1


async def test_p16_what_did_not_help_and_flaps_is_still_left_alone_also_after_a_restart() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.until(lambda: house.writes)
        api.behaviour.dependency_down = True
        await house.closed()
    async with house.running():
        for _ in range(3):
            api.behaviour.dependency_down = False
            await house.pass_(20)
            api.behaviour.dependency_down = True
            await house.pass_(20)
        row = house.control.status()["targets"][0]
    assert house.writes == [("bad", "good")]
    assert len(await house.incidents()) == 1
    assert row["state"] == "needs_human"


async def test_p16_recovered_takes_as_long_as_twice_the_tolerated_interruption() -> None:
    house = House()
    house.add(tolerate_interruption_s=20.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert incident.reason is CloseReason.RECOVERED
    assert incident.closed_at is not None
    assert incident.verify_from is not None
    assert incident.closed_at - incident.verify_from >= 40


async def test_p16_a_rollout_faster_than_our_reads_is_not_taken_for_somebody_elses_deploy() -> None:
    """The board still holds the read from before the write when the verification begins."""
    house = House()
    api = house.add()
    api.unit.rollout_s, api.track_s = 0.0, 20.0
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p16_a_release_during_the_verification_ends_it_without_a_verdict() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.VERIFYING)
        api.unit.deploy("fixed")
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.SUPERSEDED, [("bad", "good")])


async def test_p16_the_last_bad_samples_of_before_the_rollback_do_not_count_in_the_verification() -> None:
    house = House()
    api = house.add()
    api.unit.rollout_s = 0.0
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert incident.reason is CloseReason.RECOVERED
