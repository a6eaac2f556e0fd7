"""``pause``, ``resume`` and ``pauses``: maintenance.

Role: suppresses acting, never watching. Guarantees: a pause always has an end and a reason; what is printed as applied was
acknowledged by the engine with its cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from watchdog.cli.client import place
from watchdog.cli.options import asks_daemon, by, daemon, shows
from watchdog.cli.output import show
from watchdog.cli.reply import acknowledged, order
from watchdog.cli.status import pause_words
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain
from watchdog.cli.times import parse_duration, parse_moment, shown


@click.command()
@click.option("--for", "lasting", metavar="DURATION", help="How long: 30m, 1h30m, 2d.")
@click.option("--until", metavar="TIME", help="Until when: 14:00, 2026-03-01T14:00, with or without an offset.")
@click.option("--reason", required=True, metavar="WHY", help="One sentence; it stands on every screen.")
@click.option(
    "--scope",
    default="all",
    show_default=True,
    metavar="SCOPE",
    help="all, group/NAME, target/NAME, selector/KEY=VALUE or platform/KIND.",
)
@by
@shows()
@asks_daemon
def pause(*, lasting: str | None, until: str | None, reason: str, scope: str, claim: str, form: str) -> int:
    """Stop acting for a while; watching and recording go on.

    It takes effect at once, ends by itself, survives a restart, and ends a countdown or a question that is under way.
    """
    terminal = current()
    body = {"scope": scope, "why": reason, "as": claim, **_end(terminal, lasting, until)}
    reply = daemon().post("/pauses", body)

    def text() -> list[str]:
        pause = reply.body.get("pause") or {}
        words = f"paused: {pause_words(terminal, pause)}"
        return [words, acknowledged(terminal, reply), f"to end it: watchdog resume {plain(pause.get('id'))}"]

    return order(terminal, reply, form, text)


@click.command()
@click.argument("pause", default="all", metavar="[ID|SCOPE]")
@by
@shows()
@asks_daemon
def resume(*, pause: str, claim: str, form: str) -> int:
    """End one pause by its id, or those of a scope (default: all).

    What was paused is judged on fresh samples only.
    """
    terminal = current()
    body = {"as": claim}
    scope = pause == "all" or "/" in pause
    reply = (
        daemon().post("/pauses/end", body | {"scope": pause})
        if scope
        else daemon().delete(place("pauses", pause), body)
    )
    return order(
        terminal, reply, form, lambda: [f"{plain(reply.body.get('sentence'))}: {acknowledged(terminal, reply)}"]
    )


@click.command()
@click.option("--all", "everything", is_flag=True, help="Ended ones too.")
@shows()
@asks_daemon
def pauses(*, everything: bool, form: str) -> None:
    """Pauses that are active, and maintenance windows to come; with --all also what has ended."""
    terminal = current()
    answer = daemon().get("/pauses")
    show(terminal, answer, form, lambda: _table(terminal, answer, everything=everything) or ["no pauses"])


def _end(terminal: Terminal, lasting: str | None, until: str | None) -> dict[str, Any]:
    if (lasting is None) == (until is None):
        raise click.UsageError("a pause needs its end: give --for or --until, not both")
    try:
        if lasting is not None:
            return {"for_s": parse_duration(lasting)}
        now = terminal.now().astimezone(terminal.zone)
        return {"until": parse_moment(until or "", now).isoformat()}
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for" if lasting is not None else "--until") from None


def _since(terminal: Terminal, pause: Mapping[str, Any]) -> str:
    """One of the configuration or of an annotation that has no beginning was always there."""
    since = pause.get("since")
    return "always" if str(since).startswith("1970-") else shown(since, terminal.zone)


def _state(pause: Mapping[str, Any]) -> str:
    return plain(pause.get("state")) or ("active" if pause.get("active") else "ended")


def _table(terminal: Terminal, answer: Mapping[str, Any], *, everything: bool) -> list[str]:
    rows = [
        [
            plain(pause.get("id")),
            plain(pause.get("scope")),
            _state(pause),
            plain(pause.get("who")),
            _since(terminal, pause),
            shown(pause.get("ended_at") or pause.get("until"), terminal.zone),
            plain(pause.get("suppressed")),
            plain(pause.get("why")),
        ]
        for pause in answer.get("pauses", ())
        if everything or _state(pause) != "ended"
    ]
    titles = ["ID", "SCOPE", "STATE", "WHO", "SINCE", "UNTIL", "SUPPRESSED", "WHY"]
    return terminal.table(titles, rows) if rows else []
