"""What a source answered, as plain records; and what makes an answer no answer.

Role: turns the JSON of ``/api/v1/query`` into series. Neighbours: `source` fetches, `counters` and `signal` conclude.
Guarantees: pure; a value that is no finite number, a warning (partial data) or an unexpected shape raises `NoAnswer` with
the sentence that becomes the reason of an Unknown; nothing is guessed. Source of the shapes: Prometheus HTTP API,
"Expression query result formats"; values come as text, so ``NaN`` and ``+Inf`` do too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from watchdog.model import record

MOST_WORDS = 200
"""Characters of the source's own words that are kept in a reason."""

Point = tuple[float, float]
"""(UTC seconds, value)."""


class NoAnswer(Exception):
    """Nothing may be concluded; the message is one short sentence for people."""


@record
class Series:
    """One series: its labels and its points, oldest first. An instant value is one point."""

    labels: Mapping[str, str]
    points: tuple[Point, ...]


@record
class Answer:
    """What one query gave. `kind` is the resultType: vector, matrix, scalar."""

    kind: str
    series: tuple[Series, ...]
    at: float
    """The moment it was evaluated for."""


def answer_of(payload: Any, at: float) -> Answer:
    """The answer in a decoded body. Raises NoAnswer."""
    if not isinstance(payload, Mapping) or payload.get("status") != "success":
        said = payload.get("error") if isinstance(payload, Mapping) else None
        raise NoAnswer(f"the source refused the query: {cut(str(said))}" if said else "the source answered no result")
    warnings = payload.get("warnings")
    if warnings:
        raise NoAnswer(f"the source warns that its data may be partial: {cut(str(warnings[0]))}")
    data = payload.get("data")
    if not isinstance(data, Mapping):
        raise NoAnswer("the source answered no data")
    kind, result = data.get("resultType"), data.get("result")
    try:
        series = _series(kind, result)
    except (TypeError, ValueError, KeyError, AttributeError, IndexError):
        raise NoAnswer(f"the source answered a {cut(str(kind))} of a shape that is not understood") from None
    return Answer(kind=str(kind), series=series, at=at)


def _series(kind: Any, result: Any) -> tuple[Series, ...]:
    if kind == "scalar":
        return (Series(labels={}, points=(_point(result),)),)
    if kind == "vector":
        return tuple(Series(labels=_labels(one), points=(_point(one["value"]),)) for one in result)
    if kind == "matrix":
        return tuple(Series(labels=_labels(one), points=tuple(map(_point, one["values"]))) for one in result)
    raise ValueError(kind)


def _labels(one: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in one["metric"].items()}


def _point(pair: Sequence[Any]) -> Point:
    """Numbers as they came: a NaN is told where a number is needed, since a counter's gap may hold one."""
    return float(pair[0]), float(pair[1])


def one_value(answer: Answer, what: str) -> float:
    """The one finite value of an answer. Raises NoAnswer: none, several, NaN and infinities are no value."""
    if not answer.series:
        raise NoAnswer(f"{what} matches nothing: a metric or label that is not there")
    if len(answer.series) > 1:
        names = ", ".join(sorted({label for one in answer.series for label in one.labels})[:6])
        raise NoAnswer(f"{what} gives {len(answer.series)} series where one is meant (labels {names}): aggregate it")
    return finite(answer.series[0].points[-1][1], what)


def finite(value: float, what: str) -> float:
    """The value. Raises NoAnswer for NaN and infinities, which are what a division by zero traffic gives."""
    if not math.isfinite(value):
        raise NoAnswer(f"{what} gives {value}, which is no number")
    return value


def cut(text: str) -> str:
    """One line, not too long: words of a stranger."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_WORDS else line[: MOST_WORDS - 1] + "…"
