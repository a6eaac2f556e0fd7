"""The writing half: runs ``helm rollback`` once, under the gate's permit.

Role: `PlatformWriter` over the real helm program. Neighbours: `platforms.programs` runs it, `plans` made the step. Guarantees:
the permit is checked before anything is run; the newest record is read immediately before and must be the one of the plan
(or what our own failed or killed rollback has left); helm's record carries the id of the intent, so an unclear end is
resolved by reading; a release that came in between and was overwritten is said. Helm has no compare-and-swap: the window
between that read and helm's own new record is measured and told. Only helm 4 is run: older ones cannot carry the id.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from watchdog.clients.kubernetes import KubernetesClient
from watchdog.model import Intent, Issue, Permit, Step, StepOutcome
from watchdog.platforms.helm.plans import STEP
from watchdog.platforms.helm.reading import HelmTarget, Records
from watchdog.platforms.helm.records import OURS, Record, newest_of_others, running
from watchdog.platforms.programs import Finished, run
from watchdog.ports import Clock, PermitRefused, Unavailable
from watchdog.safety.permits import PermitOffice

HELM = "v4."
VERSION_S = 5.0
_PASSED_ON = (
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "KUBECONFIG",
    "HELM_DRIVER",
    "HTTPS_PROXY",
    "NO_PROXY",
)
"""Of our environment: where the API server is when no kubeconfig says it."""


class HelmWriter:
    """Writes to one release."""

    def __init__(self, client: KubernetesClient, config: HelmTarget, clock: Clock, office: PermitOffice) -> None:
        """Write under permits of `office`."""
        self._records = Records(client, config)
        self._config, self._clock, self._office = config, clock, office

    async def execute(self, step: Step, intent: Intent, permit: Permit, *, deadline_s: float) -> StepOutcome:
        """One run of helm within `deadline_s`, reads included. Raises PermitRefused."""
        self._demand(step, intent, permit)
        began = self._clock.monotonic()
        refused = await unfit(self._config)
        if refused:
            return StepOutcome(issue=Issue.REFUSED, sentence=refused)
        before = await self._still(step, intent.from_release)
        if isinstance(before, StepOutcome):
            return before
        self._demand(step, intent, permit)
        read_at = self._clock.monotonic()
        argv = [*step.request["argv"], "--description", OURS + intent.id]
        done = await run(argv, deadline_s=deadline_s - (read_at - began), environment=_environment())
        return await self._outcome(done, intent, before, window_s=self._clock.monotonic() - read_at)

    async def rehearse(self, step: Step, *, deadline_s: float) -> StepOutcome:
        """The same run as helm's dry run on the server: nothing is stored."""
        refused = await unfit(self._config)
        if refused:
            return StepOutcome(issue=Issue.REFUSED, sentence=refused)
        before = await self._still(step, None)
        if isinstance(before, StepOutcome):
            return before
        done = await run([*step.request["argv"], "--dry-run=server"], deadline_s=deadline_s, environment=_environment())
        if done.code == 0:
            return StepOutcome(issue=Issue.ISSUED, sentence="dry run: helm would roll back")
        issue = Issue.UNKNOWN if done.code is None and done.started else Issue.REFUSED
        return StepOutcome(issue=issue, sentence=f"dry run: {done.words}")

    def _demand(self, step: Step, intent: Intent, permit: Permit) -> None:
        reason = self._office.check(permit, step, intent, self._clock.monotonic())
        if not reason and step != intent.step:
            reason = "the step is not the one of the stored intent"
        if not reason and step.name != STEP:
            reason = "the step is none of helm's"
        if reason:
            raise PermitRefused(reason)

    async def _still(self, step: Step, from_release: str | None) -> Record | StepOutcome:
        """The newest record, when it is the one of the plan."""
        try:
            records = await self._records.newest_first()
        except Unavailable as error:
            words = f"nothing was run, because helm's records could not be read: {error}"
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
        newest, current = newest_of_others(records), running(records)
        if (
            newest.version != step.request.get("newest")
            or current is None
            or from_release not in (None, current.fingerprint)
        ):
            words = f"nothing was run: revision {newest.version} ({newest.status}) is newest now"
            return StepOutcome(issue=Issue.PRECONDITION_FAILED, sentence=words)
        return newest

    async def _outcome(self, done: Finished, intent: Intent, before: Record, *, window_s: float) -> StepOutcome:
        if not done.started:
            return StepOutcome(issue=Issue.REFUSED, sentence=done.trouble)
        if done.code != 0:
            return StepOutcome(issue=Issue.UNKNOWN, sentence=f"helm ended unclearly: {done.words}")
        words = f"helm rolled back ({window_s:.1f} s after revision {before.version} was read)"
        between = await self._between(intent, before)
        if between is None:
            return StepOutcome(issue=Issue.ISSUED, sentence=words)
        label = f"revision {between.version} ({between.chart})"
        warning = f"{words}; WARNING: {label} had been deployed in between and was overwritten"
        return StepOutcome(issue=Issue.ISSUED, sentence=warning, overwrote=between.fingerprint)

    async def _between(self, intent: Intent, before: Record) -> Record | None:
        """Somebody else's record between the one we read and ours. Best effort: the write is done."""
        try:
            records = await self._records.newest_first()
        except Unavailable:
            return None
        ours = next((one.version for one in records if one.intent == intent.id), 0)
        found = [one for one in records if before.version < one.version < ours and not one.rollback]
        return found[0] if found else None


async def unfit(config: HelmTarget) -> str:
    """Why this helm is not run; empty when it is."""
    argv = [config.program, "version", "--template", "{{.Version}}"]
    done = await run(argv, deadline_s=VERSION_S, environment=_environment())
    if done.code != 0:
        return f"helm cannot be run: {done.words}"
    found = done.stdout.decode("utf-8", "replace").strip()
    return "" if found.startswith(HELM) else f"helm is {found[:40]}, and 4 is needed: older ones cannot carry our mark"


def _environment() -> Mapping[str, str]:
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
