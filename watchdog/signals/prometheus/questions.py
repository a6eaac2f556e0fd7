"""What may be asked of a source: four kinds of question, as frozen records.

Role: the configured half of `signal`. Neighbours: `settings.prometheus` writes the same in YAML; `presets` makes them for
metrics that many people have. Guarantees: a record that exists can be asked; impossible ones raise ValueError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

INTERVAL = "$interval"
"""Stands for the seconds one sample covers, in expressions that count."""

_SELECTOR = re.compile(r'\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?P<labels>\{(?:[^"{}]|"(?:\\.|[^"\\])*")*\})?\s*')


def is_selector(query: str) -> bool:
    """Whether it is a plain selector of series (``requests_total{app="x"}``), and no expression."""
    found = _SELECTOR.fullmatch(query)
    return found is not None and bool(found["name"] or found["labels"])


def with_suffix(selector: str, suffix: str, label: str = "") -> str:
    """The selector of ``NAME_suffix`` with one more label matcher. Raises ValueError for an expression."""
    found = _SELECTOR.fullmatch(selector)
    if found is None or not found["name"]:
        raise ValueError(f"expected a metric such as http_request_duration_seconds{{...}}, found {selector!r}")
    inside = (found["labels"] or "{}")[1:-1].strip().rstrip(",")
    matchers = ", ".join(part for part in (inside, label) if part)
    return f"{found['name']}{suffix}" + (f"{{{matchers}}}" if matchers else "")


@dataclass(frozen=True, slots=True)
class Ratio:
    """Counters: bad events of all events, as plain selectors. `good` True = `part` counts the good ones instead."""

    part: str
    every: str
    good: bool = False
    slow: bool = False
    """A bad event is a slow one."""

    def __post_init__(self) -> None:
        """Refuse expressions: their increases cannot be read scrape by scrape."""
        for query in (self.part, self.every):
            if not is_selector(query):
                raise ValueError(f"{query!r} is no plain selector")


@dataclass(frozen=True, slots=True)
class Expression:
    """Two expressions that give numbers of events in the last ``$interval``, as ``sum(increase(x[$interval]))``."""

    bad: str
    every: str

    def __post_init__(self) -> None:
        """Refuse what would be counted again at every poll."""
        for query in (self.bad, self.every):
            if INTERVAL not in query:
                raise ValueError(f"an expression that counts must say its window as {INTERVAL}")


@dataclass(frozen=True, slots=True)
class Limit:
    """One value that is bad above `above`, or below `below`."""

    query: str
    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        """Exactly one limit."""
        if (self.above is None) == (self.below is None):
            raise ValueError("exactly one of above and below")


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of a histogram (classic or native) that is bad above `above` seconds, from `min_events` events on."""

    histogram: str
    quantile: float
    above: float
    min_events: int = 20

    def __post_init__(self) -> None:
        """A metric and a share."""
        with_suffix(self.histogram, "_count")
        if not 0 < self.quantile < 1:
            raise ValueError("a quantile lies between 0 and 1")


Question = Ratio | Expression | Limit | Quantile


def slower_than(histogram: str, seconds: float) -> Ratio:
    """Events slower than `seconds`, from the buckets of a classic histogram; `seconds` must be one of its bounds."""
    number = f"{seconds:g}"
    whole = f"{number}(\\\\.0)?" if re.fullmatch(r"\d+", number) else number.replace(".", "\\\\.") + "0*"
    return Ratio(
        part=with_suffix(histogram, "_bucket", f'le=~"{whole}"'),
        every=with_suffix(histogram, "_count"),
        good=True,
        slow=True,
    )
