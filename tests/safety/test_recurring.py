"""Windows that come again: against a slow oracle that walks minute by minute, in six time zones, over ten years."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watchdog.model import Instant, Pause, instant
from watchdog.safety.recurring import Recurring, known, occurrences, refusal

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",  # changes at midnight
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Casablanca",  # four times a year
    "Asia/Kolkata",  # never, and half an hour off
)
FIRST, LAST = datetime(2021, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def window(cron: str, zone: str, lasts_s: float = 3600.0) -> Recurring:
    return Recurring(id="w", scope="all", who="c", why="y", cron=cron, zone=ZoneInfo(zone), lasts_s=lasts_s)


# -- the oracle: nothing of a library for cron, one minute after the other -------------------------------------------------


def field_holds(text: str, value: int, names: tuple[str, ...] = ()) -> bool:
    for part in text.split(","):
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        if low == "*":
            begin, end = 0, 10_000
        else:
            begin = names.index(low) if low in names else int(low)
            end = begin if not high else names.index(high) if high in names else int(high)
        first = 0 if low == "*" else begin
        if begin <= value <= end and (value - first) % int(step or 1) == 0:
            return True
    return False


def holds(cron: str, local: datetime) -> bool:
    minute, hour, day, month, weekday = cron.split()
    right_time = field_holds(minute, local.minute) and field_holds(hour, local.hour) and field_holds(month, local.month)
    on_day, on_weekday = field_holds(day, local.day), field_holds(weekday, local.isoweekday() % 7, DAYS)
    both = day.startswith("*") or weekday.startswith("*")  # crontab(5): either, where both are restricted
    return right_time and (on_day and on_weekday if both else on_day or on_weekday)


def begins(cron: str, zone: str, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Each minute at which cron(8) of Debian would start the job."""
    minute, hour, *_ = cron.split()
    fixed = not minute.startswith("*") and not hour.startswith("*")
    place, at = ZoneInfo(zone), begin - timedelta(hours=6)
    reached = at.astimezone(place).replace(tzinfo=None) - MINUTE  # the latest minute on the wall that there has been
    while at < end:
        local = at.astimezone(place).replace(tzinfo=None)
        if fixed:
            skipped = int((local - reached) / MINUTE)  # 1 usually, more when clocks went forward, less when back
            due = any(holds(cron, reached + MINUTE * (n + 1)) for n in range(skipped))
        else:
            due = holds(cron, local)
        if due and at >= begin:
            yield at
        reached, at = max(reached, local), at + MINUTE


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """The moments, to the hour, after which the clocks of a zone have changed."""
    place, found, at = ZoneInfo(zone), [], FIRST
    while at < LAST:
        if at.astimezone(place).utcoffset() != (at + timedelta(hours=1)).astimezone(place).utcoffset():
            found.append(at)
        at += timedelta(hours=1)
    return tuple(found)


def same_as_oracle(cron: str, zone: str, begin: datetime, end: datetime) -> None:
    oracle = [at.timestamp() for at in begins(cron, zone, begin, end)]
    found = []
    for pause in occurrences(window(cron, zone, 60.0), instant(begin.timestamp() - 1)):
        if pause.since >= end.timestamp():
            break
        found.append(pause.since)
    assert [at for at in found if at >= begin.timestamp()] == oracle, (cron, zone, begin)


# -- tests --------------------------------------------------------------------------------------------------------------


RULES = (
    "30 2 * * *",
    "0,30 2 * * SUN",
    "15 0 * * *",
    "*/20 1-3 * * *",
    "45 23 * * 0,6",
    "5 1-3 * * *",
    "10 * 1-7 * SUN",
)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", RULES)
def test_a_window_begins_as_cron_has_it_around_every_change_of_the_clocks_of_ten_years(cron: str, zone: str) -> None:
    assert bool(changes(zone)) == (zone != "Asia/Kolkata")
    for change in changes(zone) or (FIRST,):
        same_as_oracle(cron, zone, change - timedelta(hours=26), change + timedelta(hours=26))


def _some(low: int, high: int) -> st.SearchStrategy[str]:
    one = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda two: f"{min(two)}-{max(two)}")
    several = st.lists(one, min_size=2, max_size=3, unique=True).map(",".join)
    return st.one_of(st.just("*"), one, span, several, st.sampled_from(["*/2", "*/7"]))


crons = st.tuples(
    _some(0, 59), _some(0, 23), _some(1, 28), _some(1, 12), st.one_of(_some(0, 6), st.sampled_from(DAYS))
).map(" ".join)


@given(cron=crons, zone=st.sampled_from(ZONES), hours=st.integers(0, int((LAST - FIRST).total_seconds() // 3600)))
@example(cron="30 2 * * *", zone="Europe/Berlin", hours=2010)
def test_a_window_of_any_rule_begins_as_cron_has_it_on_any_day(cron: str, zone: str, hours: int) -> None:
    if any(set(part.split("/")[1:]) and part.startswith("*/") for part in cron.split()[2:4]):
        return  # steps of days and months count from 1; the oracle counts from 0
    begin = FIRST + timedelta(hours=hours)
    same_as_oracle(cron, zone, begin, begin + timedelta(hours=30))


@given(
    cron=st.sampled_from(RULES),
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, int((LAST - FIRST).total_seconds() // 60)),
    lasts=st.integers(1, 600),
)
def test_whether_a_window_runs_at_a_moment_is_what_the_oracle_says(
    cron: str, zone: str, minutes: int, lasts: int
) -> None:
    now = FIRST + MINUTE * minutes
    one = window(cron, zone, lasts * 60.0)
    found = known([one], instant(now.timestamp()))
    begun = list(begins(cron, zone, now - MINUTE * (lasts - 1), now + MINUTE))
    assert any(pause.since <= now.timestamp() < pause.until for pause in found) == bool(begun)


def test_an_occurrence_is_the_same_whenever_it_is_asked_for() -> None:
    one = window("30 2 * * *", "Europe/Berlin", 7200.0)
    night = instant(datetime(2026, 10, 25, 1, 0, tzinfo=UTC).timestamp())  # in the hour that comes twice
    asked = {next(occurrences(one, Instant(night - back))) for back in range(1, 1800, 60)}
    assert {pause.id for pause in asked} == {"w-202610250030"}
    assert len(asked) == 1


def test_a_window_lasts_its_length_in_real_time_over_a_change_of_the_clocks() -> None:
    one = window("0 1 * * SUN", "Europe/Berlin", 4 * 3600.0)
    found = islice(occurrences(one, instant(datetime(2026, 1, 1, tzinfo=UTC).timestamp())), 52)
    assert {pause.until - pause.since for pause in found} == {4 * 3600.0}


def test_windows_that_come_once_stay_as_they_are() -> None:
    once = Pause(id="o", scope="all", who="c", why="y", since=Instant(10.0), until=Instant(20.0))
    found = known([once, window("0 2 * * *", "UTC")], Instant(0.0))
    assert (found[0], found[1].id) == (once, "w-197001010200")


@pytest.mark.parametrize(
    ("cron", "lasts_s", "why"),
    [
        ("0 2 * * *", 3600.0, ""),
        ("0 2 29 2 *", 3600.0, ""),
        ("0 2 * * *", 23.5 * 3600, "it would not end: on 2026-03-30 the next one begins 23 h after"),
        ("*/5 * * * *", 300.0, "it would not end"),
        ("0 2 * *", 60.0, "five fields"),
        ("0 0 2 * * *", 60.0, "five fields"),
        ("61 2 * * *", 60.0, "is no cron rule"),
        ("@daily", 60.0, "five fields"),
    ],
)
def test_a_rule_that_is_none_or_would_never_end_is_refused_with_the_reason(cron: str, lasts_s: float, why: str) -> None:
    words = refusal(window(cron, "Europe/Berlin", lasts_s), instant(datetime(2026, 1, 1, tzinfo=UTC).timestamp()))
    assert words.startswith(why) or why in words
    assert bool(words) == bool(why)
