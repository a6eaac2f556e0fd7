"""What an order's answer means for the person who gave it.

Role: the end of every ordering command. Guarantees: "pending" goes to stderr with its own exit code and is never shown as
done (promise P4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from watchdog.cli.client import Reply
from watchdog.cli.exits import Exit
from watchdog.cli.output import show
from watchdog.cli.terminal import Terminal
from watchdog.cli.text import plain
from watchdog.cli.times import clock


def order(terminal: Terminal, reply: Reply, form: str, text: Callable[[], Iterable[str]] | None = None) -> Exit:
    """Show the answer (its sentence, unless `text` makes the lines) and give the exit code."""
    body = reply.body
    if reply.pending:
        if form in ("json", "yaml"):
            show(terminal, body, form, list)
        terminal.write(f"pending: {plain(body.get('sentence'))}", err=True)
        terminal.write("try:   watchdog status", err=True)
        return Exit.PENDING
    show(terminal, body, form, text or (lambda: [plain(body.get("sentence"))]))
    return Exit.OK


def acknowledged(terminal: Terminal, reply: Reply) -> str:
    """``applied in cycle 12 at 10:00:03``."""
    body = reply.body
    return f"applied in cycle {plain(body.get('cycle'))} at {clock(body.get('applied_at'), terminal.zone)}"
