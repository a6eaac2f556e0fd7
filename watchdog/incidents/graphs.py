"""Graphs of a report as inline SVG: no script, no outside request, readable in grey.

Role: pure; draws what `series` put into report.json. Guarantees: a gap in the data is a gap in the line; what was unknown is
hatched; marks of one moment do not hide each other's words; all text is escaped. Colours come from the page's style sheet,
so dark and light and print each have their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from watchdog.model import JsonObject

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 56, 24
PITCH = 16
"""Between two rows of words."""
TICKS = 6
NARROW = 110
"""Marks nearer than this write their words in another row."""
ROWS = 3
LEAST_TOP = 0.05
"""The axis of shares reaches to 5 % at least: a single failure of many must not look like an outage."""


def svg(graph: JsonObject, marks: Sequence[JsonObject]) -> str:
    """One graph of report.json as an SVG element."""
    frame = _Frame(graph)
    parts = [
        f'<svg class="graph" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_label(graph), {chr(34): "&quot;"})}">',
        f"<title>{escape(_label(graph))}</title>",
        *_unknown(frame, graph["unknown"]),
        *_axes(frame),
        *_marks(frame, marks),
        *(part for line in graph["lines"] for part in _line(frame, line)),
        "</svg>",
    ]
    return "\n".join(parts)


class _Frame:
    """Where a moment and a value lie."""

    def __init__(self, graph: JsonObject) -> None:
        self.start, self.end = _seconds(graph["start"]), _seconds(graph["end"])
        self.begin = str(graph["start"])
        self.share = graph["unit"] == "share"
        self.unit = "" if self.share else str(graph["unit"])
        values = [p[1] for line in graph["lines"] for p in line["points"] if p[1] is not None]
        self.top = max([LEAST_TOP if self.share else 0.0, *values]) or 1.0
        if self.share:
            self.top = next(step for step in (0.05, 0.1, 0.25, 0.5, 1.0) if self.top <= step + 1e-9)
        self.bin_s = float(graph["bin_s"])

    def x(self, at: float) -> float:
        share = (at - self.start) / max(1e-9, self.end - self.start)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - min(1.0, value / self.top) * (HEIGHT - TOP - BOTTOM), 1)

    def words(self, value: float) -> str:
        return f"{100 * value:g} %" if self.share else f"{value:g}{' ' + self.unit if self.unit != 'value' else ''}"


def _axes(frame: _Frame) -> list[str]:
    low, high, right = frame.y(0), frame.y(frame.top), WIDTH - RIGHT
    parts = [
        f'<line class="axis" x1="{LEFT}" y1="{low}" x2="{right}" y2="{low}"/>',
        f'<line class="grid" x1="{LEFT}" y1="{high}" x2="{right}" y2="{high}"/>',
        f'<text class="tick" x="{LEFT - 6}" y="{low}" text-anchor="end">{escape(frame.words(0))}</text>',
        f'<text class="tick" x="{LEFT - 6}" y="{high + 4}" text-anchor="end">{escape(frame.words(frame.top))}</text>',
    ]
    for number in range(TICKS):
        at = frame.start + (frame.end - frame.start) * number / (TICKS - 1)
        anchor = "start" if number == 0 else "end" if number == TICKS - 1 else "middle"
        kind = "tick inner" if anchor == "middle" else "tick"
        parts.append(
            f'<text class="{kind}" x="{frame.x(at)}" y="{HEIGHT - 6}" text-anchor="{anchor}">{_clock(at)}</text>'
        )
    return parts


def _marks(frame: _Frame, marks: Sequence[JsonObject]) -> list[str]:
    parts: list[str] = []
    taken = [float("-inf")] * ROWS
    for mark in sorted(marks, key=lambda one: str(one["at"])):
        at = _seconds(mark["at"])
        if not frame.start <= at <= frame.end:
            continue
        x = frame.x(at)
        row = next((n for n in range(ROWS) if x - taken[n] >= NARROW), ROWS - 1)
        taken[row] = x
        y = 12 + PITCH * row
        anchor = "end" if x > WIDTH - NARROW else "start"
        shift = -3 if anchor == "end" else 3
        parts.append(f'<line class="mark" x1="{x}" y1="{y - 6}" x2="{x}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text class="marked" x="{x + shift}" y="{y}" text-anchor="{anchor}">{escape(str(mark["name"]))}</text>'
        )
    return parts


def _line(frame: _Frame, line: JsonObject) -> list[str]:
    """Steps over whole bins; a single bin between gaps is a short bar and so still seen."""
    role = str(line["role"])
    parts: list[str] = []
    run: list[tuple[float, float]] = []
    for at, value, *_ in line["points"]:
        if value is None:
            parts += _steps(frame, run, role)
            run = []
        else:
            run.append((_seconds(at), float(value)))
    return [*parts, *_steps(frame, run, role)]


def _steps(frame: _Frame, run: Sequence[tuple[float, float]], role: str) -> list[str]:
    if not run:
        return []
    corners: list[str] = []
    for end, value in run:
        y = frame.y(value)
        corners += [f"{frame.x(end - frame.bin_s)},{y}", f"{frame.x(end)},{y}"]
    return [f'<polyline class="line {escape(role)}" points="{" ".join(corners)}"/>']


def _unknown(frame: _Frame, spans: Sequence[Any]) -> list[str]:
    parts = []
    for begin, until in spans:
        x, width = frame.x(_seconds(begin)), max(2.0, frame.x(_seconds(until)) - frame.x(_seconds(begin)))
        height = HEIGHT - TOP - BOTTOM
        parts.append(
            f'<rect class="unknown" x="{x}" y="{TOP}" width="{width:.1f}" height="{height}"><title>unknown</title></rect>'
        )
    return parts


def _label(graph: JsonObject) -> str:
    what = "share of bad events" if graph["unit"] == "share" else "value"
    names = ", ".join(str(line["name"]) for line in graph["lines"])
    return f"{graph['signal']}: {what} over time, by release ({names})"


def _seconds(text: Any) -> float:
    return datetime.fromisoformat(str(text)).timestamp()


def _clock(at: float) -> str:
    seconds = int(at) % 86_400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
