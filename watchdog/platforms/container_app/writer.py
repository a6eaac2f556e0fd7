"""The writing half: one request a step, under the gate's permit.

Neighbours: `plans` made the steps. Guarantees: the permit is checked before anything is sent; the app is read immediately
before, and another newest revision or traffic there means that nothing is sent; only what changes is sent - never an object
that was read, whose secrets have no values; what made the change is marked (a tag, or the new revision's suffix), so that an
unclear answer is resolved by reading. Azure has no compare-and-swap: what came in between all the same is looked for
afterwards and said. Waiting for a woken revision is part of its step.
"""

from __future__ import annotations

from watchdog.clients.azure_arm import Arm, Missing, Refused
from watchdog.model import Intent, Issue, JsonObject, Permit, Step, StepOutcome
from watchdog.platforms.container_app.plans import ACTIVATE, COPY, SHIFT, standing
from watchdog.platforms.container_app.reading import VERSION, ContainerAppTarget, Reader, Seen
from watchdog.platforms.container_app.revisions import INTENT_TAG, suffix_of
from watchdog.ports import Clock, Conflict, PermitRefused, Unavailable
from watchdog.safety.permits import PermitOffice

LOOK_AGAIN_S = 2.0


class ContainerAppWriter:
    """Writes to one app."""

    def __init__(self, arm: Arm, config: ContainerAppTarget, clock: Clock, office: PermitOffice) -> None:
        """Write under permits of `office`."""
        self._arm, self._config, self._clock, self._office = arm, config, clock, office
        self._reader = Reader(arm, config)

    async def execute(self, step: Step, intent: Intent, permit: Permit, *, deadline_s: float) -> StepOutcome:
        """One request within `deadline_s`. Raises PermitRefused, having sent nothing."""
        self._demand(step, intent, permit)
        until = self._clock.monotonic() + deadline_s
        before = await self._still(step)
        if isinstance(before, StepOutcome):
            return before
        self._demand(step, intent, permit)
        try:
            if step.name == ACTIVATE:
                path = f"{self._config.path}/revisions/{step.request['good']}/activate"
                await self._arm.post(path, VERSION)
                return await self._when_ready(str(step.request["good"]), until)
            await self._arm.patch(self._config.path, VERSION, self._body(step, intent, before))
        except (Conflict, Refused, Missing) as error:
            issue = Issue.PRECONDITION_FAILED if isinstance(error, Conflict) else Issue.REFUSED
            return StepOutcome(issue=issue, sentence=str(error))
        except Unavailable as error:
            return StepOutcome(issue=Issue.UNKNOWN, sentence=str(error))
        return await self._look_back(step, intent, before)

    async def rehearse(self, step: Step, *, deadline_s: float) -> StepOutcome:
        """Azure has no dry run: whether everything stands as it was read, and that is said."""
        del deadline_s
        before = await self._still(step)
        if isinstance(before, StepOutcome):
            return before
        words = "Azure has no dry run; the app stands as it was read"
        return StepOutcome(issue=Issue.ISSUED, sentence=words)

    def _demand(self, step: Step, intent: Intent, permit: Permit) -> None:
        reason = self._office.check(permit, step, intent, self._clock.monotonic())
        if not reason and step != intent.step:
            reason = "the step is not the one of the stored intent"
        if not reason and step.name not in (ACTIVATE, SHIFT, COPY):
            reason = "the step is none of a container app's"
        if reason:
            raise PermitRefused(reason)

    async def _still(self, step: Step) -> Seen | StepOutcome:
        """What is there, when it is what the plan was made of."""
        try:
            seen = await self._reader.look()
        except Unavailable as error:
            words = f"nothing was sent, because the app could not be read: {error}"
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
        if standing(seen) != step.request.get("seen"):
            words = f"nothing was sent: {seen.app.latest} is the newest revision now, or the traffic was moved"
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
        if seen.app.provisioning == "InProgress":
            words = "nothing was sent: Azure is still at work on the app"
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
        good = seen.named(str(step.request.get("good")))
        if step.name == SHIFT and (good is None or not good.ready):
            words = f"nothing was sent: revision {step.request.get('good')} cannot serve now"
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
        return seen

    def _body(self, step: Step, intent: Intent, before: Seen) -> JsonObject:
        properties = step.request["body"]["properties"]
        if step.name == COPY:
            return {"properties": {"template": {**properties["template"], "revisionSuffix": suffix_of(intent.id)}}}
        return {"properties": properties, "tags": {**before.app.tags, INTENT_TAG: intent.id}}

    async def _when_ready(self, good: str, until: float) -> StepOutcome:
        """Woken revisions take a while; until then nobody is sent to them."""
        while self._clock.monotonic() + LOOK_AGAIN_S < until:
            try:
                revision = (await self._reader.look()).named(good)
            except Unavailable:
                revision = None  # asked again
            if revision is not None and revision.ready:
                return StepOutcome(issue=Issue.ISSUED, sentence=f"revision {good} can serve")
            await self._clock.sleep(LOOK_AGAIN_S)
        return StepOutcome(issue=Issue.UNKNOWN, sentence=f"revision {good} is not ready yet")

    async def _look_back(self, step: Step, intent: Intent, before: Seen) -> StepOutcome:
        """Say it when a revision came in between. Best effort: the write is done."""
        words = "Azure has taken it"
        try:
            seen = await self._reader.look()
        except Unavailable:
            return StepOutcome(issue=Issue.ISSUED, sentence=words)
        ours = f"--{suffix_of(intent.id)}"
        fresh = [one for one in seen.revisions if before.named(one.name) is None and not one.name.endswith(ours)]
        if fresh and step.name == COPY:
            warning = f"{words}; WARNING: revision {fresh[0].name} had been deployed in between and was overtaken"
            return StepOutcome(issue=Issue.ISSUED, sentence=warning, overwrote=fresh[0].fingerprint)
        return StepOutcome(issue=Issue.ISSUED, sentence=words)
