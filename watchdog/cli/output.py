"""The form of an answer: for eyes, or for programs.

Role: the end of every command. Guarantees: ``-o json`` and ``-o yaml`` give the API's answer as it is, in ASCII, so that
nothing from outside reaches the terminal unescaped; the text form passes `text.plain` cell by cell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from watchdog.cli.terminal import Terminal


def show(terminal: Terminal, answer: Any, form: str, text: Callable[[], Iterable[str]]) -> None:
    """Write `answer` in `form`; `text` makes the lines for every form that is neither json nor yaml."""
    if form == "json":
        terminal.write(json.dumps(answer, indent=2, ensure_ascii=True))
    elif form == "yaml":
        import yaml  # noqa: PLC0415 - a tenth of the start-up time, for one form

        terminal.write(yaml.safe_dump(answer, sort_keys=False, allow_unicode=False).rstrip("\n"))
    else:
        lines = list(text())
        if lines:
            terminal.write("\n".join(lines))


def indented(lines: Iterable[str], by: int = 2) -> list[str]:
    """Each line moved to the right; empty ones stay empty."""
    return [" " * by + line if line else "" for line in lines]
