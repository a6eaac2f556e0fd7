"""What each handler of the API takes and gives, as JSON Schema.

Role: the tables behind `openapi`. Neighbours: `api` has the handlers, `ports.Control` says the answers in words. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from watchdog.model import (
    Approval,
    Decision,
    Incident,
    JsonObject,
    Pause,
    Release,
    TargetPolicy,
    UnitRef,
    record,
)
from watchdog.model.schema import FLAG, MOMENT, NUMBER, TEXT, WHOLE, list_of, maybe, object_of, record_schema
from watchdog.web.bodies import TEXT_AT_MOST
from watchdog.web.problems import STATUS_OF_CODE

LINE: JsonObject = {"type": "string", "maxLength": TEXT_AT_MOST, "description": "One printable line."}
AS: JsonObject = {**LINE, "description": "Recorded beside who the credential says you are."}
WHY: JsonObject = {**LINE, "description": "Recorded."}
SECONDS: JsonObject = {"type": "number", "exclusiveMinimum": 0}
ACKNOWLEDGED = {"applied": FLAG, "applied_at": maybe(MOMENT), "cycle": maybe(WHOLE), "sentence": TEXT}
ANY_OBJECT: JsonObject = {"type": "object"}
REASONED = {"why": WHY, "as": AS}


@record
class Operation:
    """What one handler takes and gives. `needs` names the keys of the body that must be there."""

    summary: str
    gives: JsonObject
    takes: Mapping[str, JsonObject] | None = None
    needs: tuple[str, ...] = ()
    query: Mapping[str, JsonObject] | None = None
    waits: bool = False
    """It may be answered 202: taken, and not yet acknowledged."""


def ref(name: str) -> JsonObject:
    """One of `schemas`."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> Mapping[str, JsonObject]:
    """The records that answers are made of, each once."""
    plan = object_of(
        words=TEXT,
        warnings=list_of(TEXT),
        steps=list_of(object_of(name=TEXT, words=TEXT, precondition=TEXT, request=ANY_OBJECT)),
    )
    return {
        "Approval": record_schema(Approval),
        "Decision": record_schema(Decision),
        "Incident": record_schema(Incident),
        "IncidentRow": _incident_row(),
        "Pause": record_schema(Pause),
        "Plan": plan,
        "Policy": record_schema(TargetPolicy),
        "Problem": _problem(),
        "Release": record_schema(Release),
        "Signal": _signal(),
        "Target": _target(),
        "Unit": record_schema(UnitRef),
    }


def _signal() -> JsonObject:
    return object_of(
        name=TEXT,
        health=TEXT,
        sentence=TEXT,
        missing=TEXT,
        progress=NUMBER,
        value=maybe(NUMBER),
        limit=maybe(NUMBER),
        events=WHOLE,
        data_age_s=maybe(NUMBER),
    )


def _target() -> JsonObject:
    return object_of(
        name=TEXT,
        group=TEXT,
        platform=TEXT,
        mode=TEXT,
        state=TEXT,
        sentence=TEXT,
        release=maybe(TEXT),
        good=maybe(TEXT),
        since=maybe(MOMENT),
        streak=TEXT,
        bake=TEXT,
        incident=maybe(TEXT),
        signals=list_of(ref("Signal")),
    )


def _incident_row() -> JsonObject:
    return object_of(
        **{
            **dict.fromkeys(("id", "target", "group", "stage", "headline", "blamed"), TEXT),
            "reason": maybe(TEXT),
            "good": maybe(TEXT),
            "opened_at": MOMENT,
            "closed_at": maybe(MOMENT),
            **dict.fromkeys(("simulated", "manual", "needs_human"), FLAG),
        }
    )


def _problem() -> JsonObject:
    codes = ["malformed", *STATUS_OF_CODE]
    return object_of(type=TEXT, title=TEXT, status=WHOLE, detail=TEXT, code={"enum": sorted(set(codes))}, next=TEXT)


def _status() -> JsonObject:
    return object_of(
        at=MOMENT,
        mode=TEXT,
        headline=TEXT,
        cycle=WHOLE,
        leader=object_of(held=FLAG, sentence=TEXT),
        config=object_of(hash=TEXT, loaded_at=maybe(MOMENT), error=TEXT),
        store=object_of(ok=FLAG, sentence=TEXT),
        outbox=object_of(depth=WHOLE, last_error=TEXT),
        targets=list_of(ref("Target")),
        pauses=list_of(ref("Pause")),
        counters={"type": "object", "additionalProperties": NUMBER},
    )


def _sample() -> JsonObject:
    return object_of(
        signal=TEXT,
        health={"enum": ["good", "bad", "unknown"]},
        sentence=TEXT,
        value=maybe(NUMBER),
        events=WHOLE,
        release=maybe(TEXT),
        instance=maybe(TEXT),
        phases={"type": "object", "additionalProperties": NUMBER},
        took_s=NUMBER,
        asked=list_of(TEXT),
    )


def _poll() -> JsonObject:
    return object_of(
        at=MOMENT,
        health={"enum": ["good", "bad", "unknown"]},
        bad=WHOLE,
        events=WHOLE,
        value=maybe(NUMBER),
        sentence=TEXT,
        instance=maybe(TEXT),
    )


def _about_the_service() -> Mapping[str, Operation]:
    loop = object_of(name=TEXT, last_s=maybe(NUMBER), limit_s=maybe(NUMBER), state=TEXT)
    health = object_of(live=FLAG, ready=FLAG, sentence=TEXT, loops=list_of(loop))
    rows = object_of(at=MOMENT, incidents=list_of(ref("IncidentRow")))
    wanted: Mapping[str, JsonObject] = {"target": TEXT, "open": {"enum": ["true", "false"]}}
    one = object_of(incident=ref("Incident"), report=maybe(TEXT))
    pauses = object_of(at=MOMENT, pauses=list_of(ref("Pause")))
    return {
        "status": Operation(summary="The whole service on one screen", gives=_status()),
        "health": Operation(summary="Every loop with its last progress", gives=health),
        "metrics": Operation(summary="The metrics, in the text form of Prometheus", gives=TEXT),
        "openapi": Operation(summary="This document", gives=ANY_OBJECT),
        "incidents": Operation(summary="All incidents, newest first", gives=rows, query=wanted),
        "incident": Operation(summary="One incident, whole", gives=one),
        "pauses": Operation(summary="All pauses, newest first", gives=pauses),
    }


def _about_targets() -> Mapping[str, Operation]:
    road = object_of(decision=maybe(ref("Decision")), plan=maybe(ref("Plan")), sentence=TEXT)
    described = object_of(
        at=MOMENT,
        target=ref("Target"),
        unit=maybe(ref("Unit")),
        releases=list_of(ref("Release")),
        policy=ref("Policy"),
        road_back=road,
        databases=list_of(object_of(name=TEXT, sentence=TEXT)),
    )
    about = {"at": MOMENT, "target": TEXT}
    decision = maybe(ref("Decision"))
    explained = object_of(**about, sentence=TEXT, decision=decision, missing=list_of(TEXT), incident=maybe(TEXT))
    kept = {"releases": list_of(ref("Release")), "acts": list_of(ANY_OBJECT)}
    ledger = object_of(**about, current=maybe(TEXT), good=maybe(TEXT), **kept)
    polled = object_of(**about, signals=list_of(object_of(name=TEXT, polls=list_of(_poll()))))
    checked = object_of(**about, health=TEXT, sentence=TEXT, samples=list_of(_sample()))
    look = {"signal": maybe(LINE)}
    return {
        "describe": Operation(summary="One target, and the road back as it stands now", gives=described),
        "explain": Operation(summary="Why it acts or does not: every check of the gate", gives=explained),
        "history": Operation(summary="The releases of a target, newest first", gives=ledger),
        "polls": Operation(summary="The latest polls of each signal, oldest first", gives=polled),
        "check": Operation(summary="One look at the signals now; it is judged by nobody", gives=checked, takes=look),
    }


def _pausing() -> Mapping[str, Operation]:
    pause = maybe(ref("Pause"))
    paused = object_of(pause=pause, **ACKNOWLEDGED)
    ended = object_of(ended=list_of(ref("Pause")), **ACKNOWLEDGED)
    stopped = object_of(cancelled=list_of(TEXT), running=list_of(TEXT), pause=pause, **ACKNOWLEDGED)
    ends = {"scope": LINE, "why": WHY, "for_s": maybe(SECONDS), "until": maybe(MOMENT), "as": AS}
    which = {"scope": LINE, "as": AS}
    words = "Cancel what is not yet written, and pause all for one hour"
    return {
        "pause": Operation(summary="Stop acting for a while", gives=paused, takes=ends, needs=("why",), waits=True),
        "resume": Operation(summary="End a pause, or all of a scope", gives=ended, takes=which, waits=True),
        "stop": Operation(summary=words, gives=stopped, takes=REASONED, waits=True),
    }


def _on_targets() -> Mapping[str, Operation]:
    decided = {"decision": maybe(ref("Decision")), "plan": maybe(ref("Plan")), "sentence": TEXT}
    rolled = object_of(accepted=FLAG, dry_run=FLAG, incident=maybe(TEXT), **decided)
    back = {"to": maybe(LINE), "dry_run": FLAG, "overrides": maybe(list_of(LINE)), **REASONED}
    part = object_of(name=TEXT, took_s=NUMBER, ok=maybe(FLAG), sentence=TEXT)
    drilled = object_of(target=TEXT, drill=TEXT, parts=list_of(part), report=maybe(TEXT), ok=FLAG, **decided)
    tell = {"tell": FLAG, "as": AS}
    armed, which = object_of(armed=list_of(TEXT), sentence=TEXT), {"target": maybe(LINE), "as": AS}
    graded = object_of(release=ref("Release"), sentence=TEXT)
    loaded = object_of(reloaded=FLAG, hash=TEXT, problems=list_of(TEXT), sentence=TEXT)
    return {
        "rollback": Operation(summary="Roll back by hand, through the same gate", gives=rolled, takes=back, waits=True),
        "drill": Operation(summary="A breach that did not happen, to the dry run", gives=drilled, takes=tell),
        "arm": Operation(summary="Let it act after a first start", gives=armed, takes=which, waits=True),
        "history_edit": Operation(summary="Condemn or clear a release", gives=graded, takes=REASONED, waits=True),
        "reload": Operation(summary="Read the configuration again", gives=loaded, takes={"as": AS}, waits=True),
    }


def _on_incidents() -> Mapping[str, Operation]:
    about = {"incident": TEXT, "sentence": TEXT}
    approved, cancelled = object_of(approval=ref("Approval"), **about), object_of(fingerprint=TEXT, **about)
    judged, verdict = object_of(reviewed=TEXT, **about), {"verdict": {"enum": ["right", "wrong"]}, **REASONED}
    no, word = "Say no: no automatic act on that release", "A person's word on a closed incident"
    return {
        "approve": Operation(summary="Say yes to an incident that asks", gives=approved, takes=REASONED, waits=True),
        "cancel": Operation(summary=no, gives=cancelled, takes=REASONED, waits=True),
        "judge": Operation(summary=word, gives=judged, takes=verdict, needs=("verdict",), waits=True),
    }


OPERATIONS: Mapping[str, Operation] = {
    **_about_the_service(),
    **_about_targets(),
    **_pausing(),
    **_on_targets(),
    **_on_incidents(),
}
"""By the handler of the route."""
