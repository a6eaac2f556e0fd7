"""DaemonSets: history in ControllerRevisions, one pod a node; the controller frees itself from broken pods.

Neighbours: `kinds`. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.model import JsonObject
from watchdog.platforms.kubernetes.controllerrevisions import revisions_of
from watchdog.platforms.kubernetes.history import Revision, controlled_by, label_of
from watchdog.platforms.kubernetes.kinds import Kind, KubernetesTarget
from watchdog.platforms.kubernetes.statefulset import REVISION_LABEL, update_strategy
from watchdog.platforms.kubernetes.status import daemonset_rollout


def _revisions(workload: JsonObject, listed: Sequence[JsonObject], ignore: Sequence[str]) -> tuple[Revision, ...]:
    return revisions_of(workload, listed, ignore, mark=lambda entry: label_of(entry, REVISION_LABEL))


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


DAEMONSET = Kind(
    word="DaemonSet",
    resource="daemonsets",
    revisions_resource="controllerrevisions",
    rollout=daemonset_rollout,
    revisions=_revisions,
    mark=_mark,
    owns_pod=_owns,
    refusal=_refusal,
)
