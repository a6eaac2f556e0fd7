"""What the graphs of a report show, as numbers: the share of bad events (or a value) over time, apart by release.

Role: pure; read by `report`, drawn by `graphs`. Guarantees: a bin without events is a gap, never a zero; what was unknown is
told as spans; the sums over all points are those of the samples that lie within the graph.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

from watchdog.incidents.timeline import anchors
from watchdog.model import Counts, Incident, Instant, JsonObject, Release, Sample, Unknown, Value, instant, iso, record

BEFORE_S, AFTER_S = 120.0, 30.0
"""What is shown around the incident."""
BINS = 120
LEAST_BIN_S = 2.0
MARKS = {
    "release_started": "rollout",
    "first_bad": "first bad",
    "breach": "breach",
    "issued": "rolled back",
    "verified": "verified",
}


@record
class Point:
    """One bin. `value` None = nothing is known of it."""

    at: Instant
    value: float | None
    events: int = 0
    bad: int = 0


@record
class Line:
    """One release's line. `role` is ``bad`` (the blamed release), ``good`` or ``all``."""

    name: str
    role: str
    points: tuple[Point, ...]


@record
class Graph:
    """One signal. `unit` is ``share`` for counts, else the unit of its values."""

    signal: str
    unit: str
    start: Instant
    end: Instant
    bin_s: float
    lines: tuple[Line, ...]
    unknown: tuple[tuple[Instant, Instant], ...] = ()


def graphs_of(incident: Incident, samples: Sequence[Sample]) -> tuple[Graph, ...]:
    """One graph a signal, those with bad events first. Empty without samples of that time."""
    span = _span(incident, samples)
    if span is None:
        return ()
    start, end = span
    by_signal: dict[str, list[Sample]] = {}
    for sample in samples:
        if start < sample.end <= end:
            by_signal.setdefault(sample.signal, []).append(sample)
    made = [_graph(name, kept, incident, span) for name, kept in by_signal.items()]
    return tuple(sorted(made, key=lambda one: (-_bad(one), one.signal)))


def as_documents(graphs: Iterable[Graph]) -> list[JsonObject]:
    """For report.json. A point is [moment, value or null, events, bad]."""
    return [
        {
            "signal": graph.signal,
            "unit": graph.unit,
            "start": iso(graph.start),
            "end": iso(graph.end),
            "bin_s": graph.bin_s,
            "lines": [
                {
                    "name": line.name,
                    "role": line.role,
                    "points": [[iso(p.at), p.value, p.events, p.bad] for p in line.points],
                }
                for line in graph.lines
            ],
            "unknown": [[iso(begin), iso(until)] for begin, until in graph.unknown],
        }
        for graph in graphs
    ]


def marks_of(incident: Incident) -> list[JsonObject]:
    """Moments to mark in every graph."""
    found = anchors(incident)
    return [{"name": words, "at": iso(found[name])} for name, words in MARKS.items() if name in found]


def _span(incident: Incident, samples: Sequence[Sample]) -> tuple[Instant, Instant] | None:
    if not samples:
        return None
    began = incident.first_bad if incident.first_bad is not None else incident.opened_at
    started = incident.blamed.started
    if started is not None and began - 3600 < started < began:
        began = started
    oldest, newest = min(one.end for one in samples), max(one.end for one in samples)
    closed = incident.closed_at if incident.closed_at is not None else newest
    start, end = max(oldest, instant(began - BEFORE_S)), min(newest, instant(closed + AFTER_S))
    return (instant(start - 0.001), end) if end > start else None


def _graph(name: str, samples: Sequence[Sample], incident: Incident, span: tuple[Instant, Instant]) -> Graph:
    return graph_over(name, samples, span, lambda sample: _whose(sample, incident))


def graph_over(
    name: str, samples: Sequence[Sample], span: tuple[Instant, Instant], whose: Callable[[Sample], tuple[str, str]]
) -> Graph:
    """One signal over (start, end]; `whose` says the role and name of the line that a sample belongs to."""
    start, end = span
    usual = _usual_gap(samples)
    bin_s = max(LEAST_BIN_S, usual, math.ceil((end - start) / BINS))
    known = [one for one in samples if isinstance(one.reading, Counts | Value)]
    unit = next((one.reading.unit or "value" for one in known if isinstance(one.reading, Value)), "share")
    by_line: dict[tuple[str, str], list[Sample]] = {}
    for one in known:
        by_line.setdefault(whose(one), []).append(one)
    lines = tuple(
        Line(name=words, role=role, points=_points(mine, start, end, bin_s))
        for (role, words), mine in sorted(by_line.items(), key=lambda item: item[0])
    )
    unknown = _spans([one for one in samples if isinstance(one.reading, Unknown)], bin_s, start)
    return Graph(signal=name, unit=unit, start=start, end=end, bin_s=bin_s, lines=lines, unknown=unknown)


def _usual_gap(samples: Sequence[Sample]) -> float:
    """Seconds a sample of this signal usually covers, or the pace of its polls: narrower bins would only show gaps."""
    ends = sorted({round(one.end, 3) for one in samples})
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(ends) if later - earlier > 1.0)
    return gaps[len(gaps) // 2] if gaps else 0.0


def _whose(sample: Sample, incident: Incident) -> tuple[str, str]:
    if sample.release is None:
        return "all", "the service"
    if sample.release == incident.blamed.fingerprint:
        return "bad", _short(incident.blamed)
    good: Release | None = incident.good
    if good is not None and sample.release == good.fingerprint:
        return "good", _short(good)
    return "good", "other release"


def _short(release: Release) -> str:
    tags = [str(image).rpartition("/")[2] for image in release.images.values()]
    return ", ".join(tags) or (f"revision {release.revision}" if release.revision else release.fingerprint[:12])


def _points(samples: Sequence[Sample], start: Instant, end: Instant, bin_s: float) -> tuple[Point, ...]:
    bins: dict[int, list[Sample]] = {}
    for one in samples:
        bins.setdefault(math.ceil((one.end - start) / bin_s) - 1, []).append(one)
    last = max(math.ceil((end - start) / bin_s) - 1, 0)
    return tuple(_point(bins.get(n, ()), instant(start + (n + 1) * bin_s)) for n in range(last + 1))


def _point(samples: Sequence[Sample], at: Instant) -> Point:
    events = sum(one.reading.events for one in samples if isinstance(one.reading, Counts))
    bad = sum(one.reading.bad for one in samples if isinstance(one.reading, Counts))
    values = [one.reading.value for one in samples if isinstance(one.reading, Value)]
    value = max(values) if values else bad / events if events else None
    return Point(at=at, value=value, events=events or len(values), bad=bad)


def _spans(samples: Sequence[Sample], bin_s: float, start: Instant) -> tuple[tuple[Instant, Instant], ...]:
    found: list[tuple[float, float]] = []
    for one in sorted(samples, key=lambda sample: sample.end):
        begin = max(start, min(one.start, one.end - 1.0))
        if found and begin - found[-1][1] <= 2 * bin_s:
            found[-1] = (found[-1][0], max(found[-1][1], one.end))
        else:
            found.append((begin, one.end))
    return tuple((instant(begin), instant(until)) for begin, until in found)


def _bad(graph: Graph) -> int:
    return sum(point.bad for line in graph.lines for point in line.points)
