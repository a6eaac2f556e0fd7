"""The reading half: one Helm release as `ports.Platform` and `ports.EvidenceSource`.

Role: Helm's records say what is meant to run, the workloads of its manifest what does run. Neighbours: `reading`, `records`;
each workload is read as `platforms.kubernetes` reads it. Guarantees: every answer comes from a fresh read; a release is
complete when Helm says deployed *and* all its workloads are rolled out; a failed upgrade is the release that runs, a failed
or killed rollback is not; whether somebody else (GitOps, a controller) claims a workload is asked of each. Not guaranteed:
anything about objects other than Deployments, StatefulSets and DaemonSets - they are Helm's to put back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from watchdog.clients.kubernetes import KubernetesClient
from watchdog.model import (
    Confirmation,
    Finding,
    Incident,
    Instance,
    Intent,
    Owner,
    Ownership,
    Plan,
    Progress,
    Release,
    Resolution,
    WorkloadState,
)
from watchdog.platforms.helm import plans
from watchdog.platforms.helm.reading import HelmTarget, Records
from watchdog.platforms.helm.records import Record, Thing, running
from watchdog.platforms.helm.writer import unfit
from watchdog.platforms.kubernetes import permissions
from watchdog.platforms.kubernetes.fingerprint import claims_of, images_of
from watchdog.platforms.kubernetes.kinds import KubernetesTarget
from watchdog.platforms.kubernetes.permissions import Permission
from watchdog.platforms.kubernetes.platform import KubernetesPlatform
from watchdog.platforms.kubernetes.reading import WorkloadMissing
from watchdog.ports import Clock, EvidenceSink, Unavailable

HELMS = tuple(
    Permission(verb=verb, group="", resource="secrets", why=f"{what} Helm's records")
    for verb, what in (("list", "find"), ("get", "read"), ("create", "let helm write"), ("update", "let helm change"))
)
"""Beside the rights that the chart's own objects need, which only a dry run can tell."""

STALE_S = 900.0
"""A record that has been pending for longer is Helm's that was killed: nobody is at work."""


class HelmPlatform:
    """One release. The client is the opener's: many platforms share one."""

    def __init__(self, client: KubernetesClient, config: HelmTarget, clock: Clock) -> None:
        """Nothing is asked yet."""
        self._client, self._config, self._clock = client, config, clock
        self._records = Records(client, config)
        self._parts: dict[tuple[str, str, str, str], KubernetesPlatform] = {}

    async def close(self) -> None:
        """Nothing to let go: the client is shared and closed by who opened it."""

    async def read_state(self) -> WorkloadState:
        """Unit, release, rollout and pods of all workloads. Raises Unavailable."""
        records = await self._records.newest_first()
        current = self._current(records)
        parts = await asyncio.gather(*(part.read_state() for part in self._platforms(current)))
        return self._state(records, current, parts)

    async def detect_owner(self) -> Ownership:
        """Who else claims one of the workloads. That Helm does is what we count on. Raises Unavailable."""
        current = self._current(await self._records.newest_first())
        ours = f"Helm release {self._config.namespace}/{self._config.release} "
        for found in await asyncio.gather(*(part.detect_owner() for part in self._platforms(current))):
            if found.owner is not Owner.NOBODY and not (found.owner is Owner.HELM and found.sentence.startswith(ours)):
                return found
        return Ownership(owner=Owner.NOBODY, sentence=f"nobody but {ours.strip()} claims its workloads")

    async def history(self) -> Sequence[Release]:
        """Releases that were deployed, newest first, one a fingerprint. Raises Unavailable."""
        found: dict[str, Release] = {}
        for one in await self._records.newest_first():
            if one.was_deployed:
                found.setdefault(one.fingerprint, release_of(one))
        return tuple(found.values())

    async def preflight(self, target: Release) -> Sequence[Finding]:
        """What a rollback to `target` would delete and run besides. Raises Unavailable."""
        records = await self._records.newest_first()
        good = plans.good_record(records, target)
        if good is None:
            words = f"Helm keeps no record of {target.label} any more: it cannot be put back by helm"
            return [Finding(name="history", sentence=words, blocks=True)]
        return plans.findings(self._current(records), good)

    async def plan(self, state: WorkloadState, target: Release, incident: str) -> Plan:
        """One run of helm. Raises ValueError when there is no road, Unavailable."""
        del incident
        records = await self._records.newest_first()
        current = self._current(records)
        if current.fingerprint != state.release.fingerprint or str(records[0].version) != state.version:
            raise ValueError(
                f"{self._config.label} changed since it was read: revision {records[0].version} is newest now"
            )
        return plans.plan_back(self._config, self._records.unit(records[0]), current, target, records)

    async def resolve(self, intent: Intent) -> Resolution:
        """What became of `intent`, by the records alone; `UNKNOWN` while helm may still be at work."""
        try:
            records = await self._records.newest_first()
        except WorkloadMissing:
            return Resolution.GONE
        except Unavailable:
            return Resolution.UNKNOWN
        return plans.resolution(records, intent, self._clock.now(), self._config.timeout_s)

    async def confirm(self, intent: Intent) -> Confirmation:
        """Whether what was put back is rolled out: Helm's record, and every workload."""
        try:
            state = await self.read_state()
        except WorkloadMissing as error:
            return Confirmation(progress=Progress.SUPERSEDED, sentence=str(error))
        except Unavailable as error:
            return Confirmation(progress=Progress.UNKNOWN, sentence=str(error))
        if state.release.fingerprint != intent.to_release:
            return Confirmation(progress=Progress.SUPERSEDED, sentence=f"{state.release.label} is newest now")
        if state.stuck:
            return Confirmation(progress=Progress.STUCK, sentence=state.stuck)
        if state.complete:
            words = f"{state.release.label} is deployed, and {state.ready} of {state.wanted} pods are ready"
            return Confirmation(progress=Progress.OBSERVED, sentence=words)
        words = f"{state.release.label} is being rolled out: {state.updated} of {state.wanted} pods"
        return Confirmation(progress=Progress.PENDING, sentence=words)

    async def gather(self, keep: EvidenceSink, incident: Incident) -> None:
        """The history as Helm keeps it (no values, no manifests), then logs, pods and events of each workload."""
        try:
            records = await self._records.newest_first()
        except Unavailable as error:
            keep.missing("the release's records and workloads", str(error))
            return
        await keep.file("helm/history.json", [_told(one) for one in records], "Helm's records, without values")
        parts = self._platforms(self._current(records))
        await asyncio.gather(*(part.gather(_Under(keep, name), incident) for name, part in _named(parts, self._parts)))

    async def check_permissions(self) -> tuple[Finding, ...]:
        """What of Helm's and the workloads' rights is missing, and whether the program is there. Raises Unavailable."""
        current = self._current(await self._records.newest_first())
        found = [*await permissions.check(self._client, self._config.namespace, HELMS)]
        for part in self._platforms(current):
            found += await part.check_permissions()
        trouble = await unfit(self._config)
        if trouble:
            found.append(Finding(name="helm", sentence=trouble, blocks=True))
        return tuple(found)

    # -- inner workings ----------------------------------------------------------------------------------------------

    def _patience(self, newest: Record) -> float:
        """How long a pending record is somebody at work: ours no longer than its own timeout."""
        return self._config.timeout_s + plans.GRACE_S if newest.intent else STALE_S

    def _killed(self, newest: Record, now: float) -> str:
        """What is said of a record that is pending for too long; ours is cured, not told."""
        if not newest.is_pending or newest.intent:
            return ""
        minutes = (now - newest.deployed_at) / 60
        return f"revision {newest.version} is {newest.status} since {minutes:.0f} min: helm was killed"

    def _current(self, records: Sequence[Record]) -> Record:
        found = running(records)
        if found is None:
            raise Unavailable(f"{self._config.label} has only rollbacks that did not end: look at `helm history`")
        return found

    def _platforms(self, current: Record) -> list[KubernetesPlatform]:
        """One a workload, kept between reads: they remember since when they saw a template."""
        kept = {thing.key: self._parts.get(thing.key) or self._part(thing) for thing in current.workloads}
        self._parts = kept
        return list(kept.values())

    def _part(self, thing: Thing) -> KubernetesPlatform:
        config = KubernetesTarget(
            target=self._config.target, namespace=thing.namespace, kind=thing.kind, name=thing.name
        )
        return KubernetesPlatform.open(self._client, config, self._clock)

    def _state(self, records: Sequence[Record], current: Record, parts: Sequence[WorkloadState]) -> WorkloadState:
        newest, now = records[0], self._clock.now()
        busy = newest.is_pending and now - newest.deployed_at < self._patience(newest)
        complete = current.status == "deployed" and not newest.is_pending and all(part.complete for part in parts)
        ends = [part.completed for part in parts if part.completed is not None]
        done = max([*ends, current.deployed_at]) if complete else None
        return WorkloadState(
            unit=self._records.unit(newest),
            at=now,
            release=replace(release_of(current), started=current.deployed_at, completed=done),
            version=str(newest.version),
            complete=complete,
            in_progress=busy or any(part.in_progress for part in parts),
            observed=all(part.observed for part in parts),
            started=current.deployed_at,
            completed=done,
            wanted=sum(part.wanted for part in parts),
            ready=sum(part.ready for part in parts),
            updated=sum(part.updated for part in parts),
            available=sum(part.available for part in parts),
            instances=_instances(parts, current, _before(records, current)),
            paused=any(part.paused for part in parts),
            deleting=any(part.deleting for part in parts) or newest.status in ("uninstalling", "uninstalled"),
            stuck=_stuck(newest, current, parts, "" if busy else self._killed(newest, now)),
            actor=next((part.actor for part in parts if part.actor), ""),
            recreate=any(part.recreate for part in parts),
            hints=_hints(parts),
        )


def release_of(one: Record) -> Release:
    """What a record deployed; addressed by its revision number, which never changes its meaning."""
    images: dict[str, str] = {}
    claims: dict[str, str] = {}
    for thing in one.workloads:
        template = thing.template or {}
        images |= {f"{thing.name}/{name}": image for name, image in images_of(template).items()}
        claims |= dict(claims_of(template))
    return Release(
        fingerprint=one.fingerprint,
        revision=str(one.version),
        address=str(one.version),
        images=_shortened(images),
        claims=claims,
        change_cause=one.description,
        started=one.deployed_at,
    )


def _shortened(images: Mapping[str, str]) -> dict[str, str]:
    """Container names alone, where they tell all apart."""
    short = {name.partition("/")[2]: image for name, image in images.items()}
    return short if len(short) == len(images) else dict(images)


def _before(records: Sequence[Record], current: Record) -> str:
    """Fingerprint of what ran before: pods that do not run the current template run that one."""
    older = (one.fingerprint for one in records if one.version < current.version and one.was_deployed)
    return next((found for found in older if found != current.fingerprint), f"before {current.version}")


def _instances(parts: Sequence[WorkloadState], current: Record, before: str) -> tuple[Instance, ...]:
    found: list[Instance] = []
    for part in parts:
        for one in part.instances:
            release = None if one.release is None else before
            if one.release == part.release.fingerprint:
                release = current.fingerprint
            found.append(replace(one, release=release))
    return tuple(found)


def _stuck(newest: Record, current: Record, parts: Sequence[WorkloadState], killed: str) -> str:
    if current.status == "failed" and current.version == newest.version:
        return f"helm gave revision {current.version} up: {current.description[:200]}"
    return killed or next((part.stuck for part in parts if part.stuck), "")


def _hints(parts: Iterable[WorkloadState]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        found |= part.hints
    return found


def _told(one: Record) -> dict[str, Any]:
    return {
        "revision": one.version,
        "status": one.status,
        "description": one.description,
        "chart": one.chart,
        "app_version": one.app_version,
        "deployed_at": one.deployed_at,
        "objects": [f"{thing.kind} {thing.namespace}/{thing.name}" for thing in one.things],
    }


class _Under:
    """An `EvidenceSink` one folder deeper: several workloads have files of the same name."""

    def __init__(self, inner: EvidenceSink, folder: str) -> None:
        self._inner, self._folder = inner, folder

    async def file(self, path: str, content: Any, note: str = "") -> None:
        await self._inner.file(f"{self._folder}/{path}", content, note)

    def missing(self, what: str, why: str) -> None:
        self._inner.missing(f"{self._folder}: {what}", why)


def _named(
    parts: Sequence[KubernetesPlatform], known: Mapping[tuple[str, str, str, str], KubernetesPlatform]
) -> list[tuple[str, KubernetesPlatform]]:
    keys = {id(part): key for key, part in known.items()}
    return [(f"{keys[id(part)][1].lower()}-{keys[id(part)][3]}", part) for part in parts]
