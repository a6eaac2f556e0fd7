"""The last seconds of a stream, in a bounded number of cells of event time.

Role: sums over the last 15 or 60 seconds for holds, comparisons and sentences. Guarantees: at most `CELLS` cells a span,
however often the source is polled; a late bin finds its place by event time. Not guaranteed: edges finer than one cell.
"""

from __future__ import annotations

import math

from watchdog.judgement.evidence.baseline import Pair

CELLS = 12

Recent = tuple[tuple[float, int, int], ...]
"""(event time of the newest bin in the cell, events, bad), oldest first."""


def noted(recent: Recent, at: float, counts: Pair, span_s: float) -> Recent:
    """With these counts, without what is older than `span_s`."""
    width, (events, bad) = span_s / CELLS, counts
    kept = [cell for cell in recent if cell[0] > at - span_s]
    for index in range(len(kept) - 1, -1, -1):
        cell = kept[index]
        if cell[0] // width == at // width:
            kept[index] = (max(cell[0], at), cell[1] + events, cell[2] + bad)
            return tuple(kept)
        if cell[0] < at:
            return (*kept[: index + 1], (at, events, bad), *kept[index + 1 :])
    return ((at, events, bad), *kept)


def sums(recent: Recent, now: float, span_s: float) -> Pair:
    """(events, bad) of the last `span_s` seconds."""
    events = bad = 0
    for at, more, failed in recent:
        if at > now - span_s:
            events, bad = events + more, bad + failed
    return events, bad


def looks_fine(counts: Pair, tolerated: float) -> bool:
    """At most two standard errors, and one event, above what is tolerated."""
    events, bad = counts
    expected = tolerated * events
    return bad <= expected + 2 * math.sqrt(expected) + 1
