"""The course of an incident: fixed anchors, the journal between them, and how long each part took.

Role: pure; read by `report` and `markdown`. Guarantees: rows stand in order of time; an anchor that never came is left
out, never guessed; a duration is given only between two moments that both happened in that order.
"""

from __future__ import annotations

from watchdog.model import CloseReason, Incident, Instant, record


@record
class Row:
    """One line of the timeline. `anchor` is empty for lines of the journal that are no anchor."""

    at: Instant
    anchor: str
    sentence: str
    source: str


@record
class Span:
    """How long something took, in seconds, from one moment to another."""

    name: str
    words: str
    seconds: float


def anchors(incident: Incident) -> dict[str, Instant]:
    """The moments that have a name, as far as they happened, in the order in which a response passes them."""
    evidence, decision = incident.evidence, incident.decision
    acts = [intent.stored_at for intent in incident.intents]
    countdowns = [entry.at for entry in incident.entries if entry.kind == "countdown"]
    found = {
        "release_started": incident.blamed.started,
        "release_completed": incident.blamed.completed,
        "first_bad": incident.first_bad,
        "breach": incident.breach_at,
        "evidence_started": evidence.started if evidence else None,
        "evidence_captured": evidence.finished if evidence else None,
        "countdown": countdowns[-1] if countdowns else None,
        "decision": decision.at if decision else None,
        "intent": acts[0] if acts else None,
        "issued": incident.issued_at,
        "confirmed": incident.confirmed_at,
        "verified": incident.closed_at if incident.reason is CloseReason.RECOVERED else None,
        "closed": incident.closed_at,
    }
    return {name: at for name, at in found.items() if at is not None}


_WORDS = {
    "release_started": "the rollout of {blamed} started",
    "release_completed": "the rollout of {blamed} was complete",
    "first_bad": "first bad sample",
    "breach": "breach: enough evidence against the release",
    "evidence_started": "capture of evidence began",
    "evidence_captured": "evidence was safe",
    "countdown": "countdown began",
    "decision": "last decision of the gate",
    "intent": "intent stored, before the write",
    "issued": "the write was accepted",
    "confirmed": "the platform reported it rolled out",
    "verified": "verified: healthy again by the same signals",
    "closed": "closed",
}

_SPANS = (
    ("notice", "to notice (first bad sample to breach)", "first_bad", "breach"),
    ("evidence", "to capture evidence", "evidence_started", "evidence_captured"),
    ("decide", "to decide and count down (breach to intent)", "breach", "intent"),
    ("write", "to write (intent to accepted)", "intent", "issued"),
    ("roll_out", "to roll out (accepted to rolled out)", "issued", "confirmed"),
    ("verify", "to verify (rolled out to healthy)", "confirmed", "verified"),
    ("restore", "to restore, in all (first bad sample to verified)", "first_bad", "verified"),
)


def timeline(incident: Incident) -> tuple[Row, ...]:
    """Anchors and journal in order of time. Where the journal tells of an anchor's moment, the two are one row."""
    at = anchors(incident)
    rows = []
    for entry in incident.entries:
        name = "closed" if entry.kind.startswith("closed_") else entry.kind
        anchor = name if at.get(name) == entry.at else ""
        at.pop(anchor, None)
        sentence = entry.sentence if anchor else f"{entry.kind}: {entry.sentence}"
        rows.append(Row(at=entry.at, anchor=anchor, sentence=sentence, source=entry.actor))
    for name, moment in at.items():
        sentence = _WORDS[name].format(blamed=incident.blamed.label)
        rows.append(Row(at=moment, anchor=name, sentence=sentence, source="watchdog"))
    order = list(_WORDS)
    return tuple(sorted(rows, key=lambda row: (row.at, order.index(row.anchor) if row.anchor else len(order))))


def spans(incident: Incident) -> tuple[Span, ...]:
    """The durations between anchors that both happened."""
    at = anchors(incident)
    measured = []
    for name, words, begin, end in _SPANS:
        if begin in at and end in at and at[end] >= at[begin]:
            measured.append(Span(name=name, words=words, seconds=round(at[end] - at[begin], 3)))
    return tuple(measured)
