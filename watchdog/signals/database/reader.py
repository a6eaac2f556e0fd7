"""One look at a PostgreSQL database: the schema and the migrations that code has to understand.

Role: the `ports.SchemaSource` of PostgreSQL. Neighbours: `clients.postgres` reads, `catalogue` and `histories` say what. Guarantees:
read-only; a look that sees nothing is no look; what cannot be read is named in `Schema.unreadable`, never left out in silence; what is kept of a look is bounded,
its `digest` is of the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from watchdog.clients.postgres import Postgres, Row
from watchdog.model import Schema
from watchdog.ports import Unavailable
from watchdog.signals.database.catalogue import FUNCTIONS, HISTORIES, MOST_OBJECTS, SCHEMAS, TABLES, TYPES
from watchdog.signals.database.histories import MOST_ROWS, event_types, is_event_store, query_of, tool_of
from watchdog.signals.database.histories import TABLES as HISTORY_TABLES

KEEP_MIGRATIONS = 50
KEEP_OBJECTS = 1000
SHORT = 12
"""Names of migrations and objects that are kept of a look, and digits of an object's digest."""


class PostgresSchemas:
    """The schema of one database. `schemas` empty = all but the server's own."""

    def __init__(self, name: str, database: Postgres, schemas: Sequence[str] = ()) -> None:
        """Ask `database`; `name` is the signal's."""
        self.name = name
        self._database = database
        self._schemas = list(schemas)

    async def read(self) -> Schema:
        """See `ports.SchemaSource`. Raises Unavailable."""
        async with self._database.look() as ask:
            there_are = {str(row["name"]) for row in await ask(SCHEMAS, self._schemas)}
            objects = [await ask(query, self._schemas) for query in (TABLES, TYPES, FUNCTIONS)]
            there = await ask(HISTORIES, self._schemas, list(HISTORY_TABLES))
            tools = [(row, tool) for row in there if (tool := tool_of(row)) is not None]
            readable = [(row["schema"], tool) for row, tool in tools if row["readable"]]
            histories = [(tool.name, await ask(query_of(tool, schema))) for schema, tool in readable]
            stores = [row for row in there if is_event_store(row)]
            events = [await ask(event_types(row["schema"])) for row in stores if row["readable"]]
        if any(len(rows) > MOST_OBJECTS for rows in objects):
            raise Unavailable(f"more than {MOST_OBJECTS} tables, types or functions: `schemas` names those that matter")
        if any(len(rows) > MOST_ROWS for _, rows in histories):
            raise Unavailable(f"a migration history has more than {MOST_ROWS} rows")
        self._demand_something(there_are, objects)
        shut = [row for row in (*(row for row, _ in tools), *stores) if not row["readable"]]
        unreadable = tuple(f"{row['schema']}.{row['name']}" for row in shut)
        types = tuple(sorted({str(row["name"]) for rows in events for row in rows}))
        named = [(str(row["name"]), str(row["text"] or "")) for rows in objects for row in rows]
        return replace(_schema(named, histories, unreadable), events=types)

    def _demand_something(self, there_are: Collection[str], objects: Sequence[Sequence[Row]]) -> None:
        """Where nothing is looked at nothing ever changes: that must not read as "as it was". Raises Unavailable."""
        missing = [name for name in self._schemas if name not in there_are]
        if missing:
            raise Unavailable(f"the database has no schema {missing[0]!r}")
        if not any(objects):
            raise Unavailable("there is no table, type or function to be seen: is it the right database?")

    async def close(self) -> None:
        """Nothing stays open between two looks."""


def _schema(
    objects: Sequence[tuple[str, str]], histories: Iterable[tuple[str, Sequence[Row]]], unreadable: tuple[str, ...]
) -> Schema:
    applied = [(f"{tool}: {row['name']}", bool(row["half"])) for tool, rows in histories for row in rows]
    done = [name for name, half in applied if not half]
    whole = hashlib.sha256()
    for part in (*(f"{name}\n{text}" for name, text in objects), *done):
        whole.update(part.encode() + b"\0")
    return Schema(
        digest=whole.hexdigest(),
        objects={name: hashlib.sha256(text.encode()).hexdigest()[:SHORT] for name, text in objects[:KEEP_OBJECTS]},
        migrations=tuple(done[-KEEP_MIGRATIONS:]),
        applied=len(done),
        half_done=next((name for name, half in applied if half), ""),
        unreadable=unreadable,
    )
