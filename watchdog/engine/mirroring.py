"""The mirror: each incident that is stored is also shown where people look, after the store has it and never instead.

Role: `MirroredStore` passes every call on and remembers which incidents were written; `Mirror` shows them in a loop of its own.
Neighbours: `engine.daemon` owns both, `ports.IncidentObjects` shows. Guarantees: nothing waits for what is shown, and what
cannot be shown is tried again until it is, the newest state of each only; after a start and after a takeover the open ones,
and those that closed within a day, are compared and mended. Not guaranteed: that every state was seen in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from watchdog.engine.documents import bounded
from watchdog.engine.supervisor import Beat
from watchdog.model import Incident, Instant, JsonObject, MalformedDocument, from_document
from watchdog.ports import Clock, IncidentObjects, Store, Stored, Unavailable

KIND = "incident"
LOOK_S = 1.0
AGAIN_S = 10.0
"""Between tries while what shows them does not answer."""
MENDED_S = 86_400.0
"""Closed longer ago than this is not shown again by us: who deleted it meant it."""

log = structlog.get_logger("watchdog.mirror")


class MirroredStore:
    """A store that tells of each incident which was written."""

    def __init__(self, inner: Store, written: Callable[[str, JsonObject], None]) -> None:
        """Pass calls on to `inner`."""
        self._inner, self._written = inner, written

    async def read(self, key: str) -> Stored | None:
        """See `ports.Store`."""
        return await self._inner.read(key)

    async def list(self, kind: str) -> Sequence[Stored]:
        """See `ports.Store`."""
        return await self._inner.list(kind)

    async def create(self, key: str, document: JsonObject) -> Stored:
        """See `ports.Store`."""
        return self._told(await self._inner.create(key, document))

    async def replace(self, key: str, document: JsonObject, version: str) -> Stored:
        """See `ports.Store`."""
        return self._told(await self._inner.replace(key, document, version))

    async def delete(self, key: str, version: str) -> None:
        """See `ports.Store`."""
        await self._inner.delete(key, version)

    async def changes(self, cursor: str) -> tuple[str, Sequence[str]]:
        """See `ports.Store`."""
        return await self._inner.changes(cursor)

    async def found_empty(self) -> bool:
        """See `ports.Store`."""
        return await self._inner.found_empty()

    async def close(self) -> None:
        """See `ports.Store`."""
        await self._inner.close()

    def _told(self, stored: Stored) -> Stored:
        if stored.key.startswith(f"{KIND}/"):
            self._written(stored.key, stored.document)
        return stored


class Mirror:
    """Shows incidents; `store` is what the daemon uses in place of its own."""

    def __init__(self, store: Store, objects: IncidentObjects, clock: Clock, standby: Callable[[], bool]) -> None:
        """Show on `objects` what is written; who stands by shows what people ordered here and mends nothing."""
        self.store = MirroredStore(store, self._note)
        self._objects, self._clock, self._standby = objects, clock, standby
        self._waiting: dict[str, JsonObject] = {}
        self._mended = False
        self.trouble = ""

    async def run(self, beat: Beat) -> None:
        """For ever: compare once as the one that acts, then show what was written."""
        while True:
            await self._tried()
            beat.mark()
            await self._clock.sleep(AGAIN_S if self.trouble else LOOK_S)

    def _note(self, key: str, document: JsonObject) -> None:
        self._waiting[key] = document

    async def _tried(self) -> None:
        try:
            if self._standby():
                self._mended = False  # what the other one wrote meanwhile we have not seen
            elif not self._mended:
                await self._mend()
                self._mended = True
            await self._show()
        except Unavailable as error:
            if not self.trouble:
                log.error("incidents cannot be shown", action="mirror_unavailable", reason=str(error))
            self.trouble = str(error)
        else:
            self.trouble = ""

    async def _mend(self) -> None:
        """Find what is not shown as it is stored; what was written meanwhile is newer and stays."""
        shown = await bounded(self._objects.shown())
        for stored in await bounded(self.store.list(KIND)):
            try:
                incident = from_document(Incident, stored.document)
            except MalformedDocument as error:
                log.error("an incident cannot be read", action="incident_damaged", key=stored.key, reason=str(error))
                continue
            if shown.get(incident.id) != incident.updated_at and _recent(incident, self._clock.now()):
                self._waiting.setdefault(stored.key, stored.document)

    async def _show(self) -> None:
        trouble: Unavailable | None = None
        for key, document in list(self._waiting.items()):
            try:
                await bounded(self._objects.show(from_document(Incident, document)))
            except Unavailable as error:  # this one waits; the others may fare better
                trouble = error
                continue
            if self._waiting.get(key) is document:
                del self._waiting[key]
        if trouble is not None:
            raise trouble


def _recent(incident: Incident, now: Instant) -> bool:
    return incident.closed_at is None or now - incident.closed_at < MENDED_S
