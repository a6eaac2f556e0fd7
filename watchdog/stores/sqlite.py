"""The embedded store: one SQLite file, one thread of its own.

Role: `ports.Store` on disk, for one daemon (the lock file beside it keeps it to one). Neighbours: `documents` says what a
document may be; the composition root calls `open` once and tells the operator what it raises.
Guarantees: a write is acknowledged after it was synced (WAL, synchronous=FULL); after a crash at any byte each document
is the old or the new one, never half; a damaged, foreign or newer file is refused and never written to; a read-only or
full disk fails writes with StoreUnavailable while reads go on, and is tried again by the next write; a file that was
removed or replaced under us takes no more writes, since they would be lost.
Not guaranteed: after StoreUnavailable from a write the write may have happened - read to find out. When the disk was full
or read-only already at opening, reads are unknown too until it mends (SQLite needs its shared memory file). A thread that hangs in
the kernel (a dead disk) cannot be stopped; every call then ends by its deadline, and `close` by its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from watchdog.model import JsonObject, iso
from watchdog.ports import Clock, Conflict, Stored, StoreDamaged, StoreUnavailable
from watchdog.stores.documents import check_key, decode, encode
from watchdog.stores.places import prepare

T = TypeVar("T")

APPLICATION_ID = 0x57444F47
"""Marks the file as ours in its header ("WDOG"), so that another program's database is never taken for state."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        # One row a key, also for deleted ones: AUTOINCREMENT never gives a sequence twice, so neither does a version.
        "CREATE TABLE changes (sequence INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE)",
        """CREATE TABLE documents (key TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL,
           document TEXT NOT NULL, updated TEXT NOT NULL)""",
    ),
)
"""Statements that lead from version n to n + 1; `user_version` in the file counts how many were applied."""

CALL_S = 10.0
"""Longest wait for one call. Longer than BUSY_S, so that a lock held by a backup is named as such."""
BUSY_S = 5.0
CLOSE_S = 5.0

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY = 0xFF  # the low byte of SQLite's extended error codes


class SqliteStore:
    """Documents in one SQLite file. Call `open` before the first use, `close` after the last."""

    def __init__(self, path: Path, clock: Clock, *, call_s: float = CALL_S) -> None:
        """A store at `path`; nothing is touched before `open`. `call_s` bounds every call in seconds."""
        self.path = path
        self._clock = clock
        self._call_s = call_s
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watchdog-store")
        self._closed = False
        # The following belong to the thread alone.
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._was_empty = False
        self._mend = False

    async def open(self) -> None:
        """Open, check and migrate. Raises StoreDamaged with what to do, StoreUnavailable when it may work later.

        After StoreUnavailable the store may be used all the same: every later call tries to open it again.
        """
        await self._call(self._connection)

    async def read(self, key: str) -> Stored | None:
        """The document, or None when it is known not to exist. Raises StoreUnavailable."""
        check_key(key)
        query = "SELECT key, document, version FROM documents WHERE key = ?"
        found = await self._ask(lambda db: _stored(db.execute(query, (key,))))
        return found[0] if found else None

    async def list(self, kind: str) -> Sequence[Stored]:
        """All documents under ``kind/``, in key order. Raises StoreUnavailable, also when one of them is unreadable."""
        query = "SELECT key, document, version FROM documents WHERE key >= ? AND key < ? ORDER BY key"
        bounds = (f"{kind}/", f"{kind}0")  # "0" is the character after "/"
        return await self._ask(lambda db: _stored(db.execute(query, bounds)))

    async def create(self, key: str, document: JsonObject) -> Stored:
        """Create if absent. Raises Conflict, StoreUnavailable."""
        check_key(key)
        text, now = encode(document), iso(self._clock.now())

        def work(db: sqlite3.Connection) -> int:
            if _version(db, key) is not None:
                raise Conflict(f"{key} exists already")
            return _put(db, key, text, now)

        return Stored(key=key, document=decode(text), version=str(await self._write(work)))

    async def replace(self, key: str, document: JsonObject, version: str) -> Stored:
        """Replace if still at `version`. Raises Conflict, StoreUnavailable."""
        check_key(key)
        text, now = encode(document), iso(self._clock.now())

        def work(db: sqlite3.Connection) -> int:
            _require_version(db, key, version)
            return _put(db, key, text, now)

        return Stored(key=key, document=decode(text), version=str(await self._write(work)))

    async def delete(self, key: str, version: str) -> None:
        """Delete if still at `version`. Raises Conflict, StoreUnavailable."""
        check_key(key)

        def work(db: sqlite3.Connection) -> None:
            _require_version(db, key, version)
            db.execute("DELETE FROM documents WHERE key = ?", (key,))
            _next(db, key)

        await self._write(work)

    async def changes(self, cursor: str) -> tuple[str, Sequence[str]]:
        """Keys written or deleted since `cursor`. A cursor of another file gives every key. Raises StoreUnavailable."""

        def work(db: sqlite3.Connection) -> tuple[str, Sequence[str]]:
            (here,) = db.execute("SELECT coalesce(max(sequence), 0) FROM changes").fetchone()
            if not cursor:
                return str(here), []
            since = int(cursor) if cursor.isdecimal() and int(cursor) <= here else 0
            later = db.execute("SELECT key FROM changes WHERE sequence > ? ORDER BY sequence", (since,))
            return str(here), [key for (key,) in later]

        return await self._ask(work)

    async def found_empty(self) -> bool:
        """True when the file held no document when it was opened. Raises StoreUnavailable."""
        return await self._ask(lambda _: self._was_empty)

    async def close(self) -> None:
        """Let the file go within `CLOSE_S`; closing twice is closing once. Raises nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            with contextlib.suppress(TimeoutError, sqlite3.Error):  # acknowledged writes are safe in the log already
                async with asyncio.timeout(CLOSE_S):
                    await asyncio.get_running_loop().run_in_executor(self._pool, self._disconnect)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    # -- the way into the thread -----------------------------------------------------------------------------------

    async def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._use(lambda: work(self._connection()))

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._use(lambda: self._transact(work))

    async def _use(self, work: Callable[[], T]) -> T:
        try:
            return await self._call(work)
        except StoreDamaged as error:  # only `open` tells damage apart: for everybody else the state is unknown
            raise StoreUnavailable(str(error)) from error

    async def _call(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            async with asyncio.timeout(self._call_s):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except TimeoutError as error:
            message = f"{self.path} gave no answer within {self._call_s:g} s; whether a write happened is unknown"
            raise StoreUnavailable(message) from error
        except sqlite3.Error as error:
            raise self._translated(error) from error
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror or error}") from error

    def _translated(self, error: sqlite3.Error) -> StoreDamaged | StoreUnavailable:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if code in _DAMAGE:
            return _damaged(self.path, str(error))
        return StoreUnavailable(f"{self.path}: {error}")

    # -- in the thread ---------------------------------------------------------------------------------------------

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        db = self._connection()
        self._require_same_file()
        db = self._mended(db)
        try:
            db.execute("BEGIN IMMEDIATE")
            result = work(db)
            db.execute("COMMIT")
        except BaseException as error:
            self._mend = isinstance(error, sqlite3.Error)
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                db.execute("ROLLBACK")
            raise
        return result

    def _mended(self, db: sqlite3.Connection) -> sqlite3.Connection:
        # A connection that was opened on a read-only file stays read-only. After a failed write a fresh one is tried;
        # the old one serves on when that fails, so that reads never stop because of it.
        if not self._mend:
            return db
        self._mend = False
        with contextlib.suppress(sqlite3.Error, OSError, StoreDamaged, StoreUnavailable):
            fresh = self._connect()
            db.close()
            self._db = db = fresh
        return db

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            prepare(self.path)
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            db = self._connect()
            (count,) = db.execute("SELECT count(*) FROM documents").fetchone()
            self._was_empty = count == 0
            self._identity = _identity(self.path)
            self._db = db
        return self._db

    def _connect(self) -> sqlite3.Connection:
        _tighten(self.path)
        db = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_S)
        try:
            _check(db, self.path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            _migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def _require_same_file(self) -> None:
        if _identity(self.path) != self._identity:
            raise StoreUnavailable(
                f"{self.path} was replaced while in use: what is written now would be lost. "
                "Put the file back, or restart the watchdog on the new one"
            )

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _tighten(path: Path) -> None:
    # Others may read nothing. SQLite gives its two side files the mode of the database; when that was read-only for a
    # while they would stay so, and no write would ever work again.
    for name, keep, give in ((path.name, 0o700, 0), (f"{path.name}-wal", 0, 0o600), (f"{path.name}-shm", 0, 0o600)):
        file = path.with_name(name)
        with contextlib.suppress(OSError):  # missing, or somebody else's: SQLite says whether it can be used
            file.chmod(file.stat().st_mode & keep | give)


def _check(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID and (application or version or _tables(db)):
        raise StoreDamaged(f"{path} is a database of another program. Name another file for the state")
    if version > len(MIGRATIONS):
        raise StoreDamaged(
            f"{path} was written by a newer watchdog (form {version}, this one knows {len(MIGRATIONS)}). "
            "Start that version again, or restore the copy from before the upgrade"
        )
    if version and not {"changes", "documents"} <= _tables(db):
        raise _damaged(path, "its tables are missing")
    (answer,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise _damaged(path, str(answer))


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master")}


def _migrate(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise


def _damaged(path: Path, what: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path} is damaged ({what}). It is left as it is: restore it from a backup, or move it away to begin with an "
        "empty state (pauses, condemned releases and known good releases in it are then gone)"
    )


def _stored(rows: sqlite3.Cursor) -> Sequence[Stored]:
    return [Stored(key=key, document=_document(key, text), version=str(version)) for key, text, version in rows]


def _document(key: str, text: str) -> JsonObject:
    try:
        return decode(text)
    except ValueError as error:
        raise StoreUnavailable(f"{key} holds something that is no document: {error}") from error


def _version(db: sqlite3.Connection, key: str) -> int | None:
    row = db.execute("SELECT version FROM documents WHERE key = ?", (key,)).fetchone()
    return None if row is None else int(row[0])


def _require_version(db: sqlite3.Connection, key: str, version: str) -> None:
    present = _version(db, key)
    if present is None:
        raise Conflict(f"{key} is gone")
    if str(present) != version:
        raise Conflict(f"{key} was changed by somebody else")


def _put(db: sqlite3.Connection, key: str, text: str, now: str) -> int:
    version = _next(db, key)
    row = (key, key.partition("/")[0], version, text, now)
    db.execute("INSERT OR REPLACE INTO documents (key, kind, version, document, updated) VALUES (?, ?, ?, ?, ?)", row)
    return version


def _next(db: sqlite3.Connection, key: str) -> int:
    return int(db.execute("INSERT OR REPLACE INTO changes (key) VALUES (?)", (key,)).lastrowid or 0)
