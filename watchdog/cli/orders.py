"""``approve``, ``cancel``, ``stop``, ``rollback`` and ``arm``: what a person orders.

Role: hands orders to the daemon, which takes them through the same gate as its own acts. Guarantees: none of them asks
back, since they are typed in an incident; ``rollback --dry-run`` shows everything and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from watchdog.cli import decisions
from watchdog.cli.client import place
from watchdog.cli.exits import Exit
from watchdog.cli.options import asks_daemon, by, daemon, shows
from watchdog.cli.output import indented, show
from watchdog.cli.reply import acknowledged, order
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain

_reason = click.option("--reason", default="", metavar="WHY", help="One sentence for the record.")


@click.command()
@click.argument("incident")
@_reason
@by
@shows()
@asks_daemon
def approve(*, incident: str, reason: str, claim: str, form: str) -> int:
    """Say yes to INCIDENT: answers the checks that ask, and no others.

    The gate is passed again before anything is written.
    """
    reply = daemon().post(place("incidents", incident) + "/approve", {"why": reason, "as": claim})
    return order(current(), reply, form)


@click.command()
@click.argument("incident")
@_reason
@by
@shows()
@asks_daemon
def cancel(*, incident: str, reason: str, claim: str, form: str) -> int:
    """Say no to INCIDENT: no automatic act on that release until a person clears it."""
    reply = daemon().post(place("incidents", incident) + "/cancel", {"why": reason, "as": claim})
    return order(current(), reply, form)


@click.command()
@click.option(
    "--reason", default="stopped by hand", show_default=True, metavar="WHY", help="One sentence for the record."
)
@by
@shows()
@asks_daemon
def stop(*, reason: str, claim: str, form: str) -> int:
    """Cancel what is not yet written, and pause everything for one hour."""
    terminal = current()
    reply = daemon().post("/stop", {"why": reason, "as": claim})

    def text() -> list[str]:
        body = reply.body
        said = [plain(body.get("sentence")), acknowledged(terminal, reply)]
        for key, words in (("cancelled", "cancelled"), ("running", "already written, being verified")):
            said += [f"{words}: {plain(incident)}" for incident in body.get(key, ())]
        return [*said, "to act again: watchdog resume"]

    return order(terminal, reply, form, text)


@click.command()
@click.argument("target")
@click.option("--to", metavar="RELEASE", help="Fingerprint (its beginning) or revision; default: the last known good.")
@click.option("--dry-run", is_flag=True, help="Show every check and the exact request; change nothing.")
@click.option("--reason", default="", metavar="WHY", help="One sentence for the record; needed for --override.")
@click.option(
    "--override", "overrides", multiple=True, metavar="CHECK", help="Pass over this check of the gate; may be repeated."
)
@by
@shows()
@asks_daemon
def rollback(
    *, target: str, to: str | None, dry_run: bool, reason: str, overrides: tuple[str, ...], claim: str, form: str
) -> int:
    """Roll TARGET back by hand, through the same gate.

    Leadership, another write under way, the target's precondition and an intent that cannot be stored can never be
    overridden.
    """
    if overrides and not reason:
        raise click.UsageError("--override needs --reason")
    terminal = current()
    body = {"to": to, "dry_run": dry_run, "why": reason, "overrides": list(overrides), "as": claim}
    reply = daemon().post(place("targets", target) + "/rollback", body)
    if reply.pending:
        return order(terminal, reply, form)
    answer = reply.body
    show(terminal, answer, form, lambda: _decided(terminal, answer, target))
    if answer.get("accepted") is True:
        return Exit.OK
    terminal.write(f"error: refused: {plain(answer.get('sentence'))}", err=True)
    terminal.write(f"try:   watchdog explain {plain(target)}", err=True)
    return Exit.REFUSED


@click.command()
@click.argument("target", required=False)
@by
@shows()
@asks_daemon
def arm(*, target: str | None, claim: str, form: str) -> int:
    """Let `enforce` act on TARGET (default: all) after a first start on an empty store."""
    return order(current(), daemon().post("/arm", {"target": target, "as": claim}), form)


def _decided(terminal: Terminal, answer: Mapping[str, Any], target: str) -> list[str]:
    dry_run = bool(answer.get("dry_run"))
    text = [terminal.strong(("dry run: " if dry_run else "") + plain(answer.get("sentence")))]
    table = decisions.checks(terminal, answer.get("decision"), passed=dry_run)
    text += ["", *indented(table)] if table else []
    if dry_run or answer.get("accepted"):
        text += ["", "Plan:", *indented(decisions.plan(answer.get("plan")))]
    rehearsal = answer.get("rehearsal") or {}
    if rehearsal:
        text += ["", f"Rehearsed on the platform: {plain(rehearsal.get('sentence') or rehearsal.get('outcome'))}"]
    if answer.get("incident"):
        text += ["", f"Next: watchdog incidents {plain(answer['incident'])} | watchdog status -w"]
    elif dry_run and answer.get("accepted"):
        text += ["", f"Nothing was changed. Next: watchdog rollback {plain(target)}"]
    return text
