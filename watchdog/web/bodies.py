"""Bodies of requests: small, strict, and read within a bound.

Role: gives `web.api` checked values. Guarantees: an unknown key, a wrong type, an unprintable text or a number that is
none is an error that names the key; nothing of a body is used before all of it was checked.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn

from aiohttp import web

from watchdog.web.problems import Malformed

BODY_AT_MOST = 64 * 1024
"""Bytes. The longest order is a sentence."""

BODY_WITHIN_S = 10.0

TEXT_AT_MOST = 500
"""Characters of a reason or a name."""


class Fields:
    """The keys of one JSON object, taken one by one; `finish` complains about what nobody took."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Take the parsed object."""
        self._values = dict(values)

    def text(self, name: str, default: str | None = None) -> str:
        """A printable text without outer blanks; required when there is no default."""
        value = self._values.pop(name, default)
        if value is None:
            raise Malformed(f"{name}: missing")
        if not isinstance(value, str) or not value.isprintable() or len(value) > TEXT_AT_MOST:
            raise Malformed(f"{name}: one printable line of at most {TEXT_AT_MOST} characters")
        value = value.strip()
        if not value and default is None:
            raise Malformed(f"{name}: may not be empty")
        return value

    def optional(self, name: str) -> str | None:
        """A text, or None when it is absent, null or empty."""
        if self._values.get(name) is None:
            self._values.pop(name, None)
            return None
        return self.text(name, "") or None

    def flag(self, name: str) -> bool:
        """True or false; false when absent."""
        value = self._values.pop(name, False)
        if not isinstance(value, bool):
            raise Malformed(f"{name}: true or false")
        return value

    def seconds(self, name: str) -> float | None:
        """A number above zero, None when absent."""
        value = self._values.pop(name, None)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise Malformed(f"{name}: seconds, a number above 0")
        return float(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, empty when absent."""
        value = self._values.pop(name, None)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise Malformed(f"{name}: a list of texts")
        return tuple(Fields({name: item}).text(name) for item in value)

    def finish(self) -> None:
        """Raises Malformed for the keys that nobody took."""
        if self._values:
            raise Malformed(f"unknown key {min(self._values)!r}")


async def fields_of(request: web.Request) -> Fields:
    """The request's JSON object; an empty body is an empty object. Raises Malformed."""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            raw = await request.read()
    except TimeoutError as error:
        raise Malformed(f"the body did not arrive within {BODY_WITHIN_S:g} s") from error
    try:
        value = json.loads(raw or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Malformed("the body is not a JSON object")
    return Fields(value)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")
