"""The response: drives one target's incident through the machine, one step a cycle.

Role: the only caller of the writing port. Neighbours: `engine.gathering` brings fresh facts, `safety.gate` decides,
`safety.machine` moves the record, `ports.Recorder` keeps evidence. Guarantees: level-triggered - what to do next is read
off the stored record, so a crash at any arrow resumes to the same end; the record is stored before it is acted on; the
gate is passed anew on fresh reads before each intent and each step; an unclear reply is resolved by reading, never by
writing again. Not guaranteed: that a write already sent is stopped by a pause - its step ends, then nothing new starts.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

import structlog

from watchdog.engine import verification
from watchdog.engine.board import Board, Seen
from watchdog.engine.documents import Documents
from watchdog.engine.gathering import Gatherer
from watchdog.engine.outbox import Outbox
from watchdog.engine.supervisor import Beat
from watchdog.judgement import ledger
from watchdog.model import (
    Act,
    Decision,
    Evidence,
    Incident,
    Intent,
    Issue,
    MalformedDocument,
    Outcome,
    Permit,
    Plan,
    Resolution,
    Stage,
    Step,
    StepOutcome,
    TargetPolicy,
    UnitRecord,
    WorkloadState,
)
from watchdog.ports import Clock, Conflict, PermitRefused, Recorder, Store, StoreUnavailable, Unavailable
from watchdog.safety.facts import GateFacts
from watchdog.safety.gate import pass_gate
from watchdog.safety.machine import (
    CHOOSING,
    Answered,
    Breached,
    Captured,
    Decided,
    Event,
    Expired,
    IllegalTransition,
    Intended,
    Looked,
    Resolved,
    Superseded,
    Verified,
    incident_id,
    open_incident,
    transition,
)
from watchdog.safety.permits import PermitOffice
from watchdog.writer import PlatformWriter

IDLE_S = 0.5
BUSY_S = 0.25
READ_S = 10.0
REPORT_S = 20.0
WRITE_S = 10.0
"""Deadline of one request at most; shorter when the lease has less left."""
EVIDENCE_OLD_S = 600.0
"""Evidence older than this at the decision is captured anew."""

log = structlog.get_logger("watchdog.response")


@dataclass(frozen=True)
class Means:
    """What all responses share."""

    board: Board
    store: Store
    clock: Clock
    office: PermitOffice
    gatherer: Gatherer
    recorder: Recorder
    outbox: Outbox
    writers: Mapping[str, object]
    """By target; they are what `watchdog.writer` describes, which only this module may name."""


class Response:
    """The loop of one target. `policy` is the snapshot that a response keeps; a reload gives idle ones a new one."""

    def __init__(self, means: Means, target: str) -> None:
        """Respond for `target`."""
        self._means, self._target = means, target
        self._clock = means.clock
        self._documents = Documents(means.store, Incident)
        self._records = Documents(means.store, UnitRecord)
        self.incident: str = ""
        """Key of the incident that is being driven; empty = none."""
        self.stage = ""
        self.needs_human = False
        self.trouble = ""
        self._capture: asyncio.Task[Evidence] | None = None
        self._captured_for = ""
        self._wake = asyncio.Event()
        self._writing = False
        self._counted: set[str] = set()
        self.on_closed: Callable[[Incident], None] = lambda _incident: None

    @property
    def writing(self) -> bool:
        """A request to the outside is under way this very moment."""
        return self._writing

    def wake(self) -> None:
        """Look again at once: a person said something, or a breach is there."""
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Respond for ever; an open incident of before the start is taken up first."""
        await self._resume(beat)
        try:
            while True:
                busy = await self.cycle()
                beat.mark()
                await self._pause_between(BUSY_S if busy else IDLE_S)
        finally:
            await self._drop_capture()

    async def cycle(self) -> bool:
        """One step. True when an incident is open."""
        seen = self._means.board.seen[self._target]
        try:
            incident = await self._documents.read(self.incident) if self.incident else None
            if incident is None or not incident.open:
                incident = await self._begin(seen)
            if incident is None:
                self.trouble = ""
                return False
            self.incident, self.stage = incident.key, incident.stage.value
            await self._step(seen, incident)
            self.trouble = ""
        except (StoreUnavailable, MalformedDocument, Conflict) as error:
            self.trouble = f"the store: {error}"
            log.error("no act without the store", action="store_unavailable", target=self._target, reason=str(error))
        except Unavailable as error:
            self.trouble = str(error)
        except IllegalTransition as error:
            # Somebody else (a person through the API) moved the record between our read and our event.
            log.info("the record moved meanwhile", action="moved", target=self._target, reason=str(error))
        return True

    async def apply(self, key: str, event: Event) -> Incident:
        """Apply one event on the freshly read record, by compare-and-swap. Raises IllegalTransition."""

        def change(incident: Incident | None) -> Incident:
            if incident is None:
                raise IllegalTransition("the incident is gone")
            return transition(incident, event, self._clock.now(), self._channels())

        before = len((await self._documents.read(key) or _none(key)).entries)
        after = await self._documents.change(key, change)
        if after is None:
            raise IllegalTransition("the incident is gone")
        self.stage, self.needs_human = after.stage.value, after.needs_human and not after.reviewed
        for entry in after.entries[before:]:
            log.info(entry.sentence, action=entry.kind, target=self._target, incident=after.id)
        self._means.outbox.touched(key)
        if not after.open:
            await self._closed(after)
        return after

    def _channels(self) -> tuple[str, ...]:
        seen = self._means.board.seen.get(self._target)
        chosen = seen.watch.channels if seen else None
        return tuple(self._means.outbox.channels) if chosen is None else chosen

    def _write_s(self) -> float:
        seen = self._means.board.seen.get(self._target)
        return seen.watch.write_s if seen else WRITE_S

    # -- beginning ---------------------------------------------------------------------------------------------------

    async def _resume(self, beat: Beat) -> None:
        """Find our open incident in the store; wait for the store if it cannot be read."""
        while True:
            try:
                incidents, damaged = await self._documents.list("incident")
            except StoreUnavailable as error:
                self.trouble = f"the store: {error}"
                beat.mark()
                await self._clock.sleep(1.0)
                continue
            for key in damaged:
                log.error("an incident cannot be read; it is left alone", action="incident_damaged", key=key)
            mine = [entry for entry in incidents if entry.target == self._target and entry.open]
            if mine:
                self.incident, self.stage = mine[-1].key, mine[-1].stage.value
                log.warning("resuming", action="resume", target=self._target, incident=mine[-1].id, stage=self.stage)
            return

    async def _begin(self, seen: Seen) -> Incident | None:
        """A breach opens an incident (or re-opens the one of the same release); suspicion begins the capture."""
        breach, state = seen.breach, seen.state
        if seen.watch.platform is None or state is None:
            return None
        if breach is not None and await self._awaits_a_person(seen, state):
            seen.breach = breach = None
        if breach is None:
            if seen.verdict is not None and seen.verdict.suspicious:
                self._begin_capture(seen, self._stub(seen))
            elif self._capture is not None and (seen.verdict is None or seen.verdict.recovered):
                await self._drop_capture()
            return None
        blamed = (seen.record.release(state.release.fingerprint) if seen.record else None) or state.release
        fresh = open_incident(state.unit, seen.watch.policy, blamed, breach, self._clock.now())
        await self._open(fresh, Breached(breach=breach))
        seen.breach = None
        return await self._documents.read(fresh.key)

    async def _awaits_a_person(self, seen: Seen, state: WorkloadState) -> bool:
        """We put this very release back and it did not help: a person was called, and nothing more is done (P16)."""
        act = seen.record.acts[-1] if seen.record and seen.record.acts else None
        if act is None or act.to_release != state.release.fingerprint:
            return False
        last = await self._documents.read(f"incident/{act.incident.partition('#')[0]}")
        return last is not None and last.needs_human and not last.reviewed

    async def _open(self, fresh: Incident, again: Breached) -> None:
        """Create if absent; a closed record of the same release is re-opened, an open one goes on."""
        try:
            await self._documents.create(fresh.key, fresh)
        except Conflict:
            there = await self._documents.read(fresh.key)
            if there is not None and not there.open:
                await self.apply(fresh.key, again)
        self.incident = fresh.key

    async def order(self, fresh: Incident, again: Breached) -> str:
        """Begin a rollback by hand. Returns the incident's id."""
        await self._open(fresh, again)
        self.wake()
        return fresh.id

    async def rehearse(self, step: Step) -> StepOutcome | None:
        """The platform's dry run of a step, for `watchdog rollback --dry-run`: changes nothing."""
        writer = cast("PlatformWriter | None", self._means.writers.get(self._target))
        return None if writer is None else await writer.rehearse(step, deadline_s=WRITE_S)

    def _stub(self, seen: Seen) -> Incident:
        """The record under suspicion: in memory until it came to something."""
        state, verdict = seen.state, seen.verdict
        assert state is not None  # noqa: S101 - only called with a state
        now = self._clock.now()
        return Incident(
            id=incident_id(state.unit, state.release.fingerprint),
            units=(state.unit,),
            target=self._target,
            group=seen.watch.policy.group,
            blamed=state.release,
            stage=Stage.SUSPECTED,
            mode=seen.watch.policy.mode,
            opened_at=now,
            updated_at=now,
            first_bad=verdict.first_bad if verdict else None,
            headline=verdict.sentence if verdict else "",
        )

    # -- one step ----------------------------------------------------------------------------------------------------

    async def _step(self, seen: Seen, incident: Incident) -> None:
        if incident.stage in CHOOSING:
            await self._choose(seen, incident)
        elif incident.stage is Stage.INTENDED:
            await self._settle(seen, incident)
        elif incident.stage is Stage.ISSUED:
            await self._confirm(seen, incident)
        elif incident.stage is Stage.VERIFYING:
            await self._verify(seen, incident)

    async def _choose(self, seen: Seen, incident: Incident) -> None:
        """Fresh facts, the gate, and whatever its decision leads to."""
        began = self._clock.monotonic()
        facts = await self._means.gatherer.gather(seen, incident)
        gone = self._superseded(facts, incident)
        if gone:
            await self.apply(incident.key, Superseded(sentence=gone))
            return
        decision = pass_gate(facts, self._clock.now())
        plan = await self._plan(seen, facts, incident)
        policy = seen.watch.policy
        incident = await self.apply(
            incident.key,
            Decided(
                decision=decision,
                countdown_s=policy.countdown_s,
                ask_s=policy.ask_timeout_s,
                good=facts.good,
                plan=plan,
            ),
        )
        await self._tell_pauses(incident, facts)
        if incident.stage in (Stage.COUNTDOWN, Stage.ASKED):
            incident = await self._secure_evidence(seen, incident)
        if incident.stage is Stage.ASKED and incident.ask_until and self._clock.now() >= incident.ask_until:
            await self._nobody_answered(incident, policy)
        elif incident.stage is Stage.CAPTURED and decision.outcome is Outcome.ROLL_BACK and not incident.simulated:
            await self._write(seen, incident, decision, plan, began)

    def _superseded(self, facts: GateFacts, incident: Incident) -> str:
        """A newer release than the blamed one is live; before our first write that ends the response."""
        state = facts.state
        if state is None or incident.step > 0 or state.release.fingerprint == incident.blamed.fingerprint:
            return ""
        return f"{state.release.label} is live now; {incident.blamed.label} is no longer there to be rolled back"

    async def _plan(self, seen: Seen, facts: GateFacts, incident: Incident) -> Plan | None:
        """The plan on fresh state. A plan of several steps is kept once its first step was written."""
        if incident.step > 0:
            return incident.plan
        platform = seen.watch.platform
        if platform is None or facts.state is None or facts.good is None:
            return None
        try:
            async with asyncio.timeout(READ_S):
                return await platform.plan(facts.state, facts.good, incident.id)
        except (ValueError, Unavailable, TimeoutError) as error:
            log.info("no plan", action="no_plan", target=self._target, reason=str(error))
            return None

    async def _tell_pauses(self, incident: Incident, facts: GateFacts) -> None:
        """Each pause that keeps this episode from acting counts it once, and tells the number at its end."""
        mark = f"{incident.id}/{incident.reopened}"
        if incident.simulated and facts.pauses.active and mark not in self._counted:
            self._counted.add(mark)
            await self._means.gatherer.pauses.count_suppressed(facts.pauses.active)

    # -- evidence ----------------------------------------------------------------------------------------------------

    def _begin_capture(self, seen: Seen, incident: Incident) -> None:
        """Start the capture unless one of this incident runs or is done."""
        if self._capture is not None and self._captured_for == incident.id:
            return
        if self._capture is not None:
            self._capture.cancel()
        box = seen.watch.policy.evidence_s
        work = self._means.recorder.capture(incident, seen.watch.evidence, tuple(seen.samples), box)
        self._capture = asyncio.create_task(work, name=f"capture {incident.id}")
        self._captured_for = incident.id
        log.info("capturing evidence", action="capture", target=self._target, incident=incident.id, box_s=box)

    async def _secure_evidence(self, seen: Seen, incident: Incident) -> Incident:
        """Put finished evidence into the record; begin the capture where none was begun, or where it is too old."""
        if incident.evidence is not None:
            return incident
        task = self._capture if self._captured_for == incident.id else None
        if task is not None and task.done():
            evidence = self._evidence_of(task, incident)
            if self._clock.now() - evidence.started <= EVIDENCE_OLD_S:
                self._capture = None
                return await self.apply(incident.key, Captured(evidence=evidence))
            self._capture = None
        self._begin_capture(seen, incident)
        return incident

    def _evidence_of(self, task: asyncio.Task[Evidence], incident: Incident) -> Evidence:
        if task.cancelled() or task.exception() is not None:
            why = "cancelled" if task.cancelled() else f"{type(task.exception()).__name__}: {task.exception()}"
            log.error("evidence was not captured", action="capture_failed", incident=incident.id, reason=why)
            now = self._clock.now()
            return Evidence(started=now, finished=now, missing=(f"everything: {why}",))
        return task.result()

    async def _drop_capture(self) -> None:
        task, self._capture, self._captured_for = self._capture, None, ""
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=1.0)

    # -- the write ---------------------------------------------------------------------------------------------------

    async def _write(self, seen: Seen, incident: Incident, decision: Decision, plan: Plan | None, began: float) -> None:
        """Intent first, then one conditional write under a permit of this very pass, then what became of it."""
        writer = cast("PlatformWriter | None", self._means.writers.get(self._target))
        if writer is None or plan is None:
            return
        step = plan.steps[incident.step]
        intent = Intent(
            id=str(uuid.uuid4()),
            incident=incident.id,
            step=step,
            from_release=plan.from_release,
            to_release=plan.to_release,
            stored_at=self._clock.now(),
            attempt=len(incident.intents) + 1,
        )
        permit = self._means.office.issue(decision, intent, began)
        await self.apply(incident.key, Intended(intent=intent, decision=decision))
        self._writing = True
        try:
            outcome = await self._execute(writer, intent, permit)
        finally:
            self._writing = False
        after = await self.apply(incident.key, Answered(outcome=outcome))
        if after.stage is Stage.ISSUED:
            await self._book(seen, after)

    async def _execute(self, writer: PlatformWriter, intent: Intent, permit: Permit) -> StepOutcome:
        deadline = self._means.gatherer.write_deadline(self._write_s())
        try:
            async with asyncio.timeout(deadline + 1.0):
                return await writer.execute(intent.step, intent, permit, deadline_s=deadline)
        except TimeoutError:
            return StepOutcome(issue=Issue.UNKNOWN, sentence=f"no answer within {deadline:g} s")
        except Unavailable as error:
            return StepOutcome(issue=Issue.UNKNOWN, sentence=str(error))
        except PermitRefused as error:
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=f"the permit was refused: {error}")

    async def _settle(self, seen: Seen, incident: Incident) -> None:
        """An open intent and no answer: read the target."""
        platform, intent = seen.watch.platform, incident.intent
        if platform is None or intent is None:
            return
        try:
            async with asyncio.timeout(READ_S):
                found = await platform.resolve(intent)
        except (Unavailable, TimeoutError):
            found = Resolution.UNKNOWN
        if found is Resolution.UNKNOWN:
            if self._clock.now() - intent.stored_at > seen.watch.policy.confirm_within_s:
                text = "the target could not be read in time; whether the write happened is unknown"
                await self.apply(incident.key, Expired(sentence=text))
            return
        after = await self.apply(incident.key, Resolved(resolution=found))
        if after.stage is Stage.ISSUED:
            await self._book(seen, after)

    async def _book(self, seen: Seen, incident: Incident) -> None:
        """Condemn the bad release and spend the budget, once per incident and opening: safe to repeat after a crash."""
        intent = incident.intent
        if intent is None:
            return
        act = Act(
            at=incident.issued_at or self._clock.now(),
            incident=f"{incident.id}#{incident.reopened}",
            from_release=intent.from_release,
            to_release=intent.to_release,
        )

        def change(record: UnitRecord | None) -> UnitRecord:
            known = record or UnitRecord(unit=incident.units[0])
            if any(entry.incident == act.incident for entry in known.acts):
                return known
            known = replace(known, acts=(*known.acts, act))
            return ledger.condemn(known, act.from_release, act.at, incident.headline)

        seen.record = await self._records.change(incident.units[0].key, change)

    # -- after the write ---------------------------------------------------------------------------------------------

    async def _confirm(self, seen: Seen, incident: Incident) -> None:
        platform, intent = seen.watch.platform, incident.intent
        if platform is None or intent is None:
            return
        await self._book(seen, incident)
        try:
            async with asyncio.timeout(READ_S):
                confirmation = await platform.confirm(intent)
        except (Unavailable, TimeoutError):
            confirmation = None
        if confirmation is not None:
            after = (
                await self.apply(incident.key, Looked(confirmation=confirmation)) if _moves(confirmation) else incident
            )
            if after.stage is Stage.VERIFYING:
                self._means.board.rearm(self._target, "a rollback")
                return
        began = incident.issued_at or incident.updated_at
        if incident.stage is Stage.ISSUED and self._clock.now() - began > seen.watch.policy.confirm_within_s:
            text = f"not rolled out within {seen.watch.policy.confirm_within_s:.0f} s"
            await self.apply(incident.key, Expired(sentence=text))

    async def _verify(self, seen: Seen, incident: Incident) -> None:
        result = verification.look(seen, incident, self._clock.now(), self._clock.monotonic())
        if result is not None:
            await self.apply(incident.key, result)

    async def _nobody_answered(self, incident: Incident, policy: TargetPolicy) -> None:
        text = f"nobody answered within {policy.ask_timeout_s:.0f} s; nothing was written"
        await self.apply(incident.key, Expired(sentence=text))

    async def _closed(self, incident: Incident) -> None:
        seen = self._means.board.seen.get(self._target)
        samples = tuple(seen.samples) if seen else ()
        await self._drop_capture()
        if seen is not None:
            seen.breach = None  # what still fails belongs to this incident until it recovers
        self.on_closed(incident)
        try:
            async with asyncio.timeout(REPORT_S):
                await self._means.recorder.report(incident, samples)
        except TimeoutError:
            log.error("the report was not written in time", action="report_late", incident=incident.id)

    async def _pause_between(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()


def _moves(confirmation: object) -> bool:
    return getattr(confirmation, "progress", "") not in ("pending", "unknown")


def _none(key: str) -> Incident:
    raise IllegalTransition(f"{key} is gone")


__all__ = ["Event", "Means", "Response", "Superseded", "Verified"]
