"""The report as one HTML file that needs nothing else: for a phone at three in the morning, and for paper.

Role: pure; renders what `report.report_json` gave. Neighbours: `graphs` draws. Guarantees: no script, no request to anywhere,
a policy in the file itself that forbids both; text from outside is always escaped; nothing is in it that is not in
report.json. Order: what happened, what to do, what users felt, the course, why, what was done.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from watchdog.incidents.graphs import svg
from watchdog.model import JsonObject

REQUEST_LIMIT = 6000
MARKS = {"pass": "✓", "block": "✗", "ask": "?", "unknown": "·"}
WORDS = {
    "recovered": "Recovered",
    "not_recovered": "Not recovered",
    "unknown": "Outcome unknown",
    "recovered_unaided": "Recovered unaided",
    "would_have": "Would have rolled back",
    "cancelled": "Cancelled",
    "refused": "Refused",
    "expired": "Nobody answered",
    "superseded": "Superseded",
    "precondition_failed": "Not written",
}
TONE = {"recovered": "good", "recovered_unaided": "good", "not_recovered": "bad", "unknown": "bad"}


def render_html(report: JsonObject) -> str:
    """The whole page."""
    state = report["state"]
    reason = state["reason"] or ""
    graphs = [(graph, svg(graph, report["marks"])) for graph in report["graphs"]]
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            state=state,
            word=WORDS.get(reason, str(state["stage"]).replace("_", " ").capitalize()),
            tone="bad" if state["needs_human"] else TONE.get(reason, "calm"),
            graphs=graphs,
            longest=max((row["seconds"] for row in report["durations"]), default=1.0) or 1.0,
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("watchdog.incidents"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"moment": moment, "clock": clock, "mark": mark, "spell": spell, "block": block, "short": short}
    return made


def moment(text: str | None) -> str:
    """``2026-03-01 14:05:00 UTC``; a dash for none."""
    return "-" if not text else f"{text[:19].replace('T', ' ')} UTC"


def clock(text: str) -> str:
    """``14:05:00.123``."""
    return text[11:23]


def mark(effect: str) -> str:
    """The sign of a check's answer."""
    return MARKS.get(effect, "·")


def spell(seconds: float) -> str:
    """``41.2 s`` or ``12 min 5 s``."""
    if seconds < 120:  # noqa: PLR2004 - two minutes are still told in seconds
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def block(request: Any) -> str:
    """A request as people read it: a command line, else JSON; cut."""
    argv = request.get("argv") if isinstance(request, dict) else None
    text = " ".join(map(str, argv)) if isinstance(argv, list) else json.dumps(request, indent=1, ensure_ascii=False)
    return text if len(text) <= REQUEST_LIMIT else f"{text[:REQUEST_LIMIT]}\n… cut, see report.json"


def short(value: Any) -> str:
    """One line of a value."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"  # noqa: PLR2004 - one line
