"""The whole daemon on fakes, in virtual time: what an operator would tell about it."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_bad_release_is_noticed_rolled_back_once_and_verified() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(10)
        house.go_bad()
        incident = await house.closed()
    assert incident.reason is CloseReason.RECOVERED, await house.story()
    assert house.writes == [("bad", "good")]
    kinds = [entry.kind for entry in incident.entries]
    assert kinds == [
        "first_bad", "breach", "decision", "countdown", "evidence", "evidence", "decision", "rehearsed", "intent", "issued",
        "confirmed", "closed_recovered", "reported",
    ]  # fmt: skip
    assert [notice.kind for notice, _ in house.pager.delivered] == ["pending", "rolled_back", "recovered"]


async def test_a_blip_shorter_than_the_rule_opens_nothing() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        api.unit.deploy("next")
        now = house.clock.now()
        api.behaviour.blips = [(now + 10, now + 11.9)]
        await house.pass_(60)
    assert (await house.incidents(), house.writes) == ([], [])


async def test_an_outage_that_began_before_the_rollout_is_not_blamed_on_the_release() -> None:
    """P1, blame: the first bad sample lies before the start of the rollout."""
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(5)
        api.behaviour.dependency_down = True
        await house.pass_(1.2)  # noticed by a poll, though not yet a breach
        await house.pass_(2)
        api.unit.deploy("next")
        await house.pass_(60)
        found = [entry for entry in await house.incidents() if entry.blamed.fingerprint == "next"]
    assert house.writes == []
    assert all("blame" in str(entry.decision) for entry in found)
    checks = {check.name: check for entry in found for check in (entry.decision.checks if entry.decision else ())}
    assert "before the rollout began" in checks["blame"].sentence


async def test_two_bad_releases_in_a_row_are_each_rolled_back_to_the_same_good_one() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad(fingerprint="bad1")
        await house.until(lambda: house.told("recovered"))
        house.go_bad(fingerprint="bad2")
        await house.until(lambda: len(house.told("recovered")) == 2)
    assert house.writes == [("bad1", "good"), ("bad2", "good")]
