"""Plain selectors of series, ``http_requests_total{code=~"5.."}``, read where no server reads them for us.

Role: used by the section `scrape`. Pure. Guarantees: what is accepted means the same here as in Prometheus (a pattern must match
the whole value, a label that is not there is empty); what is not understood raises ValueError with what was found.
Source: Prometheus documentation, "Querying basics", instant vector selectors and string literals.
"""

from __future__ import annotations

import re

import regex

from watchdog.model import record

_NAME = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*")
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)"\s*(,|(?=\}))')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
_ENDS = re.compile(r"\s*\}\s*")


@record
class Matcher:
    """One condition on a label; `how` is ``=``, ``!=``, ``=~`` or ``!~``."""

    label: str
    how: str
    value: str


@record
class Selector:
    """Series of one metric that meet all matchers."""

    metric: str
    matchers: tuple[Matcher, ...] = ()
    text: str = ""
    """As it was typed."""


def selector_of(text: str) -> Selector:
    """The selector that a text means. Raises ValueError."""
    named = _NAME.match(text)
    if named is None:
        raise ValueError('is no plain selector: a metric is named first, as in requests_total{code=~"5.."}')
    rest = text[named.end() :]
    if not rest:
        return Selector(metric=named[1], text=text)
    if not rest.startswith("{"):
        raise ValueError("is no plain selector: expressions are for a Prometheus server")
    return Selector(metric=named[1], matchers=_matchers(rest[1:]), text=text)


def _matchers(text: str) -> tuple[Matcher, ...]:
    found: list[Matcher] = []
    place = 0
    while _ENDS.fullmatch(text, place) is None:
        one = _MATCHER.match(text, place)
        if one is None:
            raise ValueError(f'expected label="value", found {text[place : place + 40]!r}')
        found.append(_matcher(one[1], one[2], one[3]))
        place = one.end()
    return tuple(found)


def _matcher(label: str, how: str, quoted: str) -> Matcher:
    if label == "__name__":
        raise ValueError("names its metric in front, not by __name__")
    value = re.sub(r"\\.", lambda escape: _unescaped(escape[0]), quoted)
    if how in ("=~", "!~"):
        try:
            regex.compile(value)
        except regex.error as error:
            raise ValueError(f"holds a pattern that cannot be read: {value!r}: {error}") from None
    return Matcher(label=label, how=how, value=value)


def _unescaped(escape: str) -> str:
    if escape not in _ESCAPES:
        raise ValueError(f"holds {escape}, which is no escape here: a backslash of a pattern is written twice")
    return _ESCAPES[escape]
