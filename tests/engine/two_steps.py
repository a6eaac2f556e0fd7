"""A platform whose way back has two steps: a reconciler is suspended first, then the release is set."""

from __future__ import annotations

from dataclasses import replace

from watchdog.model import Intent, Issue, Permit, Plan, Release, Resolution, Step, StepOutcome, WorkloadState
from watchdog.ports import PermitRefused
from watchdog.safety.permits import PermitOffice
from watchdog.testing.platforms import FakePlatform, FakeUnit, FakeWriter

SUSPEND = "suspend the reconciler"


class TwoStepPlatform(FakePlatform):
    async def plan(self, state: WorkloadState, target: Release, incident: str) -> Plan:
        plan = await super().plan(state, target, incident)
        (last,) = plan.steps
        first = replace(last, name=SUSPEND, words="suspend the reconciler of api")
        return replace(plan, steps=(first, last), words=f"{first.words}, then {last.words}")

    async def resolve(self, intent: Intent) -> Resolution:
        if intent.step.name != SUSPEND:
            return await super().resolve(intent)
        await self._reach()
        return Resolution.ISSUED if self.unit.hints.get("suspended") == intent.id else Resolution.NOT_ISSUED


class TwoStepWriter(FakeWriter):
    async def execute(self, step: Step, intent: Intent, permit: Permit, *, deadline_s: float) -> StepOutcome:
        if step.name != SUSPEND:
            return await super().execute(step, intent, permit, deadline_s=deadline_s)
        reason = self.office.check(permit, step, intent, self.unit.clock.monotonic())
        if reason:
            raise PermitRefused(reason)
        self.unit.hints["suspended"] = intent.id
        return StepOutcome(issue=Issue.ISSUED, sentence="the reconciler is suspended")


def connect(unit: FakeUnit, office: PermitOffice) -> tuple[FakePlatform, FakeWriter]:
    return TwoStepPlatform(unit), TwoStepWriter(unit, office)
