"""The tables in which migration tools remember what they have applied.

Role: one entry a tool: how its table is called and told, which query lists the applied migrations, which says that one is
half done. Neighbours: `signals.database.reader`. Source: facts/back-ends 12. Guarantees: names that come from the catalogue
are quoted; each query gives rows of ``name``, ``half`` (a migration that runs, failed, or was left dirty), oldest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchdog.model import record

MOST_ROWS = 20_000
EVENT_STORE, EVENT_COLUMNS = "mt_events", ("seq_id", "type")
"""Marten's table of events."""
NEWEST_EVENTS = 20_000
"""So many of the newest events are looked at: read along their key, newest first."""


@record
class Tool:
    """`has` = columns by which a table of that name is known to be the tool's; `query` has the place ``{table}``."""

    name: str
    table: str
    has: tuple[str, ...]
    query: str


TOOLS: tuple[Tool, ...] = (
    Tool(
        name="ef",
        table="__EFMigrationsHistory",
        has=("MigrationId",),
        query='SELECT "MigrationId" AS name, false AS half FROM {table} ORDER BY 1',
    ),
    Tool(
        name="flyway",
        table="flyway_schema_history",
        has=("installed_rank", "success"),
        query="SELECT coalesce(version, 'repeatable') || ' ' || description || coalesce(' ' || checksum, '') AS name, "
        "NOT success AS half FROM {table} ORDER BY installed_rank",
    ),
    Tool(
        name="alembic",
        table="alembic_version",
        has=("version_num",),
        query="SELECT version_num AS name, false AS half FROM {table} ORDER BY 1",
    ),
    Tool(
        name="liquibase",
        table="databasechangelog",
        has=("orderexecuted", "md5sum"),
        query="SELECT id || ' by ' || author || coalesce(' ' || md5sum, '') AS name, exectype = 'FAILED' AS half "
        "FROM {table} ORDER BY orderexecuted",
    ),
    Tool(
        name="liquibase lock",
        table="databasechangeloglock",
        has=("locked", "lockedby"),
        query="SELECT 'locked by ' || coalesce(lockedby, '?') AS name, true AS half FROM {table} WHERE locked",
    ),
    Tool(
        name="django",
        table="django_migrations",
        has=("app", "name"),
        query="SELECT app || '.' || name AS name, false AS half FROM {table} ORDER BY id",
    ),
    Tool(
        name="golang-migrate",
        table="schema_migrations",
        has=("version", "dirty"),
        query="SELECT version::text AS name, dirty AS half FROM {table} ORDER BY version",
    ),
    Tool(
        name="rails",
        table="schema_migrations",
        has=("version",),
        query="SELECT version::text AS name, false AS half FROM {table} ORDER BY version::text",
    ),
    Tool(
        name="prisma",
        table="_prisma_migrations",
        has=("migration_name", "finished_at", "rolled_back_at"),
        query="SELECT migration_name AS name, finished_at IS NULL AS half FROM {table} "
        "WHERE rolled_back_at IS NULL ORDER BY started_at",
    ),
)
"""The first whose table and columns fit is the tool."""

TABLES = (*dict.fromkeys(tool.table for tool in TOOLS), EVENT_STORE)


def tool_of(row: Mapping[str, Any]) -> Tool | None:
    """Which tool a table of the catalogue belongs to; None when it only has the name of one."""
    columns = set(row["columns"])
    return next((tool for tool in TOOLS if tool.table == row["name"] and columns.issuperset(tool.has)), None)


def query_of(tool: Tool, schema: str) -> str:
    """Its query, bounded."""
    table = f"{quoted(schema)}.{quoted(tool.table)}"
    return f"SELECT * FROM ({tool.query.format(table=table)}) found LIMIT {MOST_ROWS + 1}"  # noqa: S608 - quoted


def is_event_store(row: Mapping[str, Any]) -> bool:
    """Whether a table of the catalogue is Marten's table of events."""
    return row["name"] == EVENT_STORE and set(row["columns"]).issuperset(EVENT_COLUMNS)


def event_types(schema: str) -> str:
    """The query for the types of the newest events of that schema's store."""
    newest = f"SELECT type FROM {quoted(schema)}.{EVENT_STORE} ORDER BY seq_id DESC LIMIT {NEWEST_EVENTS}"  # noqa: S608 - quoted
    return f"SELECT DISTINCT type AS name FROM ({newest}) newest WHERE type IS NOT NULL ORDER BY 1 LIMIT {MOST_ROWS}"  # noqa: S608


def quoted(name: str) -> str:
    """An identifier of SQL."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
