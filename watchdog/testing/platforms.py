"""A workload that exists only in memory, and the two halves of the platform port over it.

Role: public fakes of `ports.Platform`, `ports.EvidenceSource` and `ports.PlatformWriter` for tests of the engine and for
people who test their own configuration. Neighbours: `watchdog.testing.signals` reads the same `FakeUnit`.
Guarantees: behaves as facts of real back-ends say - one conditional write, a rollback id kept on the object, resolution by
reading only; every write that reached the unit is in `FakeUnit.writes`, also one whose reply was lost. The unit outlives
the platforms made over it: make new ones to play a restarted watchdog. Not guaranteed: any likeness to Kubernetes' timing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from watchdog.model import (
    Confirmation,
    Finding,
    Incident,
    Instance,
    Instant,
    Intent,
    Issue,
    JsonObject,
    Owner,
    Ownership,
    Permit,
    Plan,
    Progress,
    Release,
    Resolution,
    Step,
    StepOutcome,
    UnitRef,
    WorkloadState,
    instant,
    record,
)
from watchdog.ports import Clock, EvidenceSink, PermitRefused, Unavailable
from watchdog.safety.permits import PermitOffice

STEP = "set release"
"""Name of the one step of a fake plan."""


class WriteFault(StrEnum):
    """What goes wrong with one write."""

    APPLIED_UNKNOWN = "applied_unknown"  # applied, then the reply is lost
    LOST_UNKNOWN = "lost_unknown"  # never applied, and the reply is lost
    PRECONDITION_FAILED = "precondition_failed"  # somebody touched the object: version moved
    REFUSED = "refused"  # a definite no: forbidden
    NO_ANSWER = "no_answer"  # not applied; the writer gives up at its deadline
    APPLIED_NO_ANSWER = "applied_no_answer"  # applied; the writer gives up at its deadline
    HANGS = "hangs"  # a broken writer that keeps no deadline, nothing applied
    OVERTAKEN = "overtaken"  # a deploy by somebody else slips in just before the write


@record
class Write:
    """One write that reached the unit. `by` is ``watchdog`` for ours; `permit` and `intent` are None for others."""

    at: Instant
    from_release: str
    to_release: str
    by: str
    permit: Permit | None = None
    intent: str = ""


@record
class Blocking:
    """How reads misbehave while set. `reason` raises Unavailable with it; `hang` never answers."""

    reason: str = ""
    hang: bool = False


@dataclass
class FakeUnit:
    """One workload of the outside: releases, a rollout that takes `rollout_s`, and a version for conditional writes.

    `started` on the clocks is the moment of the last change; `stuck` names why the rollout of those fingerprints never
    completes. `writes` holds everything that changed the release, by us or by others.
    """

    ref: UnitRef
    clock: Clock
    size: int = 3
    rollout_s: float = 10.0
    known: dict[str, Release] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    current: str = ""
    previous: str = ""
    version: int = 0
    started: float = 0.0
    rollback_id: str = ""
    writes: list[Write] = field(default_factory=list)
    stuck: dict[str, str] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    owner: Ownership = field(default_factory=lambda: Ownership(owner=Owner.NOBODY, sentence="nobody else owns it"))
    findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    gone: bool = False
    paused: bool = False
    hints: dict[str, str] = field(default_factory=dict)
    reads: Blocking = field(default_factory=Blocking)
    evidence: Blocking = field(default_factory=Blocking)
    faults: deque[tuple[WriteFault, str]] = field(default_factory=deque)
    rehearsals: int = 0

    # -- what others do ----------------------------------------------------------------------------------------------

    def deploy(self, fingerprint: str, *, by: str = "ci", claims: Mapping[str, object] | None = None) -> Release:
        """Somebody else deploys: a new release, or a known one again. Begins a rollout at once."""
        if fingerprint not in self.known or claims is not None:
            self._learn(fingerprint, by, claims or {})
        self._set(fingerprint, by=by)
        return self.known[fingerprint]

    def settle(self) -> None:
        """Let the running rollout be complete now, as if it had begun `rollout_s` ago."""
        self.started = min(self.started, self.clock.monotonic() - self.rollout_s)

    def touch(self) -> None:
        """A write that changes no release (status, scaling): the version moves."""
        self.version += 1

    def prune(self, fingerprint: str) -> None:
        """The platform forgets a release of its history."""
        self.order = [known for known in self.order if known != fingerprint]

    def crash(self, instance: str, times: int = 1) -> None:
        """An instance restarts by itself."""
        self.restarts[instance] = self.restarts.get(instance, 0) + times

    def fail_next_write(self, fault: WriteFault, *, deploy: str = "") -> None:
        """Queue a fault for the next write not yet given one. `deploy` is the release that overtakes."""
        self.faults.append((fault, deploy))

    def fail_reads(self, reason: str = "", *, hang: bool = False) -> None:
        """Reads raise Unavailable with `reason`, or never answer, until called with neither."""
        self.reads = Blocking(reason=reason, hang=hang)

    # -- what can be seen --------------------------------------------------------------------------------------------

    @property
    def our_writes(self) -> list[Write]:
        """The writes made through a `FakeWriter`."""
        return [write for write in self.writes if write.permit is not None]

    @property
    def complete(self) -> bool:
        """The current release is fully rolled out."""
        return self.current not in self.stuck and self.clock.monotonic() - self.started >= self.rollout_s

    def state(self) -> WorkloadState:
        """The unit as a fresh read would show it."""
        began = self._utc(self.started)
        done = instant(began + self.rollout_s) if self.complete else None
        instances = self.instances()
        ready = sum(entry.ready for entry in instances)
        return WorkloadState(
            unit=self.ref,
            at=self.clock.now(),
            release=replace(self.known[self.current], started=began, completed=done),
            version=str(self.version),
            complete=self.complete,
            in_progress=not self.complete,
            started=began,
            completed=done,
            wanted=self.size,
            ready=ready,
            updated=sum(entry.release == self.current for entry in instances),
            available=ready,
            instances=instances,
            paused=self.paused,
            stuck=self.stuck.get(self.current, ""),
            actor=self.writes[-1].by if self.writes else "",
            hints=dict(self.hints),
        )

    def instances(self) -> tuple[Instance, ...]:
        """The instances: during a rollout the first ones run the new release, the rest still the previous one."""
        share = 1.0
        if self.previous and self.rollout_s > 0 and not self.complete:
            share = min(1.0, max(0.0, (self.clock.monotonic() - self.started) / self.rollout_s))
        fresh = self.size if share >= 1.0 else int(share * self.size)
        if self.current in self.stuck:
            fresh = 1
        return tuple(
            self._instance(number, self.current if number < fresh else self.previous or self.current)
            for number in range(self.size)
        )

    def _instance(self, number: int, release: str) -> Instance:
        name = f"{self.ref.name}-{release[:8]}-{number}"
        problem = self.stuck.get(release, "")
        since = self._utc(self.started)
        return Instance(
            name=name,
            address=f"10.0.0.{number + 1}",
            release=release,
            ready=not problem,
            ready_since=None if problem else since,
            started=since,
            restarts=self.restarts.get(name, 0),
            node=f"node-{number % 2}",
            problem=problem,
        )

    # -- the write ---------------------------------------------------------------------------------------------------

    def apply(self, to: str, *, intent: str, permit: Permit, by: str = "watchdog") -> None:
        """Our write arrives: release, rollback id and version move in one."""
        self._set(to, by=by, intent=intent, permit=permit)
        self.rollback_id = intent

    def _set(self, fingerprint: str, *, by: str, intent: str = "", permit: Permit | None = None) -> None:
        before = self.current
        self.writes.append(
            Write(at=self.clock.now(), from_release=before, to_release=fingerprint, by=by, permit=permit, intent=intent)
        )
        self.version += 1
        self.order = [known for known in self.order if known != fingerprint] + [fingerprint]
        if fingerprint != before:
            self.previous, self.current, self.started = before, fingerprint, self.clock.monotonic()

    def _learn(self, fingerprint: str, by: str, claims: Mapping[str, object]) -> None:
        image = f"registry.example/{self.ref.name}:{fingerprint}"
        self.known[fingerprint] = Release(
            fingerprint=fingerprint,
            revision=str(len(self.known) + 1),
            address=f"{self.ref.name}-{fingerprint}",
            images={"app": image},
            template={"spec": {"containers": [{"name": "app", "image": image}]}},
            claims=dict(claims),
            actor=by,
            change_cause=f"deploy {fingerprint}",
        )

    def _utc(self, monotonic: float) -> Instant:
        return instant(self.clock.now() - (self.clock.monotonic() - monotonic))


class FakeWorld:
    """All fake units of a test, each under its target's name."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock that times rollouts."""
        self.clock = clock
        self.units: dict[str, FakeUnit] = {}

    def add(self, target: str, release: str = "r1", *, rollout_s: float = 10.0, size: int = 3) -> FakeUnit:
        """A unit that has run `release` for long: rolled out completely before the test began."""
        ref = UnitRef(target=target, platform="fake", uid=f"uid-{target}", name=target)
        unit = FakeUnit(ref=ref, clock=self.clock, size=size, rollout_s=rollout_s)
        unit.deploy(release)
        unit.started = self.clock.monotonic() - max(rollout_s, 1.0) - 86_400.0
        unit.writes.clear()
        self.units[target] = unit
        return unit

    def connect(self, target: str, office: PermitOffice) -> tuple[FakePlatform, FakeWriter]:
        """New platform and writer over a unit: call again to play the watchdog after a restart."""
        unit = self.units[target]
        return FakePlatform(unit), FakeWriter(unit, office)

    @property
    def writes(self) -> list[Write]:
        """Our writes to all units, in order of time."""
        return sorted((write for unit in self.units.values() for write in unit.our_writes), key=lambda write: write.at)


class FakePlatform:
    """The reading half over a `FakeUnit`; also its evidence."""

    def __init__(self, unit: FakeUnit) -> None:
        """Look at `unit`."""
        self.unit = unit
        self.closed = False

    async def read_state(self) -> WorkloadState:
        """The unit now. Raises Unavailable while reads fail or it is gone."""
        await self._reach()
        return self.unit.state()

    async def detect_owner(self) -> Ownership:
        """What the test set as `FakeUnit.owner`."""
        await self._reach()
        return self.unit.owner

    async def history(self) -> Sequence[Release]:
        """Newest first, without pruned ones."""
        await self._reach()
        return [self.unit.known[fingerprint] for fingerprint in reversed(self.unit.order)]

    async def preflight(self, target: Release) -> Sequence[Finding]:
        """What the test set in `FakeUnit.findings` for that release."""
        await self._reach()
        return self.unit.findings.get(target.fingerprint, ())

    async def plan(self, state: WorkloadState, target: Release, incident: str) -> Plan:
        """One step, conditional on the version of `state`. Raises ValueError when nothing would change."""
        if target.fingerprint == state.release.fingerprint:
            raise ValueError(f"{state.unit.name} runs {target.label} already")
        step = Step(
            name=STEP,
            unit=state.unit,
            words=f"set {state.unit.name} to {target.label}",
            precondition=f"version {state.version}",
            request={"version": state.version, "release": target.fingerprint, "incident": incident},
        )
        return Plan(
            unit=state.unit,
            from_release=state.release.fingerprint,
            to_release=target.fingerprint,
            steps=(step,),
            words=step.words,
        )

    async def resolve(self, intent: Intent) -> Resolution:
        """By reading: the rollback id on the object, and the release that runs."""
        try:
            await self._reach(gone_is_fine=True)
        except Unavailable:
            return Resolution.UNKNOWN
        unit = self.unit
        if unit.gone or unit.ref.uid != intent.step.unit.uid:
            return Resolution.GONE
        if unit.rollback_id == intent.id:
            return Resolution.ISSUED if unit.current == intent.to_release else Resolution.SUPERSEDED
        if unit.current == intent.to_release:
            return Resolution.DONE_BY_OTHERS
        return Resolution.NOT_ISSUED if unit.current == intent.from_release else Resolution.OVERTAKEN

    async def confirm(self, intent: Intent) -> Confirmation:
        """Whether the release of `intent` is rolled out."""
        try:
            await self._reach()
        except Unavailable as error:
            return Confirmation(progress=Progress.UNKNOWN, sentence=str(error))
        unit = self.unit
        if unit.current != intent.to_release:
            return Confirmation(progress=Progress.SUPERSEDED, sentence=f"{unit.current} runs now")
        if unit.current in unit.stuck:
            return Confirmation(progress=Progress.STUCK, sentence=unit.stuck[unit.current])
        if unit.complete:
            return Confirmation(progress=Progress.OBSERVED, sentence=f"{unit.size} of {unit.size} run {unit.current}")
        fresh = sum(entry.release == unit.current for entry in unit.instances())
        return Confirmation(progress=Progress.PENDING, sentence=f"{fresh} of {unit.size} run {unit.current}")

    async def gather(self, keep: EvidenceSink, incident: Incident) -> None:
        """The object and one log per instance; blocked as `FakeUnit.evidence` says."""
        await _block(self.unit.evidence)
        state = self.unit.state()
        await keep.file(f"objects/{self.unit.ref.name}.json", _object(state), note=f"for {incident.id}")
        for instance in state.instances:
            await keep.file(f"logs/{instance.name}.log", f"{instance.name} runs {instance.release}\n")
        keep.missing("events", "a fake unit has none")

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    async def _reach(self, *, gone_is_fine: bool = False) -> None:
        await asyncio.sleep(0)
        await _block(self.unit.reads)
        if self.unit.gone and not gone_is_fine:
            raise Unavailable(f"{self.unit.ref.name} is gone")


class WatchedPlatform(FakePlatform):
    """A platform that is told of changes while `told` is True: `ports.Watching`."""

    def __init__(self, unit: FakeUnit) -> None:
        """Look at `unit`."""
        super().__init__(unit)
        self.told = True
        self.looks = 0
        """How often the state was read."""
        self._first: float | None = None
        self._shown: deque[tuple[float, object]] = deque(maxlen=50)

    async def read_state(self) -> WorkloadState:
        """See `FakePlatform`."""
        began = self.unit.clock.monotonic()
        self.looks += 1
        self._first = began if self._first is None else self._first
        state = await super().read_state()
        self._shown.append((began, self._content()))
        return state

    def unchanged(self, since: float) -> bool:
        """Whether the unit shows what the first read since then has shown."""
        if not self.told or self._first is None or since < self._first - 0.001:
            return False
        return next((content for began, content in self._shown if began >= since), None) == self._content()

    def _content(self) -> object:
        """Everything of the unit that a read shows and that does not come from the clock alone."""
        unit = self.unit
        told = (unit.version, unit.current, unit.complete, unit.size, unit.paused, unit.gone)
        return (told, dict(unit.restarts), dict(unit.hints), dict(unit.stuck))


class FakeWriter:
    """The writing half over a `FakeUnit`: looks at the permit first, then writes once, under the version of the step."""

    def __init__(self, unit: FakeUnit, office: PermitOffice) -> None:
        """Write to `unit` under permits of `office`."""
        self.unit = unit
        self.office = office
        self.refused: list[str] = []

    async def execute(self, step: Step, intent: Intent, permit: Permit, *, deadline_s: float) -> StepOutcome:
        """One conditional write, with the next queued fault if there is one. Raises PermitRefused."""
        reason = self.office.check(permit, step, intent, self.unit.clock.monotonic())
        if not reason and step != intent.step:
            reason = "the step is not the one of the intent"
        if reason:
            self.refused.append(reason)
            raise PermitRefused(reason)
        await asyncio.sleep(0)
        fault, overtaking = self.unit.faults.popleft() if self.unit.faults else (None, "")
        early = await self._before(fault, overtaking, deadline_s)
        if early is not None:
            return early
        outcome = self._write(step, intent, permit)
        if outcome.issue is Issue.ISSUED:
            return await self._after(fault, outcome, deadline_s)
        return outcome

    async def rehearse(self, step: Step, *, deadline_s: float) -> StepOutcome:
        """Whether the write would be taken now; changes nothing."""
        await asyncio.sleep(0)
        self.unit.rehearsals += 1
        if deadline_s <= 0:
            return StepOutcome(issue=Issue.UNKNOWN, sentence="no time was left for a dry run")
        if step.request["version"] != str(self.unit.version):
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence="dry run: the version has moved")
        return StepOutcome(issue=Issue.ISSUED, sentence="dry run: it would be accepted")

    async def _before(self, fault: WriteFault | None, overtaking: str, deadline_s: float) -> StepOutcome | None:
        if fault is WriteFault.OVERTAKEN:
            self.unit.deploy(overtaking or "overtaking")
        elif fault is WriteFault.PRECONDITION_FAILED:
            self.unit.touch()
        elif fault is WriteFault.REFUSED:
            return StepOutcome(issue=Issue.REFUSED, sentence="forbidden: may not patch the workload")
        elif fault is WriteFault.LOST_UNKNOWN:
            return StepOutcome(issue=Issue.UNKNOWN, sentence="the connection was dropped")
        elif fault is WriteFault.NO_ANSWER:
            await self.unit.clock.sleep(deadline_s)
            return StepOutcome(issue=Issue.UNKNOWN, sentence=f"no answer within {deadline_s:g} s")
        elif fault is WriteFault.HANGS:
            await asyncio.Event().wait()
        return None

    def _write(self, step: Step, intent: Intent, permit: Permit) -> StepOutcome:
        unit = self.unit
        if unit.gone:
            return StepOutcome(issue=Issue.REFUSED, sentence=f"{unit.ref.name} is gone")
        if step.request["version"] != str(unit.version) or unit.current != intent.from_release:
            return StepOutcome(
                issue=Issue.PRECONDITION_FAILED,
                sentence=f"version is {unit.version} with release {unit.current}, expected {step.request['version']}",
            )
        unit.apply(intent.to_release, intent=intent.id, permit=permit)
        return StepOutcome(issue=Issue.ISSUED, sentence=f"{unit.ref.name} set to {intent.to_release}")

    async def _after(self, fault: WriteFault | None, outcome: StepOutcome, deadline_s: float) -> StepOutcome:
        if fault is WriteFault.APPLIED_UNKNOWN:
            return StepOutcome(issue=Issue.UNKNOWN, sentence="the connection was dropped before the answer")
        if fault is WriteFault.APPLIED_NO_ANSWER:
            await self.unit.clock.sleep(deadline_s)
            return StepOutcome(issue=Issue.UNKNOWN, sentence=f"no answer within {deadline_s:g} s")
        return outcome


async def _block(blocking: Blocking) -> None:
    if blocking.hang:
        await asyncio.Event().wait()
    if blocking.reason:
        raise Unavailable(blocking.reason)


def _object(state: WorkloadState) -> JsonObject:
    return {
        "name": state.unit.name,
        "release": state.release.fingerprint,
        "version": state.version,
        "instances": _named(state.instances),
    }


def _named(instances: Iterable[Instance]) -> list[JsonObject]:
    return [{"name": entry.name, "release": entry.release, "ready": entry.ready} for entry in instances]
