"""``token``: makes a token and the line that lets a daemon know it.

Role: needs no daemon and writes no file. Guarantees: the token is printed once, on stdout, and is nowhere else; what goes into
the daemon's file is its hash.
"""

from __future__ import annotations

import json

import click

from watchdog.cli.exits import Exit, Failed
from watchdog.cli.terminal import current


@click.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "pause", "approve", "act"]),
    default=("read",),
    show_default=True,
    help="What it may do; may be repeated: ask; pause, resume and stop; approve and cancel; roll back, arm and grade.",
)
@click.option(
    "--target", "targets", multiple=True, metavar="TARGET", help="Orders for this target only; may be repeated."
)
def token(*, name: str, scopes: tuple[str, ...], targets: tuple[str, ...]) -> None:
    """Make a token called NAME: the token on stdout, the line for the file of tokens on stderr.

    The file is a YAML list of such lines (`api: {tokens: /etc/watchdog/tokens.yaml}`); a running daemon reads it anew.
    """
    from watchdog.web.tokens import make_token, valid_name  # noqa: PLC0415 - only this command needs it

    if not valid_name(name):
        raise Failed(f"{name!r}: letters, digits, dots and hyphens", Exit.USAGE, "watchdog token ci --scope read")
    made, hashed = make_token(name)
    only = f", targets: {json.dumps(list(targets), ensure_ascii=False)}" if targets else ""
    terminal = current()
    terminal.write(made)
    terminal.write(f'- {{name: {name}, hash: "{hashed}", scopes: [{", ".join(scopes)}]{only}}}', err=True)
