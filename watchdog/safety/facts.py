"""All inputs of one pass through the gate, as one frozen record.

Role: the engine fills `GateFacts` from fresh reads before each intent and each step; `safety.gate` judges it and reads
nothing else. Neighbours: small views (`Leadership`, `PausesRead`, `BlameView` ...) stand here because the ports are a floor
above. Guarantees: `None` in a view means "could not be found out" and is never read as no. Not guaranteed: that the reads
are fresh; that is the engine's promise.
"""

from __future__ import annotations

from watchdog.model import (
    Act,
    Approval,
    Finding,
    Instant,
    Override,
    Ownership,
    Pause,
    Release,
    TargetPolicy,
    TargetVerdict,
    UnitRecord,
    WorkloadState,
    record,
)


@record
class PausesRead:
    """One read of the pauses that cover a target. `readable` False means paused, whatever `active` says (P3)."""

    readable: bool
    active: tuple[Pause, ...] = ()
    sentence: str = ""
    just_ended: Pause | None = None
    """One that has ended while the target's samples of before still count."""


@record
class Leadership:
    """What is known about our lease. `held` None = unknown; `remaining_s` counts on the monotonic clock."""

    held: bool | None
    remaining_s: float = 0.0
    sentence: str = ""


@record
class BlameView:
    """Whether the release is the cause. False: an older cause, a dependency or the control says otherwise.

    `hazard` is the letter of facts/hazards.md that the attribution found (``C`` for a dependency), empty when none.
    """

    to_blame: bool | None
    sentence: str = ""
    hazard: str = ""


@record
class HazardView:
    """What a configured reader found about one hazard (letter or slug). `present` None = could not be checked."""

    hazard: str
    present: bool | None
    sentence: str = ""


@record
class SelfSuspicion:
    """Whether it is rather the watchdog that is broken. None = a configured reference could not be asked."""

    verdict: bool | None
    sentence: str = ""


@record
class GateFacts:
    """Everything the gate looks at. Durations in seconds.

    `failing_seen_s` is the age of the last poll that found the target failing (None: no poll of this window did), `poll_s`
    the slowest poll period of the failing signals. `need_s` is how long the write may take, margin included. `blamed` is
    the incident's release under suspicion, `good` the one chosen to go back to. `preflight` None = not answered.
    `in_flight` names other incidents of the same group or unit with a write under way.
    """

    policy: TargetPolicy
    verdict: TargetVerdict | None
    failing_seen_s: float | None
    poll_s: float
    pauses: PausesRead
    leadership: Leadership
    need_s: float
    state: WorkloadState | None
    owner: Ownership | None
    blamed: Release
    in_bake: bool
    blame: BlameView
    good: Release | None
    preflight: tuple[Finding, ...] | None
    record: UnitRecord
    suspect: SelfSuspicion
    incident: str
    state_error: str = ""
    """Why `state` is None."""
    bake_sentence: str = ""
    good_sentence: str = ""
    """How `good` was chosen, or why there is none."""
    good_far: bool = False
    """Further back than may be gone without asking."""
    steps_back: int | None = None
    """How many good releases back `good` lies; 1 = the newest good one."""
    hazards: tuple[HazardView, ...] = ()
    fleet_acts: tuple[Act, ...] = ()
    """Recent acts on all targets, this one included."""
    in_flight: tuple[str, ...] = ()
    approvals: tuple[Approval, ...] = ()
    began: Instant | None = None
    """When the incident was opened, or last re-opened. Approvals given before are history; ones spent since still count
    for this response (a second attempt after a lost precondition, the later steps of a plan)."""
    overrides: tuple[Override, ...] = ()
    countdown_until: Instant | None = None
    countdown_started: bool = False
    step: int = 0
    """Index of the plan's step that is about to be written; above 0 the plan is under way."""
    wrote: bool = False
    """An *earlier* intent of this incident may have reached the target. The one about to be written does not count."""
    armed: bool = True
    store_found_empty: bool = False
    shutting_down: bool = False
    store_ok: bool = True
    """An intent can be stored now."""
    target_known: bool = True
    """False: the target was removed from the configuration."""
    manual: bool = False
    """A rollback by hand: a person answers for the breach, and overrides carry their name."""

    @property
    def superseded(self) -> bool:
        """Neither the blamed release nor (in a plan under way) the good one is live: somebody released since."""
        if self.state is None:
            return False
        live = self.state.release.fingerprint
        ours = {self.blamed.fingerprint}
        if self.step > 0 and self.good is not None:
            ours.add(self.good.fingerprint)
        return live not in ours
