"""The sentences of a response: journal lines and the notices that are owed at each turn.

Role: words only, made from records; `safety.machine` decides when. Guarantees: the first line of a notice fits a lock
screen (`LINE`); what users feel, what the watchdog does and when come first. Nothing here knows a channel.
"""

from __future__ import annotations

from watchdog.model import Check, CloseReason, Decision, Effect, Incident, Instant, Notice, Outcome, Resolution, Stage

LINE = 110
"""Characters of a headline at most."""


def cut(text: str, limit: int = LINE) -> str:
    """Cut to `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def way(incident: Incident) -> str:
    """From which release to which."""
    good = incident.good.label if incident.good else "no known good release"
    return f"{incident.blamed.label} → {good}"


def countdown(incident: Incident, seconds: float) -> str:
    """The line that starts a countdown."""
    verb = "would roll back" if incident.simulated else "rolls back"
    return f"{verb} {way(incident)} in {seconds:.0f} s unless it recovers or a person cancels"


def would_have(incident: Incident) -> str:
    """The line that closes a would-have record: what would have been written, and what kept it."""
    reasons = [check.sentence for check in _objecting(incident.decision)]
    return f"would have rolled back {way(incident)}: " + ("; ".join(reasons) or "simulated")


def would_have_asked(incident: Incident) -> str:
    """The line that closes a would-have record whose answer would have been a question to a person."""
    reasons = "; ".join(check.sentence for check in _objecting(incident.decision))
    return f"would have asked a person whether to roll back {way(incident)}: {reasons}"


def mixed_state(incident: Incident) -> str:
    """What stands when a plan stops between two of its steps."""
    steps = incident.plan.steps if incident.plan else ()
    done = "; ".join(step.words for step in steps[: incident.step])
    left = "; ".join(step.words for step in steps[incident.step :])
    return f"stopped between steps. Done: {done}. Not done: {left}"


def resolution(found: Resolution, incident: Incident) -> str:
    """What reading the target said about an open intent."""
    good = incident.good.label if incident.good else "the good release"
    return {
        Resolution.ISSUED: f"read the target: the write had happened, {good} is there",
        Resolution.NOT_ISSUED: "read the target: the write had not happened",
        Resolution.SUPERSEDED: "read the target: the write had happened, and a newer change came after it",
        Resolution.OVERTAKEN: "read the target: a newer release is there; nothing of ours was written",
        Resolution.DONE_BY_OTHERS: f"read the target: somebody else put {good} back",
        Resolution.GONE: "read the target: it is gone",
        Resolution.UNKNOWN: "the target could not be read",
    }[found]


def _objecting(decision: Decision | None) -> list[Check]:
    checks = decision.checks if decision else ()
    return [check for check in checks if check.effect is not Effect.PASS and not check.overridden_by]


_CLOSING = {
    CloseReason.RECOVERED: ("recovered", "info", "recovered after the rollback"),
    CloseReason.RECOVERED_UNAIDED: ("closed", "info", "recovered unaided; nothing was written"),
    CloseReason.NOT_RECOVERED: ("not_recovered", "page", "NOT recovered after the rollback: a person is needed"),
    CloseReason.UNKNOWN: ("unknown", "page", "the outcome of the rollback is unknown: a person is needed"),
    CloseReason.CANCELLED: ("closed", "info", "rollback cancelled by a person"),
    CloseReason.REFUSED: ("refused", "page", "the rollback was refused"),
    CloseReason.EXPIRED: ("expired", "page", "nobody answered; nothing was written"),
    CloseReason.SUPERSEDED: ("closed", "info", "a newer change came; the watchdog stands down"),
    CloseReason.PRECONDITION_FAILED: ("refused", "page", "no try to write was accepted; nothing was written"),
    CloseReason.WOULD_HAVE: ("would_have", "info", "would have rolled back; nothing was written"),
}


def notices(before: Incident, after: Incident, now: Instant, channels: tuple[str, ...]) -> tuple[Notice, ...]:
    """What people must be told because of this step. Keys make each of them one."""
    made = [_closing(after), _turn(before, after), _not_acting(after), _overwrote(before, after)]
    return tuple(
        Notice(
            key=f"{kind}/{after.reopened}/{detail}",
            kind=kind,
            headline=cut(f"{after.target}: {head}"),
            body=body,
            severity=severity,
            owed_at=now,
            channels=channels,
        )
        for kind, detail, severity, head, body in (entry for entry in made if entry)
    )


_Made = tuple[str, str, str, str, str] | None


def _closing(after: Incident) -> _Made:
    if after.stage is not Stage.CLOSED or after.reason is None:
        return None
    kind, severity, words = _CLOSING[after.reason]
    if after.reason is CloseReason.RECOVERED_UNAIDED and _noted_outside_bake(after):
        return None
    last = next((entry.sentence for entry in reversed(after.entries) if entry.kind.startswith("closed_")), "")
    if last.startswith("would have asked"):
        words = "would have asked whether to roll back; nothing was written"
    severity = "page" if after.step > 0 and after.needs_human else severity
    return kind, after.reason.value, severity, words, f"{last}\nwatchdog incidents {after.id}"


def _noted_outside_bake(after: Incident) -> bool:
    """Outside of bake a breach is one message (``outside_bake: note``): that it is over needs no second."""
    told = [notice for notice in after.notices if notice.key.split("/")[1] == str(after.reopened)]
    return bool(told) and all(n.kind == "not_acting" and n.severity == "info" and "bake" in n.key for n in told)


def _overwrote(before: Incident, after: Incident) -> _Made:
    """A newer release was lost to our write: paged, whatever becomes of the rollback."""
    fresh = [entry for entry in after.entries[len(before.entries) :] if entry.kind == "overwrote"]
    if not fresh:
        return None
    return "overwrote", "", "page", fresh[0].sentence, f"{fresh[0].sentence}\nwatchdog incidents {after.id}"


def _turn(before: Incident, after: Incident) -> _Made:
    """A new stage that people should know of."""
    asking = after.stage is Stage.ASKED and before.decision is not after.decision
    if after.stage is before.stage and not asking:
        return None
    if after.stage is Stage.COUNTDOWN and after.countdown_until is not None:
        head = ("would roll back " if after.simulated else "rolling back ") + way(after)
        body = f"{after.headline}\nStop it: watchdog cancel {after.id}\nWhy: watchdog explain {after.target}"
        return "pending", "", "info" if after.simulated else "warn", head, body
    if after.stage is Stage.ASKED and after.decision is not None:
        why = "\n".join(check.sentence for check in _objecting(after.decision))
        body = f"{after.headline}\n{why}\nYes: watchdog approve {after.id}\nNo: watchdog cancel {after.id}"
        return "ask", ",".join(after.decision.asking), "page", f"may I roll back {way(after)}?", body
    if after.stage is Stage.ISSUED:
        return "rolled_back", "", "warn", f"rolled back {way(after)}; verifying", after.headline
    return None


def _not_acting(after: Incident) -> _Made:
    """Held for a reason that is new: said once a reason, paged when a person is needed or nothing can be seen."""
    if after.stage is not Stage.HELD or after.decision is None:
        return None
    reasons = [check for check in _objecting(after.decision) if not _passing(check)]
    if not reasons:
        return None
    names = ",".join(check.name for check in reasons)
    page = after.needs_human or (after.decision.outcome is Outcome.BLIND and not after.simulated)
    body = "\n".join([after.headline, *(check.sentence for check in reasons), f"Why: watchdog explain {after.target}"])
    head = f"not rolling back: {reasons[0].sentence}"
    return "not_acting", names, "page" if page else "info", head, body


def _passing(check: Check) -> bool:
    """An objection that goes by itself within a poll or a countdown is nothing to tell."""
    return check.name == "countdown" or (check.name == "breach_stands" and check.outcome is Outcome.HOLD)
