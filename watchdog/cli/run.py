"""``watchdog run``: the daemon in the foreground.

Role: turns a configuration file into a running service and its end into an exit code. Neighbours: `cli.composition`
builds, `cli.serving` runs. Guarantees: nothing listens or watches before everything was built; every refusal to start is
one sentence and no traceback.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from watchdog.cli.config import refused
from watchdog.cli.exits import Exit, Failed
from watchdog.cli.options import configured
from watchdog.cli.terminal import Terminal, current


@click.command()
@configured
def run(*, path: Path) -> int:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C; SIGHUP reads the configuration again."""
    from watchdog.ports import WatchdogError  # noqa: PLC0415 - what only the daemon needs
    from watchdog.settings import ConfigurationRefused  # noqa: PLC0415 - as above

    try:
        asyncio.run(_serve(path, current()))
    except ConfigurationRefused as error:
        return refused(current(), error)
    except WatchdogError as error:
        raise Failed(str(error), Exit.REFUSED, f"watchdog doctor --config {path}") from error
    return Exit.OK


async def _serve(path: Path, terminal: Terminal) -> None:
    from watchdog.cli.composition import assemble  # noqa: PLC0415 - imports every room
    from watchdog.cli.logs import configure  # noqa: PLC0415 - as above
    from watchdog.cli.serving import serve  # noqa: PLC0415 - as above
    from watchdog.engine.daemon import LeaseLost  # noqa: PLC0415 - as above

    assembly = await assemble(path, terminal.environ)
    configuration = assembly.configuration
    log = configuration.loaded.settings.log
    configure(log.format.value, log.level.value, configuration.redactor)
    try:
        await serve(assembly)
    except LeaseLost as error:  # another daemon acts now; whoever started this one starts it anew, as one that follows
        raise Failed(str(error), Exit.REFUSED, "watchdog status") from error
