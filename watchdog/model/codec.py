"""One JSON form for every record, versioned.

Role: the only place that turns records into documents and back. Neighbours: stores keep what `to_document` gives; the API
and the reports show it. Guarantees: ``from_document(cls, to_document(r)) == r``; unknown keys are
refused by name, a newer version is refused, never guessed. A field that was `added` later is written only where it says something, so
a version of ours reads what the next one writes as long as that says nothing new. Times are ISO 8601 UTC with microseconds.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from watchdog.model.record import ADDED, Instant, instant

VERSION = 1
"""Version of the document form. A reader refuses a higher one."""

T = TypeVar("T")
_ENVELOPE = ("kind", "v")
_FIELDS = {f"{key}_": key for key in _ENVELOPE}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MalformedDocument(ValueError):
    """A stored or received document does not have the form of the record it should be; the message names the place."""


def iso(moment: Instant) -> str:
    """ISO 8601 in UTC with microseconds and ``Z``."""
    return (_EPOCH + timedelta(microseconds=round(moment * 1_000_000))).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_instant(text: str) -> Instant:
    """Read what `iso` wrote, or any ISO 8601 text with an offset. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return instant((moment - _EPOCH) / timedelta(microseconds=1) / 1_000_000)


def to_document(value: Any) -> dict[str, Any]:
    """The document of a record: ``{"kind": ..., "v": 1, ...fields}``. Raises TypeError for what is no record.

    A field that is itself called ``kind`` stands as ``kind_`` beside the record's kind.
    """
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{type(value).__name__} is not a record")
    fields = {f"{key}_" if key in _ENVELOPE else key: item for key, item in _fields_of(value).items()}
    return {"kind": type(value).__name__, "v": VERSION, **fields}


def from_document(cls: type[T], document: Mapping[str, Any]) -> T:
    """The record of a document. Raises MalformedDocument."""
    if not isinstance(document, Mapping):
        raise MalformedDocument(f"{cls.__name__}: expected an object, found {type(document).__name__}")
    kind, version = document.get("kind"), document.get("v")
    if kind != cls.__name__:
        raise MalformedDocument(f"expected a {cls.__name__}, found {kind!r}")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise MalformedDocument(
            f"{cls.__name__}: version {version!r} cannot be read here (this version reads {VERSION})"
        )
    body = {_FIELDS.get(key, key): item for key, item in document.items() if key not in _ENVELOPE}
    return typing.cast("T", _record(cls, body, cls.__name__))


def _fields_of(value: Any) -> dict[str, Any]:
    hints = _hints(type(value))
    return {
        field.name: _plain(getattr(value, field.name), hints[field.name])
        for field in dataclasses.fields(value)
        if ADDED not in field.metadata or getattr(value, field.name) != field.default
    }


def _plain(value: Any, hint: Any) -> Any:
    if value is None:
        return None
    if _is_instant(hint):
        return iso(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        body = _fields_of(value)
        return {"is": type(value).__name__.lower(), **body} if _is_choice(hint) else body
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        item = typing.get_args(hint)[0] if typing.get_args(hint) else Any
        return [_plain(entry, item) for entry in value]
    return value


def _parse(hint: Any, value: Any, where: str) -> Any:
    options = _options(hint)
    if type(None) in options and value is None:
        return None
    options = tuple(option for option in options if option is not type(None))
    if len(options) > 1:
        return _choice(options, value, where)
    (only,) = options
    return _single(only, value, where)


def _single(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is Instant:
        return _moment(value, where)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list):
            raise MalformedDocument(f"{where}: expected a list, found {type(value).__name__}")
        return tuple(_parse(typing.get_args(hint)[0], item, f"{where}[{n}]") for n, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        return dict(_expect(Mapping, value, where))
    if dataclasses.is_dataclass(hint):
        return _record(typing.cast("type", hint), value, where)
    if issubclass(hint, StrEnum):
        return _enum(hint, value, where)
    if hint is float:
        return float(_expect((int, float), value, where))
    return _expect(hint, value, where)


def _record(cls: type, value: Any, where: str) -> Any:
    body = dict(_expect(Mapping, value, where))
    hints = _hints(cls)
    unknown = sorted(set(body) - set(hints))
    if unknown:
        raise MalformedDocument(f"{where}: unknown key {unknown[0]!r}")
    try:
        return cls(**{key: _parse(hints[key], item, f"{where}.{key}") for key, item in body.items()})
    except TypeError as error:
        raise MalformedDocument(f"{where}: {error}") from error


def _choice(options: tuple[Any, ...], value: Any, where: str) -> Any:
    body = dict(_expect(Mapping, value, where))
    name = body.pop("is", None)
    for option in options:
        if option.__name__.lower() == name:
            return _record(option, body, where)
    raise MalformedDocument(f"{where}: {name!r} is none of {', '.join(o.__name__.lower() for o in options)}")


def _moment(value: Any, where: str) -> Instant:
    try:
        return parse_instant(_expect(str, value, where))
    except ValueError as error:
        raise MalformedDocument(f"{where}: {error}") from error


def _enum(hint: type[StrEnum], value: Any, where: str) -> StrEnum:
    try:
        return hint(_expect(str, value, where))
    except ValueError as error:
        raise MalformedDocument(
            f"{where}: {value!r} is none of {', '.join(member.value for member in hint)}"
        ) from error


def _expect(kind: Any, value: Any, where: str) -> Any:
    wrong_bool = isinstance(value, bool) and kind is not bool
    if wrong_bool or not isinstance(value, kind):
        raise MalformedDocument(f"{where}: {type(value).__name__} does not fit")
    return value


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _is_choice(hint: Any) -> bool:
    return len([option for option in _options(hint) if option is not type(None)]) > 1


def _is_instant(hint: Any) -> bool:
    return Instant in _options(hint)


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    return _HINTS[cls]
