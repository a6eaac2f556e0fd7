"""From pydantic's errors to our sentences: what was expected, what was found, what was probably meant.

Role: between validation and `settings.loader`. Pure. Guarantees: no value is quoted except short scalars of non-secret
places; a key of a later version is told from a typing error.
"""

from __future__ import annotations

import difflib
import functools
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from watchdog.model import record
from watchdog.settings.problems import Trail, printable
from watchdog.settings.root import Settings
from watchdog.settings.rules import NO_RULE, SHAPES
from watchdog.settings.section import Section
from watchdog.settings.values import kind_of

_MANY = 18
KEY = "[key]"
"""Pydantic's last part of the location of a key that is wrong itself."""
_EXPECTED = {
    "string_type": "expected text",
    "model_type": "expected a mapping of keys and values",
    "model_attributes_type": "expected a mapping of keys and values",
    "dict_type": "expected a mapping of names and values",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
}


@record
class Finding:
    """One thing that is wrong at a trail; `involves` are the trails it was concluded from besides its own."""

    trail: Trail
    message: str
    hint: str = ""
    involves: tuple[Trail, ...] = ()
    at_key: bool = False
    """The key itself is wrong, not its value."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """``did you mean X?``, or the list of what is known when nothing is near and the list is short."""
    names = sorted(known)
    plain = {_plain(candidate): candidate for candidate in names}
    near = difflib.get_close_matches(_plain(name), list(plain), n=1, cutoff=0.6)
    if near:
        return f"did you mean {plain[near[0]]}?"
    if 0 < len(names) <= _MANY:
        return f"known here: {', '.join(names)}"
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def finding_of(error: ErrorDetails, tree: Any) -> Finding:
    """The finding of one of pydantic's errors on `tree`."""
    loc = error["loc"]
    trail = trail_in(tree, loc)
    kind, found = error["type"], error.get("input")
    context: Mapping[str, Any] = error.get("ctx") or {}
    if kind == "settings":
        at_key = loc[-1:] == (KEY,)
        return Finding(trail=trail, message=str(context["message"]), hint=str(context["hint"]), at_key=at_key)
    if kind == "missing":
        return Finding(trail=(*trail, str(loc[-1])), message="is missing", hint=_about(loc))
    if kind == "not_in_this_version":
        return Finding(trail=trail, message=_about(loc), at_key=True)
    if kind in ("enum", "literal_error"):
        return _choice(trail, found, str(context.get("expected", "")))
    message, hint = _words(kind, found, loc)
    return Finding(
        trail=trail, message=message or printable(error["msg"], 200), hint=hint, at_key=kind == "extra_forbidden"
    )


def _words(kind: str, found: Any, loc: tuple[str | int, ...]) -> tuple[str, str]:
    if kind == "extra_forbidden":
        return "unknown key", _instead(loc)
    if kind == NO_RULE:
        return f"is no rule: expected {SHAPES}", ""
    if kind == "too_short":
        return "may not be empty", ""
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind]}, found {kind_of(found)}", _remedy(kind, found)
    return "", ""


def _choice(trail: Trail, found: Any, expected: str) -> Finding:
    options = re.findall(r"'([^']*)'", expected)
    hint = suggestion(found, options) if isinstance(found, str) else ""
    return Finding(
        trail=trail,
        message=f"expected {_or(options)}, found {kind_of(found)}",
        hint="" if hint.startswith("known here") else hint,
    )


def _or(options: list[str]) -> str:
    return f"{', '.join(options[:-1])} or {options[-1]}" if len(options) > 1 else "".join(options)


def _remedy(kind: str, found: Any) -> str:
    if kind == "string_type" and isinstance(found, bool | int | float):
        return "put it in quotes to make it text"
    if kind in ("list_type", "tuple_type") and isinstance(found, str | int | float):
        return "write it in brackets: [...]"
    return ""


def trail_in(tree: Any, loc: tuple[str | int, ...]) -> Trail:
    """The part of pydantic's location that exists in the tree (its tags, and what short forms stand for, do not)."""
    trail: list[str | int] = []
    node = tree
    for part in loc:
        in_mapping = isinstance(node, dict) and part in node
        if in_mapping or (isinstance(node, list) and isinstance(part, int) and part < len(node)):
            node = node[part]
            trail.append(part)
    return tuple(trail)


# -- the language, looked up by location -----------------------------------------------------------------------------


def keys_of(section: type[Section]) -> dict[str, FieldInfo]:
    """The keys people type in a section."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _about(loc: tuple[str | int, ...]) -> str:
    field = _field_at(loc)
    return printable(field.description or "", 120) if field else ""


def _instead(loc: tuple[str | int, ...]) -> str:
    """What an unknown key was probably meant to be: a key of this section, or one that belongs elsewhere."""
    section, home = _section_at(loc[:-1])
    name = str(loc[-1])
    if section is None:
        return ""
    fields = keys_of(section)
    near = suggestion(name, fields)
    if near.startswith("did you mean"):
        return near
    close = difflib.get_close_matches(_plain(name), list(_homes()), n=1, cutoff=0.8)
    places = _homes()[close[0]] if close else []
    below = [place for place in places if place.startswith(home)]
    if places:
        return f"did you mean {(below or places)[0]}?"
    return suggestion(name, [key for key, field in fields.items() if not field.exclude])


@functools.cache
def _homes() -> dict[str, list[str]]:
    """Every key of the language and the places where it belongs: ``countdown`` is ``defaults.countdown`` and more."""
    homes: dict[str, list[str]] = {}
    _collect(Settings, "", homes)
    return homes


def _collect(section: type[Section], prefix: str, homes: dict[str, list[str]]) -> None:
    for key, field in keys_of(section).items():
        homes.setdefault(_plain(key), []).append(f"{prefix}{key}")
        kind, dots = _bare(field.annotation), f"{prefix}{key}."
        if typing.get_origin(kind) is dict:
            kind, dots = _bare(typing.get_args(kind)[1]), f"{dots}NAME."
        if isinstance(kind, type) and issubclass(kind, Section):
            _collect(kind, dots, homes)


def _field_at(loc: tuple[str | int, ...]) -> FieldInfo | None:
    section, _ = _section_at(loc[:-1])
    return keys_of(section).get(str(loc[-1])) if section else None


def _section_at(loc: tuple[str | int, ...]) -> tuple[type[Section] | None, str]:
    """The section a location leads to, and its place in the language (``targets.NAME.signals.NAME.``)."""
    kind: Any = Settings
    home = ""
    for part in loc:
        if isinstance(part, str) and part.startswith("<"):
            kind = _bare(kind, part)
            continue
        kind = _bare(kind)
        named = typing.get_origin(kind) in (dict, tuple)
        kind = _below(kind, part)
        home += "NAME." if named else f"{part}."
    kind = _bare(kind)
    return (kind, home) if isinstance(kind, type) and issubclass(kind, Section) else (None, home)


def _below(kind: Any, part: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, Section):
        field = keys_of(kind).get(str(part))
        return field.annotation if field else None
    if typing.get_origin(kind) in (dict, tuple):
        return typing.get_args(kind)[1 if typing.get_origin(kind) is dict else 0]
    return None


def _bare(kind: Any, tag: str | int = "") -> Any:
    """The type without Annotated and None; of a tagged union the member with `tag`."""
    while typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) not in (typing.Union, types.UnionType):
        return kind
    members = [member for member in typing.get_args(kind) if member is not type(None)]
    for member in members:
        if any(getattr(extra, "tag", None) == tag for extra in typing.get_args(member)[1:]):
            return _bare(member)
    return _bare(members[0], tag) if len(members) == 1 else None
