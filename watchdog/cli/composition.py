"""The composition root: from a configuration file to a daemon that can run.

Role: the only place that knows every room. Neighbours: `settings` gives frozen records, the rooms give the parts, `run`
runs what is made here. Guarantees: everything is built before anything runs; clients of the outside are shared, made only
when configured, and closed last; a configuration that cannot be built raises `ConfigurationRefused` and leaves nothing
open. Not guaranteed: that the outside answers - `watchdog doctor` asks.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from watchdog.channels.stdout import StdoutChannel
from watchdog.clients.http import HttpClient
from watchdog.engine.board import Watch, WatchedSignal
from watchdog.engine.clock import SystemClock
from watchdog.engine.daemon import Daemon, Setup
from watchdog.incidents.directory import DirectoryFiles
from watchdog.incidents.recorder import IncidentRecorder
from watchdog.judgement.rule import Rule
from watchdog.judgement.threshold import Above, Consecutive, KOfN
from watchdog.platforms.command import CommandPlatform, Commands, CommandWriter
from watchdog.ports import Channel, Clock, EvidenceSource, Platform, Signal, Store
from watchdog.redaction import Redactor
from watchdog.safety.permits import PermitOffice
from watchdog.settings import access
from watchdog.settings.loader import Loaded, load
from watchdog.signals.http import Connection, HttpCheck, HttpSignal, Pods
from watchdog.stores import FileLease, MemoryStore, SqliteStore, lock_path


@dataclass
class Clients:
    """What is shared by everything that talks to the outside; lives as long as the process."""

    clock: Clock
    http: HttpClient
    kubernetes: dict[tuple[str, str], object] = field(default_factory=dict)

    async def close(self) -> None:
        """Close every client that was made."""
        await self.http.close()
        for client in self.kubernetes.values():
            await client.close()  # type: ignore[attr-defined]  # KubernetesClient, imported only when configured


class TellingPlatform(Platform, EvidenceSource, Protocol):
    """A platform that also hands over evidence: all of ours do."""


class Builder:
    """Builds setups from settings: once at the start, and again for each reload."""

    def __init__(self, clients: Clients, secret: bytes, bundles: DirectoryFiles) -> None:
        """Share `clients`; writers check permits that are signed with `secret`."""
        self._clients = clients
        self._office = PermitOffice(secret)
        self._bundles = bundles

    async def setup(self, loaded: Loaded) -> Setup:
        """The whole setup of one configuration."""
        settings = loaded.settings
        channels = {name: self._channel(name) for name in settings.notify}
        watches, writers = [], {}
        for target in access.configured(settings):
            platform, writer = await self._platform(target)
            watches.append(self._watch(target, platform))
            if writer is not None:
                writers[target.name] = writer
        return Setup(
            watches=tuple(watches),
            writers=writers,
            channels=channels,
            mode=settings.mode.value,
            windows=access.windows(settings),
            config_hash=loaded.source_hash,
            warnings=tuple(str(problem) for problem in loaded.warnings),
            first_start=settings.first_start.value,
            reference=settings.reference,
            report_of=lambda incident: self._bundles.location(f"{incident}/report.md"),
        )

    def _channel(self, name: str) -> Channel:
        return StdoutChannel(sys.stdout, name=name)

    def _watch(self, target: access.ConfiguredTarget, platform: TellingPlatform | None) -> Watch:
        signals = tuple(
            WatchedSignal(signal, entry.every_s, getattr(signal, "deadline_s", entry.timeout_s))
            for entry, signal in ((entry, self._signal(entry, target)) for entry in target.signals)
        )
        commands = target.platform if isinstance(target.platform, access.CommandPrograms) else None
        return Watch(
            policy=target.policy,
            signals=signals,
            rules=tuple(rule_of(entry) for entry in target.signals),
            platform=platform,
            track_every_s=target.platform.every_s if target.platform else 5.0,
            evidence=() if platform is None else (platform,),
            links=tuple(f"{name}: {url}" for name, url in target.links.items()),
            channels=target.channels,
            write_s=commands.rollback_timeout_s if commands else 10.0,
            config=target.digest,
        )

    def _signal(self, entry: access.ConfiguredSignal, target: access.ConfiguredTarget) -> Signal:
        if entry.http is not None:
            return HttpSignal(entry.name, _check(entry), self._clients.http, self._clients.clock)
        from watchdog.signals.workload import WorkloadSignal, WorkloadTolerances  # noqa: PLC0415 - beside its configuration

        # It asks nobody itself: what it may know is as fresh as the reads of the workload.
        every_s = target.platform.every_s if target.platform else entry.every_s
        return WorkloadSignal(
            entry.name, self._clients.clock, WorkloadTolerances(every_s=max(5.0, every_s, entry.every_s))
        )

    async def _platform(self, target: access.ConfiguredTarget) -> tuple[TellingPlatform | None, object | None]:
        clock, office = self._clients.clock, self._office
        programs = target.platform
        if programs is None:
            return None, None
        if isinstance(programs, access.CommandPrograms):
            commands = Commands(
                current=programs.current,
                history=programs.history,
                rollback=programs.rollback,
                read_s=programs.timeout_s,
                rollback_s=programs.rollback_timeout_s,
                environment=programs.environment,
                directory=programs.directory or None,
            )
            return (
                CommandPlatform(target.name, commands, clock),
                CommandWriter(target.name, commands, clock, office),
            )
        return await self._kubernetes(target, programs)

    async def _kubernetes(
        self, target: access.ConfiguredTarget, workload: access.KubernetesWorkload
    ) -> tuple[TellingPlatform, object]:
        # Imported only where a Kubernetes target is configured: the client library costs 50 MB and a second.
        from watchdog.clients.kubernetes import Connection as Cluster  # noqa: PLC0415
        from watchdog.clients.kubernetes import KubernetesClient  # noqa: PLC0415
        from watchdog.platforms.kubernetes import (  # noqa: PLC0415
            KubernetesPlatform,
            KubernetesTarget,
            KubernetesWriter,
        )

        where = (workload.kubeconfig, workload.context)
        client = self._clients.kubernetes.get(where)
        if not isinstance(client, KubernetesClient):
            client = await KubernetesClient.open(Cluster(kubeconfig=workload.kubeconfig, context=workload.context))
            self._clients.kubernetes[where] = client
        config = KubernetesTarget(
            target=target.name,
            namespace=workload.namespace,
            kind=workload.kind,
            name=workload.name,
            allow_pod_delete=target.policy.allow_pod_delete,
            allow_recreate=target.policy.allow_recreate,
            ignore_annotations=workload.ignore_annotations,
        )
        platform = KubernetesPlatform.open(client, config, self._clients.clock)
        return platform, KubernetesWriter(client, config, self._clients.clock, self._office)


def rule_of(entry: access.ConfiguredSignal) -> Rule:
    """The judgement's rule for a configured one."""
    rule = entry.rule
    if isinstance(rule, access.Above):
        return Above(
            signal=entry.name,
            above=rule.above,
            for_s=rule.for_s,
            min_events=rule.min_events,
            recover_below=rule.recover_below,
        )
    if isinstance(rule, access.Consecutive):
        return Consecutive(signal=entry.name, n=rule.failed, recover=rule.recover)
    return KOfN(signal=entry.name, failed=rule.failed, of=rule.of, tolerant=rule.tolerant)


def _check(entry: access.ConfiguredSignal) -> HttpCheck:
    request = entry.http
    assert request is not None  # noqa: S101 - only called for http signals
    pods = request.pods
    return HttpCheck(
        url=request.url,
        pods=Pods(port=pods.port, path=pods.path, scheme=pods.scheme) if pods else None,
        method=request.method,
        status=request.status,
        timeout_s=request.timeout_s,
        max_redirects=request.max_redirects,
        within_s=request.within_s,
        headers=request.headers,
        host=request.host,
        connection=Connection.KEEP if request.keep_connection else Connection.FRESH,
        ca_file=request.ca_file,
        verify=request.verify,
        counts_users=entry.counts_users,
    )


@dataclass
class Assembly:
    """A daemon and all that must be closed after it."""

    daemon: Daemon
    clients: Clients
    store: Store
    loaded: Loaded
    bundles: DirectoryFiles

    async def close(self) -> None:
        """After the daemon has ended: clients, then the store."""
        await self.clients.close()
        await self.store.close()


async def assemble(path: Path, environ: Mapping[str, str]) -> Assembly:
    """Everything for `watchdog run`. Raises ConfigurationRefused, StoreDamaged, Unavailable."""
    loaded = load(path, environ)
    clock = SystemClock()
    clients = Clients(clock, HttpClient(clock))
    bundles = DirectoryFiles(Path(loaded.settings.bundles), clock)
    secret = secrets.token_bytes(32)
    builder = Builder(clients, secret, bundles)
    store, lease = await _state(loaded, clock)
    try:
        setup = await builder.setup(loaded)
    except BaseException:
        await clients.close()
        await store.close()
        raise
    recorder = IncidentRecorder(
        bundles, Redactor(known_secrets(loaded)), clock, print, version=version("rollback-watchdog")
    )
    daemon = Daemon(setup, store, lease, recorder, clock, secret)
    current = loaded

    async def rebuild() -> Setup | None:
        nonlocal current
        fresh = load(path, environ)
        if fresh.source_hash == current.source_hash:
            return None
        new = await builder.setup(fresh)
        current = fresh
        return new

    daemon.rebuild = rebuild
    return Assembly(daemon, clients, store, loaded, bundles)


async def _state(loaded: Loaded, clock: Clock) -> tuple[Store, FileLease]:
    """The store, and the lock that keeps one daemon a store."""
    path = loaded.settings.state.sqlite_path
    holder = f"{socket.gethostname()} pid {os.getpid()}"
    if not path:
        name = hashlib.sha256(str(loaded.settings.api.socket).encode()).hexdigest()[:16]
        return MemoryStore(), FileLease(Path(loaded.settings.bundles).parent / f"watchdog-{name}.lock", holder)
    store = SqliteStore(Path(path), clock)
    await store.open()
    return store, FileLease(lock_path(Path(path)), holder)


def known_secrets(loaded: Loaded) -> tuple[str, ...]:
    """Every secret value of the configuration: never in a file, message or log."""
    targets = access.configured(loaded.settings)
    headers = [entry.http.headers for target in targets for entry in target.signals if entry.http]
    programs = [target.platform for target in targets if isinstance(target.platform, access.CommandPrograms)]
    pairs = [pair for some in (*headers, *(program.environment for program in programs)) for pair in some]
    return tuple(value for _, value in pairs if value)
