"""Durations and moments as people type and read them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from watchdog.cli.times import age, clock, moment_of, parse_duration, parse_moment, shown, spell

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 28, 13, 30, tzinfo=BERLIN)
"""The day before the clocks go forward."""


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2d", 172_800), (" 1h ", 3600)]
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("30", "did you mean 30m"),
        ("0s", "longer"),
        ("1 week", "no duration"),
        ("", "no duration"),
        ("-5m", "no duration"),
    ],
)
def test_a_duration_that_is_none_is_refused_with_what_was_meant(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("14:00", "2026-03-28T13:00:00+00:00"),
        ("13:30", "2026-03-29T11:30:00+00:00"),  # now is past: tomorrow, when summer time holds
        ("9:05", "2026-03-29T07:05:00+00:00"),
        ("2026-03-29 14:00", "2026-03-29T12:00:00+00:00"),
        ("2026-03-29T14:00Z", "2026-03-29T14:00:00+00:00"),
        ("2026-03-29T14:00+05:00", "2026-03-29T09:00:00+00:00"),
    ],
)
def test_moments_are_read_in_the_zone_of_the_person(text: str, utc: str) -> None:
    assert parse_moment(text, NOW).astimezone(UTC).isoformat() == utc


@pytest.mark.parametrize(
    ("text", "words"),
    [("2026-03-01", "in the past"), ("tomorrow", "neither a time"), ("25:00", "hour must be"), ("14", "neither")],
)
def test_a_moment_that_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_moment(text, NOW)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (0.4, "0s"),
        (45, "45s"),
        (200, "3m20s"),
        (601, "10m"),
        (7800, "2h10m"),
        (7200, "2h"),
        (90_000, "1d1h"),
        (5e6, "57d"),
        (-3, "0s"),
    ],
)
def test_durations_are_spelled_with_two_units_at_most(seconds: float, words: str) -> None:
    assert spell(seconds) == words


def test_an_age_is_the_difference_of_two_moments_of_one_answer() -> None:
    assert age("2026-01-01T11:58:00Z", "2026-01-01T12:00:00Z") == "2m"
    assert age(None, "2026-01-01T12:00:00Z") == "-"
    assert age("nonsense", "2026-01-01T12:00:00Z") == "-"


def test_moments_are_shown_in_the_zone_with_its_name() -> None:
    assert shown("2026-07-01T12:00:00Z", BERLIN) == "2026-07-01 14:00:00 CEST"
    assert clock("2026-01-01T12:00:00Z", UTC) == "12:00:00"
    assert shown("", UTC) == clock("x", UTC) == "-"
    assert moment_of("2026-01-01T12:00:00") == datetime(2026, 1, 1, 12, tzinfo=UTC)
