"""Moments and durations as people type and read them.

Role: ``1h30m`` and ``14:00`` to numbers, moments of the API to "3m" or a clock time. Guarantees: a moment without a zone
is the person's own zone; a duration without a unit is refused, not guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PIECE = re.compile(r"(\d{1,6})([smhd])")
_DURATION = re.compile(r"(?:\d{1,6}[smhd])+")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_TWO_UNITS = 2


def parse_duration(text: str) -> int:
    """Seconds of ``90s``, ``30m``, ``1h30m``, ``2d``. Raises ValueError with what was probably meant."""
    text = text.strip()
    if _DURATION.fullmatch(text):
        seconds = sum(int(number) * _UNITS[unit] for number, unit in _PIECE.findall(text))
        if seconds > 0:
            return seconds
        raise ValueError("it must be longer than nothing")
    if text.isdigit():
        raise ValueError(f"{text} has no unit: did you mean {text}m?")
    raise ValueError(f"{text!r} is no duration such as 30m, 1h30m or 2d")


def parse_moment(text: str, now: datetime) -> datetime:
    """A moment after `now`, whose zone is the person's. Raises ValueError.

    ``14:00`` (today, else tomorrow), ``2026-03-01 14:00``, or ISO 8601 with an offset.
    """
    text = text.strip()
    if clock := _CLOCK.fullmatch(text):
        moment = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return moment if moment > now else moment + timedelta(days=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a time such as 14:00 nor a date such as 2026-03-01T14:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=now.tzinfo)
    if moment <= now:
        raise ValueError(f"{text} is in the past")
    return moment


def moment_of(text: object) -> datetime | None:
    """The moment of an API answer, None when it is absent or no moment."""
    if not isinstance(text, str) or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def shown(text: object, zone: tzinfo | None) -> str:
    """A moment for people: date and time in `zone` (None = the machine's own), with the zone's name; ``-`` if absent."""
    moment = moment_of(text)
    return "-" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def clock(text: object, zone: tzinfo | None) -> str:
    """Only the time of day, for lines of a timeline."""
    moment = moment_of(text)
    return "-" if moment is None else moment.astimezone(zone).strftime("%H:%M:%S")


def age(text: object, now: object) -> str:
    """How long `text` lies before `now`, both moments of the same answer: ``3m``, ``2h10m``, ``4d``; ``-`` if unknown."""
    moment, reference = moment_of(text), moment_of(now)
    if moment is None or reference is None:
        return "-"
    return spell((reference - moment).total_seconds())


def spell(seconds: float) -> str:
    """``45s``, ``3m20s``, ``2h10m``, ``4d3h``: two units at most, below ten of the first one."""
    left = max(0, int(seconds))
    pieces: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _UNITS[unit])
        if count or pieces:
            pieces.append(f"{count}{unit}" if count else "")
        if len(pieces) == _TWO_UNITS:
            break
    if not pieces:
        return "0s"
    return pieces[0] if _more_than_ten(pieces[0]) else "".join(pieces)


def _more_than_ten(piece: str) -> bool:
    return int(piece[:-1]) >= 10  # noqa: PLR2004 - the docstring's ten
