"""The response machine: a pure transition table over the incident record.

Role: the only code that moves `Incident.stage`. `engine.response` brings facts as events (a decision, an intent that is
about to be stored, what a write came to) and stores what `transition` gives back, in one compare-and-swap, *before* it
acts on it. Neighbours: `safety.gate` makes the decisions, `safety.wording` the sentences that people get.
Guarantees: every (stage, event) pair that is not in `TABLE` raises `IllegalTransition` and changes nothing; after an
intent is stored no path leads back to choosing another release; entries are only appended; a notice key is owed once.
Every prefix of a response is a state from which it resumes (`tests/safety/test_machine.py` replays each).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from watchdog.model import (
    Approval,
    Breach,
    Check,
    CloseReason,
    Confirmation,
    Decision,
    Effect,
    Entry,
    Evidence,
    Incident,
    Instant,
    Intent,
    Issue,
    Notice,
    Outcome,
    Override,
    Plan,
    Progress,
    Release,
    Resolution,
    Stage,
    StepOutcome,
    TargetPolicy,
    UnitRef,
    instant,
    record,
)
from watchdog.safety import wording
from watchdog.safety.answers import strongest

SIMULATED = frozenset({"mode", "first_start", "pause"})
"""Checks whose objection is simulated past: everything runs but the write (a would-have record)."""

MOST_INTENTS = 40
"""Intents in one opening, whatever became of them: a step that only ever has to wait ends with a person."""

ATTEMPTS = 5
"""Lost preconditions per step before a person is called (facts/back-ends 1.3)."""

CHOOSING = frozenset({Stage.OPENED, Stage.HELD, Stage.ASKED, Stage.COUNTDOWN, Stage.CAPTURED})
"""Stages in which nothing of the present step was written: the gate is passed anew, and a person may cancel."""


class IllegalTransition(ValueError):
    """That event does not exist in that stage."""


# -- events ----------------------------------------------------------------------------------------------------------


@record
class Breached:
    """The same release broke again, or a person orders its rollback: re-opens a closed incident."""

    breach: Breach
    manual: bool = False
    requested: str = ""
    overrides: tuple[Override, ...] = ()


@record
class Decided:
    """The gate spoke. `good` and `plan` are what would be written, when known."""

    decision: Decision
    countdown_s: float
    ask_s: float
    good: Release | None = None
    plan: Plan | None = None
    noted: tuple[str, ...] = ()
    """Checks whose escalation is told, but calls nobody (``outside_bake: note``)."""


@record
class Captured:
    """Evidence is safe, as far as its time box allowed."""

    evidence: Evidence


@record
class Rehearsed:
    """The dry run of the step that comes next. Only a definite no ends the response; the rest is for the write to say."""

    outcome: StepOutcome


@record
class Intended:
    """The gate passed this very moment; the intent is stored by this transition, before the write."""

    intent: Intent
    decision: Decision


@record
class Answered:
    """The write of that intent came back; without a name, of the newest."""

    outcome: StepOutcome
    intent: str = ""


@record
class Resolved:
    """The target was read to learn what became of that open intent; without a name, of the newest."""

    resolution: Resolution
    sentence: str = ""
    intent: str = ""


@record
class Looked:
    """One look at whether what was written has been rolled out."""

    confirmation: Confirmation


@record
class Verified:
    """The verification ended."""

    reason: CloseReason
    sentence: str


@record
class Approved:
    """A person said yes to the asking checks."""

    approval: Approval


@record
class Cancelled:
    """A person said no."""

    who: str
    why: str
    refused: bool = False


@record
class Expired:
    """Nobody answered within the time for asking, or an outcome could not be found out within its time."""

    sentence: str


@record
class Superseded:
    """A newer release than the blamed one is live."""

    sentence: str


@record
class Reported:
    """The report of this closing was written: after a crash between the two it is written then."""

    sentence: str = "the report was written"


Event = (
    Breached
    | Decided
    | Captured
    | Rehearsed
    | Intended
    | Answered
    | Resolved
    | Looked
    | Verified
    | Approved
    | Cancelled
    | Expired
    | Superseded
    | Reported
)


# -- the beginning ---------------------------------------------------------------------------------------------------


def incident_id(unit: UnitRef, fingerprint: str) -> str:
    """The identity of an incident: (unit, fingerprint blamed). The same breach seen twice gets the same name."""
    digest = hashlib.sha256(f"{unit.key}\x1f{fingerprint}".encode()).hexdigest()[:12]
    return f"{unit.target}-{digest}"


def open_incident(unit: UnitRef, policy: TargetPolicy, blamed: Release, breach: Breach, now: Instant) -> Incident:
    """A fresh record in stage `OPENED`, to be created in the store if absent: that is the fence against two."""
    return Incident(
        id=incident_id(unit, blamed.fingerprint),
        units=(unit,),
        target=policy.target,
        group=policy.group,
        blamed=blamed,
        stage=Stage.OPENED,
        mode=policy.mode,
        opened_at=now,
        updated_at=now,
        first_bad=breach.first_bad,
        breach_at=breach.at,
        headline=breach.sentence,
        entries=(
            Entry(at=breach.first_bad, kind="first_bad", sentence="first bad sample"),
            Entry(at=now, kind="breach", sentence=breach.sentence),
        ),
    )


# -- the machine -----------------------------------------------------------------------------------------------------


def transition(incident: Incident, event: Event, now: Instant, channels: tuple[str, ...] = ()) -> Incident:
    """The incident after `event`. Raises IllegalTransition when the table has no such row; changes nothing then."""
    move = TABLE.get((incident.stage, type(event)))
    if move is None:
        raise IllegalTransition(f"{type(event).__name__.lower()} does not happen in stage {incident.stage.value}")
    after = move(incident, event, now)
    if after == incident:
        return incident
    return _owe(incident, replace(after, updated_at=now), now, channels)


def reported(incident: Incident) -> bool:
    """The report of the latest closing was written."""
    kinds = [entry.kind for entry in incident.entries]
    closed = max((at for at, kind in enumerate(kinds) if kind.startswith("closed_")), default=-1)
    return "reported" in kinds[closed + 1 :]


def objections(decision: Decision, *, simulate: bool = False) -> tuple[str, ...]:
    """Names of the checks that do not pass; with `simulate` without those that a would-have record leaves out."""
    left = [check for check in decision.checks if check.effect is not Effect.PASS and not check.overridden_by]
    return tuple(check.name for check in left if not (simulate and _simulated_past(check)))


def blocked_by_simulation(decision: Decision) -> bool:
    """Mode, first start or a pause keep it from acting (others may object as well)."""
    return any(_simulated_past(check) and not check.overridden_by for check in decision.checks)


def _simulated_past(check: Check) -> bool:
    """`observe`, an unarmed store, a pause. Mode `ask` asks a person, which is no simulation."""
    return check.name in SIMULATED and check.effect not in (Effect.PASS, Effect.ASK)


def _note(incident: Incident, now: Instant, kind: str, sentence: str, actor: str = "watchdog") -> Incident:
    return replace(incident, entries=(*incident.entries, Entry(at=now, kind=kind, sentence=sentence, actor=actor)))


def _close(incident: Incident, now: Instant, reason: CloseReason, sentence: str, *, human: bool = False) -> Incident:
    """Ended. `human` = a person has something left to do; what they were called for before is over with it."""
    closed = replace(
        incident,
        stage=Stage.CLOSED,
        reason=reason,
        closed_at=now,
        needs_human=human,
        countdown_until=None,
        ask_until=None,
    )
    return _note(closed, now, f"closed_{reason.value}", sentence)


def _reopen(incident: Incident, event: Breached, now: Instant) -> Incident:
    fresh = replace(
        incident,
        stage=Stage.OPENED,
        reason=None,
        closed_at=None,
        breach_at=event.breach.at,
        first_bad=event.breach.first_bad,
        simulated=False,
        decision=None,
        evidence=None,
        rehearsed="",
        plan=None,
        step=0,
        countdown_until=None,
        ask_until=None,
        issued_at=None,
        confirmed_at=None,
        verify_from=None,
        reopened=incident.reopened + 1,
        headline=event.breach.sentence,
        manual=event.manual,
        requested=event.requested,
        overrides=event.overrides,
        needs_human=False,
        reviewed="",
        intents=(),
        past_intents=(*incident.past_intents, *incident.intents),
        approvals=(),
        good=None,
    )
    if event.manual:
        return _note(fresh, now, "ordered", event.breach.sentence)
    return _note(fresh, now, "breach", f"breach again: {event.breach.sentence}")


def _decided(incident: Incident, event: Decided, now: Instant) -> Incident:
    """An unchanged decision changes nothing: the record is not written at every look."""
    was, incident = incident, _noted(incident, event, now)
    decision = event.decision
    if decision.outcome is Outcome.RECOVERED_UNAIDED and not incident.wrote:
        return _close(incident, now, CloseReason.RECOVERED_UNAIDED, decision.sentence)
    simulated = blocked_by_simulation(decision) and incident.step == 0  # half a plan is no simulation
    if simulated and was.stage in (Stage.COUNTDOWN, Stage.ASKED, Stage.CAPTURED) and not was.simulated:
        ended = replace(incident, stage=Stage.HELD, countdown_until=None, ask_until=None, simulated=True)
        return _note(ended, now, "ended", f"{was.stage.value} ended: {decision.sentence}")
    if was.simulated and not simulated:
        incident = replace(incident, countdown_until=None)  # a simulated countdown is no warning to anybody
    return _follow(was, replace(incident, simulated=simulated), event, now)


def _noted(incident: Incident, event: Decided, now: Instant) -> Incident:
    """The newest decision, with a line in the journal when it says something new; good and plan as they are now."""
    incident = replace(incident, good=event.good or incident.good, plan=event.plan or incident.plan)
    if not _changed(incident.decision, event.decision):
        return incident
    return _note(replace(incident, decision=event.decision), now, "decision", event.decision.sentence)


def _follow(was: Incident, incident: Incident, event: Decided, now: Instant) -> Incident:
    """Where the objections that are left lead. A countdown is none beside a question: no countdown follows an answer."""
    decision, simulated = event.decision, incident.simulated
    left = objections(decision, simulate=simulated)
    if not left:
        return _ready(incident, now)
    if _only_courtesies(incident):
        return _skip(incident, decision.sentence, now)
    if left == ("countdown",):
        return _count_down(incident, event, now)
    leads = strongest(check.outcome for check in decision.checks if check.name in left and check.name != "countdown")
    if incident.stage is Stage.COUNTDOWN and leads is Outcome.HOLD and set(left) <= {"breach_stands", "countdown"}:
        return incident  # only a fresh poll is missing: recovery or a person ends a countdown, nothing else
    if leads is not Outcome.ASK or incident.wrote:
        return _held(incident, leads, event, now)
    if simulated and incident.evidence is None:
        return replace(incident, stage=Stage.OPENED)  # as in earnest: evidence first
    if simulated:
        return _close(incident, now, CloseReason.WOULD_HAVE, wording.would_have_asked(incident))
    return _asked(was, incident, event, now)


def _only_courtesies(incident: Incident) -> bool:
    """The rollback itself is written; what is left of the plan may be left out."""
    left = incident.plan.steps[incident.step :] if incident.plan else ()
    return incident.step > 0 and bool(left) and all(step.courtesy for step in left)


def _skip(incident: Incident, reason: str, now: Instant) -> Incident:
    """Leave out the courtesies that are left, and say so: on to the confirmation of what was written."""
    steps = incident.plan.steps if incident.plan else ()
    for step in steps[incident.step :]:
        incident = _note(incident, now, "skipped", f"left out: {step.words}: {reason}")
    return replace(incident, stage=Stage.ISSUED, step=len(steps), issued_at=incident.issued_at or now)


def _asked(was: Incident, incident: Incident, event: Decided, now: Instant) -> Incident:
    """A person is asked; another question than the one that stands gets its own time."""
    names = event.decision.asking
    if was.stage is Stage.ASKED and was.ask_until and was.decision is not None and was.decision.asking == names:
        return incident
    asked = replace(incident, stage=Stage.ASKED, ask_until=instant(now + event.ask_s), countdown_until=None)
    return _note(asked, now, "asked", f"asking for {event.ask_s:.0f} s about {', '.join(names)}")


def _ready(incident: Incident, now: Instant) -> Incident:
    """Every check passes: on to evidence, or to the write when the evidence is safe."""
    if incident.evidence is None:
        return replace(incident, stage=Stage.COUNTDOWN, countdown_until=incident.countdown_until or now)
    if incident.simulated:
        return _close(incident, now, CloseReason.WOULD_HAVE, wording.would_have(incident))
    return replace(incident, stage=Stage.CAPTURED)


def _count_down(incident: Incident, event: Decided, now: Instant) -> Incident:
    until = incident.countdown_until or instant(now + event.countdown_s)
    if incident.countdown_until is None:
        incident = _note(incident, now, "countdown", wording.countdown(incident, event.countdown_s))
    return replace(incident, stage=Stage.COUNTDOWN, countdown_until=until)


def _held(incident: Incident, outcome: Outcome, event: Decided, now: Instant) -> Incident:
    """Not now. A person is called for half a plan and for an escalation, but not for what is only simulated."""
    mixed = incident.step > 0
    if mixed and incident.stage is not Stage.HELD:
        incident = _note(incident, now, "mixed_state", wording.mixed_state(incident))
    calls = outcome is Outcome.ESCALATE and not incident.simulated and not _only_noted(event)
    human = incident.needs_human or mixed or calls
    return replace(incident, stage=Stage.HELD, countdown_until=None, ask_until=None, needs_human=human)


def _only_noted(event: Decided) -> bool:
    """Something is told as a note that makes it nobody's business tonight, whatever else would escalate."""
    return any(name in event.noted for name in objections(event.decision))


def _changed(before: Decision | None, after: Decision) -> bool:
    return before is None or _gist(before) != _gist(after)


def _gist(decision: Decision) -> tuple[object, ...]:
    """What makes two decisions different: not their moments, nor the seconds in their sentences."""
    answered = tuple((check.name, check.overridden_by) for check in decision.checks if check.overridden_by)
    return decision.outcome, objections(decision), answered, decision.from_release, decision.to_release


def _captured(incident: Incident, event: Captured, now: Instant) -> Incident:
    if event.evidence == incident.evidence:
        return incident
    count, gone = len(event.evidence.files), len(event.evidence.missing)
    text = f"evidence captured: {count} files" + (f", {gone} could not be had" if gone else "")
    return _note(replace(incident, evidence=event.evidence), now, "evidence", text)


def rehearsal_of(incident: Incident) -> str:
    """What `Incident.rehearsed` is once the dry run of the present step was done."""
    return f"{incident.step}/{incident.plan.to_release if incident.plan else ''}"


def _rehearsed(incident: Incident, event: Rehearsed, now: Instant) -> Incident:
    issue, sentence = event.outcome.issue, event.outcome.sentence
    done = _note(replace(incident, rehearsed=rehearsal_of(incident)), now, "rehearsed", sentence)
    if issue is Issue.REFUSED and _only_courtesies(incident):
        return _skip(done, sentence, now)
    if issue is Issue.REFUSED:
        return _close(done, now, CloseReason.REFUSED, f"the platform refused the dry run: {sentence}", human=True)
    return done


def _intended(incident: Incident, event: Intended, now: Instant) -> Incident:
    if event.decision.outcome is not Outcome.ROLL_BACK or incident.simulated:
        raise IllegalTransition("an intent is stored only on a decision to roll back")
    if incident.evidence is None or incident.plan is None:
        raise IllegalTransition("evidence and plan come before the intent")
    if incident.intent is not None and incident.intent.open:
        raise IllegalTransition("the intent before this one is not settled")
    # The countdown stays as it is, over: neither a second try nor a later step is a surprise that needs one more.
    spent = tuple(replace(entry, spent_at=entry.spent_at or now) for entry in incident.approvals)
    stored = replace(
        incident,
        stage=Stage.INTENDED,
        decision=event.decision,
        intents=(*incident.intents, event.intent),
        approvals=spent,
        ask_until=None,
    )
    return _note(stored, now, "intent", f"intent stored: {event.intent.step.words}")


def _settle(incident: Incident, outcome: str, sentence: str, now: Instant) -> Incident:
    settled = replace(incident.intents[-1], outcome=outcome, sentence=sentence, settled_at=now)
    return replace(incident, intents=(*incident.intents[:-1], settled))


def _of_this(incident: Incident, name: str) -> None:
    """What became of another intent than the open one says nothing here."""
    if name and (incident.intent is None or incident.intent.id != name or not incident.intent.open):
        raise IllegalTransition("that is not the intent that is open")


def _answered(incident: Incident, event: Answered, now: Instant) -> Incident:
    _of_this(incident, event.intent)
    issue, sentence = event.outcome.issue, event.outcome.sentence
    if issue is Issue.UNKNOWN:
        return _note(incident, now, "unclear", f"the reply is unclear, the target will be read: {sentence}")
    incident = _settle(incident, issue.value, sentence, now)
    if issue is Issue.ISSUED:
        return _issued(_overwrote(incident, event.outcome.overwrote, now), sentence, now)
    if issue is Issue.REFUSED and _only_courtesies(incident):
        return _skip(incident, sentence, now)
    if issue is Issue.REFUSED:
        return _close(incident, now, CloseReason.REFUSED, f"the platform refused the write: {sentence}", human=True)
    return _try_again(incident, sentence, now)


def _overwrote(incident: Incident, newer: str, now: Instant) -> Incident:
    """The outside has no compare-and-swap, and a newer release was lost: never a second write, but a person."""
    if not newer:
        return incident
    text = f"{newer} was deployed in between and was overwritten: deploy it again if it was meant"
    return _note(replace(incident, needs_human=True), now, "overwrote", text)


def _issued(incident: Incident, sentence: str, now: Instant) -> Incident:
    incident = _note(incident, now, "issued", sentence)
    steps = incident.plan.steps if incident.plan else ()
    if incident.step + 1 < len(steps):
        return replace(incident, stage=Stage.CAPTURED, step=incident.step + 1)
    return replace(incident, stage=Stage.ISSUED, step=len(steps), issued_at=now)


def _try_again(incident: Incident, sentence: str, now: Instant) -> Incident:
    """Nothing was written: back before the gate, unless the precondition was lost too often."""
    lost = sum(1 for entry in incident.intents if entry.outcome == Issue.PRECONDITION_FAILED.value)
    incident = _note(incident, now, "not_written", f"nothing was written: {sentence}")
    if lost >= ATTEMPTS or len(incident.intents) >= MOST_INTENTS:
        if _only_courtesies(incident):
            return _skip(incident, sentence, now)
        lost = len(incident.intents)
        text = f"nothing was written in {lost} tries: {sentence}"
        return _close(incident, now, CloseReason.PRECONDITION_FAILED, text, human=True)
    return replace(incident, stage=Stage.CAPTURED)


def _resolved(incident: Incident, event: Resolved, now: Instant) -> Incident:
    _of_this(incident, event.intent)
    found = event.resolution
    if found is Resolution.UNKNOWN:
        return incident
    incident = _settle(incident, found.value, event.sentence, now)
    sentence = wording.resolution(found, incident)
    if found is Resolution.ISSUED:
        return _issued(incident, sentence, now)
    if found is Resolution.NOT_ISSUED:
        return _try_again(incident, sentence, now)
    if found is Resolution.GONE:
        return _close(incident, now, CloseReason.PRECONDITION_FAILED, sentence, human=True)
    return _close(incident, now, CloseReason.SUPERSEDED, sentence)


def _looked(incident: Incident, event: Looked, now: Instant) -> Incident:
    progress, sentence = event.confirmation.progress, event.confirmation.sentence
    if progress is Progress.OBSERVED:
        seen = replace(incident, stage=Stage.VERIFYING, confirmed_at=now, verify_from=now)
        return _note(seen, now, "confirmed", sentence)
    if progress is Progress.STUCK:
        return _close(incident, now, CloseReason.NOT_RECOVERED, f"the rollback is stuck: {sentence}", human=True)
    if progress is Progress.SUPERSEDED:
        return _close(incident, now, CloseReason.SUPERSEDED, sentence)
    return incident


def _verified(incident: Incident, event: Verified, now: Instant) -> Incident:
    human = event.reason is not CloseReason.RECOVERED
    return _close(incident, now, event.reason, event.sentence, human=human)


def _approved(incident: Incident, event: Approved, now: Instant) -> Incident:
    names = ", ".join(event.approval.checks)
    after = replace(incident, approvals=(*incident.approvals, event.approval))
    return _note(after, now, "approved", f"{event.approval.who} approved ({names})", event.approval.who)


def _cancelled(incident: Incident, event: Cancelled, now: Instant) -> Incident:
    if _only_courtesies(incident):
        raise IllegalTransition("the rollback is already written")
    reason = CloseReason.REFUSED if event.refused else CloseReason.CANCELLED
    why = f": {event.why}" if event.why else ""
    text = f"{event.who} {'refused' if event.refused else 'cancelled'} it{why}; no automatic act on this release"
    if incident.step > 0:
        incident = _note(incident, now, "mixed_state", wording.mixed_state(incident))
    return _close(_note(incident, now, reason.value, text, event.who), now, reason, text, human=incident.step > 0)


def _expired(incident: Incident, event: Expired, now: Instant) -> Incident:
    return _close(incident, now, CloseReason.EXPIRED, event.sentence, human=True)


def _lost_sight(incident: Incident, event: Expired, now: Instant) -> Incident:
    return _close(incident, now, CloseReason.UNKNOWN, event.sentence, human=True)


def _reported(incident: Incident, event: Reported, now: Instant) -> Incident:
    return incident if reported(incident) else _note(incident, now, "reported", event.sentence)


def _superseded(incident: Incident, event: Superseded, now: Instant) -> Incident:
    return _close(incident, now, CloseReason.SUPERSEDED, event.sentence, human=incident.step > 0)


Move = Callable[[Incident, Any, Instant], Incident]
"""Each move takes the event of its own row of the table."""

_EVERY_CHOICE: dict[type, Move] = {
    Decided: _decided,
    Captured: _captured,
    Approved: _approved,
    Cancelled: _cancelled,
    Superseded: _superseded,
}

TABLE: dict[tuple[Stage, type], Move] = {
    **{(stage, event): move for stage in CHOOSING for event, move in _EVERY_CHOICE.items()},
    (Stage.ASKED, Expired): _expired,
    (Stage.CAPTURED, Rehearsed): _rehearsed,
    (Stage.CAPTURED, Intended): _intended,
    (Stage.INTENDED, Answered): _answered,
    (Stage.INTENDED, Resolved): _resolved,
    (Stage.INTENDED, Expired): _lost_sight,
    (Stage.INTENDED, Captured): _captured,
    (Stage.ISSUED, Captured): _captured,
    (Stage.VERIFYING, Captured): _captured,
    (Stage.ISSUED, Looked): _looked,
    (Stage.ISSUED, Expired): _lost_sight,
    (Stage.VERIFYING, Verified): _verified,
    (Stage.VERIFYING, Superseded): _superseded,
    (Stage.CLOSED, Breached): _reopen,
    (Stage.CLOSED, Reported): _reported,
}


# -- what is owed ----------------------------------------------------------------------------------------------------


def _owe(before: Incident, after: Incident, now: Instant, channels: tuple[str, ...]) -> Incident:
    """Owe the notices of this step in the same record, so that state and outbox change in one write."""
    for notice in wording.notices(before, after, now, channels):
        after = owe(after, notice)
    return after


def owe(incident: Incident, notice: Notice) -> Incident:
    """Owe one notice, unless one of its key is or was owed."""
    if any(entry.key == notice.key for entry in incident.notices):
        return incident
    return replace(incident, notices=(*incident.notices, notice))
