"""What a platform reads of a unit at one moment.

Role: the observed state that tracking, judgement and gate share. Guarantees: read fresh, never assembled from memory.
`None` means "could not find out", which is never the same as no.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from watchdog.model.record import Instant, JsonObject, record
from watchdog.model.release import Release
from watchdog.model.unit import UnitRef


@record
class Instance:
    """One pod or process: where it answers, which release it runs, and how it is."""

    name: str
    address: str = ""
    release: str | None = None
    ready: bool = False
    ready_since: Instant | None = None
    started: Instant | None = None
    restarts: int = 0
    node: str = ""
    problem: str = ""
    """The reason in the platform's word: CrashLoopBackOff, ImagePullBackOff, OOMKilled, Unschedulable."""
    terminating: bool = False
    port: int | None = None


@record
class WorkloadState:
    """One fresh read of a unit.

    `version` is the platform's token for a conditional write (resourceVersion). `complete` and `in_progress` follow
    facts/back-ends 1.4: a scaling change is not a rollout. `stuck` is the reason when the platform itself gave up
    (progress deadline). `observed` is False while the controller has not yet looked at the latest template.
    """

    unit: UnitRef
    at: Instant
    release: Release
    version: str
    complete: bool
    in_progress: bool
    observed: bool = True
    started: Instant | None = None
    completed: Instant | None = None
    wanted: int = 0
    ready: int = 0
    updated: int = 0
    available: int = 0
    instances: tuple[Instance, ...] = ()
    paused: bool = False
    deleting: bool = False
    stuck: str = ""
    actor: str = ""
    recreate: bool = False
    hints: JsonObject = field(default_factory=dict)
    """What annotations on the workload ask for: only ever more careful (``mode: ask``, ``no_rollback``)."""


class Owner(StrEnum):
    """Who else claims the workload."""

    NOBODY = "nobody"
    HELM = "helm"
    GITOPS = "gitops"
    CONTROLLER = "controller"
    UNKNOWN = "unknown"


@record
class Ownership:
    """Result of detecting the owner; anything but NOBODY keeps the plain platform from writing."""

    owner: Owner
    sentence: str


@record
class Finding:
    """One thing that preflight or lint saw. `blocks`: the target release cannot run as things stand."""

    name: str
    sentence: str
    blocks: bool = False
    unknown: bool = False
    """The question could not be answered (no permission, no answer)."""


class Resolution(StrEnum):
    """What reading the target says about an intent whose reply was unclear (facts/back-ends 10)."""

    ISSUED = "issued"
    NOT_ISSUED = "not_issued"
    SUPERSEDED = "superseded"  # ours was applied, then a newer change came
    OVERTAKEN = "overtaken"  # ours was not applied, and a newer release is there
    DONE_BY_OTHERS = "done_by_others"  # the good release is back, though not by our write
    GONE = "gone"
    UNKNOWN = "unknown"


class Progress(StrEnum):
    """How far the outside has come with an issued step."""

    PENDING = "pending"
    OBSERVED = "observed"  # rolled out
    STUCK = "stuck"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


@record
class Confirmation:
    """One look at an issued step."""

    progress: Progress
    sentence: str


class Issue(StrEnum):
    """The answer to one conditional write."""

    ISSUED = "issued"
    PRECONDITION_FAILED = "precondition_failed"
    REFUSED = "refused"  # a definite no of the outside: forbidden, invalid
    UNKNOWN = "unknown"  # timeout, dropped connection, 5xx: resolve by reading


@record
class StepOutcome:
    """What one execution of one step came to."""

    issue: Issue
    sentence: str
    overwrote: str = ""
    """Label of a newer release that our write overwrote, where the outside has no compare-and-swap: a person is called."""
