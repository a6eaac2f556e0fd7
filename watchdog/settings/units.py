"""Durations, rates and allowances as people type them, and back.

Role: ``30s``, ``1h30m``, ``800ms`` to seconds; ``5%`` or ``0.05`` to a share of one; ``3 per 10m`` to a count and a window.
Guarantees: a number without its unit is refused with the unit that was probably meant, never guessed; what `format_*`
writes, `parse_*` reads to the same value.
"""

from __future__ import annotations

import re
from typing import Any

from watchdog.model import record
from watchdog.settings.problems import printable

_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PIECE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(ms|d|h|m|s)")
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,6})?(?:ms|d|h|m|s))+")
_LONG_UNITS = {
    "millisecond": "ms", "msec": "ms", "milli": "ms",
    "second": "s", "sec": "s",
    "minute": "m", "min": "m",
    "hour": "h", "hr": "h",
    "day": "d",
}  # fmt: skip
_ROUGH_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]+)", re.IGNORECASE)
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s?%")
_BARE_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,9})?")
_ALLOWANCE = re.compile(r"(\d{1,6})\s+per\s+(\S+)")
_ROUGH_ALLOWANCE = re.compile(r"(\d{1,6})\s*(?:x|times)?\s*(?:/|in|a|every|each|per)\s*(\S+)", re.IGNORECASE)


class NotUnderstood(ValueError):
    """A typed value could not be read; `hint` says what was probably meant (empty = no idea)."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep message and hint apart."""
        super().__init__(message)
        self.hint = hint


@record
class Allowance:
    """At most `count` in any `window_s` seconds."""

    count: int
    window_s: float


def parse_duration(value: Any) -> float:
    """Seconds of ``30s``, ``10m``, ``2h``, ``7d``, ``800ms``, ``1h30m``. Raises NotUnderstood."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise NotUnderstood("expected a duration such as 30s, 10m or 2h")
    text = str(value) if isinstance(value, int | float) else value.strip()
    if _DURATION.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(text))
    if text.startswith("-"):
        raise NotUnderstood(f"a duration may not be negative: {printable(text)}")
    if _BARE_NUMBER.fullmatch(text):
        raise NotUnderstood(f"{text} has no unit", f"did you mean {text}s?")
    raise NotUnderstood(f"{printable(text)!r} is not a duration such as 30s, 10m or 2h", _duration_hint(text))


def _duration_hint(text: str) -> str:
    rough = _ROUGH_DURATION.fullmatch(text)
    if rough is None:
        return ""
    number, word = rough.group(1), rough.group(2).lower()
    unit = word if word in _SECONDS else _LONG_UNITS.get(word.removesuffix("s"), "")
    return f"did you mean {number}{unit}?" if unit else "units are ms, s, m, h, d"


def format_duration(seconds: float) -> str:
    """The shortest spelling: 90.0 is ``1m30s``, 0.8 is ``800ms``, 0 is ``0s``."""
    left = round(seconds * 1000)
    if left == 0:
        return "0s"
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text


def parse_rate(value: Any) -> float:
    """Share of one from ``5%`` or 0.05. Raises NotUnderstood; a bare 5 is refused, it could mean either."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise NotUnderstood("expected a rate such as 5% or 0.05")
    text = str(value) if isinstance(value, int | float) else value.strip()
    percent = _PERCENT.fullmatch(text)
    if percent is not None:
        return _share(float(percent.group(1)) / 100, text)
    if text.startswith("-"):
        raise NotUnderstood(f"a rate may not be negative: {printable(text)}")
    if not _BARE_NUMBER.fullmatch(text):
        raise NotUnderstood(f"{printable(text)!r} is not a rate such as 5% or 0.05")
    if float(text) >= 1:
        raise NotUnderstood(f"{text} is no share of one", f"did you mean {text}%?")
    return float(text)


def _share(share: float, text: str) -> float:
    if share > 1:
        raise NotUnderstood(f"{text} is more than 100%")
    return share


def format_rate(share: float) -> str:
    """0.05 is ``5%``."""
    return f"{round(share * 100, 7):g}%"


def parse_allowance(value: Any) -> Allowance:
    """Count and window of ``3 per 10m``. Raises NotUnderstood."""
    text = value.strip() if isinstance(value, str) else ""
    exact = _ALLOWANCE.fullmatch(text)
    if exact is None:
        rough = _ROUGH_ALLOWANCE.fullmatch(text)
        hint = f"did you mean {rough.group(1)} per {rough.group(2)}?" if rough else ""
        raise NotUnderstood("expected a number in a time such as 3 per 10m", hint)
    count = int(exact.group(1))
    if count < 1:
        raise NotUnderstood("must allow at least 1", "use `mode: observe` to never roll back")
    return Allowance(count=count, window_s=parse_duration(exact.group(2)))


def format_allowance(allowance: Allowance) -> str:
    """``3 per 10m``."""
    return f"{allowance.count} per {format_duration(allowance.window_s)}"
