"""Evidence: what a cluster can still show of a bad release before it is gone.

Neighbours: the incident's recorder calls `gather` within its time box and redacts, caps and stores what it is handed.
Guarantees: the perishable comes first (previous logs of crashing pods, then the pods themselves); each part is handed on as
soon as it is there; what could not be had is named with its reason. Not guaranteed: completeness - it may be cancelled at
any await.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from watchdog.clients.kubernetes import Invalid, KubernetesClient, KubernetesError, NotFound
from watchdog.model import Incident, Instant, JsonObject, record
from watchdog.platforms.kubernetes.kinds import KubernetesTarget
from watchdog.platforms.kubernetes.pods import badness, container_statuses
from watchdog.platforms.kubernetes.reading import Reader, Snapshot
from watchdog.ports import Clock, EvidenceSink, Unavailable

WORST_PODS = 5
TAIL_LINES = 500
LIMIT_BYTES = 262_144
LOG_S = 5.0
"""Deadline of one log: the whole phase has 10 to 15 s."""
AT_ONCE = 4


@record
class _Log:
    """One log to be had."""

    pod: str
    container: str
    previous: bool

    @property
    def file(self) -> str:
        """Where it goes."""
        return f"logs/{self.pod}/{self.container}.{'previous' if self.previous else 'current'}.log"


class KubernetesEvidence:
    """A `ports.EvidenceSource` for one workload."""

    def __init__(self, client: KubernetesClient, config: KubernetesTarget, clock: Clock) -> None:
        """Raises ValueError for a kind that is not supported."""
        self._reader, self._clock = Reader(client, config), clock

    async def gather(self, keep: EvidenceSink, incident: Incident) -> None:
        """Hand on logs, pods, events, the workload and its history; `incident` names the blamed release."""
        try:
            snapshot = await self._reader.snapshot()
        except Unavailable as error:
            keep.missing("the workload, its pods and its history", str(error))
            return
        chosen = self.choose(snapshot, incident.blamed.fingerprint, self._clock.now())
        await keep.file("objects/pods.json", chosen, "the worst pods of the release and one good one")
        await self._logs(keep, chosen)
        await self._events(keep, snapshot, chosen)
        await keep.file("objects/workload.json", snapshot.workload, "the workload as it was")
        await keep.file("objects/revisions.json", _revisions(snapshot), "what the cluster remembered, newest first")
        await self._usage(keep, chosen)

    def choose(self, snapshot: Snapshot, blamed: str, now: Instant) -> Sequence[JsonObject]:
        """At most five pods of the blamed release, worst first, and the best pod of all for contrast."""
        ranked = sorted(snapshot.pods, key=lambda pod: badness(pod, now), reverse=True)
        worst = [pod for pod in ranked if snapshot.release_of(pod, self._reader.kind) == blamed][:WORST_PODS]
        best = ranked[-1:] if ranked and not any(badness(ranked[-1], now)[:2]) else []
        return [*worst, *(pod for pod in best if pod not in worst)]

    async def _logs(self, keep: EvidenceSink, pods: Sequence[JsonObject]) -> None:
        slots = asyncio.Semaphore(AT_ONCE)
        wanted = [log for pod in pods for log in _logs_of(pod)]
        # What the previous run of a crashing container said is lost at the next restart.
        wanted.sort(key=lambda log: not log.previous)
        await asyncio.gather(*(self._log(keep, log, slots) for log in wanted))

    async def _log(self, keep: EvidenceSink, log: _Log, slots: asyncio.Semaphore) -> None:
        query = {
            "container": log.container,
            "tailLines": str(TAIL_LINES),
            "limitBytes": str(LIMIT_BYTES),
            "timestamps": "true",
            **({"previous": "true"} if log.previous else {}),
        }
        path = self._reader.in_namespace("v1", "pods", log.pod, "log")
        try:
            async with slots:
                text = await self._reader.client.text(path, query, limit_bytes=LIMIT_BYTES, timeout_s=LOG_S)
        except (Unavailable, NotFound, Invalid) as error:
            # 400 "previous terminated container not found" or "waiting to start" is an answer, not a failure.
            keep.missing(log.file, str(error))
            return
        # Bytes, as they came: logs need not be UTF-8.
        await keep.file(log.file, text.content, "cut at the limit" if text.cut else "")

    async def _events(self, keep: EvidenceSink, snapshot: Snapshot, pods: Sequence[JsonObject]) -> None:
        names = {self._reader.config.name, *(revision.name for revision in snapshot.revisions)}
        names |= {str(pod["metadata"]["name"]) for pod in pods}
        path = self._reader.in_namespace("v1", "events")
        try:
            listed = await self._reader.client.list(path, field_selector="type=Warning")
        except KubernetesError as error:
            keep.missing("events", str(error))
            return
        about = [event for event in listed if (event.get("involvedObject") or {}).get("name") in names]
        await keep.file("objects/events.json", sorted(about, key=_when), "warnings about the workload and its pods")

    async def _usage(self, keep: EvidenceSink, pods: Sequence[JsonObject]) -> None:
        names = {str(pod["metadata"]["name"]) for pod in pods}
        try:
            listed = await self._reader.client.list(self._reader.in_namespace("metrics.k8s.io/v1beta1", "pods"))
        except KubernetesError as error:
            keep.missing("CPU and memory of the pods", f"no metrics server answers: {error}")
            return
        usage = [entry for entry in listed if entry["metadata"]["name"] in names]
        await keep.file("objects/usage.json", usage, "CPU and memory of the pods")


def _logs_of(pod: JsonObject) -> Iterator[_Log]:
    name = str(pod["metadata"]["name"])
    for status in container_statuses(pod):
        container = str(status.get("name"))
        yield _Log(pod=name, container=container, previous=False)
        if int(status.get("restartCount") or 0) > 0:
            yield _Log(pod=name, container=container, previous=True)


def _revisions(snapshot: Snapshot) -> Sequence[JsonObject]:
    return [
        {
            "name": revision.name,
            "revision": revision.number,
            "fingerprint": revision.fingerprint,
            "changeCause": revision.change_cause,
            "replicas": revision.replicas,
            "template": revision.template,
        }
        for revision in snapshot.revisions
    ]


def _when(event: JsonObject) -> str:
    """An event's time: any of three fields, each of which may be null."""
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("eventTime") or event.get("lastTimestamp") or "")
