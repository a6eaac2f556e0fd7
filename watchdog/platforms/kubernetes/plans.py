"""Plans: the exact requests that lead back to a release.

Neighbours: `platform.plan` makes them from a fresh snapshot; `writer` completes and sends them; `resolving` finds out what
became of them. Pure. Guarantees: the template goes back whole (``$patch: replace``) and raw, so no field is lost and none of
the bad release survives; nothing outside the template changes but the change-cause and our three annotations; replicas stay
whatever they are. Raises ValueError with the reason where there is no road.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from watchdog.model import JsonObject, Plan, Release, Step, UnitRef
from watchdog.platforms.kubernetes.fingerprint import DOMAIN, HASH_LABELS
from watchdog.platforms.kubernetes.history import CHANGE_CAUSE
from watchdog.platforms.kubernetes.owner import claim_on
from watchdog.platforms.kubernetes.ownership import applied_by, hand_back_step
from watchdog.platforms.kubernetes.pods import digests_of, is_ready, ordinal_of
from watchdog.platforms.kubernetes.preflight import pushed_again
from watchdog.platforms.kubernetes.reading import Reader, Snapshot
from watchdog.platforms.kubernetes.statefulset import STATEFULSET, blocked_pods
from watchdog.platforms.kubernetes.status import partition

ROLLBACK_ID, ROLLED_BACK_FROM, FENCE = f"{DOMAIN}/rollback-id", f"{DOMAIN}/rolled-back-from", f"{DOMAIN}/fence"
RESTORE = "restore-template"
REPLACE_POD = "replace-pod"
MOST_DELETES = 10
"""Pods that one plan may delete: more broken pods than that are a person's decision."""


def restore_body(
    template: JsonObject, *, resource_version: str, change_cause: str, notes: Mapping[str, str]
) -> JsonObject:
    """The strategic merge patch of facts 1.3. `notes` are our own annotations; an empty cause removes the bad one's."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if key != "creationTimestamp"}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key not in HASH_LABELS}
    metadata.pop("labels", None)
    restored = {
        **{key: value for key, value in template.items() if key != "metadata"},
        "metadata": {**metadata, **({"labels": labels} if labels else {})},
        "$patch": "replace",
    }
    return {
        "metadata": {
            "resourceVersion": resource_version,
            "annotations": {CHANGE_CAUSE: change_cause or None, **notes},
        },
        "spec": {"template": restored},
    }


def plan_back(reader: Reader, snapshot: Snapshot, unit: UnitRef, target: Release) -> Plan:
    """The plan from what is live to `target`. Raises ValueError with the reason when there is no road."""
    reason = no_road(reader, snapshot, target)
    if reason:
        raise ValueError(f"{reader.label} is not rolled back: {reason}")
    assert target.template is not None  # noqa: S101 - no_road has seen to it
    live = snapshot.current
    name = f"revision {live.number}" if live else snapshot.fingerprint[:12]
    body = restore_body(
        target.template,
        resource_version=str(snapshot.workload["metadata"].get("resourceVersion", "")),
        change_cause=target.change_cause,
        notes={ROLLED_BACK_FROM: snapshot.fingerprint},
    )
    restore = Step(
        name=RESTORE,
        unit=unit,
        words=f"put the pod template of {target.label} back into {reader.label}, which runs {name}",
        precondition=f"its template is still {snapshot.fingerprint[:12]} and nobody wrote it since it was read",
        request={"method": "PATCH", "path": reader.path, "from": snapshot.fingerprint, "body": body},
    )
    steps = (restore, *_deletes(reader, snapshot, unit, target), *_hand_back(reader, snapshot, unit))
    return Plan(
        unit=unit,
        from_release=snapshot.fingerprint,
        to_release=target.fingerprint,
        steps=steps,
        words="; then ".join(step.words for step in steps),
        warnings=_warnings(reader, snapshot),
    )


def no_road(reader: Reader, snapshot: Snapshot, target: Release) -> str:
    """Why there is no road to `target`; empty when there is one."""
    workload = snapshot.workload
    claim = claim_on(workload, reader.kind.word)
    if workload["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    if claim is not None:
        return claim.sentence
    if target.template is None:
        return f"no template of {target.label} is known any more: the history was pruned before it was seen"
    if target.fingerprint == snapshot.fingerprint:
        return _same_template(reader, snapshot, target)
    return reader.kind.refusal(workload, reader.config) or _stuck_without_leave(reader, snapshot, target)


def deletable(reader: Reader, snapshot: Snapshot, good: str) -> Sequence[JsonObject]:
    """Broken pods of another release than `good` which the controller will not replace by itself."""
    if reader.kind is not STATEFULSET:
        return ()
    blocked = blocked_pods(snapshot.workload, snapshot.pods)
    return [pod for pod in blocked if snapshot.release_of(pod, reader.kind) != good]


def _deletes(reader: Reader, snapshot: Snapshot, unit: UnitRef, target: Release) -> tuple[Step, ...]:
    return tuple(
        Step(
            name=f"{REPLACE_POD}-{pod['metadata']['name']}",
            unit=unit,
            words=f"delete the broken pod {pod['metadata']['name']}, so that it comes back with the good template",
            precondition="the controller has taken in the good template, no pod below is waited for, and this pod is still broken",
            request={
                "method": "DELETE",
                "path": reader.in_namespace("v1", "pods", pod["metadata"]["name"]),
                "pod": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            },
        )
        for pod in deletable(reader, snapshot, target.fingerprint)
    )


def _hand_back(reader: Reader, snapshot: Snapshot, unit: UnitRef) -> tuple[Step, ...]:
    manager = applied_by(snapshot.workload)
    return (hand_back_step(reader.label, reader.path, unit, manager),) if manager else ()


def _stuck_without_leave(reader: Reader, snapshot: Snapshot, target: Release) -> str:
    broken = deletable(reader, snapshot, target.fingerprint)
    if not broken:
        return ""
    names = ", ".join(str(pod["metadata"]["name"]) for pod in broken)
    if not reader.config.allow_pod_delete:
        return (
            f"a good template alone would not help: the broken pods ({names}) block their own replacement until "
            "somebody deletes them; allow_pod_delete: true permits it"
        )
    if len(broken) > MOST_DELETES:
        return f"{len(broken)} broken pods would have to be deleted, at most {MOST_DELETES} are"
    return ""


def _same_template(reader: Reader, snapshot: Snapshot, target: Release) -> str:
    running = _running(reader, snapshot)
    for name, digest in sorted(target.digests.items()):
        others = sorted(running.get(name, set()) - {digest})
        if others:
            return pushed_again(name, str(target.images.get(name, name)), str(digest), others[0])
    return "its template is already the one to go back to"


def _running(reader: Reader, snapshot: Snapshot) -> Mapping[str, set[str]]:
    pods = [pod for pod in snapshot.pods if snapshot.release_of(pod, reader.kind) == snapshot.fingerprint]
    return {name: set(digests) for name, digests in digests_of(pods).items()}


def _warnings(reader: Reader, snapshot: Snapshot) -> tuple[str, ...]:
    workload: Mapping[str, Any] = snapshot.workload
    spec = workload.get("spec") or {}
    found = []
    if (spec.get("strategy") or {}).get("type") == "Recreate":
        found.append("strategy Recreate: every pod stops before the first good one starts")
    if reader.kind is STATEFULSET:
        found.append("volumes and the data in them stay as they are")
        below = [pod for pod in snapshot.pods if ordinal_of(pod) < partition(workload) and not is_ready(pod)]
        if below:
            found.append("pods below the partition are not ready and are not touched")
    return tuple(found)
