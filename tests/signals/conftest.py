"""One PostgreSQL for the room, one database a test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
import pytest_asyncio

from tests.signals.database.real import PASSWORD, Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    # Its user must reach the directory, which is not so below pytest's own.
    with running(Path(mkdtemp(prefix="watchdog-postgres-"))) as started:
        yield started


@pytest_asyncio.fixture
async def database(server: Server) -> AsyncIterator[str]:
    """The name of a new database that the role `watchdog` may connect to."""
    name = f"books_{secrets.token_hex(4)}"
    await server.run(
        "postgres",
        "DO $$ BEGIN CREATE ROLE watchdog LOGIN PASSWORD '"
        + PASSWORD
        + "'; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"CREATE DATABASE {name}",
    )
    await server.run(name, "CREATE TABLE orders (id bigint PRIMARY KEY, total numeric(10, 2) NOT NULL)")
    yield name
    await server.run("postgres", f"DROP DATABASE {name} WITH (FORCE)")
