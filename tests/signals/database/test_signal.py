"""Whether a database answers: against a real PostgreSQL that goes on, freezes, is full and is gone."""

from __future__ import annotations

import asyncio

import pytest

from tests.signals.database.real import Server
from watchdog.clients.postgres import Postgres, PostgresAccess
from watchdog.model import Counts, Sample, Unknown
from watchdog.ports import PollContext
from watchdog.signals.database import DatabaseSignal
from watchdog.testing.clock import WorldClock

pytestmark = pytest.mark.asyncio


async def poll(database: Postgres) -> Sample:
    signal = DatabaseSignal("up", database, WorldClock())
    assert signal.deadline_s > database.access.timeout_s
    (sample,) = await signal.poll(CONTEXT)
    await signal.close()
    return sample


CONTEXT = PollContext()


async def test_a_database_that_answers_is_good(server: Server, database: str) -> None:
    sample = await poll(server.postgres(database))
    assert sample.reading == Counts(good=1, bad=0)
    assert sample.detail.startswith("answered in")


async def test_one_that_is_gone_is_bad(server: Server) -> None:
    sample = await poll(Postgres(PostgresAccess(host="127.0.0.1", port=1, database="x", user="x")))
    assert sample.reading == Counts(good=0, bad=1)
    assert sample.detail == "connection refused"


async def test_one_that_hangs_is_bad_within_its_time(server: Server, database: str) -> None:
    server.freeze()
    try:
        sample = await asyncio.wait_for(poll(server.postgres(database, timeout_s=0.5)), timeout=5)
    finally:
        server.thaw()
    assert sample.reading == Counts(good=0, bad=1)
    assert sample.detail == "no answer within 0.5 s"


async def test_one_without_a_place_left_is_bad(server: Server, database: str) -> None:
    await server.run(database, f"ALTER DATABASE {database} CONNECTION LIMIT 0")
    sample = await poll(server.postgres(database))
    assert sample.reading == Counts(good=0, bad=1)
    assert "too many connections" in sample.detail


async def test_a_log_in_that_is_wrong_says_nothing_about_the_database(server: Server, database: str) -> None:
    sample = await poll(server.postgres(database, password="wrong"))
    assert isinstance(sample.reading, Unknown)
    assert "password authentication failed" in sample.detail
