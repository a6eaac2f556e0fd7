"""What code has to understand of a real PostgreSQL: what changes the digest, what does not, and what stands in the way."""

from __future__ import annotations

import asyncpg
import pytest

from tests.signals.database.real import PASSWORD, Server
from watchdog.clients.postgres import DatabaseFault, Postgres, PostgresAccess
from watchdog.model import Schema
from watchdog.ports import SchemaSource, Unavailable
from watchdog.signals.database import PostgresSchemas, histories
from watchdog.signals.database import catalogue as queries
from watchdog.testing.databases import FakeDatabase

pytestmark = pytest.mark.asyncio

START = (
    "CREATE TYPE colour AS ENUM ('red', 'green')",
    "CREATE VIEW totals AS SELECT id, total FROM orders",
    "CREATE TABLE events (id bigint, at date NOT NULL) PARTITION BY RANGE (at)",
    "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
)


async def look(server: Server, database: str, *schemas: str) -> Schema:
    return await PostgresSchemas("schema", server.postgres(database), schemas).read()


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("ALTER TABLE orders ADD COLUMN note text", "table public.orders"),
        ("DROP VIEW totals; ALTER TABLE orders ALTER COLUMN total TYPE numeric(12, 2)", "table public.orders"),
        ("ALTER TABLE orders ALTER COLUMN total DROP NOT NULL", "table public.orders"),
        ("ALTER TABLE orders RENAME COLUMN total TO amount", "table public.orders"),
        ("ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0)", "table public.orders"),
        ("CREATE UNIQUE INDEX ON orders (total)", "table public.orders"),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "table public.orders",
        ),
        ("DROP TABLE orders CASCADE", "table public.orders"),
        ("CREATE TABLE invoices (id int)", "table public.invoices"),
        (
            "CREATE OR REPLACE VIEW totals AS SELECT id, (total + 1)::numeric(10, 2) AS total FROM orders",
            "view public.totals",
        ),
        ("ALTER TYPE colour ADD VALUE 'blue'", "type public.colour"),
        ("CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 2'", "function public.one"),
    ],
)
async def test_what_code_may_depend_on_changes_the_digest_and_is_named(server, database, statement, changed) -> None:
    await server.run(database, *START)
    before = await look(server, database)
    await server.run(database, statement)
    after = await look(server, database)
    assert after.digest != before.digest
    different = {
        name for name in {*before.objects, *after.objects} if before.objects.get(name) != after.objects.get(name)
    }
    assert changed in different


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ON orders (total)",
        "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
        "INSERT INTO orders VALUES (1, 2)",
        "COMMENT ON TABLE orders IS 'what people have ordered'",
        "GRANT SELECT ON orders TO PUBLIC",
        "CREATE EXTENSION IF NOT EXISTS plpgsql",
        "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t (id int)",
    ],
)
async def test_what_code_does_not_depend_on_changes_nothing(server: Server, database: str, statement: str) -> None:
    await server.run(database, *START)
    before = await look(server, database, "public")
    await server.run(database, statement)
    assert await look(server, database, "public") == before


async def test_a_role_without_any_right_on_the_tables_sees_the_schema_and_may_write_nothing(server, database) -> None:
    found = await look(server, database)
    assert list(found.objects) == ["table public.orders"]
    await server.run(database, "GRANT ALL ON orders TO watchdog; GRANT ALL ON SCHEMA public TO watchdog")
    with pytest.raises(DatabaseFault, match="read-only transaction"):
        async with server.postgres(database).look() as ask:
            await ask("INSERT INTO orders VALUES (7, 7)")


MARTEN = (
    (
        "CREATE TABLE mt_events (seq_id bigint PRIMARY KEY, id uuid NOT NULL, stream_id uuid, version bigint NOT NULL,"
        " data jsonb NOT NULL, type varchar(500) NOT NULL, timestamp timestamptz NOT NULL DEFAULT now(), mt_dotnet_type varchar)"
    ),
    (
        "INSERT INTO mt_events SELECT n, gen_random_uuid(), gen_random_uuid(), 1, '{}', CASE n % 3 WHEN 0 THEN 'order_paid' "
        "ELSE 'order_placed' END FROM generate_series(1, 300) n"
    ),
)
"""The table as Marten makes it (facts/back-ends 12), made by hand."""


async def test_the_types_of_the_newest_events_are_read_and_are_not_part_of_the_schema(server, database) -> None:
    await server.run(database, *MARTEN)
    shut = await look(server, database)
    assert (shut.unreadable, shut.events) == (("public.mt_events",), ())
    await server.run(database, "GRANT SELECT ON mt_events TO watchdog")
    before = await look(server, database)
    assert (before.unreadable, before.events) == ((), ("order_paid", "order_placed"))
    await server.run(database, "INSERT INTO mt_events VALUES (301, gen_random_uuid(), NULL, 1, '{}', 'gift_wrapped')")
    after = await look(server, database)
    assert after.events == ("gift_wrapped", "order_paid", "order_placed")
    assert after.digest == before.digest


async def test_only_the_newest_events_are_looked_at(server, database, monkeypatch) -> None:
    monkeypatch.setattr(histories, "NEWEST_EVENTS", 2)
    await server.run(database, *MARTEN, "GRANT SELECT ON mt_events TO watchdog")
    assert (await look(server, database)).events == ("order_paid", "order_placed")
    await server.run(database, "UPDATE mt_events SET type = 'old' WHERE seq_id <= 298")
    assert (await look(server, database)).events == ("order_paid", "order_placed")


async def test_a_table_that_only_has_its_name_is_no_event_store(server, database) -> None:
    await server.run(database, "CREATE TABLE mt_events (id int)")
    found = await look(server, database)
    assert (found.unreadable, found.events) == ((), ())


async def test_a_look_that_sees_nothing_is_no_look(server: Server, database: str) -> None:
    with pytest.raises(Unavailable, match="has no schema 'pubilc'"):
        await look(server, database, "public", "pubilc")
    await server.run(database, "DROP TABLE orders", "CREATE SCHEMA bare")
    for schemas in ((), ("bare",)):
        with pytest.raises(Unavailable, match="is it the right database"):
            await look(server, database, *schemas)


async def test_a_schema_with_more_than_can_be_kept_is_refused_with_the_way_out(server, database, monkeypatch) -> None:
    monkeypatch.setattr("watchdog.signals.database.reader.MOST_OBJECTS", 1)
    await server.run(database, "CREATE TABLE more (id int)")
    with pytest.raises(Unavailable, match="`schemas` names those that matter"):
        await look(server, database)
    assert queries.MOST_OBJECTS == 5000


@pytest.mark.parametrize(
    ("changes", "words", "theirs"),
    [
        ({"password": "wrong"}, "password authentication failed", False),
        ({"database": "nowhere"}, "does not exist", False),
        ({"port": 1}, "connection refused", True),
        ({"tls": "verify"}, "the server has no TLS", False),
        ({"tls": "verify", "ca_file": "/nowhere"}, "holds no authorities", False),
        ({"host": "watchdog.invalid"}, "name", None),
    ],
)
async def test_what_stands_in_the_way_is_said_without_the_password(server, database, changes, words, theirs) -> None:
    access = {"host": "127.0.0.1", "port": server.port, "database": database, "user": "watchdog", "password": PASSWORD}
    with pytest.raises(DatabaseFault) as refused:
        async with Postgres(PostgresAccess(**{**access, **changes})).look() as ask:
            await ask("SELECT 1")
    assert words in str(refused.value)
    assert theirs is None or refused.value.theirs is theirs  # None: as our name server answers
    assert PASSWORD not in str(refused.value)


async def test_a_lock_that_somebody_holds_ends_the_look_soon(server: Server, database: str) -> None:
    owner = await asyncpg.connect(host="127.0.0.1", port=server.port, user="owner", database=database)
    await owner.execute("CREATE VIEW totals AS SELECT id, total FROM orders")
    await server.run(
        database, "CREATE TABLE alembic_version (version_num text)", "GRANT SELECT ON alembic_version TO watchdog"
    )
    async with owner.transaction():
        await owner.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseFault, match="lock timeout") as refused:
            await look(server, database)
    await owner.close()
    assert refused.value.theirs is True


@pytest.fixture(params=["fake", "real"])
def source(request: pytest.FixtureRequest) -> SchemaSource:
    if request.param == "fake":
        return FakeDatabase("schema", "orders")
    server, database = request.getfixturevalue("server"), request.getfixturevalue("database")
    return PostgresSchemas("schema", server.postgres(database))


async def test_contract_two_looks_at_the_same_are_the_same_and_closing_is_always_allowed(source: SchemaSource) -> None:
    first = await source.read()
    assert first.digest
    assert first.objects
    assert not first.half_done
    assert await source.read() == first
    await source.close()
    await source.close()
