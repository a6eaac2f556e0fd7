"""Pods: how each one is, which release it runs, and what really runs in it.

Neighbours: `state` collects the instances, `evidence` sorts pods by `badness`, `signals.workload` judges the problems.
Pure. Guarantees: a problem is a word of a closed set or the cluster's own reason; ErrImagePull and ImagePullBackOff, which
alternate, are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from watchdog.model import Instance, Instant, JsonObject
from watchdog.platforms.kubernetes.status import condition, moment

OOM_FRESH_S = 600.0
"""For so long after it a container that was killed for its memory and runs again still counts as a problem."""
_SAME = {"ErrImagePull": "ImagePullBackOff"}
_STARTING = ("ContainerCreating", "PodInitializing")


def instance_of(pod: JsonObject, release: str | None, now: Instant) -> Instance:
    """The pod as an instance of `release` (None: nobody knows which)."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    ready = condition(status, "Ready")
    return Instance(
        name=metadata["name"],
        address=str(status.get("podIP") or ""),
        release=release,
        ready=is_ready(pod),
        ready_since=moment(ready.get("lastTransitionTime")) if is_ready(pod) else None,
        started=moment(status.get("startTime")) or moment(metadata.get("creationTimestamp")),
        restarts=sum(int(entry.get("restartCount") or 0) for entry in container_statuses(pod)),
        node=str((pod.get("spec") or {}).get("nodeName") or ""),
        problem=problem_of(pod, now),
        terminating=bool(metadata.get("deletionTimestamp")),
        port=_port_of(pod),
    )


def is_ready(pod: JsonObject) -> bool:
    """Whether its Ready condition holds."""
    return condition(pod.get("status") or {}, "Ready").get("status") == "True"


def ordinal_of(pod: JsonObject) -> int:
    """The number at the end of a StatefulSet pod's name, -1 when there is none."""
    tail = str(pod["metadata"]["name"]).rpartition("-")[2]
    return int(tail) if tail.isdecimal() else -1


def container_statuses(pod: JsonObject) -> Iterator[JsonObject]:
    """Statuses of init containers (restartable ones are sidecars), then of the others."""
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(kind) or []


def problem_of(pod: JsonObject, now: Instant) -> str:
    """The most telling reason why the pod is not well; empty when nothing is the matter."""
    status = pod.get("status") or {}
    if condition(status, "DisruptionTarget").get("status") == "True":
        return "Disrupted"
    if status.get("phase") == "Failed":
        return str(status.get("reason") or "Failed")
    for entry in container_statuses(pod):
        problem = _container_problem(entry, now)
        if problem:
            return problem
    scheduled = condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return str(scheduled.get("reason") or "Unschedulable")
    return ""


def digests_of(pods: Iterable[JsonObject]) -> Mapping[str, tuple[str, ...]]:
    """Container name to the digests that really run, sorted: more than one means that a tag was pushed again."""
    found: dict[str, set[str]] = {}
    for pod in pods:
        for entry in container_statuses(pod):
            digest = digest_of(entry)
            if digest:
                found.setdefault(str(entry.get("name")), set()).add(digest)
    return {name: tuple(sorted(digests)) for name, digests in sorted(found.items())}


def digest_of(container_status: JsonObject) -> str:
    """``sha256:...`` of a container's imageID; empty when the runtime names none that can be pulled."""
    image = str(container_status.get("imageID") or "")
    _, at, digest = image.rpartition("@")
    return digest if at and digest.startswith("sha256:") else ""


def badness(pod: JsonObject, now: Instant) -> tuple[bool, bool, int]:
    """Sort key, worst last: has a problem, is not ready, restarts."""
    restarts = sum(int(entry.get("restartCount") or 0) for entry in container_statuses(pod))
    return bool(problem_of(pod, now)), not is_ready(pod), restarts


def _container_problem(entry: Mapping[str, Any], now: Instant) -> str:
    waiting = str(((entry.get("state") or {}).get("waiting") or {}).get("reason") or "")
    last = (entry.get("lastState") or {}).get("terminated") or {}
    killed = last.get("reason") == "OOMKilled"
    if waiting and waiting not in _STARTING:
        return "OOMKilled" if killed and waiting == "CrashLoopBackOff" else _SAME.get(waiting, waiting)
    if ((entry.get("state") or {}).get("terminated") or {}).get("reason") == "OOMKilled":
        return "OOMKilled"
    finished = moment(last.get("finishedAt"))
    return "OOMKilled" if killed and finished is not None and now - finished < OOM_FRESH_S else ""


def _port_of(pod: JsonObject) -> int | None:
    for container in (pod.get("spec") or {}).get("containers") or []:
        for port in container.get("ports") or []:
            number = port.get("containerPort")
            if isinstance(number, int):
                return number
    return None
