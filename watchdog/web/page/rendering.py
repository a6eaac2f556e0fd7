"""Templates to text. Role: one jinja2 environment with escaping always on; `application` calls `render`.

Guarantees: an undefined name is an error of ours, never an empty place on the page; filters are pure.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from watchdog.web.page.overview import WORDS

_MARKS = {"pass": "✓", "block": "✗", "ask": "?", "unknown": "·"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@cache
def environment() -> Environment:
    """The environment, made once."""
    made = Environment(
        loader=PackageLoader("watchdog.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"moment": moment, "percent": percent, "age": age, "mark": mark, "word": word, "spell": spell}
    return made


def render(name: str, **values: Any) -> str:
    """One page as text."""
    return environment().get_template(name).render(**values)


def moment(text: str | None) -> str:
    """``2026-03-01 14:05:00 UTC`` of an ISO text; a dash for none."""
    return "-" if not text else f"{text[:19].replace('T', ' ')} UTC"


def age(text: str | None, at: str) -> str:
    """How long before `at` a moment was: ``3 min ago``."""
    if not text:
        return "-"
    return f"{spell((datetime.fromisoformat(at) - datetime.fromisoformat(text)).total_seconds())} ago"


def spell(seconds: float | None) -> str:
    """A duration in its largest unit that still says something."""
    if seconds is None:
        return "-"
    whole = max(0, round(seconds))
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if whole >= 2 * size:
            return f"{whole // size} {name}"
    return f"{whole} s"


def percent(share: float | None) -> str:
    """A share of one in whole percent; a dash for none."""
    return "-" if share is None else f"{share:.0%}"


def mark(effect: str) -> str:
    """The sign of a check's effect."""
    return _MARKS.get(effect, "·")


def word(state: str) -> str:
    """What a state is called."""
    return WORDS.get(state, state)
