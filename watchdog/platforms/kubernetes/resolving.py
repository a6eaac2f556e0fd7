"""Resolving and confirming: what became of a write, by reading alone.

Neighbours: `platform` reads and calls these. Pure. Guarantees: the table of facts/back-ends section 10, by the mark that
the write left (our intent's id) and the live fingerprint; the mark is compared with this open intent only - it is copied on
to ReplicaSets and outlives later releases, so it never proves that anything is good.
"""

from __future__ import annotations

from watchdog.model import Confirmation, Instant, Intent, JsonObject, Progress, Resolution
from watchdog.platforms.kubernetes.history import annotation_of
from watchdog.platforms.kubernetes.kinds import Kind
from watchdog.platforms.kubernetes.owner import writers_of_template
from watchdog.platforms.kubernetes.ownership import ours
from watchdog.platforms.kubernetes.plans import RESTORE, ROLLBACK_ID
from watchdog.platforms.kubernetes.reading import Snapshot
from watchdog.platforms.kubernetes.state import stuck_reason

MANAGER = "watchdog"


def resolve_restore(intent: Intent, workload: JsonObject, fingerprint: str) -> Resolution:
    """What became of the write of the template. `fingerprint` is the live one."""
    if workload["metadata"]["uid"] != intent.step.unit.uid:
        return Resolution.GONE
    ours = annotation_of(workload, ROLLBACK_ID) == intent.id
    if ours:
        return Resolution.ISSUED if fingerprint == intent.to_release else Resolution.SUPERSEDED
    if fingerprint == intent.to_release:
        return Resolution.DONE_BY_OTHERS
    return Resolution.NOT_ISSUED if fingerprint == intent.from_release else Resolution.OVERTAKEN


def resolve_hand_back(intent: Intent, workload: JsonObject, fingerprint: str) -> Resolution:
    """What became of handing the fields back: our entry is gone, or it is not."""
    if workload["metadata"]["uid"] != intent.step.unit.uid:
        return Resolution.GONE
    if fingerprint != intent.to_release:
        return Resolution.SUPERSEDED
    return Resolution.NOT_ISSUED if ours(workload) else Resolution.ISSUED


def resolve_delete(intent: Intent, snapshot: Snapshot) -> Resolution:
    """What became of a pod's deletion: the very pod is there and not leaving, or it is not."""
    if snapshot.uid != intent.step.unit.uid:
        return Resolution.GONE
    if snapshot.fingerprint != intent.to_release:
        return Resolution.SUPERSEDED
    for pod in snapshot.pods:
        if pod["metadata"]["uid"] == intent.step.request["uid"]:
            return Resolution.ISSUED if pod["metadata"].get("deletionTimestamp") else Resolution.NOT_ISSUED
    return Resolution.ISSUED


def confirm_rollout(intent: Intent, snapshot: Snapshot, kind: Kind) -> Confirmation:
    """Whether what was issued has been rolled out."""
    if snapshot.uid != intent.step.unit.uid or snapshot.fingerprint != intent.to_release:
        return Confirmation(progress=Progress.SUPERSEDED, sentence="another template than the one put back is live")
    rollout = kind.rollout(snapshot.workload)
    if not rollout.observed or snapshot.current is None:
        return Confirmation(progress=Progress.PENDING, sentence="the controller has not looked at it yet")
    numbers = f"{rollout.updated} of {rollout.wanted} pods updated, {rollout.available} available"
    if rollout.complete:
        return Confirmation(progress=Progress.OBSERVED, sentence=f"rolled out: {numbers}")
    stuck = stuck_reason(rollout, written_at(intent, snapshot.workload))
    if stuck:
        return Confirmation(progress=Progress.STUCK, sentence=f"{stuck} ({numbers})")
    if rollout.failing:
        return Confirmation(progress=Progress.PENDING, sentence=f"{numbers}; pods cannot be created: {rollout.failing}")
    return Confirmation(progress=Progress.PENDING, sentence=numbers)


def written_at(intent: Intent, workload: JsonObject) -> Instant:
    """When our write arrived, by the API server's clock, which is the one the conditions are written by; else by ours."""
    if annotation_of(workload, ROLLBACK_ID) == intent.id or intent.step.name != RESTORE:
        for manager, at in writers_of_template(workload):
            if manager == MANAGER and at is not None:
                return at
    return intent.stored_at
