"""Raw counters to counts: every event once, none invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.signals.prometheus.answer import NoAnswer, Series
from watchdog.signals.prometheus.counters import Grid, Scrapes, bins_of, increases


def series(*points, **labels):
    return Series(labels=labels or {"pod": "a"}, points=tuple(points))


def pod(labels):
    return labels.get("pod", "")


def grown(*found, young=False):
    return increases(found, Scrapes.of(found, pod), pod, lambda _: young)


def test_a_counter_grows_by_the_difference_of_two_scrapes():
    assert grown(series((15, 3), (30, 10), (45, 10))) == {"a": {30: 7, 45: 0}}


def test_a_reset_counts_what_the_new_process_has_counted():
    assert grown(series((15, 100), (30, 4))) == {"a": {30: 4}}


def test_the_first_burst_of_a_new_series_is_not_lost_where_rate_would_lose_it():
    old, born = series((15, 3), (30, 5), pod="a", code="200"), series((30, 5), pod="a", code="500")
    assert grown(old, born)["a"] == {30: 2 + 5}


def test_an_old_process_seen_for_the_first_time_says_nothing_of_its_past():
    assert grown(series((30, 5000))) == {"a": {}}


def test_a_young_pod_counts_from_its_birth():
    assert grown(series((30, 5)), young=True) == {"a": {30: 5}}


def test_a_counter_that_is_no_number_is_no_answer():
    with pytest.raises(NoAnswer, match="nan"):
        grown(series((15, 1), (30, float("nan"))))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=30),
    st.lists(st.integers(1, 4), min_size=30, max_size=30),
)
def test_whatever_is_lost_to_resets_and_missed_scrapes_every_event_seen_by_a_scrape_counts_once(steps, gaps):
    at, value, counted = 0.0, 0, 0
    points = [(at, float(value))]
    for (events, restarts), gap in zip(steps, gaps, strict=False):
        at += 15.0 * gap  # missed scrapes
        if restarts and events < value:  # a restarted process that has counted more already looks like one that went on
            value = events
            counted += events
        else:
            value += events
            counted += events
        points.append((at, float(value)))
    mine = grown(series(*points))["a"]
    assert sum(mine.values()) == counted
    grid = Grid(width=15.0)
    bins = bins_of(grid, {"a": mine}, {}, (-1, grid.index(at)))
    assert sum(one.events for one in bins) == counted
    assert all(one.start < moment <= one.end for one, moment in zip(bins, sorted(mine), strict=True))


def test_bins_of_several_processes_share_one_grid_whatever_the_phase_of_their_scrapes():
    found = (series((3, 0), (18, 5), pod="a"), series((11, 0), (26, 7), pod="b"))
    bins = bins_of(Grid(width=15.0), grown(*found), {}, (0, 5))
    assert [(one.origin, one.start, one.end, one.events) for one in bins] == [("a", 15, 30, 5), ("b", 15, 30, 7)]


def test_a_bin_is_complete_when_every_live_process_was_scraped_in_it():
    grid = Grid(width=15.0)
    both = Scrapes.of((series((3, 0), (18, 5), pod="a"), series((11, 0), pod="b")), pod)
    assert grid.complete_up_to(both, 20.0) == grid.index(11)
    later = Scrapes.of((series((3, 0), (18, 5), pod="a"), series((11, 0), (26, 7), pod="b")), pod)
    assert grid.complete_up_to(later, 27.0) == grid.index(26)


def test_a_process_that_is_gone_is_not_waited_for():
    grid = Grid(width=15.0)
    gone = Scrapes.of((series((3, 0), (18, 5), (33, 5), (48, 5), pod="a"), series((11, 0), pod="b")), pod)
    assert grid.complete_up_to(gone, 50.0) == grid.index(48)


def test_bad_events_without_any_at_all_are_a_mistake_in_the_queries():
    with pytest.raises(NoAnswer, match="do not match"):
        bins_of(Grid(width=15.0), {"a": {30: 2.0}}, {"a": {30: 9.0}}, (0, 5))


def test_the_interval_is_learned_and_does_not_jitter():
    jittery = Scrapes.of((series((0.0, 0), (15.003, 0), (29.998, 0), (45.0, 0)),), pod)
    assert jittery.interval() == 15.0
    assert Scrapes.of((series((0.0, 0)),), pod).interval() is None
