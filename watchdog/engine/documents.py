"""Records in a store: typed reading, and read-change-compare-and-swap.

Role: the only code of the engine that turns records into documents and back. Neighbours: `ports.Store`, `model.codec`.
Guarantees: a change is made on what was just read; a lost race reads again and asks the change function anew, so the
function must be pure. Store trouble passes through as `StoreUnavailable`, a damaged document as `MalformedDocument`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from watchdog.model import JsonObject, MalformedDocument, from_document, to_document
from watchdog.ports import Conflict, Store, Stored, StoreUnavailable

R = TypeVar("R")
T = TypeVar("T")

TRIES = 8
"""Lost races in a row before we say that the store cannot be written now."""

REMEMBERED = 512
"""Decoded records kept at most."""

ANSWER_S = 10.0
"""A store that does not answer within this is unavailable: whether a write happened is unknown, and is read later."""


async def bounded(call: Awaitable[R]) -> R:
    """The store's answer within `ANSWER_S`. Raises StoreUnavailable when there is none."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await call
    except TimeoutError as error:
        raise StoreUnavailable(f"the store does not answer within {ANSWER_S:g} s") from error


class Documents(Generic[T]):
    """All documents of one record type."""

    def __init__(self, store: Store, cls: type[T]) -> None:
        """Keep the store and the record type."""
        self.store = store
        self._cls = cls
        self._decoded: dict[str, tuple[JsonObject, T]] = {}
        self._last: dict[str, Stored] = {}

    async def read(self, key: str) -> T | None:
        """The record, None when known to be absent."""
        stored = await bounded(self.store.read(key))
        return None if stored is None else self._decode(stored)

    async def list(
        self, kind: str, concerns: Callable[[JsonObject], bool] = lambda _: True
    ) -> tuple[list[T], list[str]]:
        """All readable records of `kind` whose document `concerns` the asker, and the keys of those that are damaged."""
        records, damaged = [], []
        for stored in await bounded(self.store.list(kind)):
            if not concerns(stored.document):
                continue
            try:
                records.append(self._decode(stored))
            except MalformedDocument:
                damaged.append(stored.key)
        return records, damaged

    async def create(self, key: str, record: T) -> None:
        """Create if absent. Raises Conflict."""
        await bounded(self.store.create(key, to_document(record)))

    async def change(self, key: str, change: Callable[[T | None], T | None], *, known: bool = False) -> T | None:
        """Read, change, compare-and-swap. A change that gives back None or the same record writes nothing.

        `known` = begin from what this object wrote last, without reading it: a lost swap then reads. For who alone changes a
        document, and for whom what others did to it may wait.
        """
        for _ in range(TRIES):
            last = self._last.pop(key, None)
            stored = last if known and last else await bounded(self.store.read(key))
            before = None if stored is None else self._decode(stored)
            after = change(before)
            if after is None or after == before:
                if known and stored is not None:
                    self._last[key] = stored
                return before
            try:
                if stored is None:
                    written = await bounded(self.store.create(key, to_document(after)))
                else:
                    written = await bounded(self.store.replace(key, to_document(after), stored.version))
            except Conflict:
                continue
            if known:
                self._last[key] = written
            return after
        raise StoreUnavailable(f"{key}: {TRIES} writes in a row were overtaken")

    async def delete(self, key: str) -> None:
        """Delete what stands there. Raises Conflict for a lost race: the newer document is left alone."""
        stored = await bounded(self.store.read(key))
        if stored is not None:
            await bounded(self.store.delete(key, stored.version))

    def _decode(self, stored: Stored) -> T:
        """The record of a document. The same document as last time is the same record: it is read anew, not decoded anew."""
        known = self._decoded.get(stored.key)
        if known is not None and known[0] == stored.document:
            return known[1]
        decoded = from_document(self._cls, stored.document)
        if len(self._decoded) >= REMEMBERED:
            self._decoded.pop(next(iter(self._decoded)))
        self._decoded[stored.key] = (stored.document, decoded)
        return decoded
