"""The last seconds of a stream, in a bounded number of cells of event time.

Role: sums over the last 15 or 60 seconds for holds, comparisons and sentences. Guarantees: at most `CELLS` cells and one
a span, however often the source is polled; a late bin finds its place by event time. Not guaranteed: edges finer than one
cell.
"""

from __future__ import annotations

import math

from watchdog.judgement.evidence.baseline import Pair

CELLS = 12
WIDTH = 3

Recent = tuple[float, ...]
"""Cells one after another, oldest first, each of three numbers: event time of its newest bin, events, bad. Flat, for it is
most of what is remembered of a signal."""


def noted(recent: Recent, at: float, counts: Pair, span_s: float) -> Recent:
    """With these counts, without what is older than `span_s`."""
    first, width = 0, span_s / CELLS
    while first < len(recent) and recent[first] <= at - span_s:
        first += WIDTH
    place = len(recent)
    while place > first and recent[place - WIDTH] > at and recent[place - WIDTH] // width != at // width:
        place -= WIDTH
    before = place - WIDTH
    if before >= first and recent[before] // width == at // width:
        cell = (max(recent[before], at), recent[before + 1] + counts[0], recent[before + 2] + counts[1])
        return (*recent[first:before], *cell, *recent[place:])
    return (*recent[first:place], at, *counts, *recent[place:])


def sums(recent: Recent, now: float, span_s: float) -> Pair:
    """(events, bad) of the last `span_s` seconds."""
    events = bad = 0.0
    for index in range(len(recent) - WIDTH, -1, -WIDTH):
        if recent[index] <= now - span_s:
            break
        events, bad = events + recent[index + 1], bad + recent[index + 2]
    return int(events), int(bad)


def looks_fine(counts: Pair, tolerated: float) -> bool:
    """At most two standard errors, and one event, above what is tolerated."""
    events, bad = counts
    expected = tolerated * events
    return bad <= expected + 2 * math.sqrt(expected) + 1
