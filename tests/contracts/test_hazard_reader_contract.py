"""What every reader of hazard facts must do, and what the gate makes of it. This version has readers by hand only."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.house import House
from watchdog.model import Effect, Incident, Release, UnitRef
from watchdog.ports import HazardFact, HazardReader, Unavailable
from watchdog.safety.hazards import hazard_named
from watchdog.testing.hazards import FakeHazardReader

pytestmark = pytest.mark.asyncio

UNIT = UnitRef(target="api", platform="kubernetes", uid="u-1", name="shop/api")
BAD, GOOD = Release(fingerprint="bad"), Release(fingerprint="good")
EXPIRED = HazardFact(hazard="M", present=True, sentence="the certificate of shop.example ran out")


@pytest.fixture(params=["says something", "says nothing"])
def reader(request: pytest.FixtureRequest) -> FakeHazardReader:
    return FakeHazardReader("certificates", *([EXPIRED] if request.param == "says something" else []))


async def test_it_has_a_name_and_its_facts_are_hazards_that_the_gate_knows(reader: HazardReader) -> None:
    assert reader.name
    for fact in await reader.read(UNIT, BAD, GOOD):
        assert hazard_named(fact.hazard) is not None
        assert fact.present in (True, False, None)
        assert fact.sentence


async def test_asking_twice_is_asking_twice(reader: FakeHazardReader) -> None:
    assert await reader.read(UNIT, BAD, GOOD) == await reader.read(UNIT, BAD, GOOD)
    assert reader.asked == [("api", "bad", "good")] * 2


async def test_what_it_cannot_reach_is_unavailable_and_never_an_answer(reader: FakeHazardReader) -> None:
    reader.unreachable = "connection refused"
    with pytest.raises(Unavailable, match="connection refused"):
        await reader.read(UNIT, BAD, GOOD)
    reader.unreachable = ""
    assert await reader.read(UNIT, BAD, GOOD) == reader.facts


async def test_a_question_that_hangs_can_be_given_up(reader: FakeHazardReader) -> None:
    reader.hang = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await reader.read(UNIT, BAD, GOOD)
    reader.hang = False
    assert await reader.read(UNIT, BAD, GOOD) == reader.facts


# -- what the gate makes of it ---------------------------------------------------------------------------------------


async def decided(reader: FakeHazardReader) -> tuple[Incident, House]:
    house = House()
    house.add().hazards = (reader,)
    await house.earn()
    async with house.running():
        await house.pass_(4)
        house.go_bad()
        await house.pass_(55)
        incident = await house.incident()
    return incident, house


def check_of(incident: Incident) -> tuple[Effect, str]:
    assert incident.decision is not None
    (check,) = [check for check in incident.decision.checks if check.name == "hazards"]
    return check.effect, check.sentence


@pytest.mark.looptime
@pytest.mark.parametrize("fault", ["unreachable", "hang"])
async def test_a_reader_that_cannot_be_asked_asks_a_person_and_holds_nothing_up(fault: str) -> None:
    reader = FakeHazardReader("certificates", EXPIRED)
    setattr(reader, fault, "no route" if fault == "unreachable" else True)
    incident, house = await decided(reader)
    effect, sentence = check_of(incident)
    assert effect in (Effect.ASK, Effect.UNKNOWN)
    assert "certificates could not be asked" in sentence
    assert house.writes == []


@pytest.mark.looptime
async def test_a_hazard_that_is_there_blocks_with_its_sentence() -> None:
    incident, house = await decided(FakeHazardReader("certificates", EXPIRED))
    effect, sentence = check_of(incident)
    assert effect is Effect.BLOCK
    assert EXPIRED.sentence in sentence
    assert house.writes == []


@pytest.mark.looptime
async def test_a_hazard_that_is_not_there_lets_the_good_release_back() -> None:
    reader = FakeHazardReader("certificates", HazardFact(hazard="M", present=False, sentence="valid until May"))
    incident, house = await decided(reader)
    assert check_of(incident)[0] is Effect.PASS
    assert house.writes == [("bad", "good")]
    assert set(reader.asked) == {("api", "bad", "good")}
