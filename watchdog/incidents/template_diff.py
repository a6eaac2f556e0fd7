"""What the bad release changed against the good one, place by place.

Role: pure; used by `capture` and `report`. Guarantees: values are compared as they are and shown redacted, so a changed
secret shows as changed and not what it was; entries of lists that have names (containers, environment, volumes, ports)
are compared by name, so that an inserted one does not shift the others. Labels that only name the release are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from watchdog.model import JsonObject, Release, record
from watchdog.redaction import Redactor

LIMIT = 200
"""Most differences that are listed; above it templates have little in common and the rest says nothing."""
DEPTH = 50
"""Deepest place that is compared on its own."""
NAMES_OF_RELEASES = ("/metadata/labels/pod-template-hash", "/metadata/labels/controller-revision-hash")


@record
class Difference:
    """One place. `good` and `bad` are redacted values, None where the place is missing (`change` tells which)."""

    path: str
    change: str
    """``added``, ``removed`` or ``changed``, seen from the good release to the bad one."""
    good: Any = None
    bad: Any = None

    @property
    def sentence(self) -> str:
        """One line for people."""
        if self.change == "added":
            return f"{self.path}: {_short(self.bad)} was added"
        if self.change == "removed":
            return f"{self.path}: {_short(self.good)} was removed"
        return f"{self.path}: {_short(self.good)} became {_short(self.bad)}"


def template_diff(bad: JsonObject, good: JsonObject, redactor: Redactor) -> tuple[Difference, ...]:
    """All differences in order of their paths, at most `LIMIT`."""
    pairs = ((good, redactor.json(good)), (bad, redactor.json(bad)))
    found = [entry for entry in _compare("", *pairs) if entry.path not in NAMES_OF_RELEASES]
    return tuple(found[:LIMIT])


def as_document(bad: Release, good: Release, differences: Sequence[Difference]) -> JsonObject:
    """The file's form."""
    rows = [{"path": entry.path, "change": entry.change, "good": entry.good, "bad": entry.bad} for entry in differences]
    return {"good": good.label, "bad": bad.label, "differences": rows, "complete": len(differences) < LIMIT}


Pair = tuple[Any, Any]
"""A value as it is, and the same value redacted."""


def _compare(path: str, good: Pair, bad: Pair) -> list[Difference]:
    if good[0] == bad[0]:
        return []
    if path.count("/") < DEPTH:
        for parts in (_parts_of_mapping, _parts_of_named, _parts_of_list):
            left, right = parts(good), parts(bad)
            if left is not None and right is not None:
                return _compare_parts(path, left, right)
    return [Difference(path=path or "/", change="changed", good=good[1], bad=bad[1])]


def _compare_parts(path: str, good: Mapping[str, Pair], bad: Mapping[str, Pair]) -> list[Difference]:
    found = []
    for key in sorted({*good, *bad}):
        place = f"{path}/{key}"
        if key not in good:
            found.append(Difference(path=place, change="added", bad=bad[key][1]))
        elif key not in bad:
            found.append(Difference(path=place, change="removed", good=good[key][1]))
        else:
            found += _compare(place, good[key], bad[key])
    return found


def _parts_of_mapping(pair: Pair) -> dict[str, Pair] | None:
    value, clean = pair
    if not isinstance(value, Mapping) or not isinstance(clean, Mapping) or len(value) != len(clean):
        return None
    return {shown: (item, clean[shown]) for item, shown in zip(value.values(), clean, strict=True)}


def _parts_of_named(pair: Pair) -> dict[str, Pair] | None:
    value, clean = pair
    if not _is_list(value) or not isinstance(clean, list):
        return None
    names = [entry.get("name") if isinstance(entry, Mapping) else None for entry in value]
    if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return None
    return {f"{name}": both for name, both in zip(names, zip(value, clean, strict=True), strict=True)}


def _parts_of_list(pair: Pair) -> dict[str, Pair] | None:
    value, clean = pair
    if not _is_list(value) or not isinstance(clean, list):
        return None
    return {f"{place:04d}": both for place, both in enumerate(zip(value, clean, strict=True))}


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else f"{text[:119]}…"  # noqa: PLR2004 - one line of a report
