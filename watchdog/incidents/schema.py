"""The JSON Schema of report.json, made from the records that the report is made of.

Role: what others may build on; published as ``docs/reference/report.schema.json``. Neighbours: `report` writes the document.
Guarantees: each report of this version holds to it (a test says so); keys that a later version adds are allowed everywhere, so
that a reader of today reads tomorrow's report. What an object from outside holds (templates, requests) is not described.
"""

from __future__ import annotations

import json

from watchdog.incidents.report import FOR_PEOPLE, SCHEMA
from watchdog.model import (
    Approval,
    CloseReason,
    Decision,
    EvidenceFile,
    JsonObject,
    Mode,
    Notice,
    Override,
    Plan,
    Release,
    Stage,
    UnitRef,
)
from watchdog.model.schema import (
    ANYTHING,
    DIALECT,
    FLAG,
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    list_of,
    maybe,
    object_of,
    record_schema,
)


def report_schema() -> JsonObject:
    """The schema of one report."""
    return {
        "$schema": DIALECT,
        "title": "Incident report of rollback-watchdog",
        "description": "What was seen, decided and done in one incident. Moments are UTC, durations seconds, text is redacted.",
        **object_of(
            schema={"const": SCHEMA},
            kind={"const": "IncidentReport"},
            watchdog=TEXT,
            written_at=MOMENT,
            id=TEXT,
            headline=TEXT,
            severity={"enum": ["page", "notice", "none"]},
            state=_state(),
            target=TEXT,
            group=TEXT,
            units=list_of(record_schema(UnitRef)),
            change=object_of(**{"from": _release(), "to": maybe(_release()), "differences": maybe({"type": "object"})}),
            impact=list_of(_impact()),
            graphs=list_of(_graph()),
            marks=list_of(object_of(name=TEXT, at=MOMENT)),
            decision=maybe(record_schema(Decision)),
            action=_action(),
            verification=maybe(object_of(**{"from": MOMENT, "until": maybe(MOMENT), "result": TEXT, "sentence": TEXT})),
            timeline=list_of(object_of(at=MOMENT, offset_s=NUMBER, anchor=TEXT, sentence=TEXT, source=TEXT)),
            durations=list_of(object_of(name=TEXT, words=TEXT, seconds=NUMBER)),
            evidence=object_of(files=list_of(record_schema(EvidenceFile)), missing=list_of(TEXT)),
            notices=list_of(record_schema(Notice)),
            next_steps=list_of(TEXT),
            for_people=object_of(**dict.fromkeys(FOR_PEOPLE, TEXT)),
        ),
    }


def _state() -> JsonObject:
    return object_of(
        stage={"enum": [stage.value for stage in Stage]},
        reason={"enum": [None, *(reason.value for reason in CloseReason)]},
        mode={"enum": [mode.value for mode in Mode]},
        simulated=FLAG,
        manual=FLAG,
        needs_human=FLAG,
        reopened=WHOLE,
        opened_at=MOMENT,
        closed_at=maybe(MOMENT),
        breach=TEXT,
    )


def _release() -> JsonObject:
    """A release as the report has it: with its label, without its template, images and digests as rows."""
    form = dict(record_schema(Release)["properties"])
    del form["template"]
    rows = list_of(object_of(container=TEXT, image=ANYTHING))
    return object_of(**{"label": TEXT, **form, "images": rows, "digests": rows})


def _impact() -> JsonObject:
    return object_of(
        signal=TEXT, bad=WHOLE, events=WHOLE, unknown=WHOLE, first=maybe(MOMENT), last=maybe(MOMENT), sentence=TEXT
    )


def _graph() -> JsonObject:
    point = {"type": "array", "prefixItems": [MOMENT, maybe(NUMBER), WHOLE, WHOLE], "minItems": 4}
    return object_of(
        signal=TEXT,
        unit=TEXT,
        start=MOMENT,
        end=MOMENT,
        bin_s=NUMBER,
        lines=list_of(object_of(name=TEXT, role={"enum": ["bad", "good", "all"]}, points=list_of(point))),
        unknown=list_of({"type": "array", "items": MOMENT, "minItems": 2, "maxItems": 2}),
    )


def _action() -> JsonObject:
    intent = object_of(
        **{
            **dict.fromkeys(("id", "step", "words", "precondition", "from", "to", "outcome", "sentence"), TEXT),
            "request": {"type": "object"},
            "attempt": WHOLE,
            "stored_at": MOMENT,
            "settled_at": maybe(MOMENT),
        }
    )
    return object_of(
        plan=maybe(record_schema(Plan)),
        intents=list_of(intent),
        earlier_intents=list_of(intent),
        approvals=list_of(record_schema(Approval)),
        overrides=list_of(record_schema(Override)),
    )


if __name__ == "__main__":
    print(json.dumps(report_schema(), indent=1))  # noqa: T201 - how the published file is written
