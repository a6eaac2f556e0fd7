"""A store that lives as long as the process: for the demo, for `check`, and for tests.

Role: a whole implementation of `ports.Store`. Neighbours: `sqlite` keeps the same contract on disk.
Guarantees: documents are copied on the way in and out, so nobody shares them by accident; versions never come again.
Not guaranteed: anything after the process ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchdog.model import JsonObject
from watchdog.ports import Conflict, Stored, StoreUnavailable
from watchdog.stores.documents import check_key, decode, encode


class MemoryStore:
    """Documents in a dictionary, with compare-and-swap and a change feed."""

    def __init__(self, documents: Mapping[str, JsonObject] | None = None) -> None:
        """Begin with `documents`, by key. Without any, the store is `found_empty`."""
        self._texts: dict[str, tuple[str, int]] = {}
        self._changed: dict[str, int] = {}
        self._sequence = 0
        self._closed = False
        for key, document in (documents or {}).items():
            self._put(check_key(key), encode(document))
        self._found_empty = not self._texts

    async def read(self, key: str) -> Stored | None:
        """The document, or None when it is not there."""
        self._require_open()
        return self._stored(key) if check_key(key) in self._texts else None

    async def list(self, kind: str) -> Sequence[Stored]:
        """All documents under ``kind/``, in key order."""
        self._require_open()
        return [self._stored(key) for key in sorted(self._texts) if key.startswith(f"{kind}/")]

    async def create(self, key: str, document: JsonObject) -> Stored:
        """Create if absent. Raises Conflict."""
        self._require_open()
        text = encode(document)
        if check_key(key) in self._texts:
            raise Conflict(f"{key} exists already")
        return self._put(key, text)

    async def replace(self, key: str, document: JsonObject, version: str) -> Stored:
        """Replace if still at `version`. Raises Conflict."""
        self._require_open()
        text = encode(document)
        self._require_version(check_key(key), version)
        return self._put(key, text)

    async def delete(self, key: str, version: str) -> None:
        """Delete if still at `version`. Raises Conflict."""
        self._require_open()
        self._require_version(check_key(key), version)
        del self._texts[key]
        self._changed[key] = self._next()

    async def changes(self, cursor: str) -> tuple[str, Sequence[str]]:
        """Keys written or deleted since `cursor`. A cursor of another life of the store gives every key."""
        self._require_open()
        here = str(self._sequence)
        if not cursor:
            return here, []
        since = int(cursor) if cursor.isdecimal() and int(cursor) <= self._sequence else 0
        later = sorted((at, key) for key, at in self._changed.items() if at > since)
        return here, [key for _, key in later]

    async def found_empty(self) -> bool:
        """True when it was made without documents."""
        return self._found_empty

    async def close(self) -> None:
        """Refuse from now on; closing twice is closing once."""
        self._closed = True

    def _stored(self, key: str) -> Stored:
        text, version = self._texts[key]
        return Stored(key=key, document=decode(text), version=str(version))

    def _put(self, key: str, text: str) -> Stored:
        self._texts[key] = (text, self._next())
        self._changed[key] = self._sequence
        return self._stored(key)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence

    def _require_version(self, key: str, version: str) -> None:
        present = self._texts.get(key)
        if present is None:
            raise Conflict(f"{key} is gone")
        if str(present[1]) != version:
            raise Conflict(f"{key} was changed by somebody else")

    def _require_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
