"""Release tracking: what runs now, since when, and what it has earned.

Role: one loop per target reads the platform and keeps the unit's record in the store. Neighbours: `ports.Platform`,
`judgement.ledger` (pure), `engine.board`, `engine.resting` (when reading can be spared). Guarantees: a new release begins its bake; bake is
credited only for time that was really watched; a condemned release that comes back is said once. Not guaranteed: that a
release shorter than one read was seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from watchdog.engine import resting
from watchdog.engine.board import Board, Seen
from watchdog.engine.documents import Documents
from watchdog.engine.pauses import PauseBook
from watchdog.engine.supervisor import Beat
from watchdog.judgement import ledger
from watchdog.model import Counts, Grade, Health, MalformedDocument, Pause, Sample, UnitRecord, UnitRef, WorkloadState
from watchdog.ports import Clock, Store, StoreUnavailable, Unavailable
from watchdog.safety import pausing

READ_S = 10.0
"""Deadline of one read of the platform."""
LATELY_S = 10.0
"""At rest it is enough to know of the pauses as of so long ago: they decide what is credited, not what is done."""
CREDIT_S = 15.0
"""Bake is credited at most this often, so that the store is not written with each poll."""

log = structlog.get_logger("watchdog.tracking")


@dataclass(frozen=True)
class Finds:
    """Callbacks of the daemon: a sentence worth a notice (`key`, text)."""

    say: Callable[[str, str, str], Awaitable[None]]


class Tracker:
    """The loop of one target."""

    def __init__(self, board: Board, target: str, store: Store, pauses: PauseBook, clock: Clock, finds: Finds) -> None:
        """Track `target`."""
        self._board, self._target, self._clock = board, target, clock
        self._documents = Documents(store, UnitRecord)
        self._pauses = pauses
        self._finds = finds
        self._kept_at = float("-inf")
        self.armed_at_birth: Callable[[], bool | None] = lambda: False
        """Whether a unit seen for the first time may be acted on at once (not after a first start on an empty store).

        None = the store could not be asked yet: no unit is born before it is known.
        """
        self.standby: Callable[[], bool] = lambda: False
        """Another daemon holds the lease and keeps the record: it is only read here."""

    async def run(self, beat: Beat) -> None:
        """Read for ever."""
        while True:
            await self.look()
            beat.mark()
            await self._clock.sleep(self._board.seen[self._target].watch.track_every_s)

    async def look(self) -> None:
        """One read, unless it is known what it would show: board, ledger, bake."""
        seen = self._board.seen[self._target]
        before, state = seen.state, resting.confirmed(seen, self._clock.monotonic(), self._clock.now())
        if state is not None:
            seen.state, seen.state_at, still = state, self._clock.monotonic(), True
        else:
            state = await self.read_state(seen)
            still = resting.as_before(seen, before)
        if state is None:
            return
        if still and resting.settled(seen) and self._clock.monotonic() - self._kept_at < resting.KEEP_S:
            return
        self._kept_at = self._clock.monotonic()
        try:
            await self._keep(seen, state, resting=still)
            seen.store_error = ""
        except (StoreUnavailable, MalformedDocument) as error:
            if not seen.store_error:
                log.warning(
                    "the ledger cannot be kept", action="ledger_unavailable", target=self._target, reason=str(error)
                )
            seen.store_error = str(error)

    async def refresh(self) -> None:
        """One read for the board alone, between two looks; the ledger follows with the next look."""
        seen = self._board.seen.get(self._target)
        if seen is not None:
            await self.read_state(seen)

    async def read_state(self, seen: Seen) -> WorkloadState | None:
        """One read of the platform within its deadline. None = could not be read; the board says why."""
        platform = seen.watch.platform
        if platform is None:
            return None
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(READ_S):
                state = await platform.read_state()
        except TimeoutError:
            seen.state_error = f"no answer of the platform within {READ_S:g} s"
            return None
        except Unavailable as error:
            seen.state_error = str(error)
            return None
        before = seen.state.release.fingerprint if seen.state else None
        asked = [pause.id for pause in self._asked(seen) if pausing.is_active(pause, self._clock.now())]
        seen.state, seen.state_error, seen.state_at = state, "", self._clock.monotonic()
        seen.read_at = began
        if before is not None and before != state.release.fingerprint:
            log.info("another release runs", action="released", target=self._target, release=state.release.label)
            self._board.released(self._target)
        if asked and asked != [pause.id for pause in self._asked(seen)]:
            self._board.rearm(self._target, "the end of a pause (its annotation is gone)")
        return state

    def _asked(self, seen: Seen) -> tuple[Pause, ...]:
        """The pause that the workload's annotations ask for."""
        return pausing.annotated(seen.state, self._target)

    async def _keep(self, seen: Seen, state: WorkloadState, *, resting: bool) -> None:
        if self.standby():
            seen.record, seen.credited_at = await self._documents.read(state.unit.key), None
            return
        now, policy = self._clock.now(), seen.watch.policy
        said: list[str] = []
        fought: list[str] = []
        credit = await self._credit_due(seen, resting=resting)

        def change(record: UnitRecord | None) -> UnitRecord | None:
            said.clear()
            known = record or self._born(state.unit)
            if known is None:
                return None
            known, sentences = ledger.observe(known, state, now, policy)
            said.extend(sentences)
            fought[:] = [entry for entry in known.fought if record is None or entry not in record.fought]
            if seen.verdict is not None:
                known, sentences = ledger.assume_good(known, state, seen.verdict, now, policy)
                said.extend(sentences)
            return self._credited(seen, known, credit, said) if credit is not None else known

        seen.record = await self._documents.change(state.unit.key, change, known=resting)
        if credit is not None:
            seen.user_events = 0
            seen.uncounted.clear()
        for sentence in said:
            log.info(sentence, action="ledger", target=self._target)
        for fingerprint in fought:
            sentence = "; ".join(said) or "a condemned release was deployed again"
            await self._finds.say(f"fought/{state.unit.uid}/{fingerprint}", self._target, f"fought over: {sentence}")

    def _credited(self, seen: Seen, known: UnitRecord, credit: tuple[float, int | None], said: list[str]) -> UnitRecord:
        """Bake and baseline of the seconds since the last credit."""
        now, policy = self._clock.now(), seen.watch.policy
        healthy = seen.verdict is not None and seen.verdict.health is Health.HEALTHY
        known, sentences = ledger.credit(known, credit[0], credit[1], healthy, now, policy)
        said.extend(sentences)
        return self._count_minutes(seen, known)

    def _count_minutes(self, seen: Seen, known: UnitRecord) -> UnitRecord:
        """The baseline: no minute of an episode, from its first bad sample on, nor of a condemned release is in it."""
        now, current = self._clock.now(), known.release(known.current)
        clean = current is None or current.grade is not Grade.CONDEMNED
        calm = tuple(sample for sample in seen.uncounted if not _in_episode(seen, sample))
        known = ledger.count_minutes(known, calm, now, baseline=clean)
        troubled = tuple(sample for sample in seen.samples if _in_episode(seen, sample))
        return ledger.count_minutes(known, troubled, now, baseline=False)

    def _born(self, unit: UnitRef) -> UnitRecord | None:
        armed = self.armed_at_birth()
        return None if armed is None else UnitRecord(unit=unit, first_seen=self._clock.now(), armed=armed)

    def _heard(self, seen: Seen) -> bool:
        """Something was known lately: a source that fell silent is called blind only later."""
        now, within = self._clock.now(), max(CREDIT_S, 3 * seen.watch.slowest_s)
        told = seen.verdict.signals if seen.verdict else ()
        return any(one.data_at is not None and now - one.data_at <= within + one.late_s for one in told)

    async def _credit_due(self, seen: Seen, *, resting: bool) -> tuple[float, int | None] | None:
        """(watched seconds, user events or None) since the last credit; None = not yet due."""
        now = self._clock.monotonic()
        if seen.credited_at is None:
            seen.credited_at = now
            return None
        passed = now - seen.credited_at
        if passed < min(CREDIT_S, seen.watch.policy.bake_s / 4):
            return None
        seen.credited_at = now
        passed = min(passed, 3 * max(CREDIT_S, seen.watch.track_every_s))  # what we slept through was not watched
        blind = seen.verdict is None or seen.verdict.health is Health.BLIND or not self._heard(seen)
        lately_s = LATELY_S if resting else 0.0
        paused = await self._pauses.read(seen.watch.policy, seen.fresh_from, self._asked(seen), lately_s=lately_s)
        watched = 0.0 if blind or not paused.readable or paused.active else passed
        counts = any(entry.signal.counts_users for entry in seen.watch.signals)
        return watched, seen.user_events if counts else None


def _in_episode(seen: Seen, sample: Sample) -> bool:
    return any(begin <= sample.end and (end is None or sample.end <= end) for begin, end in seen.episodes)


def count_users(seen: Seen, samples: tuple[Sample, ...]) -> None:
    """Keep the samples of a poll for the ledger's next credit, and count its user events."""
    seen.uncounted.extend(samples)
    names = {entry.signal.name for entry in seen.watch.signals if entry.signal.counts_users}
    for sample in samples:
        if sample.signal in names and isinstance(sample.reading, Counts):
            seen.user_events += sample.reading.events
