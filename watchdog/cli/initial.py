"""``init``: a first configuration from what a cluster shows.

Role: reads the cluster, and Prometheus where it is given; writes one file, and never over another. Guarantees: what it writes has been loaded
and looked at as `doctor` does; what could not be found is in the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click

from watchdog.cli import doctor
from watchdog.cli.exits import Exit, Failed
from watchdog.cli.findings import table
from watchdog.cli.terminal import current
from watchdog.cli.text import plain

if TYPE_CHECKING:
    from watchdog.cli.first_file import Access, Counted
    from watchdog.model import Instant
    from watchdog.platforms.kubernetes.discovery import Found
    from watchdog.settings import Loaded
    from watchdog.signals.prometheus import PrometheusSource

PRESETS = ("http_server", "prometheus_net", "requests_total", "istio", "linkerd")
"""Tried in this order; those of gateways name a route, which nobody can guess."""


@click.command()
@click.option(
    "-n", "--namespace", "namespaces", multiple=True, metavar="NAME", help="Namespace to look into; may be repeated."
)
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Every namespace but the cluster's own.")
@click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
@click.option(
    "--kubeconfig", default="", metavar="FILE", help="A kubeconfig (else KUBECONFIG, ~/.kube/config, or the pod's)."
)
@click.option("--prometheus", default="", metavar="URL", help="A Prometheus to try the presets against.")
@click.option(
    "--write",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it; must not be there yet. Default: standard output.",
)
def init(
    *,
    namespaces: tuple[str, ...],
    everywhere: bool,
    context: str,
    kubeconfig: str,
    prometheus: str,
    file: Path | None,
) -> int:
    """Write a first configuration, in `observe`, from the workloads of a cluster. Reads only."""
    from watchdog.cli.first_file import Access, written  # noqa: PLC0415 - brings the room of Kubernetes

    if bool(namespaces) == everywhere:
        raise click.UsageError("say where to look: -n NAMESPACE (may be repeated) or -A")
    if file is not None and file.exists():
        raise Failed(f"{file} is there already", Exit.REFUSED, "watchdog init ... --write ANOTHER")
    terminal = current()
    access = Access(
        context=context, kubeconfig=str(Path(kubeconfig).absolute()) if kubeconfig else "", prometheus=prometheus
    )
    found, counted = asyncio.run(_looked(namespaces, access))
    if not found:
        where = ", ".join(namespaces) if namespaces else "the cluster"
        raise Failed(f"there is no Deployment, StatefulSet or DaemonSet in {where}", Exit.REFUSED, "watchdog init -A")
    text = written(found, counted, access)
    looks = table(terminal, asyncio.run(doctor.examined(_loaded(text), None)))
    terminal.write("\n".join(["It was looked at from here (`watchdog doctor` does so again):", *looks, ""]), err=True)
    if file is None:
        terminal.write(text.rstrip("\n"))
        return Exit.OK
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}", Exit.REFUSED) from None
    terminal.write(f"{file}: {len(found)} workloads. Look at it, then: watchdog doctor -c {file}")
    return Exit.OK


async def _looked(
    namespaces: Sequence[str], access: Access
) -> tuple[tuple[Found, ...], Mapping[tuple[str, str], Counted]]:
    from watchdog.clients.kubernetes import Connection, KubernetesClient  # noqa: PLC0415 - 1.5 s
    from watchdog.platforms.kubernetes.discovery import discover  # noqa: PLC0415 - as above
    from watchdog.ports import Unavailable  # noqa: PLC0415 - as above

    try:
        client = await KubernetesClient.open(Connection(kubeconfig=access.kubeconfig, context=access.context))
    except Unavailable as error:
        raise Failed(f"the cluster cannot be reached: {error}", Exit.UNKNOWN, "kubectl get namespaces") from None
    try:
        found = await discover(client, namespaces)
    except Unavailable as error:
        raise Failed(
            f"the cluster cannot be read: {error}", Exit.UNKNOWN, "kubectl auth can-i list deployments"
        ) from None
    finally:
        await client.close()
    return found, await _counted(found, access.prometheus, current().progress) if access.prometheus else {}


async def _counted(found: Sequence[Found], url: str, progress: Callable[[str], None]) -> dict[tuple[str, str], Counted]:
    """For each workload the first preset that gives data. Raises Failed when the server cannot be asked."""
    from watchdog.cli.first_file import Counted  # noqa: PLC0415 - with the judgement
    from watchdog.engine.clock import SystemClock  # noqa: PLC0415 - as above
    from watchdog.settings.presets import counters_of  # noqa: PLC0415 - as above
    from watchdog.settings.prometheus import Preset, PrometheusSection  # noqa: PLC0415 - as above
    from watchdog.signals.prometheus import Access as ServerAccess  # noqa: PLC0415 - as above
    from watchdog.signals.prometheus import PrometheusSource  # noqa: PLC0415 - as above

    clock = SystemClock()
    source = PrometheusSource("main", ServerAccess(url=url), clock)
    result: dict[tuple[str, str], Counted] = {}
    try:
        for place, one in enumerate(found):
            progress(f"Prometheus: {place} of {len(found)} workloads")
            # Without the namespace a name that stands in two would count the other's requests as well.
            alone = sum(other.name == one.name for other in found) == 1
            for preset, namespace in product(PRESETS, (one.namespace, "") if alone else (one.namespace,)):
                section = PrometheusSection(preset=Preset(preset), app=one.name, namespace=namespace or None)
                events = await _events_a_minute(source, counters_of(section)[1], clock.now())
                if events:
                    result[(one.namespace, one.name)] = Counted(
                        preset=preset, app=one.name, events=events, namespace=namespace
                    )
                    break
        progress("")
    finally:
        await source.close()
    return result


async def _events_a_minute(source: PrometheusSource, selector: str, now: Instant) -> float:
    from watchdog.signals.prometheus.answer import NoAnswer  # noqa: PLC0415 - with its source

    try:
        answer = await source.ask(f"sum(rate({selector}[5m])) * 60", now)
    except NoAnswer as error:
        raise Failed(f"Prometheus cannot be asked: {error}", Exit.UNKNOWN) from None
    points = answer.series[0].points if answer.series else ()
    return float(points[-1][1]) if points else 0.0


def _loaded(text: str) -> Loaded:
    """It loads, or it is a defect."""
    from watchdog.settings import ConfigurationRefused, load_text  # noqa: PLC0415 - half a second

    try:
        return load_text(text, {})
    except ConfigurationRefused as error:
        first = next(iter(error.problems), error)
        raise Failed(f"what was found makes no configuration: {plain(str(first))}\n\n{text}", Exit.DEFECT) from None
