"""A store with switches for everything that can go wrong behind it.

Role: `FaultyStore` wraps any `ports.Store`, passes every call through while its switches are off, and keeps a record of
the calls. Neighbours: `watchdog.stores.memory` is the usual inner store. Guarantees: a switch changes only what its
sentence says; a write that is refused by a switch was not applied, except by `fail_after_apply`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from watchdog.model import JsonObject
from watchdog.ports import Conflict, Store, Stored, StoreUnavailable

GARBAGE: JsonObject = {"kind": "Nonsense", "v": "one", "": [None]}
"""What a damaged document looks like to a reader."""

Hook = Callable[[str, str], None]
"""Called with verb and key; may raise, for instance to play a crash at this point."""


class FaultyStore:
    """A store whose faults are switched on and off by attribute, at any moment of a test."""

    def __init__(self, inner: Store) -> None:
        """Wrap `inner`; every switch is off."""
        self.inner = inner
        self.unavailable = False
        """Every call raises StoreUnavailable."""
        self.read_only = False
        """Writes raise StoreUnavailable, reads go on: a full disk, a read-only volume."""
        self.fail_after_apply = 0
        """The next n writes are applied and then raise StoreUnavailable: the reply was lost."""
        self.conflicts = 0
        """The next n writes raise Conflict, not applied."""
        self.garbage: set[str] = set()
        """Keys whose document reads as garbage."""
        self.before_write: Hook | None = None
        self.after_write: Hook | None = None
        self.calls: list[tuple[str, str]] = []
        """Every call as (verb, key or kind), also the refused ones."""
        self.applied: list[tuple[str, str]] = []
        """Every write that reached the inner store."""
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def hang(self) -> bool:
        """While true, every call waits until it is switched off or the caller gives up."""
        return not self._flowing.is_set()

    @hang.setter
    def hang(self, on: bool) -> None:
        if on:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def read(self, key: str) -> Stored | None:
        """As the inner store, or as the switches say."""
        await self._enter("read", key)
        found = await self.inner.read(key)
        return None if found is None else self._seen(found)

    async def list(self, kind: str) -> Sequence[Stored]:
        """As the inner store, or as the switches say."""
        await self._enter("list", kind)
        return [self._seen(found) for found in await self.inner.list(kind)]

    async def create(self, key: str, document: JsonObject) -> Stored:
        """As the inner store, or as the switches say."""
        await self._enter_write("create", key)
        stored = await self.inner.create(key, document)
        self._leave_write("create", key)
        return stored

    async def replace(self, key: str, document: JsonObject, version: str) -> Stored:
        """As the inner store, or as the switches say."""
        await self._enter_write("replace", key)
        stored = await self.inner.replace(key, document, version)
        self._leave_write("replace", key)
        return stored

    async def delete(self, key: str, version: str) -> None:
        """As the inner store, or as the switches say."""
        await self._enter_write("delete", key)
        await self.inner.delete(key, version)
        self._leave_write("delete", key)

    async def changes(self, cursor: str) -> tuple[str, Sequence[str]]:
        """As the inner store, or as the switches say."""
        await self._enter("changes", cursor)
        return await self.inner.changes(cursor)

    async def found_empty(self) -> bool:
        """As the inner store, or as the switches say."""
        await self._enter("found_empty", "")
        return await self.inner.found_empty()

    async def close(self) -> None:
        """Close the inner store, whatever the switches say."""
        self.calls.append(("close", ""))
        await self.inner.close()

    async def _enter(self, verb: str, key: str) -> None:
        self.calls.append((verb, key))
        await self._flowing.wait()
        if self.unavailable:
            raise StoreUnavailable("the store does not answer (switched off by the test)")

    async def _enter_write(self, verb: str, key: str) -> None:
        await self._enter(verb, key)
        if self.before_write is not None:
            self.before_write(verb, key)
        if self.read_only:
            raise StoreUnavailable("the store is read-only (switched by the test)")
        if self.conflicts > 0:
            self.conflicts -= 1
            raise Conflict(f"{key} was changed by somebody else (switched by the test)")

    def _leave_write(self, verb: str, key: str) -> None:
        self.applied.append((verb, key))
        if self.after_write is not None:
            self.after_write(verb, key)
        if self.fail_after_apply > 0:
            self.fail_after_apply -= 1
            raise StoreUnavailable(f"the reply to {verb} was lost after it was applied (switched by the test)")

    def _seen(self, found: Stored) -> Stored:
        if found.key in self.garbage:
            return Stored(key=found.key, document=GARBAGE, version=found.version)
        return found
