"""The incident: the durable record from suspicion to close, and all that is owed because of it.

Role: one document in the store, changed by compare-and-swap only; holds journal, intents, approvals and the notices that
are owed, so that state and outbox change in one write. Neighbours: `safety.machine` is the only code that moves `stage`.
Guarantees: entries are only ever appended.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from watchdog.model.decision import Decision, Mode
from watchdog.model.plan import Intent, Plan
from watchdog.model.record import Instant, JsonObject, record
from watchdog.model.release import Release
from watchdog.model.unit import UnitRef

DRILL = "DRILL of "
"""Begin of the target that the record of a drill names: no target has a space in its name."""


class Stage(StrEnum):
    """Where a response stands."""

    SUSPECTED = "suspected"  # something counts against the release; nothing fired yet
    OPENED = "opened"  # a breach; the gate has not yet spoken
    HELD = "held"
    ASKED = "asked"
    COUNTDOWN = "countdown"
    CAPTURED = "captured"  # evidence is safe; the next thing is an intent
    INTENDED = "intended"  # an intent is stored; the write may or may not have happened
    ISSUED = "issued"  # every step was written
    CONFIRMED = "confirmed"  # the outside reports it rolled out
    VERIFYING = "verifying"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """How a response ended."""

    RECOVERED = "recovered"
    RECOVERED_UNAIDED = "recovered_unaided"
    NOT_RECOVERED = "not_recovered"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    PRECONDITION_FAILED = "precondition_failed"
    WOULD_HAVE = "would_have"


@record
class Entry:
    """One line of the journal. `kind` is a stable key (``breach``, ``decision``, ``intent``, ``issued`` ...)."""

    at: Instant
    kind: str
    sentence: str
    actor: str = "watchdog"
    data: JsonObject = field(default_factory=dict)


@record
class Notice:
    """A message that is owed. `key` makes it one: the same key is never owed twice in an incident."""

    key: str
    kind: str
    headline: str
    body: str
    severity: str
    owed_at: Instant
    channels: tuple[str, ...] = ()
    """Channels that still have to deliver it; empty = delivered everywhere."""
    attempts: int = 0
    next_attempt: Instant | None = None
    last_error: str = ""
    sent_at: Instant | None = None
    dead: bool = False


@record
class Approval:
    """A person's answer to the asking checks of one decision; spent by compare-and-swap."""

    id: str
    who: str
    at: Instant
    from_release: str
    to_release: str
    checks: tuple[str, ...]
    expires: Instant
    spent_at: Instant | None = None
    why: str = ""


@record
class Override:
    """A person's override of named checks for one rollback by hand; carries an audit id."""

    id: str
    who: str
    why: str
    checks: tuple[str, ...]
    at: Instant


@record
class EvidenceFile:
    """One file of evidence: where it lies, how large, its SHA-256, and when it was taken."""

    path: str
    size: int
    sha256: str
    taken_at: Instant
    note: str = ""


@record
class Evidence:
    """What was captured before the write, and what could not be had and why."""

    started: Instant
    finished: Instant | None = None
    files: tuple[EvidenceFile, ...] = ()
    missing: tuple[str, ...] = ()


@record
class Incident:
    """The record of one blamed release of one unit (or of a group's units)."""

    id: str
    units: tuple[UnitRef, ...]
    target: str
    group: str
    blamed: Release
    stage: Stage
    mode: Mode
    opened_at: Instant
    updated_at: Instant
    first_bad: Instant | None = None
    breach_at: Instant | None = None
    headline: str = ""
    simulated: bool = False
    """Would-have: observe, pause or an unarmed store kept it from writing."""
    manual: bool = False
    """A rollback by hand (``watchdog rollback``)."""
    requested: str = ""
    """Fingerprint a person asked to go back to; empty = the last known good."""
    good: Release | None = None
    plan: Plan | None = None
    step: int = 0
    decision: Decision | None = None
    countdown_until: Instant | None = None
    ask_until: Instant | None = None
    verify_from: Instant | None = None
    issued_at: Instant | None = None
    confirmed_at: Instant | None = None
    closed_at: Instant | None = None
    reason: CloseReason | None = None
    needs_human: bool = False
    reviewed: str = ""
    evidence: Evidence | None = None
    rehearsed: str = ""
    """Step and target release whose dry run was done: once each, before the first intent for it."""
    intents: tuple[Intent, ...] = ()
    past_intents: tuple[Intent, ...] = ()
    """Intents of earlier openings of the same record."""
    approvals: tuple[Approval, ...] = ()
    overrides: tuple[Override, ...] = ()
    entries: tuple[Entry, ...] = ()
    notices: tuple[Notice, ...] = ()
    reopened: int = 0

    @property
    def open(self) -> bool:
        """Not closed yet."""
        return self.stage is not Stage.CLOSED

    @property
    def drill(self) -> bool:
        """The record of a drill: nothing was wrong, and it stands among no incidents."""
        return self.target.startswith(DRILL)

    @property
    def intent(self) -> Intent | None:
        """The newest intent, None before the first."""
        return self.intents[-1] if self.intents else None

    @property
    def wrote(self) -> bool:
        """Some write may have reached the target: from then on nothing older is ever chosen."""
        return any(intent.outcome in ("", "issued", "unknown") for intent in self.intents)

    @property
    def key(self) -> str:
        """Store key."""
        return f"incident/{self.id}"
