"""`data: check`: the database decides at the time whether the code may go back.

Mutations tried, each fails here: `ahead` that takes any schema of the good release; `SchemaKeeper.read` that answers from the
last look; time counted while the target fails, or over a change of the schema.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import DataSafety, Incident, Outcome
from watchdog.ports import ControlRefused
from watchdog.testing.databases import FakeDatabase

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

BAKE_S = 300.0


async def checked() -> tuple[House, FakeDatabase]:
    """A house whose target's database decides; the good release was there before the daemon."""
    house, database = House(), FakeDatabase("schema", "orders")
    house.add(data=DataSafety.CHECK, bake_s=BAKE_S).databases = (database,)
    await house.earn()
    return house, database


async def data_check(house: House) -> tuple[Incident, str]:
    incident = await house.when(lambda found: found.decision)
    assert incident.decision is not None
    (check,) = [check for check in incident.decision.checks if check.name == "data"]
    return incident, check.sentence


async def test_a_database_as_it_was_lets_the_code_go_back() -> None:
    house, _ = await checked()
    async with house.running():
        await house.pass_(420)
        house.go_bad()
        await house.until(lambda: house.writes)
        await house.closed()
    _, sentence = await data_check(house)
    assert "the database can be read by the good release: schema: revision 1" in sentence
    assert "ran healthy with this very schema for 5 min" in sentence


async def test_a_migration_of_the_bad_release_calls_a_person_and_writes_nothing() -> None:
    house, database = await checked()
    async with house.running():
        await house.pass_(420)
        database.migrate("invoices")
        house.go_bad()
        incident, sentence = await data_check(house)
        await house.pass_(60)
    assert house.writes == []
    assert incident.decision.outcome is Outcome.ESCALATE
    assert "registry.example/api:good): 1 migration (fake: invoices); new: table public.invoices" in sentence
    assert "call its owner and fix forward" in sentence


async def test_events_of_a_type_that_the_bad_release_brought_ask_a_person_before_the_code_goes_back() -> None:
    house, database = await checked()
    database.events = {"order_placed"}
    async with house.running():
        await house.pass_(420)
        database.events |= {"gift_wrapped"}
        house.go_bad()
        incident, sentence = await data_check(house)
        assert incident.decision.outcome is Outcome.ASK
        assert "events of types that were not there while" in sentence
        assert "(gift_wrapped)" in sentence
        assert "read models may need a rebuild" in sentence
        await house.pass_(30)
        assert house.writes == []
        await house.control.approve(incident.id, "ann", "projections will be rebuilt")
        await house.until(lambda: house.writes)
        await house.closed()


async def test_a_migration_minutes_before_the_rollout_counts_for_the_release_that_brought_it() -> None:
    house, database = await checked()
    async with house.running():
        await house.pass_(420)
        database.migrate("invoices")
        await house.pass_(150)  # the hook has run, the old release still serves, healthy
        house.go_bad()
        incident, sentence = await data_check(house)
    assert incident.decision.outcome is Outcome.ESCALATE
    assert "1 migration (fake: invoices)" in sentence
    assert house.writes == []


async def test_a_migration_that_the_good_release_has_run_with_for_its_soak_holds_nothing_up() -> None:
    house, database = await checked()
    async with house.running():
        await house.pass_(420)
        database.migrate("index")
        await house.pass_(420)
        house.go_bad()
        await house.until(lambda: house.writes)


async def test_a_daemon_that_has_not_watched_long_enough_asks() -> None:
    house, _ = await checked()
    async with house.running():
        await house.pass_(100)
        house.go_bad()
        incident, sentence = await data_check(house)
        await house.pass_(30)
    assert incident.decision.outcome is Outcome.ASK
    assert "was seen healthy with its schema for" in sentence
    assert house.writes == []


async def test_what_was_watched_survives_a_restart() -> None:
    house, database = await checked()
    async with house.running():
        await house.pass_(420)
    async with house.running():
        await house.pass_(70)
        house.go_bad()
        await house.until(lambda: house.writes)
    assert database.closed


@pytest.mark.parametrize("fault", ["unreachable", "hang"])
async def test_a_database_that_cannot_be_asked_asks_a_person(fault: str) -> None:
    house, database = await checked()
    async with house.running():
        await house.pass_(420)
        setattr(database, fault, "connection refused" if fault == "unreachable" else True)
        house.go_bad()
        incident, sentence = await data_check(house)
        database.hang = False
    assert incident.decision.outcome is Outcome.ASK
    assert "whether the database is ahead is not known" in sentence
    assert house.writes == []


async def test_a_migration_that_is_half_done_blocks() -> None:
    house, database = await checked()
    async with house.running():
        await house.pass_(420)
        database.half_done = "flyway: 8 add_total"
        house.go_bad()
        incident, sentence = await data_check(house)
    assert incident.decision.outcome is Outcome.ESCALATE
    assert "half-way: flyway: 8 add_total" in sentence


async def test_time_while_the_target_fails_proves_nothing() -> None:
    house, database = await checked()
    house.targets["api"].behaviour.bad["good"] = 1.0
    async with house.running() as daemon:
        await house.pass_(420)
        (fact,) = (
            await daemon.board.seen["api"]
            .keepers[0]
            .read(
                house.targets["api"].unit.ref,
                daemon.board.seen["api"].state.release,
                daemon.board.seen["api"].state.release,
            )
        )
    assert fact.present is None
    assert database.looks >= 7


async def test_time_while_the_platform_cannot_be_read_proves_nothing() -> None:
    house, database = await checked()
    async with house.running() as daemon:
        await house.pass_(5)
        house.targets["api"].unit.fail_reads("the API server is away")
        seen = daemon.board.seen["api"]
        await house.pass_(420)
        assert seen.state is not None  # as it was before
        assert seen.state_error
        unit, release = house.targets["api"].unit.ref, seen.state.release
        (fact,) = await seen.keepers[0].read(unit, release, release)
    assert fact.present is None
    assert database.looks >= 7


async def test_a_schema_that_comes_and_goes_proves_nothing() -> None:
    house, database = await checked()
    async with house.running() as daemon:
        for _ in range(14):
            database.migrations = ["orders"] if len(database.migrations) > 1 else ["orders", "swapped"]
            await house.pass_(60)
        seen = daemon.board.seen["api"]
        (fact,) = await seen.keepers[0].read(house.targets["api"].unit.ref, seen.state.release, seen.state.release)
    assert fact.present is None


async def test_the_road_back_is_shown_before_anything_is_wrong() -> None:
    house, database = await checked()
    async with house.running():
        await house.pass_(420)
        database.migrate("invoices")
        house.targets["api"].unit.deploy("next")
        await house.pass_(62)
        shown = await house.control.describe("api")
        (check,) = [check for check in shown["road_back"]["decision"]["checks"] if check["name"] == "data"]
    assert "1 migration (fake: invoices)" in check["sentence"]
    newest = "2 tables, views, types and functions; 2 migrations, the newest is fake: invoices"
    assert shown["databases"] == [{"name": "schema", "sentence": newest}]


async def test_a_check_of_the_database_says_what_it_is() -> None:
    house, _ = await checked()
    async with house.running():
        await house.pass_(5)
        with pytest.raises(ControlRefused, match="looked at and not judged here: 1 tables"):
            await house.control.check("api", "schema")
