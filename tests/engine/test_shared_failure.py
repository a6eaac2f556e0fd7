"""A failure that a dependency or control shares is not the release's, also not in the moments after it is over."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.judgement.threshold import Consecutive
from watchdog.model import CloseReason, Effect, Incident, Outcome, Stage

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def shop(key: str) -> House:
    """An API that recovers slowly in its rule's eyes, and a database that recovers quickly."""
    house = House()
    api = house.add(**{key: ("db",)})
    api.rules = (Consecutive(signal="probe", n=3, recover=20),)
    house.add("db", platform=False, n=2)
    await house.earn()
    return house


def outage(house: House, *, on: bool) -> None:
    for target in house.targets.values():
        target.behaviour.dependency_down = on


@pytest.mark.parametrize("key", ["depends_on", "control"])
async def test_p14_a_dependency_that_recovers_first_leaves_no_evidence_against_the_release(key: str) -> None:
    house = await shop(key)
    async with house.running():
        await house.pass_(4)
        house.targets["api"].unit.deploy("innocent")
        await house.pass_(10)
        outage(house, on=True)
        held = await house.when(lambda found: found.decision is not None)
        assert held.decision is not None
        assert {check.name for check in held.decision.checks if check.effect is Effect.BLOCK} >= {"blame"}
        outage(house, on=False)
        incident = await house.closed()
    assert house.writes == []
    assert incident.reason is CloseReason.RECOVERED_UNAIDED


async def test_p14_what_still_fails_after_the_dependency_is_back_is_judged_on_fresh_samples() -> None:
    house = await shop("depends_on")
    async with house.running():
        await house.pass_(4)
        outage(house, on=True)
        house.go_bad()
        await house.pass_(30)
        assert house.writes == []
        back = house.clock.now()
        outage(house, on=False)
        incident = await house.closed()
    assert house.writes == [("bad", "good")]
    (decision,) = [entry for entry in incident.entries if entry.kind == "issued"]
    assert decision.at > back + 2 + 2 + 10  # two good polls of the database, three bad ones of the API, the countdown


async def town(*, since_before: bool) -> tuple[House, Incident]:
    """Two shops beside the API, all of which fail; the decision on the API's bad release, and the house."""
    house = House()
    house.add()
    for name in ("shop", "press"):
        house.add(name, platform=False)
    await house.earn()
    async with house.running():
        await house.pass_(4)
        if not since_before:
            house.go_bad()
            await house.pass_(2)
        for name in ("shop", "press"):
            house.targets[name].behaviour.dependency_down = True
        if since_before:
            await house.pass_(5)
            house.go_bad()
        await house.when(lambda found: found.decision is not None)
        await house.pass_(20)
        return house, await house.incident("api")


def sentence(incident: Incident) -> str:
    assert incident.decision is not None
    return next(check.sentence for check in incident.decision.checks if check.name == "blame")


async def test_what_most_others_suffer_since_before_the_rollout_is_not_the_releases_doing() -> None:
    house, incident = await town(since_before=True)
    assert incident.decision is not None
    assert incident.decision.outcome is Outcome.HOLD
    assert "2 of 2 other targets fail as well, since before the rollout: shop, press" in sentence(incident)
    assert house.writes == []


async def test_others_that_fail_after_the_release_may_be_its_victims_so_a_person_is_asked() -> None:
    house, incident = await town(since_before=False)
    assert incident.stage is Stage.ASKED
    assert "as cause or as consequence" in sentence(incident)
    assert house.writes == []
