"""What was replayed, as one SVG: each rollout with its signals, and where each configuration would have blamed it.

Role: draws what `cli.replaying` has judged with the graphs of the report. Guarantees: no script, no outside request; all text is
escaped; dark and light by the reader's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from watchdog.incidents.graphs import HEIGHT, WIDTH, svg
from watchdog.incidents.series import as_documents, graph_over
from watchdog.judgement.replaying import Recording, Replayed
from watchdog.model import Instant, JsonObject, Sample, instant, iso

BEFORE_S = 600.0
HEAD = 30
STYLE = """
svg { --paper:#fff; --ink:#1c2226; --soft:#55616a; --line:#d9dee1; --good:#1e6b3a; --bad:#b3261e; --all:#0b5a8a; --hatch:#8a949b; }
@media (prefers-color-scheme: dark) {
  svg { --paper:#14181b; --ink:#e8ecee; --soft:#a4b0b8; --line:#333c42; --good:#6fcf97; --bad:#ff8a80; --all:#7cc4f0; --hatch:#6b7780; } }
.paper { fill:var(--paper); } .title { fill:var(--ink); font:600 14px system-ui,sans-serif; }
.axis { stroke:var(--soft); } .grid { stroke:var(--line); } .tick { fill:var(--soft); font:11px system-ui,sans-serif; }
.marked { fill:var(--ink); font:11px system-ui,sans-serif; } .mark { stroke:var(--ink); stroke-dasharray:2 3; }
.line { fill:none; stroke-width:2.5; stroke:var(--all); } .line.bad { stroke:var(--bad); }
.line.good { stroke:var(--good); stroke-dasharray:6 3; } .unknown { fill:var(--hatch); opacity:0.3; }
"""


def picture(samples: Sequence[Sample], judged: Sequence[tuple[str, Sequence[Replayed]]]) -> str:
    """The SVG of all rollouts; `judged` = file and findings of each configuration, in the same order of rollouts."""
    recording = Recording(samples)
    parts: list[str] = []
    y = 0
    for same in zip(*(found for _, found in judged), strict=True):
        marks = _marks(same, [Path(file).name for file, _ in judged])
        for title, graph in _graphs(recording, same):
            parts.append(f'<text class="title" x="8" y="{y + 20}">{escape(title)}</text>')
            parts.append(f'<svg x="0" y="{y + HEAD}" width="{WIDTH}" height="{HEIGHT}">{svg(graph, marks)}</svg>')
            y += HEAD + HEIGHT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}">',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{y}"/>',
            *parts,
            "</svg>",
        ]
    )


def _graphs(recording: Recording, same: Sequence[Replayed]) -> list[tuple[str, JsonObject]]:
    first = same[0]
    span = instant(first.began - BEFORE_S), _until(same)
    own = recording.between(*span)
    names = sorted({sample.signal for sample in own})
    blamed = "all" if all(one.fired_at is None for one in same) else "bad"

    def whose(sample: Sample) -> tuple[str, str]:
        if sample.release is None:
            return "all", "the service"
        return (blamed, first.release) if sample.release == first.release else ("good", "other release")

    graphs = as_documents(
        graph_over(name, [sample for sample in own if sample.signal == name], span, whose) for name in names
    )
    return [(f"{first.release or 'the release'}: {graph['signal']}, share of bad events", graph) for graph in graphs]


def _until(same: Sequence[Replayed]) -> Instant:
    """Some minutes after the last configuration has blamed it, else as long as it was watched."""
    fired = [one.fired_at for one in same if one.fired_at is not None]
    whole = max(one.ended for one in same)
    return instant(min(whole, max(fired) + BEFORE_S)) if len(fired) == len(same) else whole


def _marks(same: Sequence[Replayed], names: Sequence[str]) -> list[JsonObject]:
    marks: list[JsonObject] = [{"name": f"{same[0].release or 'release'} began", "at": iso(same[0].began)}]
    for one, name in zip(same, names, strict=True):
        if one.fired_at is not None:
            marks.append({"name": f"{name} blames it", "at": iso(one.fired_at)})
    return marks
