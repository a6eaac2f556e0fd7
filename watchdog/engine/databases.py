"""What each release has run with: a slow look at the target's databases, kept, and compared when going back is asked.

Role: one loop per database of a target, and the gate's reader for hazard A (``data: check``). Neighbours: `ports.SchemaSource`
looks, `safety.databases` (pure) decides, the store keeps one record a unit and signal. Guarantees: a schema counts for a
release only for time at whose both ends it was seen and during which the release ran and was healthy; the gate's answer is
from a look of its own, never from the last one. Not guaranteed: that a change between two looks that was taken back is seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from watchdog.engine.board import Board, Seen
from watchdog.engine.documents import Documents
from watchdog.engine.supervisor import Beat
from watchdog.model import Health, MalformedDocument, Release, Schema, SchemaRecord, UnitRef, WorkloadState
from watchdog.ports import Clock, HazardFact, SchemaSource, Store, StoreUnavailable, Unavailable
from watchdog.safety import databases

LOOK_S = 60.0
READ_S = 10.0
"""Seconds between two looks, and of one look."""
PROVES = 0.9
"""Share of the soak that proves a schema: looks are a minute apart, so the last one may be missing."""
HAZARD = "database-ahead"

log = structlog.get_logger("watchdog.databases")


class SchemaKeeper:
    """The loop of one database of one target, and what the gate asks about it."""

    def __init__(
        self,
        board: Board,
        target: str,
        source: SchemaSource,
        store: Store,
        clock: Clock,
        standby: Callable[[], bool],
    ) -> None:
        """Look at `source` for `target`; while `standby()` another daemon keeps the record."""
        self.name = source.name
        self._board, self._target, self._source = board, target, source
        self._clock, self._standby = clock, standby
        self._documents = Documents(store, SchemaRecord)
        self._before: tuple[str, str, float] | None = None
        """Release, digest and monotonic moment of the last look that found the target healthy."""

    async def run(self, beat: Beat) -> None:
        """Look for ever."""
        while True:
            await self.look()
            beat.mark()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """One look, kept for the release that runs."""
        seen = self._board.seen.get(self._target)
        if seen is None:
            return
        try:
            schema = await self._read()
        except Unavailable as error:
            if str(error) != seen.databases.get(self.name):
                log.warning("the database cannot be read", action="no_schema", target=self._target, reason=str(error))
            seen.databases[self.name], self._before = str(error), None
            return
        seen.databases[self.name] = databases.describe(schema)
        if seen.state is None or seen.state_error or self._standby():  # which release runs is then not known
            self._before = None
        else:
            await self._keep(seen, seen.state, schema)

    async def read(self, unit: UnitRef, blamed: Release, good: Release) -> Sequence[HazardFact]:
        """See `ports.HazardReader`."""
        del blamed
        schema = await self._read()
        try:
            record = await self._documents.read(_key(unit, self.name))
        except (StoreUnavailable, MalformedDocument) as error:
            raise Unavailable(str(error)) from error
        seen = self._board.seen[self._target]
        present, sentence = databases.ahead(record, good, schema, PROVES * seen.watch.policy.bake_s)
        return [HazardFact(hazard=HAZARD, present=present, sentence=f"{self.name}: {sentence}")]

    async def _read(self) -> Schema:
        try:
            async with asyncio.timeout(READ_S):
                return await self._source.read()
        except TimeoutError as error:
            raise Unavailable(f"no answer within {READ_S:g} s") from error

    async def _keep(self, seen: Seen, state: WorkloadState, schema: Schema) -> None:
        release, now = state.release.fingerprint, self._clock.monotonic()
        healthy = state.complete and seen.verdict is not None and seen.verdict.health is Health.HEALTHY
        before, self._before = self._before, (release, schema.digest, now) if healthy else None
        same = before is not None and before[:2] == (release, schema.digest)
        watched = 0.0
        if before is not None and same and healthy:
            watched = min(now - before[2], 2 * LOOK_S)  # not what we slept through
        at = self._clock.now()
        try:
            await self._documents.change(
                _key(state.unit, self.name), lambda record: databases.note(record, release, schema, at, watched)
            )
        except (StoreUnavailable, MalformedDocument) as error:
            log.warning("the schema is not kept", action="no_schema", target=self._target, reason=str(error))


def _key(unit: UnitRef, name: str) -> str:
    return f"schema/{unit.key.partition('/')[2]}/{name}"
