"""StatefulSets: history in ControllerRevisions; a broken pod can block its own replacement.

Neighbours: `kinds`; `plans` asks `blocked_pods` which pods the controller will not replace by itself. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.model import JsonObject
from watchdog.platforms.kubernetes.controllerrevisions import revisions_of
from watchdog.platforms.kubernetes.history import Revision, controlled_by, label_of
from watchdog.platforms.kubernetes.kinds import Kind, KubernetesTarget
from watchdog.platforms.kubernetes.pods import is_ready, ordinal_of
from watchdog.platforms.kubernetes.status import partition, statefulset_rollout

REVISION_LABEL = "controller-revision-hash"


def update_strategy(workload: JsonObject) -> str:
    """``RollingUpdate``, ``OnDelete``, or something newer than this version."""
    return str(((workload.get("spec") or {}).get("updateStrategy") or {}).get("type", "RollingUpdate"))


def blocked_pods(workload: JsonObject, pods: Sequence[JsonObject]) -> tuple[JsonObject, ...]:
    """Pods that OrderedReady will never replace after a template change, lowest ordinal first.

    Not ready, not terminating, at or above the partition. The controller walks upward and stops at the first pod that is
    not ready, before it comes to updating or even re-creating any above it (kubernetes#67250): that one must go first.
    """
    spec = workload.get("spec") or {}
    if spec.get("podManagementPolicy", "OrderedReady") != "OrderedReady":
        return ()
    first = partition(workload) + int((spec.get("ordinals") or {}).get("start") or 0)
    broken = [
        pod
        for pod in pods
        if ordinal_of(pod) >= first and not is_ready(pod) and not pod["metadata"].get("deletionTimestamp")
    ]
    return tuple(sorted(broken, key=ordinal_of))


def _revisions(workload: JsonObject, listed: Sequence[JsonObject], ignore: Sequence[str]) -> tuple[Revision, ...]:
    return revisions_of(workload, listed, ignore, mark=lambda entry: str(entry["metadata"]["name"]))


def _mark(pod: JsonObject) -> str:
    return label_of(pod, REVISION_LABEL)


def _owns(workload: JsonObject, pod: JsonObject, revisions: Sequence[Revision]) -> bool:
    del revisions
    return controlled_by(pod, workload["metadata"]["uid"])


def _refusal(workload: JsonObject, config: KubernetesTarget) -> str:
    del config
    strategy = update_strategy(workload)
    if strategy == "OnDelete":
        return "update strategy OnDelete: a new template changes no pod until somebody deletes it"
    if strategy != "RollingUpdate":
        return f"its update strategy {strategy!r} is not known to this version"
    return ""


STATEFULSET = Kind(
    word="StatefulSet",
    resource="statefulsets",
    revisions_resource="controllerrevisions",
    rollout=statefulset_rollout,
    revisions=_revisions,
    mark=_mark,
    owns_pod=_owns,
    refusal=_refusal,
)
