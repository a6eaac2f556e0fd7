"""One metrics page: the series that a question asks for.

Role: text to numbers. Neighbours: `signal` fetches the text, `questions` says what is looked for. Pure. Guarantees: only lines of
the metrics that are asked for are read, at most `MOST_SERIES` of them, so a page of thousands of other series costs one search;
a page that says something twice, says what is no number, or carries a time that is long past gives `NoAnswer`; the start of the process is found
where the page tells it. Not guaranteed: that a page is complete - a cut one is refused by `signal`.
Source: Prometheus documentation, "Exposition formats", text format 0.0.4; exemplars of OpenMetrics are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import regex
from prometheus_client.parser import text_string_to_metric_families

from watchdog.model import record

MOST_SERIES = 2000
"""About 40 ms of reading in CPython: longer would make other checks late."""
OLD_S = 60.0
"""A line that carries a time of its own, longer ago than this, is of another time than the page."""
PATTERN_S = 0.2
BORN = "process_start_time_seconds"
_EXEMPLAR = re.compile(r'^([^\s{]*(?:\{(?:[^"}]|"(?:\\.|[^"\\])*")*\})?\s+\S+(?:\s+\S+)?)\s+#.*$')

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A series: its metric, and its labels in order."""


class NoAnswer(Exception):
    """Nothing may be concluded from a page; the message is one short clause for people."""


@record
class Selector:
    """Series of one metric; each matcher is (label, ``=``, ``!=``, ``=~`` or ``!~``, value). `text` = as it was typed."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()
    text: str = ""

    def also(self, suffix: str, *more: tuple[str, str, str]) -> Selector:
        """The same of ``METRIC_suffix``, with more conditions."""
        text = self.text.replace(self.metric, self.metric + suffix, 1)
        return Selector(metric=self.metric + suffix, matchers=(*self.matchers, *more), text=text)

    def takes(self, key: Key) -> bool:
        """Whether a series is meant. A label that is not there is empty. Raises NoAnswer for a pattern that takes too long."""
        labels = dict(key[1])
        return key[0] == self.metric and all(_meets(labels.get(label, ""), how, to) for label, how, to in self.matchers)


def _meets(value: str, how: str, to: str) -> bool:
    if how in ("=", "!="):
        return (value == to) is (how == "=")
    try:
        return (regex.fullmatch(to, value, timeout=PATTERN_S) is not None) is (how == "=~")
    except TimeoutError:
        raise NoAnswer(f"the pattern {to!r} took longer than {PATTERN_S:g} s") from None


@record
class Page:
    """The series of the metrics that were asked for. `born` = start of the process in UTC seconds of its own clock."""

    series: Mapping[Key, float]
    born: float | None = None

    def of(self, selector: Selector) -> Mapping[Key, float]:
        """The series that a selector takes. Raises NoAnswer."""
        return {key: value for key, value in self.series.items() if selector.takes(key)}


def page_of(body: bytes, metrics: Iterable[str], at: float) -> Page:
    """What a page says of these metrics at `at` (UTC seconds). Raises NoAnswer."""
    if body.lstrip()[:1] == b"<":
        raise NoAnswer("the page is HTML, not metrics")
    lines = _lines_of(body, {*metrics, BORN})
    if len(lines) > MOST_SERIES:
        raise NoAnswer(f"the page has more than {MOST_SERIES} series of these metrics: ask Prometheus")
    series: dict[Key, float] = {}
    born = None
    for key, value in _samples(lines, at):
        if key == (BORN, ()):
            born = value
        elif key in series:
            raise NoAnswer(f"the page says {key[0]} twice with the same labels")
        else:
            series[key] = value
    return Page(series=series, born=born)


def _lines_of(body: bytes, metrics: Iterable[str]) -> list[str]:
    names = b"|".join(re.escape(name.encode()) for name in sorted(metrics))
    found = re.findall(rb"(?m)^(?:" + names + rb")[ \t{][^\n]*", body)
    return [_EXEMPLAR.sub(r"\1", line.decode("utf-8", "replace")) for line in found]


def _samples(lines: list[str], at: float) -> Iterable[tuple[Key, float]]:
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                if sample.timestamp is not None and at - float(sample.timestamp) > OLD_S:
                    raise NoAnswer(f"the page gives {sample.name} of {at - float(sample.timestamp):.0f} s ago")
                yield (sample.name, tuple(sorted(sample.labels.items()))), float(sample.value)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise NoAnswer(f"the page cannot be read as metrics: {type(error).__name__}") from None
