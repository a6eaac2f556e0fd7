"""Control: everything a face may ask or order of the running daemon.

Role: implements `ports.Control` over `Daemon`. Neighbours: `engine.views` renders, `web` serves. Guarantees: an order that
raises `ControlRefused` changed nothing; orders go through the same records and the same gate as automatic acts; a pause is
answered only when it binds. `who` is what the face established.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from watchdog.engine import views
from watchdog.engine.board import Seen
from watchdog.engine.daemon import Daemon
from watchdog.engine.documents import Documents
from watchdog.engine.drilling import Drill
from watchdog.engine.polling import Poller
from watchdog.engine.response import Response
from watchdog.judgement import ledger
from watchdog.model import (
    Approval,
    Breach,
    Counts,
    Decision,
    Entry,
    Incident,
    Instant,
    JsonObject,
    MalformedDocument,
    Override,
    Pause,
    Plan,
    Release,
    Sample,
    Stage,
    UnitRecord,
    Unknown,
    instant,
    iso,
    to_document,
)
from watchdog.ports import Conflict, ControlRefused, Signal, StoreUnavailable
from watchdog.safety import pausing
from watchdog.safety.answers import clock_time
from watchdog.safety.gate import pass_gate
from watchdog.safety.machine import (
    CHOOSING,
    Approved,
    Breached,
    Cancelled,
    IllegalTransition,
    open_incident,
    transition,
)
from watchdog.safety.pausing import PauseRefused

STOP_S = 3600.0
ACK_S = 2.0
"""Longest wait for a write that passed the gate before a pause was made, until the pause is acknowledged as applied."""

T = TypeVar("T")


VERDICTS = ("right", "wrong")
"""What a person may say of a closed incident."""


class DaemonControl:
    """A `ports.Control` over a running daemon."""

    def __init__(self, daemon: Daemon) -> None:
        """Control `daemon`."""
        self._daemon = daemon
        self._incidents = Documents(daemon.store, Incident)
        self._records = Documents(daemon.store, UnitRecord)

    # -- questions ---------------------------------------------------------------------------------------------------

    def status(self) -> JsonObject:
        """See `ports.Control.status`."""
        return views.status(self._daemon)

    async def describe(self, target: str) -> JsonObject:
        """See `ports.Control.describe`."""
        seen = self._seen(target)
        now = self._daemon.clock.now()
        record = seen.record
        decision, plan, sentence = await self._road(seen)
        return {
            "at": iso(now),
            "target": self._row(seen),
            "unit": to_document(record.unit) if record else None,
            "releases": [self._release(entry) for entry in reversed(record.releases)] if record else [],
            "policy": to_document(seen.watch.policy),
            "links": list(seen.watch.links),
            "databases": [{"name": name, "sentence": words} for name, words in seen.databases.items()],
            "road_back": {"decision": _document(decision), "plan": _plan(plan), "sentence": sentence},
        }

    async def explain(self, target: str) -> JsonObject:
        """See `ports.Control.explain`."""
        seen = self._seen(target)
        incident = await self._open_incident(target)
        decision, _, sentence = await self._road(seen, incident)
        verdict = seen.verdict
        return {
            "at": iso(self._daemon.clock.now()),
            "target": target,
            "sentence": decision.sentence if decision else sentence,
            "decision": _document(decision),
            "missing": [
                f"{entry.signal}: {entry.missing}" for entry in (verdict.signals if verdict else ()) if entry.missing
            ],
            "incident": incident.id if incident else None,
        }

    async def check(self, target: str, signal: str | None) -> JsonObject:
        """See `ports.Control.check`."""
        seen = self._seen(target)
        chosen = [entry for entry in seen.watch.signals if signal in (None, entry.signal.name)]
        if not chosen:
            known = ", ".join(entry.signal.name for entry in seen.watch.signals)
            if signal in [source.name for source in seen.watch.databases]:
                last = seen.databases.get(signal or "", "not looked at yet")
                text = f"{signal} is a database, which is looked at and not judged here: {last}"
                raise ControlRefused(text, code="not_found", next_command=f"watchdog describe {target}")
            raise ControlRefused(
                f"{target} has no signal {signal!r}; it has: {known}",
                code="not_found",
                next_command=f"watchdog check {target}",
            )
        rows: list[dict[str, Any]] = []
        for watched in chosen:
            began = self._daemon.clock.monotonic()
            look = replace(watched, signal=looking(watched.signal))
            samples = await Poller(self._daemon.board, target, look, self._daemon.clock).poll()
            took = self._daemon.clock.monotonic() - began
            rows += [_sample(sample, took, look.signal) for sample in samples]
        health = _worst([str(row["health"]) for row in rows])
        return {
            "at": iso(self._daemon.clock.now()),
            "target": target,
            "health": health,
            "sentence": "; ".join(str(row["sentence"]) for row in rows) or "no sample",
            "samples": rows,
        }

    async def polls(self, target: str) -> JsonObject:
        """See `ports.Control.polls`."""
        seen = self._seen(target)
        names = [entry.signal.name for entry in seen.watch.signals]
        signals = views.polls(names, list(seen.samples))
        return {"at": iso(self._daemon.clock.now()), "target": target, "signals": signals}

    async def pauses(self) -> JsonObject:
        """See `ports.Control.pauses`."""
        register = await self._daemon.pauses.register()
        if register is None:
            raise ControlRefused(
                f"paused: {self._daemon.pauses.trouble}", code="unavailable", next_command="watchdog doctor"
            )
        now = self._daemon.clock.now()
        newest = sorted((*register.pauses, *views.annotated(self._daemon)), key=lambda pause: pause.since, reverse=True)
        return {"at": iso(now), "pauses": [views.pause_view(pause, now) for pause in newest]}

    async def incidents(self, target: str | None, *, open_only: bool) -> JsonObject:
        """See `ports.Control.incidents`."""
        found, damaged = await self._guard(self._incidents.list("incident"))
        wanted = [e for e in found if target in (None, e.target) and (e.open or not open_only)]
        wanted.sort(key=lambda entry: entry.updated_at, reverse=True)
        rows = [views.incident_row(entry) for entry in wanted]
        return {"at": iso(self._daemon.clock.now()), "incidents": rows, "damaged": damaged}

    async def incident(self, incident: str) -> JsonObject:
        """See `ports.Control.incident`."""
        found = await self._find(incident)
        return {"incident": to_document(found), "report": self._daemon.report_of(found.id)}

    async def history(self, target: str) -> JsonObject:
        """See `ports.Control.history`."""
        seen = self._seen(target)
        record = await self._record(seen)
        good = ledger.last_known_good(record, self._daemon.clock.now(), seen.watch.policy, None).release
        return {
            "at": iso(self._daemon.clock.now()),
            "target": target,
            "current": record.current,
            "good": good.fingerprint if good else None,
            "releases": [self._release(entry) for entry in reversed(record.releases)],
            "acts": [to_document(act) for act in record.acts],
        }

    def health(self) -> JsonObject:
        """See `ports.Control.health`."""
        still = self._daemon.supervisor.standing_still()
        ready = self._daemon.loaded.at > 0
        words = f"standing still: {', '.join(still)}" if still else "every loop that matters makes progress"
        return {
            "live": not still,
            "ready": ready and not still,
            "sentence": words if ready else "starting",
            "loops": self._daemon.supervisor.loops(),
            "loop_lag_s": self._daemon.supervisor.lag,
        }

    # -- orders ------------------------------------------------------------------------------------------------------

    async def pause(self, scope: str, until: Instant, why: str, who: str) -> JsonObject:
        """See `ports.Control.pause`. A countdown or an open question in its scope ends with it."""
        self._known_scope(scope)
        try:
            pause = await self._guard(self._daemon.pauses.add(scope, until, why, who))
        except PauseRefused as error:
            raise ControlRefused(str(error), next_command="watchdog pause --help") from error
        self._wake()
        view = {"pause": views.pause_view(pause, self._daemon.clock.now())}
        if await self._settled(pause):
            return self._applied(view, f"paused: {pause.scope}")
        text = f"paused: {pause.scope}; a write that had passed the gate before is still under way"
        return {**self._applied(view, text), "applied": False, "applied_at": None}

    async def resume(self, id_or_scope: str, who: str) -> JsonObject:
        """See `ports.Control.resume`. What it covered is judged on fresh samples only (P5)."""
        try:
            ended = await self._guard(self._daemon.pauses.end(id_or_scope, who))
        except PauseRefused as error:
            raise ControlRefused(str(error), code="not_found", next_command="watchdog pauses") from error
        for pause in ended:
            await self._daemon.pause_ended(pause)
        now = self._daemon.clock.now()
        text = f"{len(ended)} {'pause' if len(ended) == 1 else 'pauses'} ended"
        scopes = {pause.scope for pause in ended}
        left = [
            pause for pause in self._daemon.pauses.known() if pausing.is_active(pause, now) and pause.scope in scopes
        ]
        if left:
            text += (
                f"; {left[0].scope} is still paused by {left[0].who} until {clock_time(left[0].until)} ({left[0].id})"
            )
        return self._applied({"ended": [views.pause_view(pause, now) for pause in ended]}, text)

    async def stop(self, who: str, why: str) -> JsonObject:
        """See `ports.Control.stop`."""
        answer = await self.pause("all", instant(self._daemon.clock.now() + STOP_S), why or "stop", who)
        found, _ = await self._guard(self._incidents.list("incident"))
        cancelled, running = [], []
        for incident in found:
            if not incident.open:
                continue
            try:
                await self._cancel(incident, who, why or "stop")
                cancelled.append(incident.id)
            except ControlRefused:
                running.append(incident.id)
        text = (
            f"everything paused for 1 h; {len(cancelled)} cancelled, {len(running)} already written and being verified"
        )
        return {**answer, "cancelled": cancelled, "running": running, "sentence": text}

    async def arm(self, who: str, target: str | None) -> JsonObject:
        """See `ports.Control.arm`."""
        names = [target] if target else [n for n, s in self._daemon.board.seen.items() if s.watch.platform is not None]
        known = [(name, self._seen(name), await self._record(self._seen(name))) for name in names]
        for name, seen, record in known:
            seen.record = await self._guard(self._records.change(record.unit.key, lambda there: _armed(there, who)))
            self._daemon.board.rearm(name, f"armed by {who}")
        if target is None:
            self._daemon.first_start = False  # what is added from now on is no first start any more
        return {"armed": names, "sentence": f"armed: {', '.join(names)}"}

    async def rollback(
        self, target: str, *, to: str | None, dry_run: bool, why: str, who: str, overrides: Sequence[str]
    ) -> JsonObject:
        """See `ports.Control.rollback`."""
        seen = self._seen(target)
        response = self._response(target)
        record = await self._record(seen)
        wanted = self._wanted(record, to)
        fresh, again = await self._ordered(seen, wanted, why, who, overrides)
        decision, plan, sentence = await self._road(seen, fresh)
        answer = {"dry_run": dry_run, "incident": None, "decision": _document(decision), "plan": _plan(plan)}
        if decision is None or (decision.outcome.value != "roll_back" and not _only_countdown(decision)):
            return {**answer, "accepted": False, "sentence": decision.sentence if decision else sentence}
        if dry_run:
            text = f"would be accepted: {plan.words if plan else decision.sentence}"
            return {**answer, "accepted": True, "sentence": text, "rehearsal": await self._rehearse(response, plan)}
        busy = await self._open_incident(target)
        if busy is not None and busy.stage not in CHOOSING:
            raise ControlRefused(
                f"{busy.id} is being driven ({busy.stage.value})",
                code="conflict",
                next_command=f"watchdog incidents {busy.id}",
            )
        started = await self._begin(response, busy, (fresh, again), who, why)
        return {
            **answer,
            "accepted": True,
            "incident": started,
            "sentence": f"{started}: rolling back by order of {who}",
        }

    async def approve(self, incident: str, who: str, why: str) -> JsonObject:
        """See `ports.Control.approve`."""
        found = await self._find(incident)
        if found.stage is not Stage.ASKED or found.decision is None:
            raise ControlRefused(
                f"{found.id} asks nothing (stage {found.stage.value})", next_command=f"watchdog explain {found.target}"
            )
        now, policy = self._daemon.clock.now(), self._seen(found.target).watch.policy
        approval = Approval(
            id=secrets.token_hex(8),
            who=who,
            at=now,
            from_release=found.decision.from_release,
            to_release=found.decision.to_release,
            checks=found.decision.asking,
            expires=instant(now + policy.ask_timeout_s),
            why=why,
        )
        await self._apply(found, Approved(approval=approval))
        text = f"{who} approved {', '.join(approval.checks)}; the gate is passed again now"
        return {"incident": found.id, "approval": to_document(approval), "sentence": text}

    async def cancel(self, incident: str, who: str, why: str) -> JsonObject:
        """See `ports.Control.cancel`."""
        found = await self._find(incident)
        await self._cancel(found, who, why)
        text = f"cancelled; no automatic act on {found.blamed.label} until `watchdog history {found.target} clear`"
        return {"incident": found.id, "fingerprint": found.blamed.fingerprint, "sentence": text}

    async def drill(self, target: str, who: str, *, tell: bool) -> JsonObject:
        """See `ports.Control.drill`."""
        return await Drill(self._daemon, self._seen(target), self._response(target), who, tell=tell).run()

    async def judge(self, incident: str, verdict: str, who: str, why: str) -> JsonObject:
        """See `ports.Control.judge`."""
        found = await self._find(incident)
        if verdict not in VERDICTS:
            raise ControlRefused(
                f"{verdict!r} is neither right nor wrong", next_command=f"watchdog judge {found.id} right"
            )
        if found.open:
            text = f"{found.id} is open ({found.stage.value}): it is judged when it is closed"
            raise ControlRefused(text, code="conflict", next_command=f"watchdog incidents {found.id}")
        reviewed = f"{verdict}, by {who}" + (f": {why}" if why else "")
        entry = Entry(at=self._daemon.clock.now(), kind="judged", sentence=reviewed)

        def change(there: Incident | None) -> Incident | None:
            if there is None or there.open:
                return there
            return replace(there, reviewed=reviewed, entries=(*there.entries, entry))

        await self._guard(self._incidents.change(found.key, change))
        self._daemon.count(f"judged_{verdict}")
        response = self._daemon.responses.get(found.target)
        if response is not None:
            await self._guard(response.reviewed())
        return {"incident": found.id, "reviewed": reviewed, "sentence": f"{found.id} is judged {reviewed}"}

    async def history_edit(self, target: str, fingerprint: str, verb: str, who: str, why: str) -> JsonObject:
        """See `ports.Control.history_edit`."""
        seen = self._seen(target)
        record = await self._record(seen)
        release = self._wanted(record, fingerprint)
        if release is None:
            raise ControlRefused("which release?", code="not_found", next_command=f"watchdog history {target}")
        now = self._daemon.clock.now()

        def change(there: UnitRecord | None) -> UnitRecord:
            known = there or record
            if verb == "condemn":
                return ledger.condemn(known, release.fingerprint, now, f"{who}: {why}")
            return ledger.clear(known, release.fingerprint, who, now)

        seen.record = await self._guard(self._records.change(record.unit.key, change))
        if verb != "condemn":
            self._daemon.board.rearm(target, f"{release.label} cleared by {who}")  # what still fails may be acted on
        after = seen.record.release(release.fingerprint) if seen.record else None
        word = "condemned" if verb == "condemn" else "cleared"
        return {"release": self._release(after or release), "sentence": f"{release.label} {word} by {who}"}

    async def reload(self) -> JsonObject:
        """See `ports.Control.reload`."""
        done, sentence = await self._daemon.reloader.reload()
        problems = [] if done else sentence.splitlines()
        return {"reloaded": done, "hash": self._daemon.loaded.hash, "problems": problems, "sentence": sentence}

    # -- parts -------------------------------------------------------------------------------------------------------

    async def _road(self, seen: Seen, incident: Incident | None = None) -> tuple[Decision | None, Plan | None, str]:
        """The gate as it stands now; with no incident, as if the present release were to be rolled back."""
        if seen.watch.platform is None:
            return None, None, f"{seen.watch.name} is watch-only: nothing is ever written"
        if seen.state is None:
            return None, None, f"the platform cannot be read: {seen.state_error}"
        state = seen.state
        now = self._daemon.clock.now()
        if incident is None:
            known = seen.record.release(state.release.fingerprint) if seen.record else None
            incident = open_incident(state.unit, seen.watch.policy, known or state.release, _pretend(seen, now), now)
        try:
            outside = await self._daemon.gatherer.outside(seen, incident)
            facts = await self._daemon.gatherer.gather(seen, incident, outside)
        except (StoreUnavailable, MalformedDocument) as error:
            return None, None, f"the store cannot be read: {error}"
        decision = pass_gate(facts, self._daemon.clock.now())
        return decision, outside.plan, decision.sentence

    async def _ordered(
        self, seen: Seen, wanted: Release | None, why: str, who: str, overrides: Sequence[str]
    ) -> tuple[Incident, Breached]:
        state, now = seen.state, self._daemon.clock.now()
        if state is None:
            raise ControlRefused(
                f"the platform cannot be read: {seen.state_error}", code="unavailable", next_command="watchdog doctor"
            )
        named = tuple(
            Override(id=secrets.token_hex(8), who=who, why=why, checks=(name,), at=now)
            for name in dict.fromkeys(overrides)
        )
        breach = Breach(target=seen.watch.name, at=now, first_bad=now, signals=(), sentence=f"ordered by {who}: {why}")
        known = seen.record.release(state.release.fingerprint) if seen.record else None
        fresh = open_incident(state.unit, seen.watch.policy, known or state.release, breach, now)
        requested = wanted.fingerprint if wanted else ""
        fresh = replace(fresh, manual=True, requested=requested, overrides=named)
        return fresh, Breached(breach=breach, manual=True, requested=requested, overrides=named)

    async def _rehearse(self, response: Response, plan: Plan | None) -> JsonObject | None:
        if plan is None or not plan.steps:
            return None
        outcome = await response.rehearse(plan.steps[0])
        return None if outcome is None else to_document(outcome)

    async def _begin(
        self, response: Response, busy: Incident | None, order: tuple[Incident, Breached], who: str, why: str
    ) -> str:
        """Begin an order; an open incident makes way for it, and its release is not refused by that."""
        try:
            if busy is not None:
                await self._guard(response.apply(busy.key, Cancelled(who=who, why=f"replaced by an order: {why}")))
            return await self._guard(response.order(*order))
        except (IllegalTransition, Conflict) as error:
            raise ControlRefused(
                f"{order[0].id}: {error}", code="conflict", next_command=f"watchdog incidents {order[0].id}"
            ) from error

    async def _cancel(self, found: Incident, who: str, why: str) -> None:
        """The refusal is stored first: a crash in between leaves "a person said no", never an act in spite of it."""
        key, fingerprint = found.units[0].key, found.blamed.fingerprint
        before = await self._guard(self._records.read(key))
        fresh = before is None or fingerprint not in before.cancelled

        def refuse(record: UnitRecord | None) -> UnitRecord:
            known = record or UnitRecord(unit=found.units[0])
            left = tuple(entry for entry in known.cancelled if entry != fingerprint)
            return replace(known, cancelled=(*left, fingerprint))

        await self._guard(self._records.change(key, refuse))
        try:
            await self._apply(found, Cancelled(who=who, why=why))
        except ControlRefused:
            if fresh:
                await self._guard(self._records.change(key, lambda there: _unrefused(there, fingerprint)))
            raise

    async def _apply(self, found: Incident, event: Approved | Cancelled) -> None:
        orphan = found.target not in self._daemon.board.seen
        apply = self._end_orphan if orphan else self._response(found.target).apply
        try:
            await self._guard(apply(found.key, event))
        except IllegalTransition as error:
            raise ControlRefused(
                f"{found.id}: {error}", code="conflict", next_command=f"watchdog incidents {found.id}"
            ) from error
        self._wake()

    async def _end_orphan(self, key: str, event: Approved | Cancelled) -> Incident:
        """An incident whose target is not configured any more: nobody drives it, a person may still end it."""
        now, channels = self._daemon.clock.now(), tuple(self._daemon.outbox.channels)

        def change(there: Incident | None) -> Incident:
            if there is None or isinstance(event, Approved):
                raise IllegalTransition("its target is not configured any more: nobody would act on a yes")
            return transition(there, event, now, channels)

        after = await self._incidents.change(key, change)
        self._daemon.outbox.touched(key)
        if after is None:
            raise IllegalTransition("the incident is gone")
        return after

    async def _guard(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except (StoreUnavailable, MalformedDocument) as error:
            raise ControlRefused(f"the store: {error}", code="unavailable", next_command="watchdog doctor") from error

    async def _find(self, incident: str) -> Incident:
        found, _ = await self._guard(self._incidents.list("incident"))
        exact = [entry for entry in found if entry.id == incident]
        close = exact or [entry for entry in found if entry.id.startswith(incident)]
        if len(close) != 1:
            words = "no incident" if not close else f"{len(close)} incidents"
            raise ControlRefused(f"{words} {incident!r}", code="not_found", next_command="watchdog incidents")
        return close[0]

    async def _open_incident(self, target: str) -> Incident | None:
        found, _ = await self._guard(self._incidents.list("incident"))
        return next((entry for entry in found if entry.target == target and entry.open), None)

    async def _record(self, seen: Seen) -> UnitRecord:
        if seen.record is None:
            raise ControlRefused(
                f"nothing is known of {seen.watch.name} yet: {seen.state_error or 'watch-only'}",
                code="unavailable",
                next_command=f"watchdog describe {seen.watch.name}",
            )
        return (await self._guard(self._records.read(seen.record.unit.key))) or seen.record

    def _wanted(self, record: UnitRecord, to: str | None) -> Release | None:
        if not to:
            return None
        found = [entry for entry in record.releases if entry.fingerprint.startswith(to) or entry.revision == to]
        if len(found) != 1:
            words = "no release" if not found else f"{len(found)} releases"
            target = record.unit.target
            raise ControlRefused(
                f"{words} {to!r} of {target}", code="not_found", next_command=f"watchdog history {target}"
            )
        return found[0]

    def _seen(self, target: str) -> Seen:
        seen = self._daemon.board.seen.get(target)
        if seen is None:
            known = ", ".join(sorted(self._daemon.board.seen)) or "none"
            raise ControlRefused(
                f"no target {target!r}; known: {known}", code="not_found", next_command="watchdog status"
            )
        return seen

    def _response(self, target: str) -> Response:
        self._seen(target)
        response = self._daemon.responses.get(target)
        if response is None:
            raise ControlRefused(
                f"{target} is watch-only: nothing is ever written",
                code="refused",
                next_command=f"watchdog describe {target}",
            )
        return response

    def _known_scope(self, scope: str) -> None:
        kind, _, name = scope.partition("/")
        policies = [seen.watch.policy for seen in self._daemon.board.seen.values()]
        known = {
            "target": {policy.target for policy in policies},
            "group": {policy.group for policy in policies} - {""},
            "platform": {policy.platform for policy in policies} - {""},
            "selector": {label for policy in policies for label in policy.labels},
        }.get(kind)
        chosen = any(pausing.about_all(name, policy.labels) for policy in policies) if kind == "selector" else None
        if known is not None and not (name in known if chosen is None else chosen):
            listed = ", ".join(sorted(known)) or "none"
            raise ControlRefused(f"{scope} matches nothing; known {kind}s: {listed}", code="not_found")

    def _row(self, seen: Seen) -> JsonObject:
        status = views.status(self._daemon)
        return next(row for row in status["targets"] if row["name"] == seen.watch.name)

    def _release(self, release: Release) -> JsonObject:
        """A ledger entry for people: without its raw template, which can hold secrets."""
        return {**to_document(replace(release, template=None)), "label": release.label}

    def _applied(self, answer: dict[str, Any], sentence: str) -> JsonObject:
        """The gate reads pauses from the store before each write: what is stored binds, so it is applied (P4)."""
        at, cycle = iso(self._daemon.clock.now()), self._daemon.cycle
        return {**answer, "applied": True, "applied_at": at, "cycle": cycle, "sentence": sentence}

    async def _settled(self, pause: Pause) -> bool:
        """Whether the pause binds now: no write that passed the gate before it is still under way."""
        clock = self._daemon.clock
        until = clock.monotonic() + ACK_S
        while not self._daemon.applied(pause):
            if clock.monotonic() >= until:
                return False
            await clock.sleep(0.05)
        return True

    def _wake(self) -> None:
        for response in self._daemon.responses.values():
            response.wake()


def _armed(record: UnitRecord | None, who: str) -> UnitRecord | None:
    return None if record is None else replace(record, armed=True, armed_by=who)


def _unrefused(record: UnitRecord | None, fingerprint: str) -> UnitRecord | None:
    if record is None:
        return None
    return replace(record, cancelled=tuple(entry for entry in record.cancelled if entry != fingerprint))


def _document(decision: Decision | None) -> JsonObject | None:
    return None if decision is None else to_document(decision)


def _plan(plan: Plan | None) -> JsonObject | None:
    return None if plan is None else to_document(plan)


def _only_countdown(decision: Decision) -> bool:
    left = [check.name for check in decision.checks if check.effect.value != "pass" and not check.overridden_by]
    return left == ["countdown"]


def _pretend(seen: Seen, now: Instant) -> Breach:
    verdict = seen.verdict
    first_bad = verdict.first_bad if verdict and verdict.first_bad is not None else now
    sentence = verdict.sentence if verdict else "no verdict"
    return Breach(target=seen.watch.name, at=now, first_bad=first_bad, signals=(), sentence=sentence)


def looking(signal: Signal) -> Signal:
    """What a person may poll: where polls give each event out once, a signal apart from the one that is judged."""
    apart: Callable[[], Signal] | None = getattr(signal, "apart", None)
    return signal if apart is None else apart()


def _phases(signal: Signal, sample: Sample) -> dict[str, float]:
    """Seconds of each phase that the signal measured for this sample's instance, where it measures phases."""
    found = getattr(signal, "phases", {}).get(sample.instance or "")
    if found is None:
        return {}
    measured = to_document(found)
    return {
        key.removesuffix("_s"): value for key, value in measured.items() if key.endswith("_s") and value is not None
    }


def _sample(sample: Sample, took: float, signal: Signal) -> dict[str, Any]:
    reading = sample.reading
    health = "unknown" if isinstance(reading, Unknown) else "good"
    if isinstance(reading, Counts) and reading.bad:
        health = "bad"
    return {
        "signal": sample.signal,
        "health": health,
        "sentence": sample.detail or (reading.reason if isinstance(reading, Unknown) else ""),
        "value": None if isinstance(reading, (Counts, Unknown)) else reading.value,
        "events": reading.events if isinstance(reading, Counts) else 0,
        "release": sample.release,
        "instance": sample.instance,
        "phases": _phases(signal, sample),
        "took_s": round(took, 4),
        "asked": list(getattr(signal, "asked", ())),
    }


def _worst(found: list[str]) -> str:
    if not found:
        return "inconclusive"
    if "bad" in found:
        return "failing"
    return "blind" if all(entry == "unknown" for entry in found) else "healthy"
