"""The page of promises is made from the tests that keep them."""

from __future__ import annotations

import pytest

from tests.documents.promises import PROMISES, ROOT, kept, page


@pytest.mark.parametrize("number", PROMISES)
def test_each_promise_is_kept_by_tests_that_name_it(number: int) -> None:
    assert len(kept()[number]) >= 2


def test_no_test_names_a_promise_that_nobody_made() -> None:
    assert set(kept()) == set(PROMISES)


def test_the_page_is_the_one_that_the_tests_make() -> None:
    assert (ROOT / "docs" / "promises.md").read_text() == page(), (
        "python -m tests.documents.promises > docs/promises.md"
    )
