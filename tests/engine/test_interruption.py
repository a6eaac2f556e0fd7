"""P8: the process may die at every arrow; the next one comes to the same end, with one write in all.

Every durable state between breach and report is enumerated: the process is killed right after its n-th write to the store
(what was in memory is lost, so that is the same as right before the next one), and right before and after the write to the
world. Mutations tried, each fails here: `_resume` without its list of closed incidents (the report is then lost); `_book`
left out of `_confirm`.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House, Target
from watchdog.model import CloseReason, Grade, Incident, Stage
from watchdog.safety.machine import reported

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

BOUNDARIES = 18
"""Writes of an undisturbed response, from the opened incident to its report."""


async def begun(house: House) -> Target:
    await house.pass_(3)
    house.go_bad()
    return house.targets["api"]


async def built() -> House:
    house = House()
    house.add(countdown_s=4.0)
    await house.earn()
    return house


async def the_same_end(house: House, incident: Incident) -> None:
    story = await house.story()
    assert house.writes == [("bad", "good")], story
    assert incident.reason is CloseReason.RECOVERED, story
    assert (incident.reopened, len(await house.incidents())) == (0, 1), story
    assert incident.evidence is not None, story
    assert [entry.outcome for entry in incident.intents][-1] == "issued", story
    kinds = [entry.kind for entry in incident.entries]
    assert {"first_bad", "breach", "countdown", "evidence", "intent", "confirmed", "closed_recovered"} <= set(kinds), (
        story
    )
    assert reported(incident), story
    record = await house.record()
    assert [(act.from_release, act.to_release) for act in record.acts] == [("bad", "good")], story
    bad = record.release("bad")
    assert bad is not None and bad.grade is Grade.CONDEMNED, story
    assert [entry.id for entry in house.recorder.reported][-1:] == [incident.id], story
    await house.until(lambda: house.told("recovered"))
    assert len(house.told("recovered")) == 1, story


async def test_p8_an_undisturbed_response_has_as_many_boundaries_as_are_enumerated_here() -> None:
    house = await built()
    async with house.running():
        await begun(house)
        await house.closed()
        await house.pass_(1)
        assert len(house.life.of_response) == BOUNDARIES


@pytest.mark.parametrize("nth", range(1, BOUNDARIES + 1))
async def test_p8_killed_after_any_write_to_the_store_it_comes_to_the_same_end(nth: int) -> None:
    house = await built()
    async with house.running():
        await begun(house)
        house.life.die_in_response = nth
        await house.until(house.life.gone.is_set)
    await house.pass_(5)
    async with house.running():
        incident = await house.closed()
        await the_same_end(house, incident)


@pytest.mark.parametrize("where", ["before", "after"])
async def test_p8_killed_around_the_write_to_the_world_it_is_found_out_by_reading(where: str) -> None:
    house = await built()
    async with house.running():
        await begun(house)
        house.life.die_at = where
        await house.until(house.life.gone.is_set)
        incident = await house.incident()
        assert (incident.stage, incident.intents[-1].open) == (Stage.INTENDED, True)
    async with house.running():
        incident = await house.closed()
        await the_same_end(house, incident)
    expected = ["not_issued", "issued"] if where == "before" else ["issued"]
    assert [entry.outcome for entry in incident.intents] == expected


@pytest.mark.parametrize("nth", range(1, 6))
async def test_p8_when_the_breach_ended_meanwhile_nothing_is_written(nth: int) -> None:
    house = await built()
    async with house.running():
        api = await begun(house)
        house.life.die_in_response = nth
        await house.until(house.life.gone.is_set)
    api.behaviour.bad["bad"] = 0.0
    async with house.running():
        incident = await house.closed()
        before_the_intent = not incident.intents
        await house.pass_(20)
    if before_the_intent:
        assert (incident.reason, house.writes) == (CloseReason.RECOVERED_UNAIDED, [])
    else:
        assert (incident.intents[-1].outcome, house.writes) == ("not_issued", [])


async def test_p8_killed_again_and_again_it_still_writes_once() -> None:
    house = await built()
    for _ in range(12):
        async with house.running():
            await house.pass_(2)
            if house.targets["api"].unit.current == "good" and not house.writes:
                house.go_bad()
            await house.pass_(4.1)
            house.life.gone.set()
    async with house.running():
        incident = await house.closed()
        await the_same_end(house, incident)


@pytest.mark.parametrize("nth", range(1, 30, 4))
async def test_p8_killed_before_the_breach_nothing_is_lost(nth: int) -> None:
    house = await built()
    async with house.running():
        house.life.die_after = nth
        await begun(house)
        await house.until(lambda: house.life.gone.is_set() or house.told("pending"))
        house.life.gone.set()
    async with house.running():
        incident = await house.closed()
        await the_same_end(house, incident)


async def test_p8_a_lost_reply_of_the_store_is_found_out_by_reading() -> None:
    """Any write to the store may be applied and its reply lost: also then one write to the world."""
    house = await built()
    async with house.running():
        await begun(house)
        for _ in range(40):
            house.store.fail_after_apply = 1
            await house.pass_(0.7)
        house.store.fail_after_apply = 0
        incident = await house.closed()
        await the_same_end(house, incident)
