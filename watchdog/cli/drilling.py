"""``drill``: try a target's whole way to a rollback without going it.

Role: orders `engine.drilling` and prints its parts. Guarantees: exit code 0 only when every part that could be tried works.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from watchdog.cli import decisions
from watchdog.cli.client import place
from watchdog.cli.exits import Exit
from watchdog.cli.options import asks_daemon, by, daemon, shows
from watchdog.cli.output import indented, show
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain

_MARKS = {True: "ok", False: "FAILED", None: "-"}


@click.command()
@click.argument("target")
@click.option("--quiet", is_flag=True, help="Send no message.")
@by
@shows()
@asks_daemon
def drill(*, target: str, quiet: bool, claim: str, form: str) -> int:
    """Drill TARGET: a breach that did not happen, through everything but the write.

    Reads the platform, passes the gate as if the target were failing now, tries a person's yes on a copy, has the platform rehearse the
    write, captures evidence, sends each channel one message and writes a report - each with its time, and all marked DRILL.
    Nothing is written to the workload.
    """
    terminal = current()
    reply = daemon().post(place("targets", target) + "/drill", {"tell": not quiet, "as": claim})
    show(terminal, reply.body, form, lambda: _drilled(terminal, reply.body))
    return Exit.OK if reply.body.get("ok") is True else Exit.NEGATIVE


def _drilled(terminal: Terminal, answer: Mapping[str, Any]) -> list[str]:
    rows = [
        [plain(part.get("name")), _MARKS[part.get("ok")], f"{part.get('took_s', 0):.2f} s", plain(part.get("sentence"))]
        for part in answer.get("parts", ())
    ]
    text = [terminal.strong(plain(answer.get("sentence"))), ""]
    text += terminal.table(["PART", "", "TOOK", "WHAT"], rows)
    objections = decisions.checks(terminal, answer.get("decision"), passed=False)
    text += ["", "What the gate would object to:", *indented(objections)] if objections else []
    if answer.get("report"):
        text += ["", f"Report: {plain(answer['report'])}"]
    return text
