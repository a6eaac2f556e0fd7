"""JSON Schema of records: the form that `codec` gives them, for those who read our documents.

Role: used by the published schemas of the report and of the API. Pure. Guarantees: a document of `to_document` holds to `record_schema` of its
record; keys that a later version adds are allowed everywhere. What an object from outside holds (templates, requests) is not described.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from watchdog.model.record import ADDED, Instant, JsonObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT, NUMBER, WHOLE, FLAG = {"type": "string"}, {"type": "number"}, {"type": "integer"}, {"type": "boolean"}
MOMENT = {"type": "string", "format": "date-time"}
ANYTHING: JsonObject = {}


def record_schema(cls: type, *, enveloped: bool = True) -> JsonObject:
    """The form that `model.to_document` gives a record; nested ones have no envelope."""
    hints = typing.get_type_hints(cls)
    fields = {field.name: _of(hints[field.name]) for field in dataclasses.fields(cls)}
    later = {field.name for field in dataclasses.fields(cls) if ADDED in field.metadata}
    if enveloped:
        fields = {f"{name}_" if name in ("kind", "v") else name: form for name, form in fields.items()}
        fields = {"kind": {"const": cls.__name__}, "v": WHOLE, **fields}
    form = dict(object_of(**fields))
    return {**form, "required": [name for name in form["required"] if name not in later]}  # not written at its default


def _of(hint: Any) -> JsonObject:
    several = typing.get_origin(hint) in (typing.Union, types.UnionType)
    options = typing.get_args(hint) if several else (hint,)
    known = [option for option in options if option is not type(None)]
    form = _single(known[0]) if len(known) == 1 else {"type": "object"}
    return maybe(form) if len(known) < len(options) else form


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
        return list_of(_of(typing.get_args(hint)[0]))
    if origin is not None:
        return {"type": "object"}
    if dataclasses.is_dataclass(hint):
        return record_schema(typing.cast("type", hint), enveloped=False)
    if issubclass(hint, StrEnum):
        return {"enum": [member.value for member in hint]}
    return ANYTHING


def object_of(**properties: JsonObject) -> JsonObject:
    """Every key is there; others may be."""
    return {"type": "object", "required": list(properties), "properties": properties}


def list_of(items: JsonObject) -> JsonObject:
    """Any number of them."""
    return {"type": "array", "items": items}


def maybe(form: JsonObject) -> JsonObject:
    """That, or null."""
    return {"anyOf": [form, {"type": "null"}]}
