"""State: from what was read to the record that every room shares.

Neighbours: `reading` gives the snapshot, `platform` keeps the `Memory`. Pure but for the memory it is handed. Guarantees: a
scaling change is not a rollout (fingerprints decide, not generations); a stale ProgressDeadlineExceeded of an earlier
release is not this one's; only annotations of a closed list become hints, and they only ever make us more careful.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from watchdog.model import Instant, JsonObject, Release, UnitRef, WorkloadState, iso, parse_instant
from watchdog.platforms.kubernetes.fingerprint import DOMAIN, claims_of, images_of, template_of
from watchdog.platforms.kubernetes.history import CHANGE_CAUSE, annotation_of, release_from
from watchdog.platforms.kubernetes.kinds import Kind
from watchdog.platforms.kubernetes.owner import writers_of_template
from watchdog.platforms.kubernetes.pods import digests_of, instance_of
from watchdog.platforms.kubernetes.reading import Snapshot
from watchdog.platforms.kubernetes.status import DEADLINE, Rollout

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h)")
_HINTS = ("mode", "no-rollback", "tolerate-interruption", "pause-until", "pause-generation", "pause-why", "pause-by")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass
class Memory:
    """What one process remembers between reads: when the release changed under our eyes, and what completed last."""

    fingerprint: str = ""
    changed_at: Instant | None = None
    completed: str = ""
    completed_at: Instant | None = None

    def note(self, fingerprint: str, *, complete: bool, now: Instant) -> None:
        """Take in one read."""
        if fingerprint != self.fingerprint:
            # The first release of all was not seen changing: nobody knows since when it is there.
            self.changed_at = now if self.fingerprint else None
            self.fingerprint, self.completed_at = fingerprint, None
        if complete and self.completed != fingerprint:
            self.completed_at = now if self.changed_at is not None else None
        if complete:
            self.completed = fingerprint


def state_of(snapshot: Snapshot, kind: Kind, unit: UnitRef, memory: Memory, now: Instant) -> WorkloadState:
    """The state at one read; updates the memory."""
    workload, current = snapshot.workload, snapshot.current
    rollout = kind.rollout(workload)
    if current is None:
        # The controller has not made a revision of the live template: whatever the numbers say is about another one.
        rollout = replace(rollout, complete=False, observed=False)
    in_progress = _in_progress(snapshot, rollout, memory)
    memory.note(snapshot.fingerprint, complete=rollout.complete, now=now)
    started = started_at(snapshot, rollout, memory)
    instances = tuple(instance_of(pod, snapshot.release_of(pod, kind), now) for pod in snapshot.pods)
    completed = _completed_at(rollout, memory, started)
    if rollout.complete and completed is None:
        completed = max((entry.ready_since for entry in instances if entry.ready_since is not None), default=None)
    actor = next((name for name, _ in writers_of_template(workload)), "")
    return WorkloadState(
        unit=unit,
        at=now,
        release=_release(snapshot, kind, started=started, completed=completed, actor=actor),
        version=str(workload["metadata"].get("resourceVersion", "")),
        complete=rollout.complete,
        in_progress=in_progress,
        observed=rollout.observed,
        started=started,
        completed=completed,
        wanted=rollout.wanted,
        ready=rollout.ready,
        updated=rollout.updated,
        available=rollout.available,
        instances=instances,
        paused=bool((workload.get("spec") or {}).get("paused")),
        deleting=bool(workload["metadata"].get("deletionTimestamp")),
        stuck=stuck_reason(rollout, started),
        actor=actor,
        recreate=((workload.get("spec") or {}).get("strategy") or {}).get("type") == "Recreate",
        hints=hints_of(workload),
    )


def stuck_reason(rollout: Rollout, since: Instant | None) -> str:
    """Why the controller itself gave up on what began at `since`; empty when it did not, or gave up on something older.

    The condition of a timed-out release stays until some replica count moves, so its own time decides.
    """
    if rollout.complete or rollout.deadline_at is None:
        return ""
    if since is not None and rollout.deadline_at <= since:
        return ""
    words = f"{DEADLINE}: {rollout.deadline_message}"
    return f"{words}; pods cannot be created: {rollout.failing}" if rollout.failing else words


def started_at(snapshot: Snapshot, rollout: Rollout, memory: Memory) -> Instant | None:
    """When the live template came: the earliest of what can only be too late.

    Our own first sight of it, the last write of whoever owns the template in managedFields (later writes of the same
    manager move it), and the creation of its revision unless that was used before or has not been looked at yet.
    """
    times = [memory.changed_at] if memory.fingerprint == snapshot.fingerprint else []
    times += [at for _, at in writers_of_template(snapshot.workload)[:1]]
    current = snapshot.current
    if current is not None and rollout.observed and not current.reused:
        times.append(current.created)
    return min((at for at in times if at is not None), default=None)


def hints_of(workload: JsonObject) -> Mapping[str, Any]:
    """What annotations on the workload ask for, from a closed list.

    Whoever sets one means something by it: an empty or unreadable value asks for a person, or for no rollback.
    """
    annotations = workload["metadata"].get("annotations") or {}
    said = {word: str(annotations[f"{DOMAIN}/{word}"]).strip() for word in _HINTS if f"{DOMAIN}/{word}" in annotations}
    hints: dict[str, Any] = {}
    mode = said.get("mode", "enforce").lower()
    if mode != "enforce":
        hints["mode"] = mode if mode in ("ask", "observe") else "ask"
    refuse = said.get("no-rollback", "false")
    if refuse.lower() != "false":
        hints["no_rollback"] = True if refuse.lower() in ("true", "") else refuse
    if "tolerate-interruption" in said:
        match = _DURATION.fullmatch(said["tolerate-interruption"])
        if match:
            hints["tolerate_interruption"] = float(match["number"]) * _SECONDS[match["unit"]]
        else:
            hints.setdefault("mode", "ask")
    if "pause-until" in said or "pause-generation" in said:
        for key, asked in _pause_of(said, str(workload["metadata"].get("generation", ""))).items():
            hints.setdefault(key, asked)
    return hints


def _pause_of(said: Mapping[str, str], generation: str) -> Mapping[str, Any]:
    """A pause that the workload itself asks for. It is for one generation, because annotations outlive what they were meant for."""
    try:
        until = parse_instant(said.get("pause-until", ""))
        meant = int(said.get("pause-generation", ""))
    except ValueError:
        return {"mode": "ask"}
    why, who = said.get("pause-why", "") or "no reason is given", said.get("pause-by", "")
    stale = {"stale": True} if str(meant) != generation else {}  # also a change of replicas makes a new generation
    return {"pause": {"until": iso(until), "why": why, "who": who, "generation": meant, **stale}}


def _in_progress(snapshot: Snapshot, rollout: Rollout, memory: Memory) -> bool:
    if rollout.complete:
        return False
    if memory.completed:
        return snapshot.fingerprint != memory.completed
    status = snapshot.workload.get("status") or {}
    several = sum(revision.replicas > 0 for revision in snapshot.revisions) > 1
    moving = status.get("currentRevision") != status.get("updateRevision")
    return several or moving or rollout.updated < rollout.total or snapshot.current is None


def _completed_at(rollout: Rollout, memory: Memory, started: Instant | None) -> Instant | None:
    if not rollout.complete:
        return None
    told = rollout.completed_at
    if told is not None and (started is None or told >= started):
        return told
    return memory.completed_at


def _release(
    snapshot: Snapshot, kind: Kind, *, started: Instant | None, completed: Instant | None, actor: str
) -> Release:
    template, current = template_of(snapshot.workload), snapshot.current
    base = (
        release_from(current)
        if current is not None
        else Release(
            fingerprint=snapshot.fingerprint, images=images_of(template), claims=claims_of(template), template=template
        )
    )
    running = digests_of(pod for pod in snapshot.pods if snapshot.release_of(pod, kind) == snapshot.fingerprint)
    mixed = [name for name, digests in running.items() if len(digests) > 1]
    return replace(
        base,
        digests={name: digests[0] for name, digests in running.items() if len(digests) == 1},
        change_cause=base.change_cause or annotation_of(snapshot.workload, CHANGE_CAUSE),
        actor=actor,
        started=started,
        completed=completed,
        note=f"pods of this one release run different images of the same tag: {', '.join(mixed)}" if mixed else "",
    )
