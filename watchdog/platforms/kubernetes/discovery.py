"""What in some namespaces could be watched: workloads, how their health is asked, who owns them.

Role: behind `watchdog init`. Neighbours: `owner` knows the marks of those who would undo a rollback. Guarantees: only reads workloads; what was
not found is said in `notes`, never guessed. Not guaranteed: that a readiness probe measures what users see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from watchdog.clients.kubernetes import KubernetesClient, api_path
from watchdog.model import JsonObject, record
from watchdog.platforms.kubernetes.history import annotation_of
from watchdog.platforms.kubernetes.owner import HELM_NAME, HELM_NAMESPACE, claim_on

RESOURCES: Mapping[str, str] = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
SYSTEM = ("kube-", "gke-", "openshift-", "azure-")
"""Namespaces that begin so belong to the cluster itself; they are read only when they are named."""
PROBES = ("readinessProbe", "startupProbe", "livenessProbe")
INSIGHTS = "APPLICATIONINSIGHTS_CONNECTION_STRING"


@record
class HttpProbe:
    """How the kubelet asks. `kind` names the probe: ``readiness``."""

    path: str
    port: int
    scheme: str
    kind: str


@record
class Found:
    """One workload. `helm` = (namespace, release) of the release that brought it; `claim` = who would undo a rollback."""

    namespace: str
    kind: str
    name: str
    probe: HttpProbe | None = None
    helm: tuple[str, str] | None = None
    claim: str = ""
    insights: bool = False
    """Its pods are told where Application Insights is."""


async def discover(client: KubernetesClient, namespaces: Sequence[str]) -> tuple[Found, ...]:
    """The workloads of these namespaces, of all but the cluster's own where none is named. Raises Unavailable."""
    found: list[Found] = []
    for namespace in namespaces or ("",):
        for resource, kind in RESOURCES.items():
            listed = await client.list(api_path("apps/v1", resource, namespace))
            found += [found_of(entry, kind) for entry in listed if namespaces or not _of_the_system(entry)]
    return tuple(sorted(found, key=lambda one: (one.namespace, one.name, one.kind)))


def found_of(workload: JsonObject, kind: str) -> Found:
    """What one object says."""
    metadata = workload["metadata"]
    claim = claim_on(workload, kind)
    release, where = annotation_of(workload, HELM_NAME), annotation_of(workload, HELM_NAMESPACE)
    containers = workload["spec"]["template"]["spec"].get("containers") or []
    return Found(
        namespace=str(metadata["namespace"]),
        kind=kind,
        name=str(metadata["name"]),
        probe=_probe(containers),
        helm=(where, release) if release and where else None,
        claim="" if claim is None else claim.sentence,
        insights=any(entry.get("name") == INSIGHTS for one in containers for entry in one.get("env") or []),
    )


def _probe(containers: Iterable[Mapping[str, Any]]) -> HttpProbe | None:
    """The first container's readiness probe by HTTP; else of another kind, else of another container."""
    found = [probe for container in containers for probe in _probes(container)]
    return min(found, key=lambda probe: [name.removesuffix("Probe") for name in PROBES].index(probe.kind), default=None)


def _probes(container: Mapping[str, Any]) -> Iterable[HttpProbe]:
    for name in PROBES:
        asked = (container.get(name) or {}).get("httpGet")
        port = None if asked is None else _number(asked.get("port"), container)
        if asked is not None and port is not None and not asked.get("host"):
            yield HttpProbe(
                path=str(asked.get("path") or "/"),
                port=port,
                scheme=str(asked.get("scheme") or "HTTP").lower(),
                kind=name.removesuffix("Probe"),
            )


def _number(port: Any, container: Mapping[str, Any]) -> int | None:
    """A port's number; one that is named is looked up among the container's. None = it has no such name."""
    if isinstance(port, int):
        return port
    named = {entry.get("name"): entry.get("containerPort") for entry in container.get("ports") or []}
    return named.get(port) if named.get(port) is not None else int(port) if str(port).isdigit() else None


def _of_the_system(workload: JsonObject) -> bool:
    return str(workload["metadata"]["namespace"]).startswith(SYSTEM)
