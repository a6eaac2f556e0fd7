"""``watchdog doctor``: what would fail when it matters.

Role: builds the targets from the configuration as `run` does, but without the store, and examines them and the places. Neighbours:
`cli.examination` asks, the running daemon tells what it holds for good. Guarantees: changes nothing, also when a daemon
runs beside it; exit code 0 = all well, 1 = something is missing, 7 = something could not be found out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from watchdog.cli.config import refused, warn
from watchdog.cli.exits import Failed
from watchdog.cli.findings import code_of, table, workshop
from watchdog.cli.options import asks_daemon, configured, daemon, shows
from watchdog.cli.output import show
from watchdog.cli.terminal import current

if TYPE_CHECKING:
    from watchdog.cli.examination import Examined
    from watchdog.settings import Loaded


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


def _known_good() -> Mapping[str, str] | None:
    try:
        answer = daemon().get("/status")
    except Failed:
        return None
    return {row["name"]: row.get("good") or "" for row in answer.get("targets", ())}


async def examined(loaded: Loaded, known_good: Mapping[str, str] | None) -> list[Examined]:
    """Everything about a configuration and the outside that it names; `known_good` as in `examination.examine`."""
    from watchdog.cli.composition import objects_of  # noqa: PLC0415 - imports every room
    from watchdog.cli.examination import (  # noqa: PLC0415 - as above
        Examined,
        examine,
        objects_in_cluster,
        places,
        state_in_cluster,
    )
    from watchdog.ports import Unavailable  # noqa: PLC0415 - as above
    from watchdog.redaction import Redactor  # noqa: PLC0415 - as above

    kept = places(loaded.settings.state.sqlite_path, loaded.settings.bundles)
    async with workshop(loaded) as (builder, clients):
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
