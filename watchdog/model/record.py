"""What a record is, and the two scalar types that every record shares.

Role: the decorator `record` (frozen, slotted, keyword-only dataclass) and `Instant`. Neighbours: everything in
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


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a frozen, slotted, keyword-only dataclass."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


def instant(seconds: float) -> Instant:
    """Round to whole microseconds, so that the JSON form gives back the same number."""
    return Instant(round(seconds * 1_000_000) / 1_000_000)
