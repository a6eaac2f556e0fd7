"""What the overview shows of a status answer: problems first, searched, filtered, grouped, in pages.

Role: pure; `application` renders it. Guarantees: the same query always gives the same view; a query that is not understood
is the whole list, and its numbers are cut to what exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from watchdog.model import JsonObject, record

PER_PAGE = 100

ORDER = ("needs_human", "responding", "failing", "blind", "suspect", "paused", "inconclusive", "healthy")
"""Problems first."""

WORDS = {
    "needs_human": "needs a person",
    "responding": "responding",
    "failing": "failing",
    "blind": "blind",
    "suspect": "suspect",
    "paused": "paused",
    "inconclusive": "inconclusive",
    "healthy": "healthy",
}
"""What each state is called."""


@record
class Query:
    """What is asked for: text in name, release or sentence; a state; a group; a page from 1."""

    text: str = ""
    state: str = ""
    group: str = ""
    page: int = 1

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Query:
        """From a URL's query."""
        page, state = parameters.get("page", "1"), parameters.get("state", "")
        return cls(
            text=parameters.get("q", "").strip()[:200],
            state=state if state in WORDS else "",
            group=parameters.get("group", "")[:200],
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,  # noqa: PLR2004 - digits
        )

    def url(self, **changes: Any) -> str:
        """The same view with something else: ``?state=failing&page=2``; ``?`` alone for the whole."""
        asked = {"q": self.text, "state": self.state, "group": self.group, "page": self.page} | changes
        kept = {key: value for key, value in asked.items() if value and not (key == "page" and value == 1)}
        return "?" + urlencode(kept)


@record
class Overview:
    """One screen. `counts` holds (state, word, how many, its link) over everything that text and group leave."""

    query: Query
    rows: tuple[JsonObject, ...]
    counts: tuple[tuple[str, str, int, str], ...]
    groups: tuple[str, ...]
    total: int
    found: int
    pages: int


def overview(status: JsonObject, query: Query) -> Overview:
    """The view of a status answer."""
    rows: Sequence[JsonObject] = status.get("targets", ())
    near = [row for row in rows if _fits(row, query)]
    chosen = sorted((row for row in near if query.state in ("", row["state"])), key=_rank)
    pages = max(1, -(-len(chosen) // PER_PAGE))
    page = min(query.page, pages)
    here = Query(text=query.text, state=query.state, group=query.group, page=page)
    count = Counter(str(row["state"]) for row in near)
    return Overview(
        query=here,
        rows=tuple(chosen[(page - 1) * PER_PAGE : page * PER_PAGE]),
        counts=tuple(
            (state, WORDS[state], count[state], here.url(state=state, page=1)) for state in ORDER if count[state]
        ),
        groups=tuple(sorted({str(row["group"]) for row in rows if row["group"]})),
        total=len(rows),
        found=len(chosen),
        pages=pages,
    )


def _fits(row: JsonObject, query: Query) -> bool:
    if query.group and row["group"] != query.group:
        return False
    word = query.text.lower()
    return not word or any(word in str(row[key]).lower() for key in ("name", "group", "release", "sentence"))


def _rank(row: JsonObject) -> tuple[int, str]:
    state = str(row["state"])
    return (ORDER.index(state) if state in ORDER else 0), str(row["name"])
