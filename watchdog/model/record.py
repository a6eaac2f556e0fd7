"""What a record is, and the two scalar types that every record shares.

Role: the decorator `record` (frozen, slotted, keyword-only dataclass), `added` for fields that come later, and `Instant`. Neighbours: everything in
``watchdog.model``. Guarantees: a record never changes; change is `dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType, TypeVar, dataclass_transform

T = TypeVar("T")

Instant = NewType("Instant", float)
"""A moment of UTC: seconds since the epoch, whole microseconds. Written as ISO 8601 in JSON. Never used for intervals
that decide: durations and deadlines come from the monotonic clock or from the difference of event times."""

JsonObject = Mapping[str, Any]
"""Raw JSON as it came from outside. Never changed in place."""


ADDED = "added"
"""In the metadata of a field: the version of ours that brought it."""


def added(default: Any, *, since: str) -> Any:
    """A field that came with version `since` of ours, whose default means "as it was before".

    Its default is not written (`codec`), so that the version before reads every record that says nothing new, and refuses
    the others. A default may never change later: records that are stored mean the one they were written with.
    """
    return field(default=default, metadata={ADDED: since})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field, added))
def record(cls: type[T]) -> type[T]:
    """Make a frozen, slotted, keyword-only dataclass."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


def instant(seconds: float) -> Instant:
    """Round to whole microseconds, so that the JSON form gives back the same number."""
    return Instant(round(seconds * 1_000_000) / 1_000_000)
