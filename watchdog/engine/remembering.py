"""The hour before we looked, asked of sources that remember it.

Role: fills the ledger of a unit that was just met, or whose watchdog was away, so that a fresh install is not blind for an
hour. Neighbours: `ports.Remembering` answers, `judgement.ledger` decides what counts; `tracking` makes the record first.
Guarantees: each signal is asked at most `TRIES` times, each time within `ASK_S`, beside all other loops; a source that
cannot answer changes nothing; what we counted ourselves is never replaced. Not guaranteed: that the source counted what we
would have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from watchdog.engine.board import Board
from watchdog.engine.documents import Documents
from watchdog.engine.supervisor import Beat
from watchdog.judgement import ledger
from watchdog.model import Instant, MalformedDocument, Sample, UnitRecord, instant
from watchdog.ports import Clock, Remembering, Store, StoreUnavailable, Unavailable

TRIES = 3
ASK_S = 20.0
LOOK_S = 2.0
ENOUGH = 30
"""Minutes of a signal that are enough: its history is not asked for."""

log = structlog.get_logger("watchdog.remembering")


class Rememberer:
    """The loop of one target."""

    def __init__(self, board: Board, target: str, store: Store, clock: Clock, standby: Callable[[], bool]) -> None:
        """Remember for `target`; while `standby()` another daemon keeps the record."""
        self._board, self._target, self._clock, self._standby = board, target, clock, standby
        self._documents = Documents(store, UnitRecord)
        self._asked: dict[str, int] = {}

    async def run(self, beat: Beat) -> None:
        """Look for ever; there is something to do in the first seconds only."""
        while True:
            await self._look()
            beat.mark()
            await self._clock.sleep(LOOK_S)

    async def _look(self) -> None:
        seen = self._board.seen.get(self._target)
        record = seen.record if seen else None
        if seen is None or record is None or self._standby():
            return
        now = self._clock.now()
        for entry in seen.watch.signals:
            signal = entry.signal
            if isinstance(signal, Remembering) and self._lacks(record, signal.name, now):
                found = await self._ask(signal, signal.name, now)
                if found:
                    await self._keep(record.unit.key, found)

    def _lacks(self, record: UnitRecord, signal: str, now: Instant) -> bool:
        if self._asked.get(signal, 0) >= TRIES:
            return False
        known = sum(1 for one in record.minutes if one.signal == signal and one.minute > now - ledger.BASELINE_S)
        return known < ENOUGH

    async def _ask(self, signal: Remembering, name: str, now: Instant) -> Sequence[Sample]:
        self._asked[name] = self._asked.get(name, 0) + 1
        try:
            async with asyncio.timeout(ASK_S):
                found = await signal.minutes(instant(now - ledger.BASELINE_S), now)
        except (Unavailable, TimeoutError) as error:
            reason = str(error) or f"no answer within {ASK_S:g} s"
            log.info("the hour before is not known", action="no_history", target=self._target, reason=reason)
            return ()
        self._asked[name] = TRIES
        return found

    async def _keep(self, key: str, found: Sequence[Sample]) -> None:
        now = self._clock.now()

        def change(record: UnitRecord | None) -> UnitRecord | None:
            return None if record is None else ledger.fill_minutes(record, found, now)

        try:
            await self._documents.change(key, change)
        except (StoreUnavailable, MalformedDocument) as error:
            log.warning("the hour before is not kept", action="no_history", target=self._target, reason=str(error))
            return
        log.info("the hour before is known from the source", action="history", target=self._target, minutes=len(found))
