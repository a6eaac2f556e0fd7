"""The drill: a breach that did not happen, through everything that a real one would go through but the write.

Role: `engine.control` hands a target over, `Drill.run` times each part: reading the outside, the gate, a person's yes, the platform's
dry run, the store, the evidence, each channel, the report. Neighbours: the same gatherer, gate, rehearsal, recorder and
channels as the response uses. Guarantees: no permit is signed and no intent stored, so that no writer could write; nothing of it stands among the
incidents, the ledger, the budget or the notices that are owed; whatever a person sees of it says DRILL. A part that
fails costs only its own line. Not guaranteed: that the outside would have answered a write as it answered a dry run.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeVar

from watchdog.engine.board import Seen
from watchdog.engine.daemon import Daemon
from watchdog.engine.documents import Documents
from watchdog.engine.gathering import Outside
from watchdog.engine.response import Response
from watchdog.model import (
    DRILL,
    Approval,
    Breach,
    CloseReason,
    Decision,
    Entry,
    Evidence,
    Health,
    Incident,
    Instant,
    Issue,
    JsonObject,
    MalformedDocument,
    Notice,
    Outcome,
    Plan,
    Stage,
    TargetVerdict,
    WorkloadState,
    instant,
    iso,
    record,
    to_document,
)
from watchdog.ports import Channel, ControlRefused, DeliveryFailed, StoreUnavailable, Unavailable
from watchdog.safety.facts import GateFacts
from watchdog.safety.gate import pass_gate
from watchdog.safety.machine import open_incident

T = TypeVar("T")

MARK = "DRILL"
READ_S = 8.0
MESSAGE_S = 8.0
EVIDENCE_S = 12.0
"""Longest evidence of a drill, also where the policy allows more: somebody waits for the answer."""
ASK_S = 60.0


@record
class Part:
    """One line: `ok` None = nothing to say here (no channel, nothing that asks)."""

    name: str
    took_s: float
    ok: bool | None
    sentence: str


class Drill:
    """One drill of one target. `tell` sends its message to the target's channels."""

    def __init__(self, daemon: Daemon, seen: Seen, response: Response, who: str, *, tell: bool) -> None:
        """Nothing happens before `run`."""
        self._daemon, self._seen, self._response = daemon, seen, response
        self._clock, self._who, self._tell = daemon.clock, who, tell
        self._parts: list[Part] = []

    async def run(self) -> JsonObject:
        """``{"target", "drill", "parts", "decision", "plan", "report", "ok", "sentence"}``. Raises ControlRefused."""
        state = self._seen.state
        if state is None:
            text = f"the platform cannot be read: {self._seen.state_error}"
            raise ControlRefused(text, code="unavailable", next_command="watchdog doctor")
        incident = self._begun(state)
        decision, plan = await self._decided(incident)
        await self._rehearsed(plan)
        incident = self._ended(incident, decision, plan)
        await self._stored(incident)
        evidence, _ = await asyncio.gather(self._captured(incident), self._told(incident))
        await self._reported(replace(incident, evidence=evidence))
        failed = [part.name for part in self._parts if part.ok is False]
        words = f"failed: {', '.join(failed)}" if failed else "every part that could be tried works"
        return {
            "target": self._seen.watch.name,
            "drill": incident.id,
            "parts": [to_document(part) for part in self._parts],
            "decision": None if decision is None else to_document(decision),
            "plan": None if plan is None else to_document(plan),
            "report": self._daemon.report_of(incident.id),
            "ok": not failed,
            "sentence": f"{MARK} of {self._seen.watch.name}: {words}; nothing was written to it",
        }

    # -- the record --------------------------------------------------------------------------------------------------

    def _begun(self, state: WorkloadState) -> Incident:
        seen, now = self._seen, self._clock.now()
        known = seen.record.release(state.release.fingerprint) if seen.record else None
        text = f"{MARK} by {self._who}: nothing is wrong; as if {seen.watch.name} were failing since this moment"
        breach = Breach(target=seen.watch.name, at=now, first_bad=now, signals=(), sentence=text)
        fresh = open_incident(state.unit, seen.watch.policy, known or state.release, breach, now)
        name = f"drill-{seen.watch.name}-{secrets.token_hex(4)}"
        return replace(fresh, id=name, simulated=True)

    def _ended(self, incident: Incident, decision: Decision | None, plan: Plan | None) -> Incident:
        """As it is kept and shown: marked wherever a person looks, and over."""
        now, seen = self._clock.now(), self._seen
        good = seen.record.release(decision.to_release) if seen.record and decision else None
        said = () if decision is None else (Entry(at=now, kind="decision", sentence=f"{MARK}: {decision.sentence}"),)
        end = Entry(at=now, kind="closed_would_have", sentence=f"{MARK}: over; nothing was written", actor=self._who)
        return replace(
            incident,
            target=f"{DRILL}{incident.target}",
            stage=Stage.CLOSED,
            reason=CloseReason.WOULD_HAVE,
            closed_at=now,
            updated_at=now,
            decision=decision,
            plan=plan,
            good=good,
            entries=(*incident.entries, *said, end),
        )

    # -- the parts ---------------------------------------------------------------------------------------------------

    async def _decided(self, incident: Incident) -> tuple[Decision | None, Plan | None]:
        """What the gate would say if the target failed now; everything else is as it is."""
        began = self._clock.monotonic()
        outside, trouble = await self._bounded(self._daemon.gatherer.outside(self._seen, incident), READ_S)
        readable = outside is not None and outside.state is not None
        self._note("read the outside", began, readable, trouble or _read(outside))
        if outside is None:
            return None, None
        began = self._clock.monotonic()
        gathered = self._daemon.gatherer.gather(self._seen, incident, outside)
        facts, trouble = await self._bounded(gathered, READ_S)
        if facts is None:
            self._note("gate", began, False, trouble)
            return None, outside.plan
        facts = _failing(facts, self._clock.now())
        decision = pass_gate(facts, self._clock.now())
        self._note("gate", began, True, f"if it failed now: {decision.sentence}")
        self._approved(facts, decision)
        return decision, outside.plan

    def _approved(self, facts: GateFacts, decision: Decision) -> None:
        """What a yes to the asking checks would lead to. It is given to a copy and stored nowhere."""
        began = self._clock.monotonic()
        if decision.outcome is not Outcome.ASK:
            self._note("approval", began, None, "nothing would be asked")
            return
        now = self._clock.now()
        yes = Approval(
            id=MARK,
            who=self._who,
            at=now,
            from_release=decision.from_release,
            to_release=decision.to_release,
            checks=decision.asking,
            expires=instant(now + ASK_S),
        )
        after = pass_gate(replace(facts, approvals=(*facts.approvals, yes)), now)
        self._note("approval", began, True, f"after a yes to {', '.join(decision.asking)}: {after.sentence}")

    async def _rehearsed(self, plan: Plan | None) -> None:
        began = self._clock.monotonic()
        if plan is None or not plan.steps:
            self._note("dry run", began, None, "there is no known good release to go back to, so nothing to rehearse")
            return
        outcome = await self._response.rehearse(plan.steps[0])
        if outcome is None:
            self._note("dry run", began, None, "this platform has no dry run")
            return
        self._note("dry run", began, outcome.issue is Issue.ISSUED, f"{plan.steps[0].words}: {outcome.sentence}")

    async def _stored(self, incident: Incident) -> None:
        """The newest drill of each target is kept, which costs what storing an intent costs."""
        began = self._clock.monotonic()
        documents = Documents(self._daemon.store, Incident)
        kept = documents.change(f"drill/{self._seen.watch.name}", lambda _: incident)
        _, trouble = await self._bounded(kept, READ_S)
        self._note("store", began, not trouble, trouble or "a record can be stored")

    async def _captured(self, incident: Incident) -> Evidence | None:
        began, seen = self._clock.monotonic(), self._seen
        box = min(seen.watch.policy.evidence_s, EVIDENCE_S)
        recorder = self._daemon.means.recorder
        work = recorder.capture(incident, seen.watch.evidence, tuple(seen.samples), box)
        evidence, trouble = await self._bounded(work, box + 2.0)
        if evidence is None:
            self._note("evidence", began, False, trouble)
            return None
        missing = f"; could not be had: {'; '.join(evidence.missing)}" if evidence.missing else ""
        self._note("evidence", began, bool(evidence.files), f"{len(evidence.files)} files{missing}")
        return evidence

    async def _told(self, incident: Incident) -> None:
        chosen = self._seen.watch.channels
        channels = {
            name: channel for name, channel in self._daemon.outbox.channels.items() if chosen is None or name in chosen
        }
        if not self._tell or not channels:
            words = "no channel is configured" if self._tell else "left out, as asked"
            self._note("messages", self._clock.monotonic(), None, words)
            return
        notice = Notice(
            key=incident.id,
            kind="drill",
            headline=f"{MARK}: this is how you would hear of {self._seen.watch.name}; nothing is wrong"[:110],
            body=f"{incident.headline}. Nothing is to be done. {incident.entries[-1].sentence}.",
            severity="page",
            owed_at=self._clock.now(),
        )
        await asyncio.gather(*(self._delivered(name, channel, notice) for name, channel in channels.items()))

    async def _delivered(self, name: str, channel: Channel, notice: Notice) -> None:
        began = self._clock.monotonic()
        _, trouble = await self._bounded(channel.deliver(notice, None), MESSAGE_S)
        self._note(f"message to {name}", began, not trouble, trouble or "delivered")

    async def _reported(self, incident: Incident) -> None:
        began = self._clock.monotonic()
        work = self._daemon.means.recorder.report(incident, tuple(self._seen.samples))
        _, trouble = await self._bounded(work, READ_S)
        self._note("report", began, not trouble, trouble or self._daemon.report_of(incident.id))

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _note(self, name: str, began: float, ok: bool | None, sentence: str) -> None:  # noqa: FBT001 - three-valued
        took = round(self._clock.monotonic() - began, 3)
        self._parts.append(Part(name=name, took_s=took, ok=ok, sentence=sentence))

    async def _bounded(self, work: Awaitable[T], within_s: float) -> tuple[T | None, str]:
        try:
            async with asyncio.timeout(within_s):
                return await work, ""
        except TimeoutError:
            return None, f"no answer within {within_s:g} s"
        except (Unavailable, StoreUnavailable, MalformedDocument, DeliveryFailed) as error:
            return None, str(error)


def _failing(facts: GateFacts, now: Instant) -> GateFacts:
    text = f"{MARK}: as if it were failing"
    verdict = TargetVerdict(target=facts.policy.target, at=now, health=Health.FAILING, sentence=text, first_bad=now)
    return replace(facts, verdict=verdict, failing_seen_s=0.0)


def _read(outside: Outside | None) -> str:
    if outside is None:
        return ""
    if outside.state is None:
        return f"the platform cannot be read: {outside.trouble}"
    state = outside.state
    return f"{state.release.label}, {state.ready} of {state.wanted} ready; at {iso(state.at)[11:19]} UTC"
