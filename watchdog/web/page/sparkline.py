"""One line of polls as bars that an eye takes in at once, as numbers for the template. Pure.

Guarantees: a poll that knew nothing is a gap, never a zero; bars keep their place in time order; each carries its sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchdog.model import JsonObject, record

HEIGHT = 24
LEAST = 3
"""A good poll is a low bar, not nothing."""


@record
class Bar:
    """One poll: its place, how high, what colour class, and what it says."""

    x: int
    y: float
    height: float
    health: str
    words: str


def bars(polls: Sequence[JsonObject], limit: float | None = None) -> tuple[Bar, ...]:
    """A bar a poll; counts by their bad share, values by the highest one (or the limit, when that is higher)."""
    values = [float(poll["value"]) for poll in polls if poll["value"] is not None]
    top = max([*values, limit or 0.0, 0.0]) or 1.0
    return tuple(_bar(number, poll, top) for number, poll in enumerate(polls))


def _bar(number: int, poll: JsonObject, top: float) -> Bar:
    share = _share(poll, top)
    height = round(max(LEAST, HEIGHT * share), 1)
    return Bar(x=4 * number, y=HEIGHT - height, height=height, health=str(poll["health"]), words=_words(poll))


def _share(poll: JsonObject, top: float) -> float:
    if poll["health"] == "unknown":
        return 0.0
    if poll["value"] is not None:
        return min(1.0, float(poll["value"]) / top)
    return float(poll["bad"]) / float(poll["events"]) if poll["events"] else 0.0


def _words(poll: JsonObject) -> str:
    amount: Any = f"{poll['bad']} of {poll['events']} bad" if poll["events"] else poll["health"]
    whose = f" ({poll['instance']})" if poll.get("instance") else ""
    return f"{str(poll['at'])[11:19]} UTC{whose}: {poll['sentence'] or amount}"
