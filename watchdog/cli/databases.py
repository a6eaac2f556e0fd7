"""From configured databases to clients. Role: the composition root's part for databases. Nothing is opened here."""

from __future__ import annotations

from watchdog.clients.postgres import Postgres, PostgresAccess
from watchdog.settings.database_access import ConfiguredDatabase


def postgres_of(database: ConfiguredDatabase) -> Postgres:
    """The client of one database; it opens a connection for each look."""
    return Postgres(
        PostgresAccess(
            host=database.host,
            port=database.port,
            database=database.database,
            user=database.user,
            password=database.password,
            tls=database.tls,
            ca_file=database.ca_file,
            timeout_s=database.timeout_s,
        )
    )
