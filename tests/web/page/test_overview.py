"""What the overview shows of a status answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.testing.control import target_row
from watchdog.web.page.overview import ORDER, PER_PAGE, Query, overview


def status(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"targets": list(rows)}


def fleet(many: int) -> dict[str, Any]:
    states = ("healthy",) * 8 + ("failing", "suspect")
    return status(*(target_row(f"t{n:04}", state=states[n % 10], group=f"g{n % 3}") for n in range(many)))


def test_problems_come_first_and_then_names() -> None:
    found = overview(status(*(target_row(state, state=state) for state in reversed(ORDER))), Query())
    assert [row["state"] for row in found.rows] == list(ORDER)


def test_a_thousand_targets_are_shown_in_pages_and_a_page_too_far_is_the_last_one() -> None:
    found = overview(fleet(1000), Query(page=99))
    assert (found.pages, found.query.page, len(found.rows), found.found) == (10, 10, PER_PAGE, 1000)


def test_text_state_and_group_narrow_it_down_and_counts_stay_those_of_text_and_group() -> None:
    found = overview(fleet(30), Query(text="T00", state="failing", group="g2"))
    assert {row["group"] for row in found.rows} == {"g2"}
    assert {row["state"] for row in found.rows} == {"failing"}
    assert {state for state, _, _, _ in found.counts} == {"failing", "suspect", "healthy"}
    assert sum(many for _, _, many, _ in found.counts) == 10


def test_links_keep_the_rest_of_the_query() -> None:
    assert Query(text="a b", state="failing", page=3).url(page=2) == "?q=a+b&state=failing&page=2"
    assert Query(text="x", page=3).url(state="", page=1) == "?q=x"


@pytest.mark.parametrize(
    "asked", [{"page": "0"}, {"page": "-1"}, {"page": "9" * 40}, {"page": "²"}, {"state": "nonsense"}]
)
def test_a_query_that_is_not_understood_is_the_whole(asked: dict[str, str]) -> None:
    assert Query.of(asked) == Query()


@given(st.dictionaries(st.sampled_from(["q", "state", "group", "page"]), st.text(max_size=30)))
def test_no_query_breaks_it_and_every_row_shown_fits(asked: dict[str, str]) -> None:
    found = overview(fleet(25), Query.of(asked))
    assert len(found.rows) <= found.found <= found.total == 25
    assert all(found.query.state in ("", row["state"]) for row in found.rows)
