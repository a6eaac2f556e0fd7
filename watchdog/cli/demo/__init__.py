"""``watchdog demo``: a bookstore of real processes on this machine, a bad release, and what the watchdog does about it.

Role: the command; `plot` tells each scenario, `narrator` shows it, `stage` builds bookstore and daemon. Neighbours:
`watchdog.testing.bookstore`, `cli.composition`. Guarantees: no network, root or container; leaves nothing running; the
record stays and its path is the last line. The narrator asks `ports.Control` only: it can neither write nor read the store.
"""

from __future__ import annotations

import asyncio

import click

from watchdog.cli.exits import Exit, Failed
from watchdog.cli.terminal import current

SCENARIOS = {
    "bad": "30 % of the answers fail while /health says 200: rolled back",
    "crash": "a release that crashes again and again: rolled back",
    "blip": "a good release with a short interruption: not rolled back",
    "paused": "the bad release during maintenance: recorded, not rolled back",
    "dependency": "the database fails after a good release: not rolled back",
}


@click.command()
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), default="bad", show_default=True, help="What happens.")
def demo(*, scenario: str) -> int:
    """Start a bookstore on this machine, release to it, and show what the watchdog sees and does. Under a minute."""
    from watchdog.cli.demo.plot import play  # noqa: PLC0415 - imports every room

    terminal = current()
    terminal.write(terminal.strong(f"watchdog demo: {SCENARIOS[scenario]}"))
    terminal.write()
    try:
        return asyncio.run(play(scenario, terminal))
    except OSError as error:
        raise Failed(f"the demo could not run: {error}", Exit.REFUSED, "make demo") from error
