"""Deployments: history in ReplicaSets, status by conditions.

Neighbours: `kinds`. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.model import JsonObject
from watchdog.platforms.kubernetes.fingerprint import template_of
from watchdog.platforms.kubernetes.history import (
    CHANGE_CAUSE,
    Revision,
    annotation_of,
    controlled_by,
    newest_first,
    revision_from,
)
from watchdog.platforms.kubernetes.kinds import Kind, KubernetesTarget
from watchdog.platforms.kubernetes.status import deployment_rollout, moment

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
"""What the Deployment wanted when the controller last scaled this ReplicaSet."""


def _revisions(workload: JsonObject, listed: Sequence[JsonObject], ignore: Sequence[str]) -> tuple[Revision, ...]:
    uid = workload["metadata"]["uid"]
    found = []
    for entry in listed:
        number = annotation_of(entry, REVISION) or "0"
        if not controlled_by(entry, uid) or not number.isdecimal():
            continue
        found.append(
            revision_from(
                template_of(entry),
                ignore,
                name=entry["metadata"]["name"],
                number=int(number),
                mark=entry["metadata"]["uid"],
                change_cause=annotation_of(entry, CHANGE_CAUSE),
                created=moment(entry["metadata"].get("creationTimestamp")),
                reused=bool(annotation_of(entry, REVISION_HISTORY)),
                replicas=int((entry.get("status") or {}).get("replicas") or 0),
                wanted=_number(annotation_of(entry, DESIRED)),
            )
        )
    return newest_first(found)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _mark(pod: JsonObject) -> str:
    references = pod["metadata"].get("ownerReferences") or []
    return next((str(entry.get("uid")) for entry in references if entry.get("controller")), "")


def _owns(workload: JsonObject, pod: JsonObject, revisions: Sequence[Revision]) -> bool:
    del workload
    return _mark(pod) in {revision.mark for revision in revisions}


def _refusal(workload: JsonObject, config: KubernetesTarget) -> str:
    spec = workload.get("spec") or {}
    strategy = (spec.get("strategy") or {}).get("type", "RollingUpdate")
    if spec.get("paused"):
        return "it is paused: a change would take effect only when somebody resumes it"
    if strategy == "Recreate":
        serving = int((workload.get("status") or {}).get("readyReplicas") or 0)
        if serving and not config.allow_recreate:
            return f"strategy Recreate would stop the {serving} pods that still serve; allow_recreate: true permits it"
    elif strategy != "RollingUpdate":
        return f"its strategy {strategy!r} is not known to this version"
    return ""


DEPLOYMENT = Kind(
    word="Deployment",
    resource="deployments",
    revisions_resource="replicasets",
    rollout=deployment_rollout,
    revisions=_revisions,
    mark=_mark,
    owns_pod=_owns,
    refusal=_refusal,
)
