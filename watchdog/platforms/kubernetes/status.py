"""Rollout status: the exact predicates of the Deployment, StatefulSet and DaemonSet controllers.

Neighbours: the three kinds choose one; `platform` adds the memory of the last completed release. Pure. Guarantees:
nothing is read from a status that is older than the spec (`observed`); absent numbers are 0, as the API means them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchdog.model import Instant, JsonObject, instant, record

DEADLINE = "ProgressDeadlineExceeded"
NO_DEADLINE = 2_147_483_647
"""The API's way to say that a Deployment has no progress deadline."""


@record
class Rollout:
    """What a status says. `deadline_at` is when the controller gave up, by its own clock; None when it did not."""

    observed: bool
    complete: bool
    wanted: int
    ready: int
    updated: int
    available: int
    total: int
    deadline_at: Instant | None = None
    deadline_message: str = ""
    failing: str = ""
    """Why pods cannot be created at all (quota, admission): usually as bad for the good release."""
    completed_at: Instant | None = None


def deployment_rollout(workload: JsonObject) -> Rollout:
    """`complete` is the controller's own word: updated == total == available == wanted, and observed."""
    spec, status = _parts(workload)
    wanted, updated = _number(spec, "replicas", 1), _number(status, "updatedReplicas")
    total, available = _number(status, "replicas"), _number(status, "availableReplicas")
    seen = observed(workload)
    progressing = condition(status, "Progressing")
    gave_up = progressing.get("reason") == DEADLINE and _has_deadline(spec)
    done = progressing.get("reason") == "NewReplicaSetAvailable"
    failure = condition(status, "ReplicaFailure")
    return Rollout(
        observed=seen,
        complete=seen and updated == total == available == wanted,
        wanted=wanted,
        ready=_number(status, "readyReplicas"),
        updated=updated,
        available=available,
        total=total,
        deadline_at=moment(progressing.get("lastUpdateTime")) if gave_up else None,
        deadline_message=str(progressing.get("message", "")) if gave_up else "",
        failing=_words(failure) if failure.get("status") == "True" else "",
        completed_at=moment(progressing.get("lastUpdateTime")) if done else None,
    )


def statefulset_rollout(workload: JsonObject) -> Rollout:
    """With a partition, the pods below it are meant to stay behind."""
    spec, status = _parts(workload)
    wanted, updated = _number(spec, "replicas", 1), _number(status, "updatedReplicas")
    total, ready = _number(status, "replicas"), _number(status, "readyReplicas")
    behind = partition(workload)
    seen = observed(workload)
    if behind:
        moved = updated >= max(0, wanted - behind)
    else:
        moved = updated == wanted and status.get("currentRevision") == status.get("updateRevision")
    return Rollout(
        observed=seen,
        complete=seen and moved and total == ready == wanted,
        wanted=wanted,
        ready=ready,
        updated=updated,
        available=_number(status, "availableReplicas"),
        total=total,
    )


def daemonset_rollout(workload: JsonObject) -> Rollout:
    """Wanted is what the controller says for today's nodes."""
    _, status = _parts(workload)
    wanted = _number(status, "desiredNumberScheduled")
    updated, available = _number(status, "updatedNumberScheduled"), _number(status, "numberAvailable")
    seen = observed(workload)
    return Rollout(
        observed=seen,
        complete=seen and updated >= wanted and available >= wanted,
        wanted=wanted,
        ready=_number(status, "numberReady"),
        updated=updated,
        available=available,
        total=_number(status, "currentNumberScheduled"),
    )


def observed(workload: JsonObject) -> bool:
    """Whether the controller has looked at the latest spec."""
    generation = _number(workload.get("metadata") or {}, "generation")
    return _number(workload.get("status") or {}, "observedGeneration") >= generation


def partition(workload: JsonObject) -> int:
    """Ordinals below this stay at the current revision of a StatefulSet."""
    spec, _ = _parts(workload)
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    return _number(rolling, "partition")


def condition(status: Mapping[str, Any], kind: str) -> JsonObject:
    """The condition of that type; empty when there is none."""
    for entry in status.get("conditions") or []:
        if entry.get("type") == kind:
            return dict(entry)
    return {}


def moment(text: Any) -> Instant | None:
    """A timestamp of the API; None when it is absent or unreadable."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant(parsed.timestamp()) if parsed.tzinfo else None


def _parts(workload: JsonObject) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return workload.get("spec") or {}, workload.get("status") or {}


def _number(of: Mapping[str, Any], key: str, absent: int = 0) -> int:
    value = of.get(key)
    return value if isinstance(value, int) else absent


def _has_deadline(spec: Mapping[str, Any]) -> bool:
    return spec.get("progressDeadlineSeconds") not in (None, NO_DEADLINE)


def _words(entry: JsonObject) -> str:
    return f"{entry.get('reason', '')}: {str(entry.get('message', ''))[:200]}".strip(": ")
