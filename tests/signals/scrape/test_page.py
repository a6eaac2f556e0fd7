"""How a page is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.signals.scrape.page import NoAnswer, Selector, page_of

NOW = 1_700_000_000.0


def read(text: str, *metrics: str):
    return page_of(text.encode(), metrics or ("x_total",), NOW).series


def test_only_the_metrics_that_are_asked_for_are_read():
    found = read('x_total{a="b"} 3\nx_total_more 4\nmy_x_total 5\n# x_total 6\n', "x_total")
    assert found == {("x_total", (("a", "b"),)): 3.0}


def test_labels_may_hold_what_looks_like_the_end_of_a_line():
    assert read('x_total{a="b # {c} 1",d="\\"\\\\\\n}"} 3\n') == {
        ("x_total", (("a", "b # {c} 1"), ("d", '"\\\n}'))): 3.0
    }


def test_exemplars_of_openmetrics_are_passed_over():
    text = 'x_total{a="b"} 3 # {trace_id="abc"} 1.0 1700000000.0\nx_total 4 1700000000000 # {} 1\n# EOF\n'
    assert read(text) == {("x_total", (("a", "b"),)): 3.0, ("x_total", ()): 4.0}


def test_the_start_of_the_process_is_found_where_the_page_names_it():
    assert page_of(b"process_start_time_seconds 1.7e9\n", ("x_total",), NOW).born == 1.7e9
    assert page_of(b"x_total 1\n", ("x_total",), NOW).born is None


@pytest.mark.parametrize(
    ("matchers", "labels", "taken"),
    [
        ((), {}, True),
        ((("code", "=", "500"),), {"code": "500"}, True),
        ((("code", "=", "500"),), {"code": "5000"}, False),
        ((("code", "!=", "500"),), {}, True),
        ((("code", "=~", "5.."),), {"code": "503"}, True),
        ((("code", "=~", "5.."),), {"code": "1503"}, False),
        ((("code", "!~", "5.."),), {"code": "200"}, True),
        ((("code", "=", ""),), {}, True),
        ((("code", "=~", "5..|4.."), ("path", "!=", "/health")), {"code": "404", "path": "/"}, True),
        ((("code", "=~", "5..|4.."), ("path", "!=", "/health")), {"code": "404", "path": "/health"}, False),
    ],
)
def test_selectors_take_what_prometheus_would_take(matchers, labels, taken):
    selector = Selector(metric="x_total", matchers=matchers)
    assert selector.takes(("x_total", tuple(sorted(labels.items())))) is taken


def test_a_pattern_that_explodes_is_stopped():
    selector = Selector(metric="x_total", matchers=(("path", "=~", "(a|aa)+$"),))
    with pytest.raises(NoAnswer, match="took longer"):
        selector.takes(("x_total", (("path", "a" * 60 + "c"),)))


@given(st.binary(max_size=300))
def test_whatever_a_page_holds_it_is_read_or_refused(rubbish):
    for body in (rubbish, b"x_total" + rubbish, b"x_total{" + rubbish, b'x_total{a="' + rubbish + b'"} 1'):
        assert read_or_refused(body)


def read_or_refused(body: bytes) -> bool:
    try:
        return all(isinstance(value, float) for value in page_of(body, ("x_total",), NOW).series.values())
    except NoAnswer as error:
        return bool(str(error))
