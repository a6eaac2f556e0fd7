"""How the gate's decision and a plan look in a terminal.

Role: shared by `questions`, `orders` and `records`. Guarantees: every check is shown, in the gate's order, with its
sentence; the exact request of each step is shown as it would be sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from watchdog.cli.output import indented
from watchdog.cli.terminal import Terminal
from watchdog.cli.text import lines, plain

_MARKS = {"pass": "✓", "block": "✗", "ask": "?", "unknown": "~"}


def checks(terminal: Terminal, decision: Mapping[str, Any] | None, *, passed: bool = True) -> list[str]:
    """The checks as a table; without those that pass if `passed` is False."""
    found = [check for check in (decision or {}).get("checks", ()) if passed or check.get("effect") != "pass"]
    rows = [
        [
            f"{_MARKS.get(check.get('effect'), ' ')} {terminal.word(check.get('effect'))}",
            plain(check.get("name")),
            plain(check.get("sentence")) + _overridden(check),
        ]
        for check in found
    ]
    return terminal.table(["RESULT", "CHECK", "WHY"], rows) if rows else []


def outcome(decision: Mapping[str, Any] | None) -> str:
    """The decision in a line: what comes out, and what would without mode and pause."""
    if not decision:
        return "nothing has been decided"
    said = plain(decision.get("outcome")).replace("_", " ")
    would = plain(decision.get("would")).replace("_", " ")
    return said if would in ("", said) else f"{said} (without mode and pause: {would})"


def plan(chosen: Mapping[str, Any] | None) -> list[str]:
    """The plan's words and warnings, then each step with its precondition and its exact request."""
    if not chosen:
        return ["there is no plan"]
    text = [plain(chosen.get("words"))] if chosen.get("words") else []
    text += [f"warning: {plain(warning)}" for warning in chosen.get("warnings", ())]
    for number, step in enumerate(chosen.get("steps", ()), start=1):
        text.append(f"{number}. {plain(step.get('words') or step.get('name'))}")
        if step.get("precondition"):
            text.append(f"   only if {plain(step['precondition'])}")
        if step.get("request"):
            request = json.dumps(step["request"], indent=2, ensure_ascii=True)
            text += indented(lines(request), by=3)
    return text


def _overridden(check: Mapping[str, Any]) -> str:
    return f" (overridden by {plain(check['overridden_by'])})" if check.get("overridden_by") else ""
