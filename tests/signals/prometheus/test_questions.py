"""What may be asked, and how selectors are made."""

from __future__ import annotations

import re

import pytest

from watchdog.signals.prometheus.questions import (
    Expression,
    Limit,
    Quantile,
    Ratio,
    is_selector,
    slower_than,
    with_suffix,
)


@pytest.mark.parametrize(
    "query", ["up", "a:b_c", '{__name__="x"}', 'x{a="b",c=~"d.*"}', ' x { a = "}" } ', 'x{a="\\""}']
)
def test_a_plain_selector_is_recognised(query):
    assert is_selector(query)


@pytest.mark.parametrize("query", ["", "  ", "rate(x[1m])", "x[5m]", "a + b", 'x{a="b"} > 1', "sum(x)", "x offset 5m"])
def test_an_expression_is_no_selector(query):
    assert not is_selector(query)


def test_a_suffix_goes_between_name_and_labels():
    assert with_suffix('x{a="b"}', "_bucket", 'le="1"') == 'x_bucket{a="b", le="1"}'
    assert with_suffix("x", "_count") == "x_count"
    assert with_suffix("x{}", "_bucket", 'le="1"') == 'x_bucket{le="1"}'


@pytest.mark.parametrize(
    ("seconds", "matches"), [(1.0, ["1", "1.0"]), (0.8, ["0.8", "0.80"]), (2.5, ["2.5"]), (10, ["10"])]
)
def test_the_bound_of_a_bucket_is_found_however_it_is_spelled(seconds, matches):
    bound = re.search(r'le=~"(.*)"', slower_than("x", seconds).part)
    assert bound is not None
    pattern = bound.group(1).replace("\\\\", "\\")
    assert all(re.fullmatch(pattern, text) for text in matches)
    assert not re.fullmatch(pattern, "11") and not re.fullmatch(pattern, "18")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Ratio("rate(x[1m])", "y"),
        lambda: Expression("sum(x)", "sum(y)"),
        lambda: Limit("x"),
        lambda: Limit("x", above=1, below=0),
        lambda: Quantile("sum(x)", 0.9, 1.0),
        lambda: Quantile("x", 1.5, 1.0),
    ],
)
def test_what_cannot_be_asked_is_refused(wrong):
    with pytest.raises(ValueError):
        wrong()
