"""The short memory of counts: sums by event time, bounded, whatever the order and the poll period."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watchdog.judgement.evidence.recent import CELLS, WIDTH, looks_fine, noted, sums

SPAN = 60.0


def after(bins: list[tuple[float, int, int]]) -> tuple[float, ...]:
    recent: tuple[float, ...] = ()
    for at, events, bad in bins:
        recent = noted(recent, at, (events, bad), SPAN)
    return recent


def test_sums_of_polls_of_five_seconds_are_exact():
    recent = after([(5.0 * n, 10, n % 2) for n in range(1, 30)])
    assert sums(recent, 145.0, 15.0) == (30, 2)
    assert sums(recent, 145.0, SPAN) == (120, 6)


def test_a_late_bin_finds_its_place():
    in_order = after([(5.0, 1, 0), (10.0, 2, 1), (15.0, 4, 0)])
    assert after([(5.0, 1, 0), (15.0, 4, 0), (10.0, 2, 1)]) == in_order
    assert sums(in_order, 15.0, 10.0) == (6, 1)


@given(st.lists(st.tuples(st.floats(0.25, 3.0), st.integers(0, 9)), max_size=200))
def test_it_stays_bounded_and_loses_nothing_of_the_last_seconds(steps):
    at, bins = 0.0, []
    for step, events in steps:
        at += step
        bins.append((at, events, 0))
    recent = after(bins)
    assert len(recent) <= WIDTH * (CELLS + 1)
    within = sum(events for when, events, _ in bins if when > at - SPAN)
    cell = SPAN / CELLS
    known = sums(recent, at, SPAN)[0] if bins else 0
    assert sum(events for when, events, _ in bins if when > at - SPAN + cell) <= known
    assert known <= within + sum(events for when, events, _ in bins if at - SPAN - cell < when <= at - SPAN)


def test_fine_is_at_most_two_standard_errors_and_one_event_above_what_is_tolerated():
    assert looks_fine((0, 0), 0.005)
    assert looks_fine((1, 1), 0.005)
    assert looks_fine((400, 5), 0.005)
    assert not looks_fine((400, 6), 0.005)
