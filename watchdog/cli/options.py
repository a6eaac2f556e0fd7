"""Options that several commands share.

Role: decorators for commands. Guarantees: ``--socket``, ``-o`` and ``--as`` mean the same everywhere; one decorator brings
what one kind of command needs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from watchdog.cli.client import Daemon, remote, socket_path
from watchdog.cli.terminal import current

F = TypeVar("F", bound=Callable[..., Any])

_SOCKET, _SERVER, _TOKEN_FILE = "watchdog.socket", "watchdog.server", "watchdog.token_file"

CONFIG_FILE = "/etc/watchdog/watchdog.yaml"
"""Where the image and the packages put the configuration."""


def asks_daemon(command: F) -> F:
    """``--socket``, ``--server`` and ``--token-file``, read by `daemon`."""
    command = click.option(
        "--server",
        metavar="URL",
        envvar="WATCHDOG_SERVER",
        expose_value=False,
        callback=_keep(_SERVER),
        help="A daemon over the network, instead of the socket (or WATCHDOG_SERVER).",
    )(command)
    command = click.option(
        "--token-file",
        metavar="FILE",
        envvar="WATCHDOG_TOKEN_FILE",
        expose_value=False,
        callback=_keep(_TOKEN_FILE),
        help="The file that holds your token for --server (or WATCHDOG_TOKEN_FILE).",
    )(command)
    return click.option(
        "--socket",
        metavar="PATH",
        expose_value=False,
        callback=_keep(_SOCKET),
        help="The daemon's socket (else WATCHDOG_SOCKET, else the usual places).",
    )(command)


def daemon() -> Daemon:
    """The daemon that the present command speaks with."""
    meta = click.get_current_context().meta
    chosen, server = meta.get(_SOCKET), meta.get(_SERVER)
    if server and chosen:
        raise click.UsageError("--socket and --server: one of them")
    if server:
        return remote(server, meta.get(_TOKEN_FILE))
    return Daemon(Path(chosen) if chosen else socket_path(current().environ))


def shows(*more: str) -> Callable[[F], F]:
    """``-o``, ``--no-headers`` and ``--utc``. `more` are forms beside text, json and yaml."""

    def decorate(command: F) -> F:
        command = click.option(
            "-o",
            "form",
            type=click.Choice(["text", *more, "json", "yaml"]),
            default="text",
            help="Form of the output; json is stable.",
        )(command)
        command = click.option(
            "--no-headers", is_flag=True, expose_value=False, callback=_no_headers, help="Rows of tables only."
        )(command)
        return click.option(
            "--utc", is_flag=True, expose_value=False, callback=_utc, help="Times in UTC instead of the local zone."
        )(command)

    return decorate


def by(command: F) -> F:
    """``--as``: added to the user name that the kernel tells the daemon."""
    return click.option(
        "--as", "claim", metavar="NAME", default="", help="Your name, recorded beside the user of the socket."
    )(command)


def configured(command: F) -> F:
    """``--config`` as ``path``."""
    return click.option(
        "-c",
        "--config",
        "path",
        envvar="WATCHDOG_CONFIG",
        default=CONFIG_FILE,
        show_default=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="The configuration file (or WATCHDOG_CONFIG).",
    )(command)


def _keep(key: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def keep(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value:
            ctx.meta[key] = value

    return keep


def _no_headers(_ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
    if value:
        current().headers = False


def _utc(_ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
    if value:
        current().use_utc()
