"""``watchdog notify``: whether messages arrive, and how they look, without an incident.

Role: builds the channels of the configuration as `run` does; needs no daemon. Guarantees: what is sent is marked TEST and
belongs to no incident; `preview` sends nothing; exit code 1 when a channel did not deliver.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchdog.cli.exits import Exit, Failed
from watchdog.cli.options import configured, shows
from watchdog.cli.output import show
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain

if TYPE_CHECKING:
    from watchdog.model import Incident, Notice
    from watchdog.ports import Channel
    from watchdog.settings import Loaded

WAIT_S = 20.0


@click.group()
def notify() -> None:
    """Try the channels: send a test, or look at what would be sent."""


@notify.command()
@click.argument("channel", required=False)
@configured
@shows()
def test(*, channel: str | None, path: Path, form: str) -> int:
    """Send a test notice through CHANNEL, or through all channels."""
    terminal = current()
    loaded = _loaded(terminal, path)
    names = _chosen(loaded, channel)
    found = asyncio.run(_tried(loaded, names))
    rows = [[name, "ok" if not reason else "failing", reason or "delivered"] for name, reason in found.items()]
    answer = {"channels": [{"name": name, "ok": not reason, "reason": reason} for name, reason in found.items()]}
    show(terminal, answer, form, lambda: terminal.table(["CHANNEL", "STATE", "WHAT"], rows))
    return Exit.NEGATIVE if any(found.values()) else Exit.OK


@notify.command()
@click.argument("channel", required=False)
@click.option(
    "--kind",
    type=click.Choice(["pending", "ask", "rolled_back", "recovered", "not_recovered", "not_acting"]),
    default="pending",
    show_default=True,
    help="Which message.",
)
@configured
def preview(*, channel: str | None, kind: str, path: Path) -> int:
    """Print what CHANNEL, or each channel, would be sent. Nothing is sent."""
    from watchdog.channels.message import Place  # noqa: PLC0415 - only when it runs
    from watchdog.cli.previewing import example, shown  # noqa: PLC0415
    from watchdog.settings.notify_access import channels_of  # noqa: PLC0415

    terminal = current()
    loaded = _loaded(terminal, path)
    names = _chosen(loaded, channel)
    settings = loaded.settings
    place = Place(environment=settings.environment or "", base_url=settings.base_url or "")
    notice, incident = example(kind)
    for entry in channels_of(settings):
        if entry.name in names:
            terminal.write(f"# {entry.name} ({entry.kind})")
            found: Any = shown(entry, notice, incident, place)
            terminal.write(found if isinstance(found, str) else json.dumps(found, indent=2, ensure_ascii=False))
    return Exit.OK


def _loaded(terminal: Terminal, path: Path) -> Loaded:
    from watchdog.settings import ConfigurationRefused, load  # noqa: PLC0415 - half a second

    try:
        return load(path, terminal.environ)
    except ConfigurationRefused as error:
        raise Failed(str(error), Exit.CONFIGURATION, f"watchdog config check {path}") from None


def _chosen(loaded: Loaded, channel: str | None) -> list[str]:
    names = list(loaded.settings.notify)
    if not names:
        raise Failed("no channel is configured", Exit.NEGATIVE, "watchdog config schema notify")
    if channel is not None and channel not in names:
        raise Failed(
            f"there is no channel {channel!r}: {', '.join(names)}", Exit.REFUSED, f"watchdog notify test {names[0]}"
        )
    return [channel] if channel else names


async def _tried(loaded: Loaded, names: list[str]) -> dict[str, str]:
    from watchdog.cli.channels import Channels  # noqa: PLC0415 - only when it runs
    from watchdog.clients.post import Poster  # noqa: PLC0415
    from watchdog.engine.clock import SystemClock  # noqa: PLC0415
    from watchdog.model import Notice  # noqa: PLC0415

    clock = SystemClock()
    posters: dict[str, Poster] = {}
    made = Channels(clock, posters).all_of(loaded.settings, json_lines=False)
    now = clock.now()
    notice = Notice(
        key=f"test/{now:.0f}",
        kind="test",
        headline="TEST: this is how the watchdog reaches you",
        body="Nothing has happened. Somebody typed: watchdog notify test",
        severity="page",
        owed_at=now,
    )
    try:
        reasons = await asyncio.gather(*(_delivered(made[name], notice, None) for name in names))
        return dict(zip(names, reasons, strict=True))
    finally:
        for channel in made.values():
            await channel.close()
        for poster in posters.values():
            await poster.close()


async def _delivered(channel: Channel, notice: Notice, incident: Incident | None) -> str:
    """Why it was not delivered; empty when it was."""
    from watchdog.ports import DeliveryFailed  # noqa: PLC0415 - only when it runs

    try:
        async with asyncio.timeout(WAIT_S):
            await channel.deliver(notice, incident)
    except DeliveryFailed as error:
        return plain(str(error))
    except TimeoutError:
        return f"no answer within {WAIT_S:g} s"
    return ""
