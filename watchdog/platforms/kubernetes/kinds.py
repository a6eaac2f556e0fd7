"""What the three kinds of workload have in common, as one interface.

Neighbours: `deployment`, `statefulset` and `daemonset` each give one `Kind`; `reading`, `state`, `plans` and `writer`
know no kind by name. Pure: a kind interprets objects, it reads none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from watchdog.clients.kubernetes import api_path
from watchdog.model import JsonObject, record
from watchdog.platforms.kubernetes.history import Revision
from watchdog.platforms.kubernetes.status import Rollout


@record
class KubernetesTarget:
    """Which workload a target names, and what an operator opted into.

    `ignore_annotations`: further annotations of the pod template that say nothing about the release.
    """

    target: str
    namespace: str
    kind: str
    name: str
    allow_pod_delete: bool = False
    """A stuck StatefulSet may be freed by deleting its broken pods, one at a time."""
    allow_recreate: bool = False
    """A Deployment with strategy Recreate may be rolled back although that stops every pod at once."""
    ignore_annotations: tuple[str, ...] = ()


@record
class Kind:
    """One kind of workload: where it lives, how its history and status read, and what cannot be rolled back."""

    word: str
    resource: str
    revisions_resource: str
    rollout: Callable[[JsonObject], Rollout]
    revisions: Callable[[JsonObject, Sequence[JsonObject], Sequence[str]], tuple[Revision, ...]]
    """Workload, its listed revision objects, ignored annotations."""
    mark: Callable[[JsonObject], str]
    """What ties a pod to its revision (`Revision.mark`)."""
    owns_pod: Callable[[JsonObject, JsonObject, Sequence[Revision]], bool]
    """Workload, pod, revisions."""
    refusal: Callable[[JsonObject, KubernetesTarget], str]
    """Why this kind of workload, as it is configured, is not rolled back by us; empty when it is."""

    def path(self, config: KubernetesTarget, name: str = "") -> str:
        """Path of the workload."""
        return api_path("apps/v1", self.resource, config.namespace, name or config.name)
