"""Gathering: fresh reads of everything that the gate looks at.

Role: fills `safety.facts.GateFacts` before each pass of the gate. Neighbours: store (pauses, record), lease, platform,
board. Guarantees: target, owner, history and preflight are read anew each time, each with its own deadline; what could
not be read is None or a sentence, never a guess. Nothing here decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from watchdog.engine.board import Board, Seen
from watchdog.engine.documents import Documents
from watchdog.engine.pauses import PauseBook
from watchdog.judgement import ledger
from watchdog.judgement.blame import Blame, BlameFacts, blame
from watchdog.judgement.judge import old_instances
from watchdog.model import (
    Act,
    Breach,
    Finding,
    Health,
    Incident,
    MalformedDocument,
    Release,
    UnitRecord,
    WorkloadState,
)
from watchdog.ports import (
    Clock,
    HazardReader,
    Held,
    Lease,
    NotHolder,
    Platform,
    Store,
    StoreUnavailable,
    Unavailable,
)
from watchdog.safety.facts import BlameView, GateFacts, HazardView, Leadership, SelfSuspicion
from watchdog.safety.suspicion import GroupHealth, suspect_ourselves

READ_S = 8.0
"""Deadline of each read."""
MARGIN_S = 2.0
"""What a lease must have left beyond the write itself."""
WRITE_S = 10.0

_OWN_TERMS = ("bake", "first bad sample")
"""Terms that speak of this release alone; every other one that acquits it names a cause that others share."""

T = TypeVar("T")


@dataclass
class Gatherer:
    """Reads the facts of one pass. `reference` are probes of the outside whose failure says that we are cut off."""

    board: Board
    store: Store
    lease: Lease
    pauses: PauseBook
    clock: Clock
    reference: Callable[[], Sequence[bool | None]] = tuple
    sources_failing: Callable[[], float | None] = lambda: None
    shutting_down: bool = False
    writing: Callable[[], Mapping[str, str]] = dict
    """Targets with an incident whose write is under way: target -> incident id."""
    _records: Documents[UnitRecord] = field(init=False)

    def __post_init__(self) -> None:
        self._records = Documents(self.store, UnitRecord)

    def write_deadline(self, wanted_s: float) -> float:
        """Seconds a request may take: never more than the lease has left, less the margin."""
        state = self.lease.state()
        left = state.remaining - MARGIN_S if isinstance(state, Held) else 0.0
        return max(0.5, min(wanted_s, left))

    async def gather(self, seen: Seen, incident: Incident) -> GateFacts:
        """All facts of one pass, read now. Raises StoreUnavailable when the unit's record cannot be read."""
        policy, now = seen.watch.policy, self.clock.now()
        state, trouble = await self._state(seen)
        unit = incident.units[0]
        record = await self._record(seen, incident)
        owner, history = await asyncio.gather(
            self._ask(lambda: _platform(seen).detect_owner()), self._ask(lambda: _platform(seen).history())
        )
        pauses = await self.pauses.read(policy.target, policy.group)
        good, words, far, back = self._good(record, incident, history, seen)
        preflight = await self._preflight(seen, good)
        bake = ledger.in_bake(record, incident.blamed.fingerprint, now, policy)
        return GateFacts(
            policy=policy,
            verdict=seen.verdict,
            failing_seen_s=None if seen.failing_at is None else self.clock.monotonic() - seen.failing_at,
            poll_s=seen.watch.slowest_s,
            pauses=pauses,
            leadership=self.leadership(),
            need_s=WRITE_S / 2 + MARGIN_S,
            state=state,
            state_error=trouble,
            owner=owner,
            blamed=record.release(incident.blamed.fingerprint) or incident.blamed,
            in_bake=bake[0],
            bake_sentence=bake[1],
            blame=self._blame(seen, incident, record, bake),
            good=good,
            good_sentence=words,
            good_far=far,
            steps_back=back,
            preflight=preflight,
            hazards=await self._hazards(seen, incident, good),
            record=record,
            fleet_acts=await self._fleet_acts(),
            in_flight=self._in_flight(policy.target, policy.group, incident.id),
            suspect=self.suspicion(),
            approvals=incident.approvals,
            began=incident.breach_at or incident.opened_at,
            overrides=incident.overrides,
            countdown_until=incident.countdown_until,
            countdown_started=incident.countdown_until is not None,
            step=incident.step,
            wrote=incident.wrote,
            incident=incident.id,
            armed=record.armed,
            store_found_empty=await self.store.found_empty(),
            shutting_down=self.shutting_down,
            store_ok=True,
            target_known=policy.target in self.board.seen and unit.target == policy.target,
            manual=incident.manual,
        )

    def leadership(self) -> Leadership:
        """What is known about our lease, without asking anybody."""
        state = self.lease.state()
        if isinstance(state, Held):
            return Leadership(
                held=True, remaining_s=state.remaining, sentence=f"held for {min(state.remaining, 9e6):.0f} s"
            )
        if isinstance(state, NotHolder):
            return Leadership(held=False, sentence=f"held by {state.holder}")
        return Leadership(held=None, sentence=state.reason)

    def suspicion(self) -> SelfSuspicion:
        """Whether it is rather us: groups that fail at once, reference probes, broken sources."""
        groups: dict[str, list[bool | None]] = {}
        for seen in self.board.seen.values():
            policy = seen.watch.policy
            if not policy.watch_only:
                groups.setdefault(policy.group or policy.target, []).append(_failing(seen))
        health = [GroupHealth(name=name, failing=_any(found)) for name, found in groups.items()]
        return suspect_ourselves(health, tuple(self.reference()), self.sources_failing())

    async def _state(self, seen: Seen) -> tuple[WorkloadState | None, str]:
        try:
            async with asyncio.timeout(READ_S):
                return await _platform(seen).read_state(), ""
        except TimeoutError:
            return None, f"no answer of the platform within {READ_S:g} s"
        except Unavailable as error:
            return None, str(error)

    async def _record(self, seen: Seen, incident: Incident) -> UnitRecord:
        record = await self._records.read(incident.units[0].key)
        return record or seen.record or UnitRecord(unit=incident.units[0])

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """The answer, or None: could not be found out."""
        try:
            async with asyncio.timeout(READ_S):
                return await question()
        except (Unavailable, TimeoutError):
            return None

    async def _preflight(self, seen: Seen, good: Release | None) -> tuple[Finding, ...] | None:
        if good is None:
            return None
        found = await self._ask(lambda: _platform(seen).preflight(good))
        return None if found is None else tuple(found)

    def _good(
        self, record: UnitRecord, incident: Incident, history: Sequence[Release] | None, seen: Seen
    ) -> tuple[Release | None, str, bool, int | None]:
        """The release to go back to. After a write it is the one that was written, whatever the ledger says now."""
        if incident.wrote and incident.good is not None:
            return incident.good, "chosen before the first write", False, None
        if incident.requested:
            asked = record.release(incident.requested) or _find(history or (), incident.requested)
            words = f"{asked.label}, asked for by a person" if asked else f"{incident.requested} is not known"
            return asked, words, False, None
        choice = ledger.last_known_good(record, self.clock.now(), seen.watch.policy, history)
        return choice.release, choice.sentence, choice.far, choice.steps_back

    def _blame(self, seen: Seen, incident: Incident, record: UnitRecord, bake: tuple[bool, str]) -> BlameView:
        blamed, context = record.release(incident.blamed.fingerprint) or incident.blamed, self.board.context(seen)
        now, policy = self.clock.now(), seen.watch.policy
        live = None if seen.judgement is None else old_instances(seen.judgement, seen.verdict, context, now)
        found: Blame = blame(
            BlameFacts(
                breach=Breach(
                    target=policy.target,
                    at=incident.breach_at or incident.opened_at,
                    first_bad=incident.first_bad or incident.opened_at,
                    signals=(),
                    sentence=incident.headline,
                ),
                rollout_started=blamed.started,
                rollout_completed=blamed.completed,
                start_uncertain_s=seen.watch.track_every_s,
                in_bake=bake[0],
                bake_sentence=bake[1],
                signals=seen.verdict.signals if seen.verdict else (),
                controls=context.controls,
                expected_controls=(*policy.control, *policy.depends_on),
                old_instances=live,
            )
        )
        shared = any(term.counts and term.blames is False and term.name not in _OWN_TERMS for term in found.terms)
        return BlameView(to_blame=found.to_blame, sentence=found.sentence, hazard="C" if shared else "")

    async def _hazards(self, seen: Seen, incident: Incident, good: Release | None) -> tuple[HazardView, ...]:
        if good is None:
            return ()
        views: list[HazardView] = []
        for reader in seen.watch.hazards:
            views.extend(await self._one_hazard(reader, incident, good))
        return tuple(views)

    async def _one_hazard(self, reader: HazardReader, incident: Incident, good: Release) -> list[HazardView]:
        facts = await self._ask(lambda: reader.read(incident.units[0], incident.blamed, good))
        if facts is None:
            return [HazardView(hazard=reader.name, present=None, sentence=f"{reader.name} could not be asked")]
        return [HazardView(hazard=fact.hazard, present=fact.present, sentence=fact.sentence) for fact in facts]

    async def _fleet_acts(self) -> tuple[Act, ...]:
        try:
            records, _ = await self._records.list("unit")
        except MalformedDocument as error:
            raise StoreUnavailable(str(error)) from error
        return tuple(act for record in records for act in record.acts)

    def _in_flight(self, target: str, group: str, incident: str) -> tuple[str, ...]:
        found = []
        for other, key in self.writing().items():
            seen = self.board.seen.get(other)
            same_group = bool(group) and seen is not None and seen.watch.policy.group == group
            if key != incident and (other == target or same_group):
                found.append(key)
        return tuple(found)


def _platform(seen: Seen) -> Platform:
    if seen.watch.platform is None:
        raise Unavailable("the target has no platform")
    return seen.watch.platform


def _find(history: Sequence[Release], fingerprint: str) -> Release | None:
    return next((entry for entry in history if entry.fingerprint == fingerprint), None)


def _failing(seen: Seen) -> bool | None:
    if seen.verdict is None or seen.verdict.health is Health.BLIND:
        return None
    return seen.verdict.health is Health.FAILING


def _any(found: list[bool | None]) -> bool | None:
    if any(found):
        return True
    return None if all(entry is None for entry in found) else False
