"""Durations, rates and allowances: what is read, what is refused with which guess, and that printing is the inverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.settings.units import (
    Allowance,
    NotUnderstood,
    format_allowance,
    format_duration,
    format_rate,
    parse_allowance,
    parse_duration,
    parse_rate,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("2h", 7200),
        ("7d", 604_800),
        ("800ms", 0.8),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        ("0s", 0),
    ],
)
def test_a_duration_with_a_unit_is_read_as_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("typed", "guess"),
    [
        (30, "30s"),
        (2.5, "2.5s"),
        ("30", "30s"),
        (1234567, "1234567s"),
        ("30 sec", "30s"),
        ("5 minutes", "5m"),
        ("5min", "5m"),
        ("1 hr", "1h"),
        ("2 Days", "2d"),
        ("10 s", "10s"),
    ],
)
def test_a_duration_without_its_unit_is_refused_with_what_was_probably_meant(typed, guess):
    with pytest.raises(NotUnderstood) as refused:
        parse_duration(typed)
    assert refused.value.hint == f"did you mean {guess}?"


@pytest.mark.parametrize("typed", [True, None, [], {}, "", "s", "1:30", "-5s", "1e3s", "fast", "5 weeks"])
def test_what_is_no_duration_is_refused(typed):
    with pytest.raises(NotUnderstood):
        parse_duration(typed)


@given(st.integers(min_value=0, max_value=10**10))
def test_a_printed_duration_is_read_as_the_same_milliseconds(milliseconds):
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@pytest.mark.parametrize(
    ("typed", "share"), [("5%", 0.05), ("0.5%", 0.005), (0.05, 0.05), ("0.05", 0.05), ("100%", 1.0)]
)
def test_a_rate_is_read_as_a_share_of_one(typed, share):
    assert parse_rate(typed) == pytest.approx(share)


@pytest.mark.parametrize("typed", [5, 1, "5", 1.0])
def test_a_bare_number_of_one_or_more_is_no_rate_but_probably_a_percentage(typed):
    with pytest.raises(NotUnderstood, match="no share of one") as refused:
        parse_rate(typed)
    assert refused.value.hint == f"did you mean {typed}%?"


@pytest.mark.parametrize("typed", [True, None, "-5%", -0.5, "101%", "many", "5 percent"])
def test_what_is_no_rate_is_refused(typed):
    with pytest.raises(NotUnderstood):
        parse_rate(typed)


@given(st.integers(min_value=1, max_value=100_000))
def test_a_printed_rate_is_read_as_the_same_rate(thousandths):
    share = thousandths / 100_000
    assert parse_rate(format_rate(share)) == pytest.approx(share)


def test_an_allowance_is_a_count_and_a_window():
    assert parse_allowance("3 per 10m") == Allowance(count=3, window_s=600.0)


@pytest.mark.parametrize("typed", ["3/10m", "3 in 10m", "3x per 10m", "3 times a 10m"])
def test_other_spellings_of_an_allowance_are_refused_with_the_right_one(typed):
    with pytest.raises(NotUnderstood) as refused:
        parse_allowance(typed)
    assert refused.value.hint == "did you mean 3 per 10m?"


@pytest.mark.parametrize("typed", [3, None, "3", "three per 10m", "0 per 10m", "3 per day"])
def test_what_is_no_allowance_is_refused(typed):
    with pytest.raises(NotUnderstood):
        parse_allowance(typed)


@given(st.integers(min_value=1, max_value=999), st.integers(min_value=1, max_value=10**7))
def test_a_printed_allowance_is_read_as_the_same(count, window):
    allowance = Allowance(count=count, window_s=float(window))
    assert parse_allowance(format_allowance(allowance)) == allowance
