"""An incident that never was, and what each kind of channel would make of it.

Role: behind ``watchdog notify preview``. Guarantees: the words are made by the code that makes the real ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from watchdog.channels.mail import mail_of
from watchdog.channels.message import Place, message_of
from watchdog.channels.pagerduty import event_of as pagerduty_event
from watchdog.channels.slack import content_of
from watchdog.channels.stdout import as_text
from watchdog.channels.teams import card_of
from watchdog.channels.webhook import event_of
from watchdog.model import (
    Check,
    CloseReason,
    Decision,
    Effect,
    Entry,
    Incident,
    Instant,
    Mode,
    Notice,
    Outcome,
    Release,
    Stage,
    instant,
)
from watchdog.safety.wording import notices
from watchdog.settings.notify_access import ConfiguredChannel

AT = Instant(1_767_268_800.0)
GOOD = Release(fingerprint="a1b2c3", revision="41", images={"api": "registry.example/bookstore-api:1.8.2"})
BAD = Release(fingerprint="d4e5f6", revision="42", images={"api": "registry.example/bookstore-api:1.9.0"})


def example(kind: str) -> tuple[Notice, Incident]:
    """The notice of one kind, made as a real response makes it, and its incident."""
    before = _incident()
    after = _turned(before, kind)
    (notice, *_) = notices(before, after, AT, ("preview",))
    return notice, replace(after, notices=(notice,))


def _incident() -> Incident:
    return Incident(
        id="bookstore-api-1f0e9d",
        units=(),
        target="bookstore-api",
        group="bookstore",
        blamed=BAD,
        good=GOOD,
        stage=Stage.OPENED,
        mode=Mode.ENFORCE,
        opened_at=AT,
        updated_at=AT,
        first_bad=instant(AT - 41.0),
        headline="errors: 31 % of 412 requests fail (tolerated 0.5 %): enough evidence against the release",
    )


def _turned(before: Incident, kind: str) -> Incident:
    if kind == "pending":
        return replace(before, stage=Stage.COUNTDOWN, countdown_until=instant(AT + 10.0))
    if kind == "ask":
        sentence = "`data` is not said: may the code go back without the data?"
        return replace(before, stage=Stage.ASKED, decision=_decision(Outcome.ASK, "data", sentence))
    if kind == "not_acting":
        sentence = "somebody else is rolling out right now"
        return replace(before, stage=Stage.HELD, decision=_decision(Outcome.HOLD, "nobody_else", sentence))
    if kind == "rolled_back":
        return replace(before, stage=Stage.ISSUED)
    reason = CloseReason.RECOVERED if kind == "recovered" else CloseReason.NOT_RECOVERED
    words = {
        CloseReason.RECOVERED: "all signals healthy for 60 s after the rollback",
        CloseReason.NOT_RECOVERED: "errors still at 30 % 10 min after the rollback",
    }[reason]
    entry = Entry(at=AT, kind=f"closed_{reason.value}", sentence=words)
    bad = reason is CloseReason.NOT_RECOVERED
    return replace(before, stage=Stage.CLOSED, reason=reason, needs_human=bad, entries=(entry,), closed_at=AT)


def _decision(outcome: Outcome, name: str, sentence: str) -> Decision:
    effect = Effect.ASK if outcome is Outcome.ASK else Effect.BLOCK
    check = Check(name=name, effect=effect, sentence=sentence, outcome=outcome)
    return Decision(
        at=AT,
        target="bookstore-api",
        outcome=outcome,
        would=outcome,
        sentence=sentence,
        from_release=BAD.fingerprint,
        to_release=GOOD.fingerprint,
        checks=(check,),
    )


def shown(entry: ConfiguredChannel, notice: Notice, incident: Incident, place: Place) -> Any:
    """What would leave: text, or the JSON of the request's body."""
    message = message_of(notice, incident, place)
    if entry.kind == "slack":
        return content_of(message)
    if entry.kind == "teams":
        return card_of(message)
    if entry.kind == "pagerduty":
        return pagerduty_event(message, place) or "(nothing: it is only information)"
    if entry.kind == "webhook":
        return event_of(message, place)
    if entry.kind == "mail":
        return mail_of(message, entry.sender, entry.to).as_string()
    return as_text(notice, incident)
