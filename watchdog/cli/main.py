"""The command ``watchdog``: its commands in the order in which a person needs them, and how it ends.

Role: the entry point. Neighbours: one module a family of commands, imported only when one of them runs. Guarantees:
``--help`` begins with the six commands of an incident; every error goes to stderr and ends with the next command to type;
exit codes are those of `cli.exits`.
"""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn

import click

from watchdog.cli.exits import Exit, Failed, complain, epilog


@dataclass(frozen=True)
class Entry:
    """One command: its name, where it stands, and its line in ``--help`` (so that help imports nothing)."""

    name: str
    module: str
    words: str


SECTIONS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "In an incident",
        (
            Entry("status", "status", "the whole service on one screen; -w keeps it up to date"),
            Entry("explain", "questions", "why it acts or does not: every check of the gate"),
            Entry("approve", "orders", "say yes to an incident that asks"),
            Entry("cancel", "orders", "say no: no automatic act on that release until cleared"),
            Entry("stop", "orders", "cancel what is not yet written and pause everything for 1 h"),
            Entry("rollback", "orders", "roll a target back by hand, through the same gate"),
        ),
    ),
    (
        "To look",
        (
            Entry("describe", "questions", "one target: signals, releases, policy, the road back"),
            Entry("check", "questions", "one look at the signals now, with times of every phase"),
            Entry("incidents", "records", "all incidents, or one with its timeline"),
            Entry("replay", "replaying", "what would have been blamed, over what was recorded"),
            Entry("tune", "tuning", "knobs for a target from its history, and what each would have cost"),
            Entry("judge", "records", "say whether what was done in an incident was right"),
            Entry("history", "records", "the releases of a target; condemn or clear one"),
        ),
    ),
    (
        "Maintenance",
        (
            Entry("pause", "pausing", "stop acting for a while; watching goes on"),
            Entry("resume", "pausing", "end a pause"),
            Entry("pauses", "pausing", "pauses, active and ended"),
            Entry("drill", "drilling", "a breach that did not happen, through everything but the write"),
            Entry("arm", "orders", "let it act after a first start on an empty store"),
        ),
    ),
    (
        "In a pipeline",
        (
            Entry("gate", "pipelines", "may this target be released to now?"),
            Entry("wait", "pipelines", "wait until a release is good, or was rolled back"),
        ),
    ),
    (
        "To install and run",
        (
            Entry("init", "initial", "a first configuration from what a cluster shows"),
            Entry("run", "run", "the daemon"),
            Entry("demo", "demo", "a bookstore on this machine, and a bad release rolled back"),
            Entry("doctor", "doctor", "permissions, sources, last known good: what would fail"),
            Entry("config", "config", "check, show or describe the configuration"),
            Entry("notify", "notify", "send a test through the channels, or look at a message"),
            Entry("token", "tokens", "make a token for the API over the network"),
        ),
    ),
)

COMMANDS = {entry.name: entry for _, entries in SECTIONS for entry in entries}

_EPILOG = "\b\nExit codes:\n" + epilog()


class Watchdog(click.Group):
    """The group that knows its commands by name, imports them late, and ends as `cli.exits` says."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of `SECTIONS`."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and take the command of that name from it."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(f"watchdog.cli.{entry.module}"), entry.name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown name gets a suggestion."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            next_command = f"watchdog {close[0]}" if close else "watchdog --help"
            raise Failed(f"there is no command {args[0]!r}", Exit.USAGE, next_command)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands first: in an incident nobody reads about options."""
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Sections with their lines, without importing any command."""
        for title, entries in SECTIONS:
            with formatter.section(title):
                formatter.write_dl([(entry.name, entry.words) for entry in entries])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,
    ) -> Any:
        """Run, and end the process with a code of `Exit`."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except Exception as error:  # noqa: BLE001 - the process boundary: 1 means "no" here, so a defect needs its own code
            code = _report(error)
        sys.exit(int(code or 0))


def _report(error: Exception) -> Exit:
    """Say on stderr what went wrong, ending with the next command."""
    if isinstance(error, Failed):
        error.show()
        return error.code
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "watchdog"
        complain(error.format_message(), f"{path} --help")
        return Exit.USAGE
    if isinstance(error, click.ClickException):
        complain(error.format_message())
        return Exit.USAGE
    if isinstance(error, click.Abort):
        click.echo(err=True)
        return Exit.INTERRUPTED
    click.echo("".join(traceback.format_exception(error)), err=True)
    complain("this is a defect of watchdog: please report the lines above", "watchdog status")
    return Exit.DEFECT


@click.group(
    cls=Watchdog,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.option("--socket", metavar="PATH", help="The daemon's socket (else WATCHDOG_SOCKET, else the usual places).")
@click.version_option(package_name="rollback-watchdog", prog_name="watchdog")
@click.pass_context
def cli(ctx: click.Context, socket: str | None) -> None:
    """Watches workloads after every release, and rolls a bad one back to the last known good."""
    if socket:
        ctx.meta["watchdog.socket"] = socket
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> NoReturn:
    """Entry point of the console script."""
    cli(prog_name="watchdog")
    sys.exit(os.EX_SOFTWARE)  # never reached: a group in standalone mode always exits


if __name__ == "__main__":
    main()
