"""Conditions on a body: what a page that answers 200 must also say.

Role: used by `http`. Pure but for the time limit of a pattern. Guarantees: a condition that cannot be looked at (the body was
cut) is unknown, not bad; what is not JSON where JSON is meant is bad; a pattern stops at `PATTERN_S`; of a body nothing is
shown but the short result of an expression. An expression is true as JMESPath says: false, null, "" and empty lists and
objects are not.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jmespath
import regex

PATTERN_S = 0.2
MOST_SHOWN = 60


class Unseen(Exception):
    """The condition could not be looked at; the message says why."""


def objection(body: bytes, *, whole: bool, expression: str = "", pattern: str = "") -> str:
    """Why the body is not good; empty when it is. Raises Unseen."""
    if not whole:
        raise Unseen("the body is larger than 64 KiB: its conditions cannot be looked at")
    if expression:
        found = _of_json(body, expression)
        if found:
            return found
    return _of_text(body, pattern) if pattern else ""


def _of_json(body: bytes, expression: str) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return f"expected JSON with {expression}, found no JSON"
    try:
        result = _compiled(expression).search(document)
    except jmespath.exceptions.JMESPathError:
        return f"expected {expression}, found another type than it works on"
    if _is_true(result):
        return ""
    return f"expected {expression}, found {_shown(result)}"


@cache
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def _is_true(result: Any) -> bool:
    """JMESPath's truth: the number 0 is true."""
    return result is not None and result is not False and not (isinstance(result, str | list | dict) and not result)


def _shown(result: Any) -> str:
    if isinstance(result, str | list | dict):
        return "an empty one" if not result else type(result).__name__
    return json.dumps(result)[:MOST_SHOWN]


def _of_text(body: bytes, pattern: str) -> str:
    try:
        found = regex.search(pattern, body.decode("utf-8", "replace"), timeout=PATTERN_S)
    except TimeoutError:
        raise Unseen(f"the pattern took longer than {PATTERN_S:g} s") from None
    return "" if found else f"expected the body to match {pattern}"
