"""The JSON Schema of report.json, made from the records that the report is made of.

Role: what others may build on; published as ``docs/reference/report.schema.json``. Neighbours: `report` writes the document.
Guarantees: each report of this version holds to it (a test says so); keys that a later version adds are allowed everywhere, so
that a reader of today reads tomorrow's report. What an object from outside holds (templates, requests) is not described.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from watchdog.incidents.report import FOR_PEOPLE, SCHEMA
from watchdog.model import (
    Approval,
    CloseReason,
    Decision,
    EvidenceFile,
    Instant,
    JsonObject,
    Mode,
    Notice,
    Override,
    Plan,
    Release,
    Stage,
    UnitRef,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT, NUMBER, WHOLE, FLAG = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "boolean"}
MOMENT = {"type": "string", "format": "date-time"}
ANYTHING: JsonObject = {}


def report_schema() -> JsonObject:
    """The schema of one report."""
    return {
        "$schema": DIALECT,
        "title": "Incident report of rollback-watchdog",
        "description": "What was seen, decided and done in one incident. Moments are UTC, durations seconds, text is redacted.",
        **_object(
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
            units=_list(record_schema(UnitRef)),
            change=_object(**{"from": _release(), "to": _maybe(_release()), "differences": _maybe({"type": "object"})}),
            impact=_list(_impact()),
            graphs=_list(_graph()),
            marks=_list(_object(name=TEXT, at=MOMENT)),
            decision=_maybe(record_schema(Decision)),
            action=_action(),
            verification=_maybe(_object(**{"from": MOMENT, "until": _maybe(MOMENT), "result": TEXT, "sentence": TEXT})),
            timeline=_list(_object(at=MOMENT, offset_s=NUMBER, anchor=TEXT, sentence=TEXT, source=TEXT)),
            durations=_list(_object(name=TEXT, words=TEXT, seconds=NUMBER)),
            evidence=_object(files=_list(record_schema(EvidenceFile)), missing=_list(TEXT)),
            notices=_list(record_schema(Notice)),
            next_steps=_list(TEXT),
            for_people=_object(**dict.fromkeys(FOR_PEOPLE, TEXT)),
        ),
    }


def record_schema(cls: type, *, enveloped: bool = True) -> JsonObject:
    """The form that `model.to_document` gives a record; nested ones have no envelope."""
    hints = typing.get_type_hints(cls)
    fields = {field.name: _of(hints[field.name]) for field in dataclasses.fields(cls)}
    if not enveloped:
        return _object(**fields)
    fields = {f"{name}_" if name in ("kind", "v") else name: form for name, form in fields.items()}
    return _object(**{"kind": {"const": cls.__name__}, "v": WHOLE, **fields})


def _of(hint: Any) -> JsonObject:
    several = typing.get_origin(hint) in (typing.Union, types.UnionType)
    options = typing.get_args(hint) if several else (hint,)
    known = [option for option in options if option is not type(None)]
    form = _single(known[0]) if len(known) == 1 else {"type": "object"}
    return _maybe(form) if len(known) < len(options) else form


def _single(hint: Any) -> JsonObject:
    simple: Mapping[Any, JsonObject] = {
        Instant: MOMENT,
        str: TEXT,
        bool: FLAG,
        int: WHOLE,
        float: NUMBER,
        Any: ANYTHING,
    }
    if hint in simple:
        return simple[hint]
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _list(_of(typing.get_args(hint)[0]))
    if origin is not None:
        return {"type": "object"}
    if dataclasses.is_dataclass(hint):
        return record_schema(typing.cast("type", hint), enveloped=False)
    if issubclass(hint, StrEnum):
        return {"enum": [member.value for member in hint]}
    return ANYTHING


def _state() -> JsonObject:
    return _object(
        stage={"enum": [stage.value for stage in Stage]},
        reason={"enum": [None, *(reason.value for reason in CloseReason)]},
        mode={"enum": [mode.value for mode in Mode]},
        simulated=FLAG,
        manual=FLAG,
        needs_human=FLAG,
        reopened=WHOLE,
        opened_at=MOMENT,
        closed_at=_maybe(MOMENT),
        breach=TEXT,
    )


def _release() -> JsonObject:
    """A release as the report has it: with its label, without its template, images and digests as rows."""
    form = dict(record_schema(Release)["properties"])
    del form["template"]
    rows = _list(_object(container=TEXT, image=ANYTHING))
    return _object(**{"label": TEXT, **form, "images": rows, "digests": rows})


def _impact() -> JsonObject:
    return _object(
        signal=TEXT, bad=WHOLE, events=WHOLE, unknown=WHOLE, first=_maybe(MOMENT), last=_maybe(MOMENT), sentence=TEXT
    )


def _graph() -> JsonObject:
    point = {"type": "array", "prefixItems": [MOMENT, _maybe(NUMBER), WHOLE, WHOLE], "minItems": 4}
    return _object(
        signal=TEXT,
        unit=TEXT,
        start=MOMENT,
        end=MOMENT,
        bin_s=NUMBER,
        lines=_list(_object(name=TEXT, role={"enum": ["bad", "good", "all"]}, points=_list(point))),
        unknown=_list({"type": "array", "items": MOMENT, "minItems": 2, "maxItems": 2}),
    )


def _action() -> JsonObject:
    intent = _object(
        **{
            **dict.fromkeys(("id", "step", "words", "precondition", "from", "to", "outcome", "sentence"), TEXT),
            "request": {"type": "object"},
            "attempt": WHOLE,
            "stored_at": MOMENT,
            "settled_at": _maybe(MOMENT),
        }
    )
    return _object(
        plan=_maybe(record_schema(Plan)),
        intents=_list(intent),
        earlier_intents=_list(intent),
        approvals=_list(record_schema(Approval)),
        overrides=_list(record_schema(Override)),
    )


def _object(**properties: JsonObject) -> JsonObject:
    """Every key is there; others may be."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(items: JsonObject) -> JsonObject:
    return {"type": "array", "items": items}


def _maybe(form: JsonObject) -> JsonObject:
    return {"anyOf": [form, {"type": "null"}]}


if __name__ == "__main__":
    print(json.dumps(report_schema(), indent=1))  # noqa: T201 - how the published file is written
