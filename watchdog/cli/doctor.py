"""``watchdog doctor``: what would fail when it matters.

Role: builds the targets from the configuration as `run` does, but without the store, and examines them and the places. Neighbours:
`cli.examination` asks, the running daemon tells what it holds for good. Guarantees: changes nothing, also when a daemon
runs beside it; exit code 0 = all well, 1 = something is missing, 7 = something could not be found out.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from watchdog.cli.config import refused, warn
from watchdog.cli.exits import Exit, Failed
from watchdog.cli.options import asks_daemon, configured, daemon, shows
from watchdog.cli.output import show
from watchdog.cli.terminal import Terminal, current
from watchdog.cli.text import plain

if TYPE_CHECKING:
    from watchdog.cli.examination import Examined
    from watchdog.settings import Loaded

_WORDS = {True: "ok", False: "failing", None: "unknown"}


@click.command()
@configured
@shows()
@asks_daemon
def doctor(*, path: Path, form: str) -> int:
    """Permissions, sources, last known good: what would fail when it matters. Changes nothing."""
    from watchdog.settings import ConfigurationRefused, load  # noqa: PLC0415 - half a second

    terminal = current()
    try:
        loaded = load(path, terminal.environ)
    except ConfigurationRefused as error:
        return refused(terminal, error)
    warn(terminal, loaded)
    found = asyncio.run(examined(loaded, _known_good()))
    show(terminal, {"findings": [asdict(line) for line in found]}, form, lambda: table(terminal, found))
    return code_of(found)


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


def _known_good() -> Mapping[str, str] | None:
    try:
        answer = daemon().get("/status")
    except Failed:
        return None
    return {row["name"]: row.get("good") or "" for row in answer.get("targets", ())}


async def asked(loaded: Loaded) -> list[Examined]:
    """What each source of a configuration says now, for ``config check --live``. Changes nothing."""
    from watchdog.cli.composition import Builder, Clients  # noqa: PLC0415 - imports every room
    from watchdog.cli.examination import Examined, ask_sources  # noqa: PLC0415 - as above
    from watchdog.clients.http import HttpClient  # noqa: PLC0415 - as above
    from watchdog.engine.clock import SystemClock  # noqa: PLC0415 - as above
    from watchdog.incidents import DirectoryFiles  # noqa: PLC0415 - as above
    from watchdog.ports import Unavailable  # noqa: PLC0415 - as above
    from watchdog.settings import Above, access  # noqa: PLC0415 - as above

    clock = SystemClock()
    clients = Clients(clock, HttpClient(clock))
    builder = Builder(clients, secrets.token_bytes(32), DirectoryFiles(Path(loaded.settings.bundles), clock))
    windows = {
        (target.name, signal.name): signal.rule.for_s
        for target in access.configured(loaded.settings)
        for signal in target.signals
        if isinstance(signal.rule, Above)
    }
    try:
        return await ask_sources((await builder.setup(loaded)).watches, windows)
    except Unavailable as error:
        return [Examined(subject="(all)", question="reachable", ok=False, sentence=str(error))]
    finally:
        await clients.close()


async def examined(loaded: Loaded, known_good: Mapping[str, str] | None) -> list[Examined]:
    """Everything about a configuration and the outside that it names; `known_good` as in `examination.examine`."""
    from watchdog.cli.composition import Builder, Clients, objects_of  # noqa: PLC0415 - imports every room
    from watchdog.cli.examination import (  # noqa: PLC0415 - as above
        Examined,
        examine,
        objects_in_cluster,
        places,
        state_in_cluster,
    )
    from watchdog.clients.http import HttpClient  # noqa: PLC0415 - as above
    from watchdog.engine.clock import SystemClock  # noqa: PLC0415 - as above
    from watchdog.incidents import DirectoryFiles  # noqa: PLC0415 - as above
    from watchdog.ports import Unavailable  # noqa: PLC0415 - as above
    from watchdog.redaction import Redactor  # noqa: PLC0415 - as above

    clock = SystemClock()
    clients = Clients(clock, HttpClient(clock))
    # The writers that are built here never get a permit: their office's secret is thrown away.
    builder = Builder(clients, secrets.token_bytes(32), DirectoryFiles(Path(loaded.settings.bundles), clock))
    kept = places(loaded.settings.state.sqlite_path, loaded.settings.bundles)
    try:
        cluster = loaded.settings.state.kubernetes
        if cluster is not None:
            client = await clients.cluster(cluster.kubeconfig or "", cluster.context or "")
            kept = [*kept, *await state_in_cluster(client, cluster.namespace, cluster.name)]
            objects = await objects_of(cluster, clients, Redactor())
            if objects is not None:
                asked = objects_in_cluster(client, objects.pauses, objects.incidents, cluster.namespace)
                kept = [*kept, *await asked]
        setup = await builder.setup(loaded)
        return [*kept, *await examine(setup.watches, known_good)]
    except Unavailable as error:
        return [*kept, Examined(subject="(all)", question="reachable", ok=False, sentence=str(error))]
    finally:
        await clients.close()
