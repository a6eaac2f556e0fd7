"""The reading half: one workload of a cluster as `ports.Platform` and `ports.EvidenceSource`.

Neighbours: `reading` asks the API server, `state`, `owner`, `preflight`, `plans` and `resolving` interpret; the writing half
is `writer`. Guarantees: every answer comes from a fresh read; what could not be found out raises `Unavailable`. In memory
it keeps only since when it has seen the live template and which one completed last (a scaling change must not look like
a rollout); without that memory, after a start, it reads the same from the objects, a little less exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from watchdog.clients.kubernetes import KubernetesClient, Watches
from watchdog.model import (
    Confirmation,
    Finding,
    Incident,
    Intent,
    Ownership,
    Plan,
    Progress,
    Release,
    Resolution,
    WorkloadState,
)
from watchdog.platforms.kubernetes import owner, permissions, preflight
from watchdog.platforms.kubernetes.attention import Attention
from watchdog.platforms.kubernetes.evidence import KubernetesEvidence
from watchdog.platforms.kubernetes.history import releases_from
from watchdog.platforms.kubernetes.kinds import KubernetesTarget
from watchdog.platforms.kubernetes.ownership import HAND_BACK
from watchdog.platforms.kubernetes.permissions import Permission
from watchdog.platforms.kubernetes.plans import RESTORE, plan_back
from watchdog.platforms.kubernetes.reading import Reader, WorkloadMissing
from watchdog.platforms.kubernetes.resolving import confirm_rollout, resolve_delete, resolve_hand_back, resolve_restore
from watchdog.platforms.kubernetes.state import Memory, state_of
from watchdog.ports import Clock, EvidenceSink, Unavailable


class KubernetesPlatform:
    """One Deployment, StatefulSet or DaemonSet. The client is the opener's: many platforms share one."""

    def __init__(
        self, client: KubernetesClient, config: KubernetesTarget, clock: Clock, watches: Watches | None = None
    ) -> None:
        """Without `watches` it is never known that nothing has changed. Raises ValueError for another kind."""
        self._reader = Reader(client, config)
        self._clock = clock
        self._attention = None if watches is None else Attention(self._reader, watches, clock)
        self._memory = Memory()
        self._evidence = KubernetesEvidence(client, config, clock)

    @classmethod
    def open(
        cls, client: KubernetesClient, config: KubernetesTarget, clock: Clock, watches: Watches | None = None
    ) -> Self:
        """Ask nobody yet: a daemon starts also while the API server is away."""
        return cls(client, config, clock, watches)

    async def close(self) -> None:
        """Nothing to let go: the client is shared and closed by who opened it."""

    async def read_state(self) -> WorkloadState:
        """Unit, release, rollout and pods, from three requests. Raises Unavailable."""
        if self._attention is not None:
            self._attention.attend()
        snapshot = await self._reader.snapshot()
        if self._attention is not None:
            self._attention.learn(snapshot.workload)
        unit = self._reader.unit(snapshot.workload)
        return state_of(snapshot, self._reader.kind, unit, self._memory, self._clock.now())

    def unchanged(self, since: float) -> bool:
        """See `ports.Watching`."""
        return self._attention is not None and self._attention.unchanged(since)

    async def detect_owner(self) -> Ownership:
        """Who else claims it: GitOps, another controller, Helm. Raises Unavailable."""
        return await owner.detect(self._reader, await self._reader.workload())

    async def history(self) -> Sequence[Release]:
        """What the cluster remembers, newest first, one a fingerprint, with raw templates. Raises Unavailable."""
        return releases_from((await self._reader.snapshot()).revisions)

    async def preflight(self, target: Release) -> Sequence[Finding]:
        """Whether `target` can still run here. Raises Unavailable."""
        return await preflight.check_target(self._reader, await self._reader.snapshot(), target, self._clock.now())

    async def plan(self, state: WorkloadState, target: Release, incident: str) -> Plan:
        """The exact requests from what is live now to `target`. Raises ValueError when there is no road, Unavailable."""
        del incident
        snapshot = await self._reader.snapshot()
        if snapshot.uid != state.unit.uid or snapshot.fingerprint != state.release.fingerprint:
            raise ValueError(f"{self._reader.label} changed since it was read: {snapshot.fingerprint[:12]} is live now")
        return plan_back(self._reader, snapshot, state.unit, target)

    async def resolve(self, intent: Intent) -> Resolution:
        """What became of `intent`, by reading; `UNKNOWN` when it cannot be read."""
        try:
            if intent.step.name in (RESTORE, HAND_BACK):
                workload = await self._reader.workload()
                resolve = resolve_restore if intent.step.name == RESTORE else resolve_hand_back
                return resolve(intent, workload, self._reader.fingerprint(workload))
            return resolve_delete(intent, await self._reader.snapshot())
        except WorkloadMissing:
            return Resolution.GONE
        except Unavailable:
            return Resolution.UNKNOWN

    async def confirm(self, intent: Intent) -> Confirmation:
        """Whether the rollback has been rolled out, all its steps together; `UNKNOWN` when it cannot be read."""
        try:
            snapshot = await self._reader.snapshot()
        except WorkloadMissing as error:
            return Confirmation(progress=Progress.SUPERSEDED, sentence=str(error))
        except Unavailable as error:
            return Confirmation(progress=Progress.UNKNOWN, sentence=str(error))
        return confirm_rollout(intent, snapshot, self._reader.kind)

    async def gather(self, keep: EvidenceSink, incident: Incident) -> None:
        """Logs, pods, events, objects (`evidence`)."""
        await self._evidence.gather(keep, incident)

    def required_permissions(self) -> tuple[Permission, ...]:
        """Every right that is used for this target, with its reason."""
        return permissions.required(self._reader)

    async def check_permissions(self) -> tuple[Finding, ...]:
        """What of it is missing or could not be asked for; empty when all is granted."""
        reader = self._reader
        return await permissions.check(reader.client, reader.config.namespace, self.required_permissions())
