"""The response: drives one target's incident through the machine, one step a cycle.

Role: the only caller of the writing port. Neighbours: `engine.gathering` brings fresh facts, `safety.gate` decides,
`safety.machine` moves the record, `engine.capturing` keeps evidence. Guarantees: level-triggered - what to do next is read
off the stored record, so a crash at any arrow resumes to the same end; the record is stored before it is acted on; the
gate is passed anew on fresh reads before each intent and each step; decisions of all targets follow each other, so that
budgets hold; an unclear reply is resolved by reading, never by writing again; while another daemon holds the lease nothing
is driven. Not guaranteed: that a write already sent is stopped by a pause - its step ends, then nothing new starts.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import cast

import structlog

from watchdog.engine import verification
from watchdog.engine.board import Board, Seen
from watchdog.engine.capturing import Capture, knows_the_decision
from watchdog.engine.documents import Documents
from watchdog.engine.gathering import Gatherer, Outside
from watchdog.engine.outbox import Outbox
from watchdog.engine.stopwatch import Stopwatch
from watchdog.engine.supervisor import Beat
from watchdog.judgement import ledger
from watchdog.model import (
    Act,
    Approval,
    CloseReason,
    Decision,
    Incident,
    Instant,
    Intent,
    Issue,
    MalformedDocument,
    Outcome,
    Permit,
    Plan,
    Progress,
    Resolution,
    Stage,
    Step,
    StepOutcome,
    TargetPolicy,
    UnitRecord,
    WorkloadState,
    instant,
)
from watchdog.ports import Clock, Conflict, NotHolder, PermitRefused, Recorder, Store, StoreUnavailable, Unavailable
from watchdog.safety.facts import GateFacts
from watchdog.safety.gate import pass_gate
from watchdog.safety.machine import (
    CHOOSING,
    Answered,
    Approved,
    Breached,
    Captured,
    Decided,
    Event,
    Expired,
    IllegalTransition,
    Intended,
    Looked,
    Rehearsed,
    Reported,
    Resolved,
    Superseded,
    incident_id,
    open_incident,
    rehearsal_of,
    reported,
    transition,
)
from watchdog.safety.permits import PermitOffice
from watchdog.writer import PlatformWriter

IDLE_S = 0.5
BUSY_S = 0.25
PATIENT_S, MOST_PATIENT_S = 1.0, 5.0
"""Rhythm while held or asked, growing with time: a look reads the outside; what people say wakes it at once."""
READ_S = 10.0
REPORT_S = 20.0
WRITE_S = 10.0
"""Deadline of one request at most; shorter when the lease has less left."""
SETTLE_SPARE_S = 2.0
"""A write that was not seen at the target counts as not made only this long after its deadline: it may still arrive."""
TURN_S = 30.0
"""Longest wait for the decisions of other targets."""
MARK_S = 5.0

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
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One decision at a time over all targets: what one has begun, the next one counts."""


@dataclass(frozen=True)
class _Order:
    """A write that is stored as intent and may be sent now."""

    writer: PlatformWriter
    intent: Intent
    permit: Permit


class Response:
    """The loop of one target."""

    def __init__(self, means: Means, target: str) -> None:
        """Respond for `target`."""
        self._means, self._target = means, target
        self._clock = means.clock
        self._documents = Documents(means.store, Incident)
        self._records = Documents(means.store, UnitRecord)
        self.incident: str = ""
        """Key of the incident that is being driven; empty = none."""
        self.act = ""
        """Name of the act that it would be: incident id, ``#``, opening."""
        self.stage = ""
        self.step = 0
        self.needs_human = False
        self.trouble = ""
        """Why the last cycle came to nothing."""
        self.store_trouble = ""
        self.deciding_since: Instant | None = None
        """A pass of the gate that may end in a write began then: a pause made later comes too late for it."""
        self._capture = Capture(means.recorder, means.clock)
        self._stopwatch = Stopwatch(means.clock)
        self._backlog: list[str] = []
        """Further open incidents of this target, found at the start."""
        self._unreported: list[str] = []
        self._fresh = True
        """The store has not been looked through for incidents yet, or not since another daemon held the lease."""
        self._stage_since = 0.0
        self._verifying: tuple[str, float] = ("", 0.0)
        self._beat: Beat | None = None
        self._wake = asyncio.Event()
        self._writing = False
        self._counted: set[str] = set()
        self._topped = ""
        """The act whose evidence was captured a second time."""

    @property
    def writing(self) -> bool:
        """From the stored intent until its outcome is stored."""
        return self._writing

    @property
    def under_way(self) -> bool:
        """A response is being made: a reload waits for its end, except for what binds at once."""
        return self.stage not in ("", Stage.HELD, Stage.CLOSED) or (self.stage == Stage.HELD and self.step > 0)

    @property
    def in_flight(self) -> bool:
        """A write may have been made and is not verified yet; half a plan is, whatever it waits for."""
        begun = self.step > 0 and self.stage not in ("", Stage.CLOSED)
        return self._writing or begun or self.stage in (Stage.INTENDED, Stage.ISSUED, Stage.VERIFYING)

    def wake(self) -> None:
        """Look again at once: a person said something, or a breach is there."""
        self._wake.set()

    async def run(self, beat: Beat) -> None:
        """Respond for ever; an open incident of before the start is taken up first."""
        self._beat, self._fresh = beat, True
        try:
            while True:
                busy = await self.cycle()
                beat.mark()
                await self._pause_between(self._rhythm(busy=busy))
        finally:
            await self._capture.drop()

    async def cycle(self) -> bool:
        """One step. True when an incident is open."""
        seen = self._means.board.seen[self._target]
        try:
            return await self._cycle(seen)
        except (StoreUnavailable, MalformedDocument, Conflict) as error:
            self._store_fails(f"the store: {error}")
        except Unavailable as error:
            self.trouble = str(error)
        except IllegalTransition as error:
            # Somebody else (a person through the API) moved the record between our read and our event.
            log.info("the record moved meanwhile", action="moved", target=self._target, reason=str(error))
        return True

    async def _cycle(self, seen: Seen) -> bool:
        if self._standing_by():
            return False
        if self._fresh:
            await self._resume()
        await self._report_owed(seen)
        incident = await self._current(seen)
        if incident is not None:
            await self._step(seen, incident)
        self.trouble = self.store_trouble = ""
        return incident is not None

    async def apply(self, key: str, event: Event) -> Incident:
        """Apply one event on the freshly read record, by compare-and-swap. Raises IllegalTransition."""
        known = 0

        def change(incident: Incident | None) -> Incident:
            nonlocal known
            if incident is None:
                raise IllegalTransition("the incident is gone")
            known = len(incident.entries)
            return transition(incident, event, self._clock.now(), self._channels())

        try:
            after = await self._documents.change(key, change)
        finally:
            self._means.outbox.touched(key)  # also where the reply was lost: it may have been stored
        if after is None:
            raise IllegalTransition("the incident is gone")
        if key == self.incident or not self.incident:
            self._remember(after)
        for entry in after.entries[known:]:
            log.info(entry.sentence, action=entry.kind, target=self._target, incident=after.id)
        if not after.open and not reported(after):
            self._closed(after)
        return after

    def _remember(self, incident: Incident) -> None:
        if incident.stage != self.stage:
            self._stage_since = self._clock.monotonic()
        self.incident, self.stage, self.step = incident.key, incident.stage.value, incident.step
        self.act = f"{incident.id}#{incident.reopened}"
        self.needs_human = incident.needs_human and not incident.reviewed
        self._time(incident)

    def _time(self, incident: Incident) -> None:
        """Look at every moment that matters as soon as it is known: from now on the monotonic clock counts."""
        seen = self._means.board.seen.get(self._target)
        if seen is None or not incident.open:
            return
        policy = seen.watch.policy
        for name, moment, ahead in (
            ("countdown", incident.countdown_until, policy.countdown_s),
            ("ask", incident.ask_until, policy.ask_timeout_s),
            ("issued", incident.issued_at, 0.0),
            ("verify", incident.verify_from, 0.0),
        ):
            if moment is not None:
                self._stopwatch.since(name, moment, at_least=-ahead)

    def _channels(self) -> tuple[str, ...]:
        seen = self._means.board.seen.get(self._target)
        chosen = seen.watch.channels if seen else None
        return tuple(self._means.outbox.channels) if chosen is None else chosen

    def _store_fails(self, trouble: str) -> None:
        if not self.store_trouble:
            log.error("no act without the store", action="store_unavailable", target=self._target, reason=trouble)
        self.trouble = self.store_trouble = trouble

    def _progress(self) -> None:
        if self._beat is not None:
            self._beat.mark()

    def _standing_by(self) -> bool:
        """Another daemon holds the lease: it drives the incidents, and we read them anew when it has let go."""
        state = self._means.gatherer.lease.state()
        if not isinstance(state, NotHolder):
            return False
        if not self._fresh:
            log.warning("standing by", action="standing_by", target=self._target, holder=state.holder)
        self._fresh, self.trouble = True, f"another daemon ({state.holder}) holds the lease"
        self.incident = self.act = self.stage = ""
        return True

    # -- beginning ---------------------------------------------------------------------------------------------------

    async def _resume(self) -> None:
        """Find what we left behind: open incidents, and closed ones without their report."""
        mine, damaged = await self._documents.list(
            "incident", lambda document: document.get("target", self._target) == self._target
        )
        for key in damaged:
            log.error("an incident cannot be read; it is left alone", action="incident_damaged", key=key)
        self._backlog = [entry.key for entry in mine if entry.open]
        self._unreported = [entry.key for entry in mine if not entry.open and not reported(entry)]
        self.incident = self.act = self.stage = ""
        self._fresh = False
        if mine:
            self.needs_human = any(entry.needs_human and not entry.reviewed for entry in mine)

    async def reviewed(self) -> None:
        """A person has judged an incident: whether this target still needs one is read anew. Raises StoreUnavailable."""
        mine, _ = await self._documents.list("incident", lambda document: document.get("target") == self._target)
        self.needs_human = any(entry.needs_human and not entry.reviewed for entry in mine)

    async def _current(self, seen: Seen) -> Incident | None:
        """The open incident: the one we drive, one that was found at the start, or a new one."""
        if self.incident and self.stage != Stage.CLOSED:
            incident = await self._documents.read(self.incident)
            if incident is not None and incident.open:
                self._remember(incident)
                return incident
            self.stage = Stage.CLOSED.value
            if incident is not None and not reported(incident):
                self._closed(incident)  # closed by a write whose reply was lost, or by another process
                return None
        if self._backlog:
            incident = await self._documents.read(self._backlog.pop(0))
            if incident is not None and incident.open:
                self._remember(incident)
                log.warning("resuming", action="resume", target=self._target, incident=incident.id, stage=self.stage)
                return incident
        return await self._begin(seen)

    async def _begin(self, seen: Seen) -> Incident | None:
        """A breach opens an incident (or re-opens the one of the same release); suspicion begins the capture."""
        breach, state = seen.breach, seen.state
        if seen.watch.platform is None or state is None:
            return None
        if breach is not None and await self._awaits_a_person(seen, state):
            seen.breach = breach = None
        if breach is None:
            await self._suspect(seen, state)
            return None
        if not await self._tracked(seen, state):
            return None
        blamed = (seen.record.release(state.release.fingerprint) if seen.record else None) or state.release
        fresh = open_incident(state.unit, seen.watch.policy, blamed, breach, self._clock.now())
        await self._open(fresh, Breached(breach=breach))
        seen.breach = None
        return await self._documents.read(fresh.key)

    async def _suspect(self, seen: Seen, state: WorkloadState) -> None:
        """Evidence is begun at suspicion, and given up when all is well again."""
        if seen.verdict is not None and seen.verdict.suspicious and not seen.in_episode:
            if not self._capture.active:
                self._capture.begin(seen, await self._stub(seen, state))
        elif self._capture.active and (seen.verdict is None or seen.verdict.recovered):
            await self._capture.drop()

    async def _tracked(self, seen: Seen, state: WorkloadState) -> bool:
        """The release that fails is the one that tracking has put into the ledger; until then nobody is blamed."""
        if seen.record is None or seen.record.current != state.release.fingerprint or seen.watch.platform is None:
            return False
        try:
            async with asyncio.timeout(READ_S):
                live = await seen.watch.platform.read_state()
        except (Unavailable, TimeoutError):
            return True  # the gate says that it cannot be read
        return live.release.fingerprint == state.release.fingerprint

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
                self.incident = fresh.key
                await self.apply(fresh.key, again)
            elif there is not None:
                self._remember(there)
        else:
            self._remember(fresh)
        self._means.outbox.touched(fresh.key)

    async def order(self, fresh: Incident, again: Breached) -> str:
        """Begin a rollback by hand. Returns the incident's id."""
        await self._open(fresh, again)
        self.wake()
        return fresh.id

    async def rehearse(self, step: Step) -> StepOutcome | None:
        """The platform's dry run of a step, for `watchdog rollback --dry-run`: changes nothing."""
        writer = cast("PlatformWriter | None", self._means.writers.get(self._target))
        if writer is None:
            return None
        try:
            async with asyncio.timeout(WRITE_S + 1.0):
                return await writer.rehearse(step, deadline_s=WRITE_S)
        except (Unavailable, TimeoutError) as error:
            return StepOutcome(issue=Issue.UNKNOWN, sentence=str(error) or f"no answer within {WRITE_S:g} s")

    async def _stub(self, seen: Seen, state: WorkloadState) -> Incident:
        """The record under suspicion: in memory until it came to something. Earlier openings keep their evidence."""
        verdict, now = seen.verdict, self._clock.now()
        name = incident_id(state.unit, state.release.fingerprint)
        there = await self._documents.read(f"incident/{name}")
        # Not chosen by the gate yet: good enough to show what the suspected release changed.
        good = ledger.last_known_good(seen.record, now, seen.watch.policy, None).release if seen.record else None
        return Incident(
            id=name,
            reopened=0 if there is None else there.reopened + 1,
            units=(state.unit,),
            target=self._target,
            group=seen.watch.policy.group,
            blamed=state.release,
            good=good,
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
        await self._capture_again(seen, incident)

    async def _capture_again(self, seen: Seen, incident: Incident) -> None:
        """What was captured at suspicion knew of no decision: once more, beside everything else, never waited for."""
        evidence = incident.evidence
        if evidence is None or incident.decision is None or knows_the_decision(evidence) or self._topped == self.act:
            return
        more = self._capture.take(seen, incident)
        if more is not None:
            self._topped = self.act
            await self.apply(incident.key, Captured(evidence=more))

    async def _choose(self, seen: Seen, incident: Incident) -> None:
        """Fresh facts, the gate, and whatever its decision leads to."""
        outside = await self._means.gatherer.outside(seen, incident)
        self._progress()
        gone = self._superseded(outside.state, incident)
        if gone:
            await self.apply(incident.key, Superseded(sentence=gone))
            return
        try:
            async with self._turn():
                self.deciding_since = self._clock.now()
                incident, order = await self._decide(seen, incident, outside)
            self._progress()
            if order is not None:
                await self._carry_out(seen, incident, order)
            elif self._may_write(incident):
                await self._rehearse(incident)
        finally:
            self.deciding_since = None
        if order is None and incident.stage in CHOOSING and incident.evidence is None:
            evidence = self._capture.take(seen, incident)
            if evidence is not None:
                await self.apply(incident.key, Captured(evidence=evidence))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Decide alone. Raises Unavailable when the others take too long."""
        try:
            async with asyncio.timeout(TURN_S):
                await self._means.turn.acquire()
        except TimeoutError as error:
            raise Unavailable(f"the decisions of other targets took longer than {TURN_S:g} s") from error
        try:
            yield
        finally:
            self._means.turn.release()

    async def _decide(self, seen: Seen, incident: Incident, outside: Outside) -> tuple[Incident, _Order | None]:
        """Pass the gate; on a decision to roll back store the intent, and give back what may be written now."""
        began = self._clock.monotonic()
        facts = await self._means.gatherer.gather(seen, incident, outside)
        facts = replace(facts, countdown_until=self._countdown(incident, facts))
        decision, policy = pass_gate(facts, self._clock.now()), seen.watch.policy
        incident = await self.apply(
            incident.key,
            Decided(
                decision=decision,
                countdown_s=policy.countdown_s,
                ask_s=policy.ask_timeout_s,
                good=facts.good,
                plan=outside.plan,
                noted=("bake",) if policy.outside_bake == "note" else (),
            ),
        )
        await self._tell_pauses(incident, facts)
        if incident.stage is Stage.ASKED and self._unanswered(incident, policy):
            incident = await self._nobody_answered(incident, policy)
        elif self._may_write(incident) and incident.rehearsed == rehearsal_of(incident):
            return await self._intend(incident, decision, outside.plan, began)
        return incident, None

    def _countdown(self, incident: Incident, facts: GateFacts) -> Instant | None:
        """The end of the countdown as the monotonic clock has it."""
        if incident.countdown_until is None:
            return None
        length = facts.policy.countdown_s
        return instant(
            self._clock.now() - self._stopwatch.since("countdown", incident.countdown_until, at_least=-length)
        )

    def _superseded(self, state: WorkloadState | None, incident: Incident) -> str:
        """A newer release than the blamed one is live; before our first write that ends the response."""
        if state is None or incident.step > 0 or state.release.fingerprint == incident.blamed.fingerprint:
            return ""
        return f"{state.release.label} is live now; {incident.blamed.label} is no longer there to be rolled back"

    async def _tell_pauses(self, incident: Incident, facts: GateFacts) -> None:
        """Each pause that keeps this episode from acting counts it once, and tells the number at its end."""
        mark = f"{incident.id}/{incident.reopened}"
        pauses = facts.pauses.active
        if incident.simulated and pauses and mark not in self._counted:
            await self._means.gatherer.pauses.count_suppressed(pauses)
            self._counted.add(mark)

    def _unanswered(self, incident: Incident, policy: TargetPolicy) -> bool:
        until = incident.ask_until
        return until is not None and self._stopwatch.since("ask", until, at_least=-policy.ask_timeout_s) >= 0

    async def _nobody_answered(self, incident: Incident, policy: TargetPolicy) -> Incident:
        """The time for asking is over: the policy says what then. Its yes is an approval like a person's."""
        wait, decision, now = policy.ask_timeout_s, incident.decision, self._clock.now()
        if policy.ask_then != "roll_back" or decision is None:
            text = f"nobody answered within {wait:.0f} s; nothing was written"
            return await self.apply(incident.key, Expired(sentence=text))
        approval = Approval(
            id=str(uuid.uuid4()),
            who="policy",
            at=now,
            from_release=decision.from_release,
            to_release=decision.to_release,
            checks=decision.asking,
            expires=instant(now + wait),
            why=f"nobody answered within {wait:.0f} s and the configuration says then: roll_back",
        )
        return await self.apply(incident.key, Approved(approval=approval))

    # -- the write ---------------------------------------------------------------------------------------------------

    def _may_write(self, incident: Incident) -> bool:
        """The gate passed just now, for real, and the evidence is safe."""
        passed = incident.decision is not None and incident.decision.outcome is Outcome.ROLL_BACK
        return passed and incident.stage is Stage.CAPTURED and not incident.simulated and incident.plan is not None

    async def _rehearse(self, incident: Incident) -> None:
        """The dry run comes first; then the gate is passed anew, at once."""
        steps = incident.plan.steps if incident.plan else ()
        outcome = await self.rehearse(steps[incident.step])
        if outcome is not None:
            await self.apply(incident.key, Rehearsed(outcome=outcome))
            self.wake()

    async def _intend(
        self, incident: Incident, decision: Decision, plan: Plan | None, began: float
    ) -> tuple[Incident, _Order | None]:
        """Store the intent, before the write; the permit counts from the reads of this very pass."""
        writer = cast("PlatformWriter | None", self._means.writers.get(self._target))
        if writer is None or plan is None:
            self.trouble = "there is nothing to write with" if writer is None else "there is no plan"
            return incident, None
        intent = Intent(
            id=str(uuid.uuid4()),
            incident=incident.id,
            step=plan.steps[incident.step],
            from_release=plan.from_release,
            to_release=plan.to_release,
            stored_at=self._clock.now(),
            attempt=len(incident.intents) + 1,
        )
        permit = self._means.office.issue(decision, intent, began)
        incident = await self.apply(incident.key, Intended(intent=intent, decision=decision))
        return incident, _Order(writer, intent, permit)

    async def _carry_out(self, seen: Seen, incident: Incident, order: _Order) -> None:
        """One conditional write, and what became of it."""
        self._stopwatch.since("intent", order.intent.stored_at)
        if not self._means.gatherer.may_write():
            return  # shutting down, or the lease is gone: what was not sent is found out by reading, and decided anew
        self._writing = True
        try:
            outcome = await self._execute(seen, order)
            after = await self.apply(incident.key, Answered(outcome=outcome, intent=order.intent.id))
        finally:
            self._writing = False
        if after.stage is Stage.ISSUED:
            await self._book(seen, after)

    async def _execute(self, seen: Seen, order: _Order) -> StepOutcome:
        deadline = self._means.gatherer.write_deadline(seen.watch.write_s)
        work = order.writer.execute(order.intent.step, order.intent, order.permit, deadline_s=deadline)
        try:
            return await self._bounded(work, deadline + 1.0)
        except TimeoutError:
            return StepOutcome(issue=Issue.UNKNOWN, sentence=f"no answer within {deadline:g} s")
        except Unavailable as error:
            return StepOutcome(issue=Issue.UNKNOWN, sentence=str(error))
        except PermitRefused as error:
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=f"the permit was refused: {error}")

    async def _bounded(self, work: Coroutine[None, None, StepOutcome], seconds: float) -> StepOutcome:
        """Wait for a write that may take minutes; waiting within the bound is progress. Raises TimeoutError."""
        task = asyncio.create_task(work, name=f"write {self._target}")
        end = self._clock.monotonic() + seconds
        try:
            while not task.done() and self._clock.monotonic() < end:
                await asyncio.wait([task], timeout=min(MARK_S, end - self._clock.monotonic()))
                self._progress()
            if not task.done():
                raise TimeoutError
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=MARK_S)

    async def _settle(self, seen: Seen, incident: Incident) -> None:
        """An open intent and no answer: read the target. Nothing seen means nothing made only after its deadline."""
        platform, intent = seen.watch.platform, incident.intent
        if platform is None or intent is None:
            return
        passed = self._stopwatch.since("intent", intent.stored_at)
        try:
            async with asyncio.timeout(READ_S):
                found = await platform.resolve(intent)
        except (Unavailable, TimeoutError):
            found = Resolution.UNKNOWN
        if found is Resolution.UNKNOWN:
            if passed > seen.watch.policy.confirm_within_s:
                text = "the target could not be read in time; whether the write happened is unknown"
                await self.apply(incident.key, Expired(sentence=text))
            return
        if found is Resolution.NOT_ISSUED and passed < seen.watch.write_s + SETTLE_SPARE_S:
            return
        if found is Resolution.SUPERSEDED:
            await self._book(seen, incident)
        after = await self.apply(incident.key, Resolved(resolution=found, intent=intent.id))
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
        if confirmation is not None and confirmation.progress not in (Progress.PENDING, Progress.UNKNOWN):
            await self.apply(incident.key, Looked(confirmation=confirmation))
            return
        passed = self._stopwatch.since("issued", incident.issued_at or incident.updated_at)
        if passed > seen.watch.policy.confirm_within_s:
            text = f"not rolled out within {seen.watch.policy.confirm_within_s:.0f} s"
            await self.apply(incident.key, Expired(sentence=text))

    async def _verify(self, seen: Seen, incident: Incident) -> None:
        """The same signals in a fresh window, which begins with the first look at this verification."""
        from_ = incident.verify_from or incident.updated_at
        mark, now = f"{self.act}/{from_}", self._clock.monotonic()
        if self._verifying[0] != mark:
            self._verifying = (mark, now)
            self._means.board.rearm(self._target, "a rollback")
            return
        passed = self._stopwatch.since("verify", from_)
        window = verification.Window(self._verifying[1], now, passed, self._clock.now())
        result = verification.look(seen, incident, window)
        if result is not None:
            await self.apply(incident.key, result)

    def _closed(self, incident: Incident) -> None:
        """Over: what still fails belongs to this incident until it recovers, unless another release runs."""
        seen = self._means.board.seen.get(self._target)
        if seen is not None and incident.reason is not CloseReason.SUPERSEDED:
            seen.breach = None
        self._stopwatch.forget()
        if incident.key not in self._unreported:
            self._unreported.append(incident.key)
        self.wake()

    async def _report_owed(self, seen: Seen) -> None:
        """Write the reports of what was closed, also of before a crash. One that is late is tried at the next start."""
        while self._unreported:
            incident = await self._documents.read(self._unreported[0])
            self._unreported.pop(0)
            if incident is not None and not incident.open and not reported(incident):
                await self._capture.drop()
                await self._report(seen, incident)
            self._progress()

    async def _report(self, seen: Seen, incident: Incident) -> None:
        try:
            async with asyncio.timeout(REPORT_S):
                await self._means.recorder.report(incident, tuple(seen.samples))
        except (TimeoutError, Unavailable) as error:
            log.error("the report was not written", action="report_late", incident=incident.id, reason=str(error))
            return
        await self.apply(incident.key, Reported())

    def _rhythm(self, *, busy: bool) -> float:
        if not busy:
            return IDLE_S
        if self.stage not in (Stage.HELD, Stage.ASKED):
            return BUSY_S
        return min(MOST_PATIENT_S, max(PATIENT_S, (self._clock.monotonic() - self._stage_since) / 20))

    async def _pause_between(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
