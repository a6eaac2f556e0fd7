"""The person's terminal: its width, colour, zone and clock, and how a table looks on it.

Role: made once by `cli.main`, found by commands through click's context. Guarantees: no colour when piped, with NO_COLOR
or TERM=dumb; a table is as wide as the terminal and is not cut when piped; a closed pipe ends the command quietly.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

import click

from watchdog.cli.text import cut, plain, width

_PIPE_CLOSED = 141
"""What a shell reports for a program that SIGPIPE ended."""

_GAP = 3
_NARROWEST = 12

COLOURS = {
    "healthy": "green", "good": "green", "pass": "green", "armed": "green", "ok": "green", "recovered": "green",
    "suspect": "yellow", "ask": "yellow", "paused": "yellow", "inconclusive": "yellow", "assumed_good": "green",
    "observe": "cyan", "responding": "magenta", "blind": "magenta", "unknown": "magenta", "new": "cyan",
    "failing": "red", "needs_human": "red", "block": "red", "bad": "red", "condemned": "red", "not_recovered": "red",
}  # fmt: skip
"""Colour of a word. The word itself always says it too."""


def _wall_clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the composition root is where the real clock is taken


@dataclass
class Terminal:
    """Facts about where the output goes. `columns` None = do not cut."""

    environ: Mapping[str, str]
    colour: bool = False
    columns: int | None = None
    interactive: bool = False
    zone: tzinfo | None = None
    """None = the machine's own zone."""
    headers: bool = True
    now: Callable[[], datetime] = field(default=_wall_clock)
    sleep: Callable[[float], None] = field(default=time.sleep)

    def write(self, text: str = "", *, err: bool = False) -> None:
        """One line, or several."""
        try:
            click.echo(text, err=err, color=self.colour)
        except BrokenPipeError:
            # Python flushes stdout once more at exit: let that go to nowhere instead of a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(_PIPE_CLOSED) from None

    def progress(self, text: str) -> None:
        """How far long work has come, on one line that the next one takes; nothing where nobody watches. Empty = done."""
        if self.interactive:
            click.echo(f"\r\033[K{plain(text)}", nl=False, err=True)

    def use_utc(self) -> None:
        """Show and read times in UTC from now on."""
        self.zone = UTC

    def word(self, value: object) -> str:
        """A state or verdict, coloured where there is colour."""
        text = plain(value)
        return click.style(text, fg=COLOURS.get(text)) if self.colour and text in COLOURS else text

    def strong(self, text: str) -> str:
        """A headline."""
        return click.style(text, bold=True) if self.colour else text

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        """Aligned lines, kubectl's way; cells are plain or coloured by `word`. Cells are cut to fit the terminal."""
        everything = [list(titles), *map(list, rows)] if self.headers else [list(row) for row in rows]
        if not everything:
            return []
        widths = [max(width(row[at]) for row in everything) for at in range(len(titles))]
        if self.columns is not None:
            widths = _fit(widths, self.columns)
        return [_line(row, widths, self.columns) for row in everything]


def _fit(widths: list[int], columns: int) -> list[int]:
    """Narrow the widest columns until the line fits, or all are at their least."""
    over = sum(widths) + _GAP * (len(widths) - 1) - columns
    while over > 0:
        widest = max(range(len(widths)), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        over -= 1
    return widths


def _line(row: Sequence[str], widths: Sequence[int], columns: int | None) -> str:
    cells = [
        cell if columns is None or "\x1b" in cell else cut(cell, size) for cell, size in zip(row, widths, strict=True)
    ]
    padded = (cell + " " * (size - width(cell)) for cell, size in zip(cells, widths, strict=True))
    return (" " * _GAP).join(padded).rstrip()


def terminal_of(environ: Mapping[str, str]) -> Terminal:
    """The terminal this process writes to."""
    interactive = sys.stdout.isatty()
    dumb = environ.get("TERM", "") == "dumb"
    return Terminal(
        environ=environ,
        colour=interactive and not environ.get("NO_COLOR") and not dumb,
        columns=shutil.get_terminal_size().columns if interactive else None,
        interactive=interactive and not dumb,
    )


def current() -> Terminal:
    """The terminal of the command that runs now."""
    context = click.get_current_context()
    found = context.find_object(Terminal)
    if found is None:
        found = context.find_root().obj = terminal_of(os.environ)
    return found
