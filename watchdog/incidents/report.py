"""The incident as one JSON document: the source of every other rendering.

Role: pure; `markdown` tells it to people, `recorder` writes both. Guarantees: versioned (`SCHEMA`), keys are only ever
added; nothing in it is unredacted; what only people can know is there, empty; the watchdog says "suspected", never
"cause". Shape: see `report_json`.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.incidents.impact import felt
from watchdog.incidents.series import as_documents, graphs_of, marks_of
from watchdog.incidents.template_diff import as_document, template_diff
from watchdog.incidents.timeline import spans, timeline
from watchdog.model import CloseReason, Incident, Instant, Intent, JsonObject, Release, Sample, iso, to_document
from watchdog.redaction import Redactor

SCHEMA = 1
"""Version of the report's form."""

FOR_PEOPLE = (
    "contributing_factors", "suspected_cause", "went_well", "went_badly", "lucky", "false_positive", "action_items",
    "messages_to_users", "reviewed_by",
)  # fmt: skip
"""What a person fills in."""


def title_of(name: str) -> str:
    """One of `FOR_PEOPLE` as a heading: ``contributing_factors`` is Contributing factors."""
    return name.replace("_", " ").capitalize()


def report_json(
    incident: Incident, *, redactor: Redactor, written_at: Instant, samples: Sequence[Sample] = (), version: str = ""
) -> JsonObject:
    """The whole report. `version` is the watchdog's own.

    ``{"schema", "kind", "watchdog", "written_at", "id", "headline", "severity", "state", "target", "group", "units",
    "change": {"from", "to", "differences"}, "impact": [...], "graphs", "marks", "decision", "action": {"plan", "intents", "approvals",
    "overrides"}, "verification", "timeline": [...], "durations": [...], "evidence": {"files", "missing"}, "notices",
    "next_steps": [sentence], "for_people": {name: ""}}``; moments ISO 8601 UTC, durations seconds.
    """
    document = {
        "schema": SCHEMA,
        "kind": "IncidentReport",
        "watchdog": version,
        "written_at": iso(written_at),
        "id": incident.id,
        "headline": headline(incident),
        "severity": severity(incident),
        "state": _state(incident),
        "target": incident.target,
        "group": incident.group,
        "units": [to_document(unit) for unit in incident.units],
        "change": _change(incident, redactor),
        "impact": _impact(incident, samples),
        "graphs": as_documents(graphs_of(incident, samples)),
        "marks": marks_of(incident),
        "decision": to_document(incident.decision) if incident.decision else None,
        "action": _action(incident),
        "verification": _verification(incident),
        "timeline": _timeline(incident),
        "durations": [{"name": span.name, "words": span.words, "seconds": span.seconds} for span in spans(incident)],
        "evidence": _evidence(incident),
        "notices": [to_document(notice) for notice in incident.notices],
        "next_steps": next_steps(incident),
        "for_people": dict.fromkeys(FOR_PEOPLE, ""),
    }
    clean: JsonObject = redactor.json(document)
    return clean


def headline(incident: Incident) -> str:
    """What happened, in one sentence."""
    way = f"{incident.target} from {incident.blamed.label}"
    good = f" to {incident.good.label}" if incident.good else ""
    if incident.drill:
        return f"{incident.target}: nothing was wrong, and nothing was written"
    if incident.reason is None:
        return f"{incident.target}: {incident.blamed.label} is suspected; the response stands at {incident.stage.value}"
    sentences = {
        CloseReason.RECOVERED: f"Rolled back {way}{good}, and it recovered",
        CloseReason.NOT_RECOVERED: f"Rolled back {way}{good}, and it did NOT recover: a person is needed",
        CloseReason.UNKNOWN: f"What became of {way} is unknown: a person is needed",
        CloseReason.RECOVERED_UNAIDED: f"{incident.target} recovered unaided; nothing was written",
        CloseReason.WOULD_HAVE: f"Would have rolled back {way}{good}; nothing was written",
        CloseReason.CANCELLED: f"The rollback of {way} was cancelled by a person",
        CloseReason.REFUSED: f"The rollback of {way} was refused",
        CloseReason.EXPIRED: f"Nobody answered whether to roll back {way}; nothing was written",
        CloseReason.SUPERSEDED: f"A newer change came to {incident.target}; the watchdog stood down",
        CloseReason.PRECONDITION_FAILED: f"{incident.target} changed under the rollback; nothing was overwritten",
    }
    return sentences[incident.reason]


def severity(incident: Incident) -> str:
    """``page`` when a person is needed, ``none`` when nothing was written, else ``notice``."""
    if incident.needs_human:
        return "page"
    return "notice" if incident.wrote else "none"


def next_steps(incident: Incident) -> list[str]:
    """What a person should do now, the most urgent first."""
    if incident.drill:
        return ["Nothing: this was a drill. The decision below is what the gate said as if the target had been failing"]
    steps = []
    good = incident.good.label if incident.good else "a release known to be good"
    if incident.needs_human:
        steps.append(f"Look at {incident.target} now: the watchdog does nothing more to it in this incident")
    if incident.reason is CloseReason.UNKNOWN:
        steps.append("Read the target and compare its release with the plan: the write may or may not have happened")
    if incident.reason is CloseReason.NOT_RECOVERED:
        steps.append("The cause is probably not in the release alone: look at dependencies, configuration and data")
    if incident.reason is CloseReason.WOULD_HAVE:
        steps.append("Decide whether the rollback would have been right: this is how trust in enforce is earned")
    if incident.wrote:
        steps.append(
            f"Keep {incident.blamed.label} from coming back: hold the pipeline until it is mended ({good} runs)"
        )
    elif incident.reason in (CloseReason.EXPIRED, CloseReason.REFUSED, CloseReason.PRECONDITION_FAILED):
        steps.append(f"To go back by hand: watchdog rollback {incident.target} --dry-run")
    missing = incident.evidence.missing if incident.evidence else ()
    if missing:
        steps.append(f"Evidence is incomplete (parts missing: {len(missing)}): see the list and fetch what is left")
    steps.append("Fill in what only people know, and decide on action items with owner and date")
    return steps


# -- the parts -------------------------------------------------------------------------------------------------------


def _state(incident: Incident) -> JsonObject:
    return {
        "stage": incident.stage.value,
        "reason": incident.reason.value if incident.reason else None,
        "mode": incident.mode.value,
        "simulated": incident.simulated,
        "manual": incident.manual,
        "needs_human": incident.needs_human,
        "reopened": incident.reopened,
        "opened_at": iso(incident.opened_at),
        "closed_at": iso(incident.closed_at) if incident.closed_at is not None else None,
        "breach": incident.headline,
    }


def _change(incident: Incident, redactor: Redactor) -> JsonObject:
    bad, good = incident.blamed, incident.good
    differences = None
    if good is not None and bad.template is not None and good.template is not None:
        differences = as_document(bad, good, template_diff(bad.template, good.template, redactor))
    return {"from": _release(bad), "to": _release(good) if good else None, "differences": differences}


def _release(release: Release) -> JsonObject:
    document = to_document(release)
    del document["template"]  # it stands in the differences and in the evidence
    for part in ("images", "digests"):  # as rows: a container called keycloak is no secret
        document[part] = [{"container": name, "image": image} for name, image in document[part].items()]
    return {"label": release.label, **document}


def _impact(incident: Incident, samples: Sequence[Sample]) -> list[JsonObject]:
    return [
        {
            "signal": row.signal,
            "bad": row.bad,
            "events": row.events,
            "unknown": row.unknown,
            "first": iso(row.first) if row.first is not None else None,
            "last": iso(row.last) if row.last is not None else None,
            "sentence": row.sentence,
        }
        for row in felt(incident, samples)
    ]


def _action(incident: Incident) -> JsonObject:
    return {
        "plan": to_document(incident.plan) if incident.plan else None,
        "intents": [_intent(intent) for intent in incident.intents],
        "earlier_intents": [_intent(intent) for intent in incident.past_intents],
        "approvals": [to_document(approval) for approval in incident.approvals],
        "overrides": [to_document(override) for override in incident.overrides],
    }


def _intent(intent: Intent) -> JsonObject:
    return {
        "id": intent.id,
        "step": intent.step.name,
        "words": intent.step.words,
        "precondition": intent.step.precondition,
        "request": intent.step.request,
        "from": intent.from_release,
        "to": intent.to_release,
        "attempt": intent.attempt,
        "stored_at": iso(intent.stored_at),
        "settled_at": iso(intent.settled_at) if intent.settled_at is not None else None,
        "outcome": intent.outcome or "open",
        "sentence": intent.sentence,
    }


def _verification(incident: Incident) -> JsonObject | None:
    if incident.verify_from is None:
        return None
    closing = [entry.sentence for entry in incident.entries if entry.kind.startswith("closed_")]
    return {
        "from": iso(incident.verify_from),
        "until": iso(incident.closed_at) if incident.closed_at is not None else None,
        "result": incident.reason.value if incident.reason else "running",
        "sentence": closing[-1] if closing else "",
    }


def _timeline(incident: Incident) -> list[JsonObject]:
    rows = timeline(incident)
    begin = incident.first_bad if incident.first_bad is not None else incident.opened_at
    return [
        {
            "at": iso(row.at),
            "offset_s": round(row.at - begin, 3),
            "anchor": row.anchor,
            "sentence": row.sentence,
            "source": row.source,
        }
        for row in rows
    ]


def _evidence(incident: Incident) -> JsonObject:
    evidence = incident.evidence
    if evidence is None:
        return {"files": [], "missing": ["everything: nothing was captured"]}
    return {"files": [to_document(file) for file in evidence.files], "missing": list(evidence.missing)}
