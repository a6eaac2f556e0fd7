"""The writing half: the only code that changes a workload.

Neighbours: called by the response alone, with the gate's permit; `plans` made the step. Guarantees: the permit is checked
before anything is sent; the workload is read immediately before, must be the unit of the step at the release of the intent,
and the write carries the resourceVersion of that read, so a newer change of anybody is never overwritten; one call sends at
most one write and repeats none. A lost precondition is told, not fought: the gate has to be passed anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from watchdog.clients.kubernetes import (
    JSON_PATCH,
    STRATEGIC_MERGE,
    ConflictLost,
    Forbidden,
    Invalid,
    KubernetesClient,
    KubernetesError,
    NotFound,
)
from watchdog.model import Intent, Issue, JsonObject, Permit, Step, StepOutcome, record
from watchdog.platforms.kubernetes.history import annotation_of
from watchdog.platforms.kubernetes.kinds import KubernetesTarget
from watchdog.platforms.kubernetes.owner import claim_on
from watchdog.platforms.kubernetes.ownership import HAND_BACK, hand_back_patch, ours
from watchdog.platforms.kubernetes.plans import FENCE, RESTORE, ROLLBACK_ID, deletable
from watchdog.platforms.kubernetes.reading import Reader, WorkloadMissing
from watchdog.platforms.kubernetes.status import observed
from watchdog.ports import Clock, PermitRefused, Unavailable
from watchdog.safety.permits import PermitOffice

LOOK_AGAIN_S = 0.5
SEND_WITHIN_S = 1.0
"""What must be left of the permit when a step that had to wait is sent."""


@record
class _Ready:
    """A step whose precondition holds: what to send."""

    body: JsonObject | list[JsonObject] | None = None
    resource_version: str = ""
    content_type: str = STRATEGIC_MERGE


class KubernetesWriter:
    """Writes to one workload. `fence` gives the number of our lease's term, 0 without one."""

    def __init__(
        self,
        client: KubernetesClient,
        config: KubernetesTarget,
        clock: Clock,
        office: PermitOffice,
        fence: Callable[[], int] = lambda: 0,
    ) -> None:
        """Raises ValueError for a kind that is not supported."""
        self._reader = Reader(client, config)
        self._office, self._clock, self._fence = office, clock, fence

    async def execute(self, step: Step, intent: Intent, permit: Permit, *, deadline_s: float) -> StepOutcome:
        """One conditional write within `deadline_s`. Raises PermitRefused, having sent nothing."""
        self._demand(permit, step, intent)
        try:
            async with asyncio.timeout(deadline_s) as limit:
                ready = await self._when_ready(step, intent, permit, deadline_s)
                if isinstance(ready, StepOutcome):
                    return ready
                self._demand(permit, step, intent)
                return await self._send(step, ready, deadline_s=deadline_s)
        except TimeoutError:
            if not limit.expired():
                raise
            return StepOutcome(issue=Issue.UNKNOWN, sentence=f"no answer within {deadline_s:g} s")

    async def rehearse(self, step: Step, *, deadline_s: float) -> StepOutcome:
        """The same request as a dry run: admission and validation run, nothing is stored."""
        try:
            async with asyncio.timeout(deadline_s):
                ready = await self._prepare(step, None)
                if isinstance(ready, StepOutcome):
                    return ready
                return await self._send(step, ready, deadline_s=deadline_s, dry_run=True)
        except TimeoutError:
            return StepOutcome(issue=Issue.UNKNOWN, sentence=f"dry run: no answer within {deadline_s:g} s")

    def _demand(self, permit: Permit, step: Step, intent: Intent) -> None:
        reason = self._office.check(permit, step, intent, self._clock.monotonic())
        if not reason and step != intent.step:
            reason = "the step is not the one of the stored intent"
        if reason:
            raise PermitRefused(reason)

    async def _when_ready(self, step: Step, intent: Intent, permit: Permit, deadline_s: float) -> _Ready | StepOutcome:
        """Prepare; a step that has to wait for the controller looks again as long as permit and deadline allow."""
        until = min(permit.expires, self._clock.monotonic() + deadline_s) - SEND_WITHIN_S
        while True:
            ready = await self._prepare(step, intent)
            waits = isinstance(ready, StepOutcome) and ready.issue is Issue.UNKNOWN and step.name != RESTORE
            if not waits or self._clock.monotonic() + LOOK_AGAIN_S >= until:
                return ready
            await self._clock.sleep(LOOK_AGAIN_S)

    async def _prepare(self, step: Step, intent: Intent | None) -> _Ready | StepOutcome:
        try:
            live = await self._reader.workload()
            reason = self._objection(live, step)
            if reason:
                return _lost(reason)
            if step.name == RESTORE:
                return self._prepare_restore(live, step, intent)
            if step.name == HAND_BACK:
                return self._prepare_hand_back(live, intent)
            return await self._prepare_delete(live, step, intent)
        except WorkloadMissing as error:
            return _lost(str(error))
        except Forbidden as error:
            return StepOutcome(issue=Issue.REFUSED, sentence=str(error))
        except Unavailable as error:
            # Nothing was sent, so nothing is unclear; reading will say so as soon as it is possible.
            return StepOutcome(issue=Issue.UNKNOWN, sentence=f"nothing was sent: {error}")

    def _objection(self, live: JsonObject, step: Step) -> str:
        metadata = live["metadata"]
        if metadata["uid"] != step.unit.uid:
            return f"{self._reader.label} is another object of the same name now"
        if metadata.get("deletionTimestamp"):
            return f"{self._reader.label} is being deleted"
        claim = claim_on(live, self._reader.kind.word)
        if claim is not None:
            return claim.sentence
        there = annotation_of(live, FENCE)
        if there.isdecimal() and int(there) > self._fence():
            return f"a newer holder of the lease (term {there}) has written it; if that lease is gone, remove {FENCE}"
        return ""

    def _prepare_restore(self, live: JsonObject, step: Step, intent: Intent | None) -> _Ready | StepOutcome:
        expected = intent.from_release if intent else str(step.request["from"])
        found = self._reader.fingerprint(live)
        if found != expected:
            return _lost(f"its template is {found[:12]} now, not {expected[:12]}: somebody changed it")
        reason = self._reader.kind.refusal(live, self._reader.config)
        if reason:
            return _lost(reason)
        version = str(live["metadata"]["resourceVersion"])
        return _Ready(body=self._complete(step.request["body"], version, intent), resource_version=version)

    def _prepare_hand_back(self, live: JsonObject, intent: Intent | None) -> _Ready | StepOutcome:
        if intent and self._reader.fingerprint(live) != intent.to_release:
            return _lost("its template is not the good one any more")
        if not ours(live):
            return StepOutcome(issue=Issue.ISSUED, sentence="no field is held by us: nothing to hand back")
        version = str(live["metadata"]["resourceVersion"])
        return _Ready(body=hand_back_patch(live), resource_version=version, content_type=JSON_PATCH)

    def _complete(self, body: JsonObject, version: str, intent: Intent | None) -> JsonObject:
        """The planned body at the version just read, with the intent's id as the mark to find it by."""
        notes: Mapping[str, str] = {ROLLBACK_ID: intent.id if intent else "rehearsal", FENCE: str(self._fence())}
        annotations = {**body["metadata"]["annotations"], **notes}
        return {**body, "metadata": {"resourceVersion": version, "annotations": annotations}}

    async def _prepare_delete(self, live: JsonObject, step: Step, intent: Intent | None) -> _Ready | StepOutcome:
        """Only when the controller has taken in the good template, and only the lowest pod that blocks it."""
        good = intent.to_release if intent else self._reader.fingerprint(live)
        if self._reader.fingerprint(live) != good:
            return _lost("its template is not the good one: a pod deleted now would come back bad")
        snapshot = await self._reader.snapshot()
        update = (snapshot.workload.get("status") or {}).get("updateRevision")
        current = snapshot.current
        if not observed(snapshot.workload) or current is None or update != current.name:
            return _not_yet("the controller has not taken in the good template")
        if not self._reader.config.allow_pod_delete:
            return StepOutcome(issue=Issue.REFUSED, sentence="allow_pod_delete is not set for this target")
        waiting = [pod["metadata"] for pod in deletable(self._reader, snapshot, good)]
        mine = next((entry for entry in waiting if entry["uid"] == step.request["uid"]), None)
        if mine is None:
            return self._no_longer(snapshot.pods, step)
        if waiting[0]["uid"] != mine["uid"]:
            return _not_yet(f"pod {waiting[0]['name']} has to come back first")
        return _Ready(resource_version=str(mine["resourceVersion"]))

    def _no_longer(self, pods: tuple[JsonObject, ...], step: Step) -> StepOutcome:
        there = any(pod["metadata"]["uid"] == step.request["uid"] for pod in pods)
        words = "got well without us" if there else "was already replaced"
        return StepOutcome(issue=Issue.ISSUED, sentence=f"pod {step.request['pod']} {words}: nothing to delete")

    async def _send(self, step: Step, ready: _Ready, *, deadline_s: float, dry_run: bool = False) -> StepOutcome:
        words = "dry run: it would be accepted" if dry_run else f"accepted: {step.words}"
        client, path = self._reader.client, str(step.request["path"])
        try:
            if ready.body is not None:
                await client.patch(
                    path, ready.body, content_type=ready.content_type, dry_run=dry_run, timeout_s=deadline_s
                )
            else:
                await client.delete(
                    path,
                    uid=str(step.request["uid"]),
                    resource_version=ready.resource_version,
                    dry_run=dry_run,
                    timeout_s=deadline_s,
                )
        except KubernetesError as error:
            return _outcome_of(error, dry_run=dry_run)
        return StepOutcome(issue=Issue.ISSUED, sentence=words)


def _outcome_of(error: KubernetesError, *, dry_run: bool) -> StepOutcome:
    if isinstance(error, ConflictLost):
        return _lost(f"somebody wrote it between our read and our write ({error})")
    if isinstance(error, NotFound):
        return _lost(f"it is gone ({error})")
    if dry_run and isinstance(error, Invalid) and "does not support dry run" in str(error):
        return StepOutcome(issue=Issue.UNKNOWN, sentence=f"could not be rehearsed: {error}")
    if isinstance(error, (Forbidden, Invalid)):
        return StepOutcome(issue=Issue.REFUSED, sentence=str(error))
    return StepOutcome(issue=Issue.UNKNOWN, sentence=str(error))


def _lost(reason: str) -> StepOutcome:
    return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=reason)


def _not_yet(reason: str) -> StepOutcome:
    """Nothing was sent and nothing is lost: reading says "not issued", and the gate is passed anew for another try."""
    return StepOutcome(issue=Issue.UNKNOWN, sentence=f"not yet, nothing was sent: {reason}")
