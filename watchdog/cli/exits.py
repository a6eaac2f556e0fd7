"""Exit codes, and errors that end with the next command to type.

Role: what every command returns or raises. Neighbours: `cli.main` prints what is raised; ``docs/reference/cli.md`` lists
the codes (a test compares). Guarantees: unknown is never the same code as no.
"""

from __future__ import annotations

from enum import IntEnum
from typing import IO, Any

import click

from watchdog.cli.text import plain


class Exit(IntEnum):
    """What a script may rely on."""

    OK = 0
    NEGATIVE = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    CONFIGURATION = 5
    PENDING = 6
    UNKNOWN = 7
    DEFECT = 70
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done, or the answer is yes",
    Exit.NEGATIVE: "the answer is no: a check is failing, doctor found something",
    Exit.USAGE: "the command line was not understood",
    Exit.REFUSED: "refused: the daemon, the gate or a rule said no, or there is no such thing; nothing was changed",
    Exit.UNREACHABLE: "no daemon answers on the socket",
    Exit.CONFIGURATION: "the configuration was refused",
    Exit.PENDING: "taken, but not yet acknowledged by the engine",
    Exit.UNKNOWN: "could not be found out (blind, timed out, store away); an order may or may not have been taken",
    Exit.DEFECT: "a defect of watchdog itself",
    Exit.INTERRUPTED: "interrupted",
}


class Failed(click.ClickException):
    """A command that did not reach its end: one sentence, the next command to type, an exit code."""

    def __init__(self, message: str, code: Exit, next_command: str = "") -> None:
        """Keep all three."""
        super().__init__(message)
        self.code = code
        self.next_command = next_command

    def show(self, file: IO[Any] | None = None) -> None:
        """Print to stderr."""
        complain(self.format_message(), self.next_command, file)


def complain(message: str, next_command: str = "", file: IO[Any] | None = None) -> None:
    """``error: ...`` and, on the last line, what to type next."""
    click.echo(f"error: {plain(message)}", file=file, err=True)
    if next_command:
        click.echo(f"try:   {plain(next_command)}", file=file, err=True)


def epilog() -> str:
    """The table for the end of ``--help``."""
    return "\n".join(f"  {code.value:>3}  {words}" for code, words in MEANING.items())
