"""Reading: one fresh look at a workload, its remembered revisions and its pods.

Neighbours: `clients.kubernetes` makes the calls; `state`, `plans`, `evidence` and `writer` interpret what came. Guarantees:
three requests at most, two of them together; only what this very workload controls is handed on; "could not be found
out" is raised as `Unavailable`, also when the workload does not exist, so that no caller mistakes it for an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from watchdog.clients.kubernetes import KubernetesClient, NotFound, api_path
from watchdog.model import JsonObject, UnitRef, record
from watchdog.platforms.kubernetes.daemonset import DAEMONSET
from watchdog.platforms.kubernetes.deployment import DEPLOYMENT
from watchdog.platforms.kubernetes.fingerprint import fingerprint, template_of
from watchdog.platforms.kubernetes.history import Revision, current_revision, selector_text
from watchdog.platforms.kubernetes.kinds import Kind, KubernetesTarget
from watchdog.platforms.kubernetes.statefulset import STATEFULSET
from watchdog.ports import Unavailable

KINDS: Mapping[str, Kind] = {kind.word.lower(): kind for kind in (DEPLOYMENT, STATEFULSET, DAEMONSET)}
T = TypeVar("T")

READ_S = 8.0
"""Deadline of one request of a read, below the engine's own for the whole read."""


class WorkloadMissing(Unavailable):
    """The workload does not exist (any more): nothing can be said about its state."""


@record
class Snapshot:
    """What was read together. `fingerprint` is the live template's."""

    workload: JsonObject
    revisions: tuple[Revision, ...]
    pods: tuple[JsonObject, ...]
    fingerprint: str

    @property
    def uid(self) -> str:
        """The workload's lasting id."""
        return str(self.workload["metadata"]["uid"])

    @property
    def current(self) -> Revision | None:
        """The revision of the live template, None when the controller has not made it yet."""
        return current_revision(self.revisions, template_of(self.workload))

    def release_of(self, pod: JsonObject, kind: Kind) -> str | None:
        """Fingerprint of what the pod runs; None when its revision is not remembered."""
        mark = kind.mark(pod)
        return next((revision.fingerprint for revision in self.revisions if mark and revision.mark == mark), None)


class Reader:
    """Reads one workload."""

    def __init__(self, client: KubernetesClient, config: KubernetesTarget) -> None:
        """Raises ValueError for a kind that is not a Deployment, StatefulSet or DaemonSet."""
        if config.kind.lower() not in KINDS:
            raise ValueError(f"{config.kind!r} is none of {', '.join(kind.word for kind in KINDS.values())}")
        self.client, self.config = client, config
        self.kind = KINDS[config.kind.lower()]
        self.path = self.kind.path(config)
        self.label = f"{self.kind.word.lower()} {config.namespace}/{config.name}"

    async def workload(self, *, timeout_s: float = READ_S) -> JsonObject:
        """The workload as it is now. Raises WorkloadMissing, Unavailable."""
        try:
            return await self.client.get(self.path, timeout_s=timeout_s)
        except NotFound as error:
            raise WorkloadMissing(f"{self.label} does not exist") from error

    async def snapshot(self) -> Snapshot:
        """Workload, revisions and pods. Raises WorkloadMissing, Unavailable."""
        workload = await self.workload()
        selector = selector_text((workload.get("spec") or {}).get("selector") or {})
        revisions, pods = await together(
            self._listed("apps/v1", self.kind.revisions_resource, selector), self._listed("v1", "pods", selector)
        )
        return self.interpret(workload, revisions, pods)

    def interpret(self, workload: JsonObject, revisions: Sequence[JsonObject], pods: Sequence[JsonObject]) -> Snapshot:
        """The snapshot of objects that were read."""
        ignore = self.config.ignore_annotations
        kept = self.kind.revisions(workload, revisions, ignore)
        return Snapshot(
            workload=workload,
            revisions=kept,
            pods=tuple(pod for pod in pods if self.kind.owns_pod(workload, pod, kept)),
            fingerprint=self.fingerprint(workload),
        )

    def fingerprint(self, workload: JsonObject) -> str:
        """Fingerprint of the live template."""
        return fingerprint(template_of(workload), self.config.ignore_annotations)

    def unit(self, workload: JsonObject) -> UnitRef:
        """The unit of rollback."""
        return UnitRef(
            target=self.config.target,
            platform="kubernetes",
            uid=str(workload["metadata"]["uid"]),
            name=f"{self.config.namespace}/{self.kind.word.lower()}/{self.config.name}",
        )

    def in_namespace(self, group_version: str, resource: str, name: str = "", sub: str = "") -> str:
        """A path in the target's namespace."""
        return api_path(group_version, resource, self.config.namespace, name, sub)

    async def _listed(self, group_version: str, resource: str, selector: str) -> Sequence[JsonObject]:
        return await self.client.list(
            self.in_namespace(group_version, resource), label_selector=selector, timeout_s=READ_S
        )


async def together(*reads: Coroutine[Any, Any, T]) -> list[T]:
    """Run reads at the same time. The first that fails ends the others and is raised itself, not as a group."""
    running = [asyncio.ensure_future(read) for read in reads]
    try:
        return list(await asyncio.gather(*running))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
