"""Gathering: fresh reads of everything that the gate looks at.

Role: fills `safety.facts.GateFacts` before each pass of the gate. Neighbours: store (pauses, record), lease, platform,
board. Guarantees: target, owner, history, preflight and plan are read anew each time, each with its own deadline; the
slow outside first (`outside`), then what binds at once - record, budget, pauses, lease (`gather`); what could not be read
is None or a sentence, never a guess. Nothing here decides.
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
    Instant,
    Ownership,
    Plan,
    Release,
    TargetPolicy,
    TargetVerdict,
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
from watchdog.safety import pausing
from watchdog.safety.facts import BlameView, GateFacts, HazardView, Leadership, SelfSuspicion
from watchdog.safety.readiness import ENDLESS_S
from watchdog.safety.suspicion import GroupHealth, suspect_ourselves

READ_S = 8.0
"""Deadline of each read."""
MARGIN_S = 2.0
"""What a lease must have left beyond the write itself."""
WRITE_S = 10.0
FLIGHT = "in flight"
"""Release names of an act that is under way and not yet booked: it counts in the budget of all."""

ENOUGH_SOURCES = 3
"""Fewer signals of other targets say little about all sources."""

_OWN_TERMS = ("bake", "first bad sample")
"""Terms that speak of this release alone; every other one that acquits it names a cause that others share."""

T = TypeVar("T")


@dataclass(frozen=True)
class Outside:
    """What the platform says now. None = could not be found out."""

    state: WorkloadState | None
    trouble: str
    owner: Ownership | None
    history: Sequence[Release] | None
    good: Release | None
    good_sentence: str
    far: bool
    steps_back: int | None
    preflight: tuple[Finding, ...] | None
    hazards: tuple[HazardView, ...]
    plan: Plan | None


@dataclass
class Gatherer:
    """Reads the facts of one pass. `reference` names watch-only targets whose failure says that we are cut off."""

    board: Board
    store: Store
    lease: Lease
    pauses: PauseBook
    clock: Clock
    reference: tuple[str, ...] = ()
    store_trouble: Callable[[], str] = str
    """Why nothing can be stored, as any loop has found; empty while the store works."""
    shutting_down: bool = False
    found_empty: bool = False
    """The store held nothing when it was opened."""
    writing: Callable[[], Mapping[str, str]] = dict
    """Targets whose write is under way: target -> name of the act (incident id, ``#``, opening)."""
    _records: Documents[UnitRecord] = field(init=False)

    def __post_init__(self) -> None:
        self._records = Documents(self.store, UnitRecord)

    @property
    def need_s(self) -> float:
        """Seconds that a lease must have left for a write to begin."""
        return WRITE_S / 2 + MARGIN_S

    def may_write(self) -> bool:
        """Looked at once more between the stored intent and the request: nothing begins on a lease that is going."""
        state = self.lease.state()
        return not self.shutting_down and isinstance(state, Held) and state.remaining > self.need_s

    def write_deadline(self, wanted_s: float) -> float:
        """Seconds a request may take: never more than the lease has left, less the margin."""
        state = self.lease.state()
        left = state.remaining - MARGIN_S if isinstance(state, Held) else 0.0
        return max(0.5, min(wanted_s, left))

    async def outside(self, seen: Seen, incident: Incident) -> Outside:
        """Everything slow, with the plan that would be written. Raises StoreUnavailable."""
        (state, trouble), owner, history, record = await asyncio.gather(
            self._state(seen),
            self._ask(lambda: _platform(seen).detect_owner()),
            self._ask(lambda: _platform(seen).history()),
            self._record(seen, incident),
        )
        good, words, far, back = self._good(record, incident, history, seen)
        preflight, hazards, (plan, no_road) = await asyncio.gather(
            self._preflight(seen, good), self._hazards(seen, incident, good), self._plan(seen, state, good, incident)
        )
        if no_road is not None and preflight is not None:
            preflight = (*preflight, no_road)
        return Outside(state, trouble, owner, history, good, words, far, back, preflight, hazards, plan)

    async def gather(self, seen: Seen, incident: Incident, outside: Outside | None = None) -> GateFacts:
        """All facts of one pass; what binds at once is read last. Raises StoreUnavailable."""
        found = outside or await self.outside(seen, incident)
        policy = seen.watch.policy
        record, fleet = await asyncio.gather(self._record(seen, incident), self._fleet_acts(policy.target))
        # One that was taken away just now binds until the tracker has seen it too, and judges the target anew.
        asked = pausing.annotated(found.state, policy.target) or pausing.annotated(seen.state, policy.target)
        pauses = await self.pauses.read(policy, seen.fresh_from, asked)
        now = self.clock.now()
        bake = ledger.in_bake(record, incident.blamed.fingerprint, now, policy)
        return GateFacts(
            policy=policy,
            verdict=seen.verdict,
            failing_seen_s=None if seen.failing_at is None else self.clock.monotonic() - seen.failing_at,
            poll_s=seen.watch.slowest_s,
            pauses=pauses,
            leadership=self.leadership(),
            need_s=self.need_s,
            state=found.state,
            state_error=found.trouble,
            owner=found.owner,
            blamed=record.release(incident.blamed.fingerprint) or incident.blamed,
            in_bake=bake[0],
            bake_sentence=bake[1],
            blame=self._blame(seen, incident, record, bake, now),
            good=found.good,
            good_sentence=found.good_sentence,
            good_far=found.far,
            steps_back=found.steps_back,
            preflight=found.preflight,
            hazards=found.hazards,
            record=record,
            fleet_acts=fleet,
            in_flight=self._in_flight(policy.target, policy.group, incident.id),
            suspect=self.suspicion(),
            approvals=incident.approvals,
            began=incident.breach_at or incident.opened_at,
            overrides=incident.overrides,
            countdown_until=incident.countdown_until,
            countdown_started=incident.countdown_until is not None,
            step=incident.step,
            wrote=incident.wrote or any(intent.open for intent in incident.past_intents),
            incident=incident.id,
            armed=record.armed,
            store_found_empty=self.found_empty,
            shutting_down=self.shutting_down,
            store_ok=not self.store_trouble(),
            target_known=policy.target in self.board.seen,
            manual=incident.manual,
        )

    def leadership(self) -> Leadership:
        """What is known about our lease, without asking anybody."""
        state = self.lease.state()
        if isinstance(state, Held):
            long = state.remaining > ENDLESS_S
            words = "held as long as this process lives" if long else f"held for {state.remaining:.0f} s"
            return Leadership(held=True, remaining_s=state.remaining, sentence=words)
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
        answered = [_answered(self.board.seen.get(name)) for name in self.reference]
        return suspect_ourselves(health, answered, self._sources_failing())

    def _sources_failing(self) -> float | None:
        """Share of signals that are blind; None for too few. A failing target's own may be blind by its release's doing."""
        verdicts = [seen.verdict for seen in self.board.seen.values() if seen.verdict is not None]
        others = [one for verdict in verdicts if verdict.health is not Health.FAILING for one in verdict.signals]
        if len(others) < ENOUGH_SOURCES:
            return None
        return sum(one.health is Health.BLIND for one in others) / len(others)

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

    async def _plan(
        self, seen: Seen, state: WorkloadState | None, good: Release | None, incident: Incident
    ) -> tuple[Plan | None, Finding | None]:
        """The plan on fresh state, or why there is none. One whose first step was written is kept to its end."""
        if incident.step > 0:
            return incident.plan, None
        if state is None or good is None or state.release.fingerprint == good.fingerprint:
            return None, None
        try:
            async with asyncio.timeout(READ_S):
                return await _platform(seen).plan(state, good, incident.id), None
        except ValueError as error:
            return None, Finding(name="plan", sentence=f"no road leads there: {error}", blocks=True)
        except (Unavailable, TimeoutError) as error:
            return None, Finding(name="plan", sentence=f"the way back could not be read: {error}", unknown=True)

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

    def _blame(
        self, seen: Seen, incident: Incident, record: UnitRecord, bake: tuple[bool, str], now: Instant
    ) -> BlameView:
        blamed, context = record.release(incident.blamed.fingerprint) or incident.blamed, self.board.context(seen)
        policy = seen.watch.policy
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
                siblings=self._siblings(policy, now),
            )
        )
        shared = any(term.counts and term.blames is False and term.name not in _OWN_TERMS for term in found.terms)
        return BlameView(to_blame=found.to_blame, sentence=found.sentence, hazard="C" if shared else "")

    def _siblings(self, policy: TargetPolicy, now: Instant) -> tuple[TargetVerdict, ...]:
        """Verdicts of the targets that were not released lately and are not known to hang together with this one."""
        kin = {policy.target, *policy.control, *policy.depends_on}
        return tuple(
            seen.verdict
            for name, seen in self.board.seen.items()
            if seen.verdict is not None and name not in kin and not _kin(seen, policy) and _settled(seen, now)
        )

    async def _hazards(self, seen: Seen, incident: Incident, good: Release | None) -> tuple[HazardView, ...]:
        if good is None:
            return ()
        views: list[HazardView] = []
        for reader in (*seen.watch.hazards, *seen.keepers):
            views.extend(await self._one_hazard(reader, incident, good))
        return tuple(views)

    async def _one_hazard(self, reader: HazardReader, incident: Incident, good: Release) -> list[HazardView]:
        facts = await self._ask(lambda: reader.read(incident.units[0], incident.blamed, good))
        if facts is None:
            return [HazardView(hazard=reader.name, present=None, sentence=f"{reader.name} could not be asked")]
        return [HazardView(hazard=fact.hazard, present=fact.present, sentence=fact.sentence) for fact in facts]

    async def _fleet_acts(self, target: str) -> tuple[Act, ...]:
        """Acts on all targets, with those of other targets that are under way and not yet booked."""
        records, damaged = await self._records.list("unit")
        if damaged:
            raise StoreUnavailable(f"{damaged[0]} cannot be read, so how many rollbacks there were is not known")
        booked = tuple(act for record in records for act in record.acts)
        known = {act.incident for act in booked}
        under_way = tuple(
            Act(at=self.clock.now(), incident=name, from_release=FLIGHT, to_release=FLIGHT)
            for other, name in self.writing().items()
            if other != target and name not in known
        )
        return (*booked, *under_way)

    def _in_flight(self, target: str, group: str, incident: str) -> tuple[str, ...]:
        found = []
        for other, name in self.writing().items():
            seen, others = self.board.seen.get(other), name.partition("#")[0]
            same_group = bool(group) and seen is not None and seen.watch.policy.group == group
            if others != incident and (other == target or same_group):
                found.append(others)
        return tuple(found)


def _platform(seen: Seen) -> Platform:
    if seen.watch.platform is None:
        raise Unavailable("the target has no platform")
    return seen.watch.platform


def _kin(seen: Seen, policy: TargetPolicy) -> bool:
    """Of the same group, or known to depend on the target: its failure may be the consequence."""
    other = seen.watch.policy
    same_group = bool(policy.group) and other.group == policy.group
    return same_group or policy.target in (*other.control, *other.depends_on)


def _settled(seen: Seen, now: Instant) -> bool:
    """No release of its own explains how it is: it has none, or the one that runs is past its bake time."""
    if seen.watch.platform is None:
        return True
    if seen.state is None or seen.record is None or seen.state.in_progress:
        return False
    return not ledger.in_bake(seen.record, seen.state.release.fingerprint, now, seen.watch.policy)[0]


def _find(history: Sequence[Release], fingerprint: str) -> Release | None:
    return next((entry for entry in history if entry.fingerprint == fingerprint), None)


def _failing(seen: Seen) -> bool | None:
    if seen.verdict is None or seen.verdict.health is Health.BLIND:
        return None
    return seen.verdict.health is Health.FAILING


def _answered(seen: Seen | None) -> bool | None:
    """Of a reference probe: True = it answers, False = it fails, None = not known."""
    if seen is None or seen.verdict is None:
        return None
    return {Health.HEALTHY: True, Health.FAILING: False}.get(seen.verdict.health)


def _any(found: list[bool | None]) -> bool | None:
    if any(found):
        return True
    return None if all(entry is None for entry in found) else False
