"""PostgreSQL: one read-only look with limits on everything, over a connection of its own.

Role: the one place that imports asyncpg, and only when a database is configured (extra ``postgres``). Neighbours:
`signals.database` asks. Source of the limits: facts/back-ends 12. Guarantees: `look` reads in one READ ONLY transaction, so
that several queries see the same moment and nothing is written; a statement ends after 3 s and waits at most 500 ms for a
lock; the whole look ends within its time. Works behind a pooler in transaction mode: limits are set in the transaction, and no
statement is prepared by name. What failed raises `DatabaseFault`: whether it speaks of the database, and in words without
password or query.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import field
from typing import Any

from watchdog.clients.faults import Kind, fault_of
from watchdog.model import record
from watchdog.ports import Unavailable

INSTALL = "the extra `postgres` is not installed: pip install 'rollback-watchdog[postgres]'"
LIMITS = ("SET LOCAL statement_timeout = '3s'", "SET LOCAL lock_timeout = '500ms'")
MOST_WORDS = 160

REFUSES_US = ("28", "3D", "42", "0A")
"""Classes of SQLSTATE that say that we are wrong: log-in, name of the database, rights and syntax, a pooler's limits."""

Row = Any
"""One row: values by column name."""

Ask = Callable[..., Awaitable[list[Row]]]
"""One query: its text and its arguments."""


@record
class PostgresAccess:
    """Where the database is. `tls`: off, prefer, require (any certificate) or verify. `ca_file` empty = the system's."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(default="", repr=False)
    tls: str = "prefer"
    ca_file: str = ""
    timeout_s: float = 5.0


class DatabaseFault(Unavailable):
    """A look that failed. `theirs` = it speaks of the database; else we could not ask, or were not allowed to."""

    def __init__(self, words: str, *, theirs: bool) -> None:
        """`words` for people."""
        super().__init__(words)
        self.theirs = theirs


class Postgres:
    """One database."""

    def __init__(self, access: PostgresAccess) -> None:
        """Nothing is imported or opened yet."""
        self.access = access

    @contextlib.asynccontextmanager
    async def look(self) -> AsyncIterator[Ask]:
        """Ask query after query, all of the same moment. Raises DatabaseFault, also out of the questions."""
        try:
            async with asyncio.timeout(self.access.timeout_s), self._transaction() as connection:

                async def ask(text: str, *values: Any) -> list[Row]:
                    return list(await connection.fetch(text, *values))

                yield ask
        except TimeoutError as error:
            raise DatabaseFault(f"no answer within {self.access.timeout_s:g} s", theirs=True) from error

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Any]:
        try:
            import asyncpg  # noqa: PLC0415 - an extra, and 40 ms of start that others need not pay for
        except ImportError as error:
            raise DatabaseFault(INSTALL, theirs=False) from error
        access = self.access
        try:
            connection = await asyncpg.connect(
                host=access.host,
                port=access.port,
                database=access.database,
                user=access.user,
                password=access.password or None,
                ssl=_tls(access),
                timeout=access.timeout_s,
                statement_cache_size=0,
                server_settings={"application_name": "watchdog"},
            )
            try:
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    for limit in LIMITS:
                        await connection.execute(limit)
                    yield connection
            finally:
                connection.terminate()  # a polite end could wait for a server that hangs
        except TimeoutError:
            raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ssl.SSLError) as error:
            raise _fault(error) from error


def _tls(access: PostgresAccess) -> Any:
    """The `ssl` argument of asyncpg. Raises DatabaseFault for a file of authorities that cannot be read."""
    if access.tls == "off":
        return False
    if access.tls == "prefer":
        return "prefer"
    try:
        context = ssl.create_default_context(cafile=access.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise DatabaseFault(f"{access.ca_file} holds no authorities that can be read", theirs=False) from error
    if access.tls == "require":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _fault(error: BaseException) -> DatabaseFault:
    state = getattr(error, "sqlstate", None)
    if state is None:
        if isinstance(error, ConnectionError) and "SSL" in str(error):
            return DatabaseFault("the server has no TLS", theirs=False)
        if isinstance(error, ssl.SSLError | OSError):
            fault = fault_of(_first(error))
            return DatabaseFault(fault.words, theirs=fault.kind not in (Kind.OURS, Kind.TLS))
        return DatabaseFault(str(error)[:MOST_WORDS], theirs=False)
    words = f"{str(error).splitlines()[0][:MOST_WORDS]} (SQLSTATE {state})"
    return DatabaseFault(words, theirs=not str(state).startswith(REFUSES_US))


def _first(error: BaseException) -> BaseException:
    """Asyncpg sums up the attempts on several addresses in one OSError without a number."""
    inner = getattr(error, "__context__", None)
    return inner if isinstance(error, OSError) and error.errno is None and isinstance(inner, OSError) else error
