"""The histories of migration tools: those of Alembic made by Alembic itself, the others by the tables as their tools make them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from tests.signals.database.real import Server
from watchdog.model import Schema
from watchdog.signals.database import PostgresSchemas

pytestmark = pytest.mark.asyncio

EF = 'CREATE TABLE "__EFMigrationsHistory" ("MigrationId" varchar(150) PRIMARY KEY, "ProductVersion" varchar(32) NOT NULL)'
FLYWAY = """CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200),
    type varchar(20), script varchar(1000), checksum int, installed_by varchar(100), installed_on timestamp DEFAULT now(),
    execution_time int, success boolean NOT NULL)"""
LIQUIBASE = """CREATE TABLE databasechangelog (id varchar(255), author varchar(255), filename varchar(255), dateexecuted timestamp,
    orderexecuted int, exectype varchar(10), md5sum varchar(35), tag varchar(255), deployment_id varchar(10))"""
LIQUIBASE_LOCK = "CREATE TABLE databasechangeloglock (id int PRIMARY KEY, locked boolean, lockgranted timestamp, lockedby varchar(255))"
DJANGO = "CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app varchar(255), name varchar(255), applied timestamptz)"
PRISMA = """CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64), finished_at timestamptz,
    migration_name varchar(255), logs text, rolled_back_at timestamptz, started_at timestamptz DEFAULT now(),
    applied_steps_count int)"""


async def look(server: Server, database: str) -> Schema:
    return await PostgresSchemas("schema", server.postgres(database)).read()


@pytest.mark.parametrize(
    ("make", "rows", "migrations", "half_done"),
    [
        (EF, "INSERT INTO \"__EFMigrationsHistory\" VALUES ('20260101_First', '9.0')", ["ef: 20260101_First"], ""),
        (
            FLYWAY,
            (
                "INSERT INTO flyway_schema_history (installed_rank, version, description, checksum, success) "
                "VALUES (1, '1', 'orders', 11, true), (2, NULL, 'views', 22, true)"
            ),
            ["flyway: 1 orders 11", "flyway: repeatable views 22"],
            "",
        ),
        (
            FLYWAY,
            "INSERT INTO flyway_schema_history (installed_rank, version, description, success) VALUES (1, '1', 'orders', false)",
            [],
            "flyway: 1 orders",
        ),
        (
            LIQUIBASE,
            "INSERT INTO databasechangelog (id, author, orderexecuted, exectype, md5sum) VALUES ('1', 'ann', 1, 'EXECUTED', '9:a')",
            ["liquibase: 1 by ann 9:a"],
            "",
        ),
        (LIQUIBASE_LOCK, "INSERT INTO databasechangeloglock VALUES (1, false, NULL, NULL)", [], ""),
        (
            LIQUIBASE_LOCK,
            "INSERT INTO databasechangeloglock VALUES (1, true, now(), 'job-1')",
            [],
            "liquibase lock: locked by job-1",
        ),
        (
            DJANGO,
            "INSERT INTO django_migrations (app, name) VALUES ('shop', '0001_initial'), ('shop', '0002_total')",
            ["django: shop.0001_initial", "django: shop.0002_total"],
            "",
        ),
        (
            "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)",
            "INSERT INTO schema_migrations VALUES (7, true)",
            [],
            "golang-migrate: 7",
        ),
        (
            "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
            "INSERT INTO schema_migrations VALUES ('20260101')",
            ["rails: 20260101"],
            "",
        ),
        (
            PRISMA,
            (
                "INSERT INTO _prisma_migrations (id, migration_name, finished_at, rolled_back_at) "
                "VALUES ('1', 'first', now(), NULL), ('2', 'taken back', NULL, now())"
            ),
            ["prisma: first"],
            "",
        ),
        (
            PRISMA,
            "INSERT INTO _prisma_migrations (id, migration_name) VALUES ('1', 'first')",
            [],
            "prisma: first",
        ),
        ("CREATE TABLE alembic_version (something_else int)", "SELECT 1", [], ""),
    ],
)
async def test_what_the_tools_have_applied_and_left_half_done(
    server, database, make, rows, migrations, half_done
) -> None:
    await server.run(database, make, rows, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO watchdog")
    found = await look(server, database)
    assert (list(found.migrations), found.applied, found.half_done) == (migrations, len(migrations), half_done)
    assert found.unreadable == ()


async def test_a_migration_of_data_alone_changes_the_digest(server: Server, database: str) -> None:
    await server.run(database, DJANGO, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO watchdog")
    before = await look(server, database)
    await server.run(database, "INSERT INTO django_migrations (app, name) VALUES ('shop', '0003_fill')")
    after = await look(server, database)
    assert after.digest != before.digest
    assert after.objects == before.objects


async def test_a_history_that_may_not_be_read_is_named(server: Server, database: str) -> None:
    await server.run(database, EF, "CREATE SCHEMA shut", "CREATE TABLE shut.alembic_version (version_num text)")
    assert (await look(server, database)).unreadable == ("public.__EFMigrationsHistory", "shut.alembic_version")


async def test_a_schema_with_a_hostile_name_is_quoted(server: Server, database: str) -> None:
    await server.run(
        database,
        'CREATE SCHEMA "a""; DROP TABLE orders; --"',
        'CREATE TABLE "a""; DROP TABLE orders; --".alembic_version (version_num text)',
        'GRANT USAGE ON SCHEMA "a""; DROP TABLE orders; --" TO watchdog',
        'GRANT SELECT ON ALL TABLES IN SCHEMA "a""; DROP TABLE orders; --" TO watchdog',
        'INSERT INTO "a""; DROP TABLE orders; --".alembic_version VALUES (\'1a\')',
    )
    found = await look(server, database)
    assert found.migrations == ("alembic: 1a",)
    assert "table public.orders" in found.objects


async def test_alembic_itself_moves_the_database_ahead(server: Server, database: str, tmp_path: Path) -> None:
    config = migrations_of(tmp_path, f"postgresql+asyncpg://owner@127.0.0.1:{server.port}/{database}")
    await asyncio.to_thread(command.upgrade, config, "one")
    await server.run(database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO watchdog")
    before = await look(server, database)
    assert before.migrations == ("alembic: one",)
    await asyncio.to_thread(command.upgrade, config, "two")
    after = await look(server, database)
    assert after.migrations == ("alembic: two",)
    assert set(after.objects) - set(before.objects) == {"table public.invoices"}


def migrations_of(directory: Path, url: str) -> Config:
    """An environment of Alembic with two revisions, as `alembic init -t async` makes it."""
    (directory / "versions").mkdir()
    (directory / "env.py").write_text(
        "import asyncio\n"
        "from alembic import context\n"
        "from sqlalchemy.ext.asyncio import create_async_engine\n"
        "def run(connection):\n"
        "    context.configure(connection=connection)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n"
        "async def online():\n"
        "    engine = create_async_engine(context.config.get_main_option('sqlalchemy.url'))\n"
        "    async with engine.connect() as connection:\n"
        "        await connection.run_sync(run)\n"
        "        await connection.commit()\n"
        "    await engine.dispose()\n"
        "asyncio.run(online())\n",
        encoding="utf-8",
    )
    for name, before, table in (("one", None, "customers"), ("two", "one", "invoices")):
        (directory / "versions" / f"{name}.py").write_text(
            "import sqlalchemy\nfrom alembic import op\n"
            f"revision, down_revision, branch_labels, depends_on = {name!r}, {before!r}, None, None\n"
            f"def upgrade():\n    op.create_table({table!r}, sqlalchemy.Column('id', sqlalchemy.Integer, primary_key=True))\n",
            encoding="utf-8",
        )
    config = Config()
    config.set_main_option("script_location", str(directory))
    config.set_main_option("sqlalchemy.url", url)
    return config
