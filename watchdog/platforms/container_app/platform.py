"""The reading half: one container app as `ports.Platform` and `ports.EvidenceSource`.

Neighbours: `reading` asks, `revisions` and `plans` conclude; the writing half is `writer`. Guarantees: every answer comes from
a fresh read; a release is complete when its revision can serve and has all the traffic; a revision that never becomes ready
is stuck, and in single mode nobody was hurt by it: the old one keeps the traffic.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.clients.azure_arm import Arm, Missing
from watchdog.model import (
    Confirmation,
    Finding,
    Incident,
    Intent,
    Owner,
    Ownership,
    Plan,
    Progress,
    Release,
    Resolution,
    WorkloadState,
)
from watchdog.platforms.container_app import plans
from watchdog.platforms.container_app.reading import ContainerAppTarget, Reader, Seen
from watchdog.platforms.container_app.revisions import Revision, current_of, release_of, weights
from watchdog.ports import Clock, EvidenceSink, Unavailable

FAILED = ("Failed", "Canceled")


class ContainerAppPlatform:
    """One app. `arm` is the opener's: many platforms share one."""

    def __init__(self, arm: Arm, config: ContainerAppTarget, clock: Clock) -> None:
        """Nothing is asked yet."""
        self._reader, self._clock = Reader(arm, config), clock

    async def close(self) -> None:
        """Nothing to let go: the client is shared and closed by who opened it."""

    async def read_state(self) -> WorkloadState:
        """App, revisions and replicas. Raises Unavailable."""
        seen = await self._reader.look()
        current = current_of(seen.app, seen.revisions)
        if current is None:
            raise Unavailable(f"{self._reader.unit().name} has no revision yet")
        instances = await self._reader.replicas(_looked_at(seen, current))
        all_traffic = weights(seen.app).get(current.name, 0) == 100  # noqa: PLR2004 - percent
        busy = seen.app.provisioning == "InProgress" or (current.provisioning == "Provisioning" and not current.problem)
        complete = current.ready and all_traffic and seen.app.provisioning in ("Succeeded", *FAILED)
        mine = [one for one in instances if one.release == current.fingerprint]
        wanted = max(current.replicas, len(mine))
        return WorkloadState(
            unit=self._reader.unit(),
            at=self._clock.now(),
            release=release_of(current),
            version=f"{seen.app.latest}/{seen.app.modified_at}",
            complete=complete,
            in_progress=busy or (not complete and not current.problem),
            started=current.created,
            completed=None,
            wanted=wanted,
            ready=sum(one.ready for one in mine),
            updated=len(mine),
            available=sum(one.ready for one in mine),
            instances=instances,
            deleting=seen.app.provisioning == "Deleting",
            stuck=current.problem,
            actor=seen.app.modified_by,
        )

    async def detect_owner(self) -> Ownership:
        """Nobody that could be seen: what Terraform or a pipeline does with an app leaves no mark on it."""
        return Ownership(owner=Owner.NOBODY, sentence="a container app names no other owner")

    async def history(self) -> Sequence[Release]:
        """Releases of the revisions that Azure keeps (at most 100 inactive ones), newest first. Raises Unavailable."""
        found: dict[str, Release] = {}
        for one in (await self._reader.look()).revisions:
            found.setdefault(one.fingerprint, release_of(one))
        return tuple(found.values())

    async def preflight(self, target: Release) -> Sequence[Finding]:
        """Revision, secrets, ingress. Raises Unavailable."""
        return plans.findings(await self._reader.look(), target)

    async def plan(self, state: WorkloadState, target: Release, incident: str) -> Plan:
        """One or two steps. Raises ValueError when there is no road, Unavailable."""
        del incident
        seen = await self._reader.look()
        current = current_of(seen.app, seen.revisions)
        if current is None or current.fingerprint != state.release.fingerprint:
            raise ValueError(f"{state.unit.name} changed since it was read")
        return plans.plan_back(state.unit, seen, target)

    async def resolve(self, intent: Intent) -> Resolution:
        """What became of `intent`, by reading; `UNKNOWN` when it cannot be read."""
        try:
            return plans.resolution(await self._reader.look(), intent)
        except Missing:
            return Resolution.GONE
        except Unavailable:
            return Resolution.UNKNOWN

    async def confirm(self, intent: Intent) -> Confirmation:
        """Whether the good release serves all users."""
        try:
            state = await self.read_state()
        except Missing as error:
            return Confirmation(progress=Progress.SUPERSEDED, sentence=str(error))
        except Unavailable as error:
            return Confirmation(progress=Progress.UNKNOWN, sentence=str(error))
        if state.release.fingerprint != intent.to_release:
            return Confirmation(progress=Progress.SUPERSEDED, sentence=f"{state.release.label} is what users get now")
        if state.stuck:
            return Confirmation(progress=Progress.STUCK, sentence=state.stuck)
        if state.complete:
            return Confirmation(progress=Progress.OBSERVED, sentence=f"{state.release.label} has all the traffic")
        return Confirmation(progress=Progress.PENDING, sentence=f"{state.release.label} is becoming ready")

    async def gather(self, keep: EvidenceSink, incident: Incident) -> None:
        """Revisions with their states and templates, and replicas."""
        del incident
        try:
            seen = await self._reader.look()
            replicas = await self._reader.replicas(seen.revisions)
        except Unavailable as error:
            keep.missing("the app, its revisions and replicas", str(error))
            return
        told = [_told(one, weights(seen.app)) for one in seen.revisions[:20]]
        await keep.file("container_app/revisions.json", told, "newest first")
        rows = [
            {"name": one.name, "ready": one.ready, "restarts": one.restarts, "problem": one.problem} for one in replicas
        ]
        await keep.file("container_app/replicas.json", rows, "of active revisions")
        keep.missing("console and system logs of the replicas", "not in this version: ask Log Analytics")


def _looked_at(seen: Seen, current: Revision) -> tuple[Revision, ...]:
    """The current revision first, then those with traffic, then the newest."""
    shares = weights(seen.app)
    return tuple(sorted(seen.revisions, key=lambda one: (one.name != current.name, -shares.get(one.name, 0))))


def _told(one: Revision, shares: dict[str, int]) -> dict[str, object]:
    return {
        "name": one.name,
        "active": one.active,
        "weight": shares.get(one.name, 0),
        "provisioning": one.provisioning,
        "running": one.running,
        "health": one.health,
        "trouble": one.trouble,
        "replicas": one.replicas,
        "template": one.template,
    }
