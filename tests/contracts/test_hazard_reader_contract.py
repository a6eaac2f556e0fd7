"""What every reader of hazard facts must do, and what the gate makes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.engine.house import House
from watchdog.engine.board import Board, Watch
from watchdog.engine.databases import SchemaKeeper
from watchdog.model import Effect, Incident, Release, TargetPolicy, UnitRef
from watchdog.ports import HazardFact, HazardReader, Unavailable
from watchdog.safety.hazards import hazard_named
from watchdog.stores.memory import MemoryStore
from watchdog.testing.clock import WorldClock
from watchdog.testing.databases import FakeDatabase
from watchdog.testing.hazards import FakeHazardReader

pytestmark = pytest.mark.asyncio

UNIT = UnitRef(target="api", platform="kubernetes", uid="u-1", name="shop/api")
BAD, GOOD = Release(fingerprint="bad"), Release(fingerprint="good")
EXPIRED = HazardFact(hazard="M", present=True, sentence="the certificate of shop.example ran out")


@dataclass
class World:
    """A reader, and the outside thing that it asks: the fake reader is both."""

    reader: HazardReader
    outside: FakeHazardReader | FakeDatabase


@pytest_asyncio.fixture(params=["says something", "says nothing", "a database"])
async def world(request: pytest.FixtureRequest) -> World:
    if request.param == "a database":
        clock, database = WorldClock(), FakeDatabase("schema", "orders")
        board = Board(clock)
        board.put(Watch(policy=TargetPolicy(target="api"), signals=(), rules=()), "start-up")
        return World(SchemaKeeper(board, "api", database, MemoryStore(), clock, lambda: False), database)
    fake = FakeHazardReader("certificates", *([EXPIRED] if request.param == "says something" else []))
    return World(fake, fake)


@pytest.fixture
def reader(world: World) -> HazardReader:
    return world.reader


async def test_it_has_a_name_and_its_facts_are_hazards_that_the_gate_knows(reader: HazardReader) -> None:
    assert reader.name
    for fact in await reader.read(UNIT, BAD, GOOD):
        assert hazard_named(fact.hazard) is not None
        assert fact.present in (True, False, None)
        assert fact.sentence


async def test_asking_twice_is_asking_twice(world: World) -> None:
    assert await world.reader.read(UNIT, BAD, GOOD) == await world.reader.read(UNIT, BAD, GOOD)
    asked = world.outside.looks if isinstance(world.outside, FakeDatabase) else len(world.outside.asked)
    assert asked == 2


async def test_what_it_cannot_reach_is_unavailable_and_never_an_answer(world: World) -> None:
    answer = await world.reader.read(UNIT, BAD, GOOD)
    world.outside.unreachable = "connection refused"
    with pytest.raises(Unavailable, match="connection refused"):
        await world.reader.read(UNIT, BAD, GOOD)
    world.outside.unreachable = ""
    assert await world.reader.read(UNIT, BAD, GOOD) == answer


async def test_a_question_that_hangs_can_be_given_up(world: World) -> None:
    answer = await world.reader.read(UNIT, BAD, GOOD)
    world.outside.hang = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await world.reader.read(UNIT, BAD, GOOD)
    world.outside.hang = False
    assert await world.reader.read(UNIT, BAD, GOOD) == answer


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
