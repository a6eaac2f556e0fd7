"""Findings of `examination`: how they are shown, what they come to, and those of the sources alone.

Role: shared by ``doctor`` and ``config check --live``. Guarantees: changes nothing; exit code 0 = all well, 1 = something is missing,
7 = something could not be found out.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.cli.exits import Exit
from watchdog.cli.terminal import Terminal
from watchdog.cli.text import plain

if TYPE_CHECKING:
    from watchdog.cli.composition import Builder, Clients
    from watchdog.cli.examination import Examined
    from watchdog.settings import Loaded

_WORDS = {True: "ok", False: "failing", None: "unknown"}


def code_of(found: Sequence[Examined]) -> Exit:
    """The worst of all lines: something missing, something unknown, all well."""
    answers = {line.ok for line in found}
    return Exit.NEGATIVE if False in answers else Exit.UNKNOWN if None in answers else Exit.OK


def table(terminal: Terminal, found: Sequence[Examined]) -> list[str]:
    """One line a question, and under it what helps."""
    rows = [
        [plain(line.subject), plain(line.question), terminal.word(_WORDS[line.ok]), plain(line.sentence)]
        for line in found
    ]
    text = terminal.table(["TARGET", "QUESTION", "RESULT", "WHY"], rows)
    helps = dict.fromkeys(line.next_command for line in found if line.ok is not True and line.next_command)
    return [*text, *(["", "Next:", *(f"  {plain(command)}" for command in helps)] if helps else [])]


@asynccontextmanager
async def workshop(loaded: Loaded) -> AsyncIterator[tuple[Builder, Clients]]:
    """What builds the targets of a configuration without a daemon; every client is closed at the end.

    The writers that are built here never get a permit: their office's secret is thrown away.
    """
    from watchdog.cli.composition import Builder, Clients  # noqa: PLC0415 - imports every room
    from watchdog.clients.http import HttpClient  # noqa: PLC0415 - as above
    from watchdog.engine.clock import SystemClock  # noqa: PLC0415 - as above
    from watchdog.incidents import DirectoryFiles  # noqa: PLC0415 - as above

    clock = SystemClock()
    clients = Clients(clock, HttpClient(clock))
    try:
        yield Builder(clients, secrets.token_bytes(32), DirectoryFiles(Path(loaded.settings.bundles), clock)), clients
    finally:
        await clients.close()


async def asked(loaded: Loaded) -> list[Examined]:
    """What each source of a configuration says now, for ``config check --live``. Changes nothing."""
    from watchdog.cli.examination import Examined, ask_sources  # noqa: PLC0415 - imports every room
    from watchdog.ports import Unavailable  # noqa: PLC0415 - as above
    from watchdog.settings import Above, access  # noqa: PLC0415 - as above

    windows = {
        (target.name, signal.name): signal.rule.for_s
        for target in access.configured(loaded.settings)
        for signal in target.signals
        if isinstance(signal.rule, Above)
    }
    async with workshop(loaded) as (builder, _):
        try:
            return await ask_sources((await builder.setup(loaded)).watches, windows)
        except Unavailable as error:
            return [Examined(subject="(all)", question="reachable", ok=False, sentence=str(error))]
