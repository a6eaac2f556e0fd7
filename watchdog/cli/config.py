"""``config check``, ``config show`` and ``config schema``: the configuration without a daemon.

Role: the command line's side of `settings`. Guarantees: a refused file gives every problem with its place, one a line, and
exit code 5; `show` masks secrets; no traceback for any content.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchdog.cli.exits import Exit, complain
from watchdog.cli.options import configured, shows
from watchdog.cli.output import show
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain

if TYPE_CHECKING:
    from watchdog.settings import ConfigurationRefused, Loaded, Problem


@click.group()
def config() -> None:
    """Check, show or describe the configuration."""


_file = click.argument("file", required=False, type=click.Path(path_type=Path))


@config.command()
@_file
@click.option("--live", is_flag=True, help="Also ask every source once: what it says, and what does not fit to it.")
@configured
@shows()
def check(*, file: Path | None, live: bool, path: Path, form: str) -> int:
    """Check FILE (default: --config): every problem, each with its file, line and column.

    With --live the exit code is that of doctor: 0 every source tells, 1 one does not, 7 one could not be found out.
    """
    from watchdog.settings import ConfigurationRefused, load  # noqa: PLC0415 - half a second
    from watchdog.settings import configured as targets_of  # noqa: PLC0415 - as above

    terminal = current()
    try:
        loaded = load(file or path, terminal.environ)
    except ConfigurationRefused as error:
        if form == "text":
            return refused(terminal, error)
        show(terminal, {"ok": False, "problems": [_place(p) for p in error.problems], "warnings": []}, form, list)
        return Exit.CONFIGURATION
    names = [target.name for target in targets_of(loaded.settings)]
    answer = {
        "ok": True,
        "hash": loaded.source_hash,
        "targets": names,
        "problems": [],
        "warnings": [_place(warning) for warning in loaded.warnings],
    }
    warn(terminal, loaded)
    head = f"{file or path}: valid, {_count(len(names), 'target')}, mode {loaded.settings.mode.value}"
    if live:
        return _live(terminal, loaded, answer, form, head)
    show(terminal, answer, form, lambda: [head])
    return Exit.OK


def _live(terminal: Terminal, loaded: Loaded, answer: Mapping[str, Any], form: str, head: str) -> Exit:
    from watchdog.cli.findings import asked, code_of, table  # noqa: PLC0415 - imports every room

    found = asyncio.run(asked(loaded))
    answer = {**answer, "findings": [asdict(line) for line in found]}
    show(terminal, answer, form, lambda: [head, "", *table(terminal, found)])
    return code_of(found)


@config.command("show")
@_file
@configured
@click.option("-o", "form", type=click.Choice(["yaml", "json"]), default="yaml", help="Form of the output.")
def show_(*, file: Path | None, path: Path, form: str) -> int:
    """Show what is in force: defaults, derived limits, environment; secrets masked."""
    from watchdog.settings import ConfigurationRefused, effective, load  # noqa: PLC0415 - half a second

    terminal = current()
    try:
        loaded = load(file or path, terminal.environ)
    except ConfigurationRefused as error:
        return refused(terminal, error)
    warn(terminal, loaded)
    show(terminal, effective(loaded.settings), form, list)
    return Exit.OK


@config.command("schema")
@click.option("-o", "form", type=click.Choice(["json", "yaml"]), default="json", help="Form of the output.")
def schema_(*, form: str) -> None:
    """Print the JSON Schema of the file: every key, its unit, its default and the reason for it."""
    from watchdog.settings import schema  # noqa: PLC0415 - half a second

    show(current(), schema(), form, list)


def refused(terminal: Terminal, error: ConfigurationRefused) -> Exit:
    """All problems on stderr, one a line, then what to do."""
    for problem in error.problems:
        terminal.write(plain(problem), err=True)
    complain(f"the configuration was refused: {_count(len(error.problems), 'problem')}", "watchdog config schema")
    return Exit.CONFIGURATION


def warn(terminal: Terminal, loaded: Loaded) -> None:
    """All warnings on stderr."""
    for warning in loaded.warnings:
        terminal.write(f"warning: {plain(warning)}", err=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _place(problem: Problem) -> Mapping[str, Any]:
    keys = ("file", "line", "column", "path", "message", "hint")
    place: dict[str, Any] = json.loads(json.dumps({key: getattr(problem, key) for key in keys}))
    return place
