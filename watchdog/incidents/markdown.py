"""The report for people: what a tired engineer reads at three in the morning, most important first.

Role: pure; renders what `report.report_json` gave. Guarantees: text from outside cannot become markup or a
table row of its own; parts that only people know stand there empty. Nothing is added that is not in the JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from watchdog.incidents.report import report_json, title_of
from watchdog.model import Incident, Instant, JsonObject, Sample
from watchdog.redaction import Redactor

REQUEST_LIMIT = 6000
"""Characters of one request that are shown; the whole stands in report.json."""
DIFFERENCES_SHOWN = 40

_SPECIAL = re.compile(r"([\\`*\[\]|#~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def report_markdown(
    incident: Incident, samples: Sequence[Sample] = (), *, redactor: Redactor, written_at: Instant
) -> str:
    """The report as Markdown, ending with a newline."""
    return render(report_json(incident, redactor=redactor, written_at=written_at, samples=samples))


def render(report: JsonObject) -> str:
    """Markdown of a report document."""
    parts = (
        _top(report),
        _impact(report["impact"]),
        _durations(report["durations"]),
        _timeline(report["timeline"]),
        _decision(report["decision"]),
        _action(report["action"]),
        _verification(report["verification"]),
        _change(report["change"]),
        _evidence(report["evidence"]),
        _notices(report["notices"]),
        _people(report),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def plain(text: Any) -> str:
    """Text from outside as one line without markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split())).replace("<", "&lt;")


def _top(report: JsonObject) -> Iterable[str]:
    state = report["state"]
    yield f"# {plain(report['headline'])}"
    yield ""
    yield f"- Incident: {plain(report['id'])} (severity {report['severity']}, {state['reason'] or state['stage']})"
    group = f" of group {plain(report['group'])}" if report["group"] else ""
    yield f"- Target: {plain(report['target'])}{group}, mode {state['mode']}{', ordered by a person' if state['manual'] else ''}"
    if state["simulated"]:
        yield "- Simulated: nothing was written"
    yield f"- Breach: {plain(state['breach']) or 'none'}"
    change = report["change"]
    good = plain(change["to"]["label"]) if change["to"] else "no known good release"
    yield f"- Release: {plain(change['from']['label'])} → {good}"
    yield f"- Opened {state['opened_at']}, closed {state['closed_at'] or 'not yet'}; written {report['written_at']} by {plain('watchdog ' + report['watchdog'])}"
    yield ""
    yield "**Next steps**"
    yield ""
    yield from (f"{number}. {plain(step)}" for number, step in enumerate(report["next_steps"], start=1))


def _impact(rows: Sequence[JsonObject]) -> Iterable[str]:
    yield "## What users and probes felt"
    yield ""
    if not rows:
        yield "Not known: no samples of that time were kept."
    yield from (f"- {plain(row['sentence'])}" for row in rows)


def _durations(rows: Sequence[JsonObject]) -> Iterable[str]:
    yield "## How long it took"
    yield ""
    if not rows:
        yield "Nothing to measure: no two anchors were reached."
    yield from (f"- {row['seconds']:.1f} s {plain(row['words'])}" for row in rows)


def _timeline(rows: Sequence[JsonObject]) -> Iterable[str]:
    yield "## Timeline (UTC; seconds since the first bad sample)"
    yield ""
    yield "| when | s | what | who |"
    yield "|---|---:|---|---|"
    for row in rows:
        name = row["anchor"].replace("_", " ")
        words = f"**{name}** {plain(row['sentence'])}" if name else plain(row["sentence"])
        yield f"| {row['at']} | {row['offset_s']:+.1f} | {words} | {plain(row['source'])} |"


def _decision(decision: JsonObject | None) -> Iterable[str]:
    yield "## Decision"
    yield ""
    if decision is None:
        yield "The gate was never asked."
        return
    yield f"Outcome {plain(decision['outcome'])} at {decision['at']}: {plain(decision['sentence'])}"
    if decision["would"] != decision["outcome"]:
        yield ""
        yield f"Without mode and pause it would have been: {plain(decision['would'])}."
    yield ""
    yield "| check | answer | why |"
    yield "|---|---|---|"
    for check in decision["checks"]:
        over = f" (overridden by {plain(check['overridden_by'])})" if check["overridden_by"] else ""
        yield f"| {plain(check['name'])} | {plain(check['effect'])}{over} | {plain(check['sentence'])} |"


def _action(action: JsonObject) -> Iterable[str]:
    yield "## Action"
    yield ""
    plan = action["plan"]
    if plan is None:
        yield "No plan was made."
    else:
        yield f"Plan: {plain(plan['words']) or 'no words'} (steps: {len(plan['steps'])})"
        yield from (f"- Warning: {plain(warning)}" for warning in plan["warnings"])
    for approval in action["approvals"]:
        yield f"- Approved by {plain(approval['who'])} at {approval['at']}: {plain(', '.join(approval['checks']))}"
    for override in action["overrides"]:
        yield f"- Overridden by {plain(override['who'])}: {plain(', '.join(override['checks']))}, because {plain(override['why'])}"
    steps = action["intents"] or [
        {**step, "step": step["name"], "outcome": "not written", "sentence": ""}
        for step in (plan or {"steps": ()})["steps"]
    ]
    for number, step in enumerate(steps, start=1):
        yield ""
        yield f"### {number}. {plain(step['words'])}: {plain(step['outcome'])}"
        yield ""
        yield f"Only if {plain(step['precondition']) or 'nothing'}. {plain(step['sentence'])}".strip()
        yield ""
        yield from _block(step["request"])


def _block(request: Any) -> Iterable[str]:
    argv = request.get("argv") if isinstance(request, dict) else None
    text = " ".join(map(str, argv)) if isinstance(argv, list) else json.dumps(request, indent=1, ensure_ascii=False)
    if len(text) > REQUEST_LIMIT:
        text = f"{text[:REQUEST_LIMIT]}\n… cut, see report.json"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield fence
    yield text
    yield fence


def _verification(verification: JsonObject | None) -> Iterable[str]:
    yield "## Verification"
    yield ""
    if verification is None:
        yield "Not reached."
        return
    yield f"Result {plain(verification['result'])}: {plain(verification['sentence'])}"
    yield ""
    yield f"From {verification['from']} until {verification['until'] or 'now'}, by the same signals in a fresh window."


def _change(change: JsonObject) -> Iterable[str]:
    yield "## What the suspected release changed"
    yield ""
    found = change["differences"]
    if found is None:
        yield "Not known: the platform keeps no template of both releases."
        return
    rows = found["differences"]
    if not rows:
        yield "Nothing in the template."
    for row in rows[:DIFFERENCES_SHOWN]:
        before = "" if row["change"] == "added" else f" {plain(_short(row['good']))}"
        after = "" if row["change"] == "removed" else f" → {plain(_short(row['bad']))}"
        yield f"- {plain(row['change'])} {plain(row['path'])}:{before}{after}"
    if len(rows) > DIFFERENCES_SHOWN:
        yield f"- … and {len(rows) - DIFFERENCES_SHOWN} more, see report.json"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"  # noqa: PLR2004 - one line


def _evidence(evidence: JsonObject) -> Iterable[str]:
    yield "## Evidence"
    yield ""
    if evidence["files"]:
        yield "| file | bytes | taken | SHA-256 | note |"
        yield "|---|---:|---|---|---|"
    for file in evidence["files"]:
        note = plain(file["note"])
        yield f"| {plain(file['path'])} | {file['size']} | {file['taken_at']} | {file['sha256']} | {note} |"
    if evidence["missing"]:
        yield ""
        yield "Could not be had:"
        yield ""
        yield from (f"- {plain(line)}" for line in evidence["missing"])


def _notices(notices: Sequence[JsonObject]) -> Iterable[str]:
    yield "## Who was told"
    yield ""
    if not notices:
        yield "Nobody."
    for notice in notices:
        if notice["sent_at"]:
            fate = f"sent {notice['sent_at']}"
        elif notice["dead"]:
            fate = f"NOT sent: {plain(notice['last_error'])}"
        else:
            fate = "owed"
        yield f"- {plain(notice['severity'])}: {plain(notice['headline'])} ({fate})"


def _people(report: JsonObject) -> Iterable[str]:
    yield "## For people to fill in"
    for name, text in report["for_people"].items():
        yield ""
        yield f"### {title_of(name)}"
        yield ""
        yield from (f"> {plain(line)}" for line in str(text).splitlines()) if text else ("_(empty)_",)
