"""How numbers are said in the sentences of the judgement: durations, shares, times of day.

Role: one place, so that a page, a log and a report say the same thing the same way. Neighbours: every module here.
"""

from __future__ import annotations

from watchdog.model import Instant, iso

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


def duration(seconds: float) -> str:
    """``15 s``, ``4 min``, ``2.5 h``, ``3 days``: two significant parts at most."""
    if seconds < 2 * _MINUTE:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.3g} h"
    return f"{seconds / _DAY:.3g} days"


def percent(share: float) -> str:
    """``5 %``, ``0.25 %``."""
    return f"{100 * share:.3g} %"


def count(number: int, noun: str) -> str:
    """``1 poll``, ``3 polls``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clock(moment: Instant) -> str:
    """``12:04:31 UTC``, for sentences about the same day."""
    return f"{iso(moment)[11:19]} UTC"
