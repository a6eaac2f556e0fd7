"""The composition root: from a configuration file to a daemon that can run.

Role: the only place that knows every room. Neighbours: `settings` gives frozen records, the rooms give the parts, `run`
runs what is made here. Guarantees: everything is built before anything runs; clients of the outside are shared, made only
when configured, and closed last; a configuration that cannot be built raises `ConfigurationRefused` and leaves nothing
open. Not guaranteed: that the outside answers - `watchdog doctor` asks.
"""

from __future__ import annotations

import errno
import hashlib
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog
from pydantic import BaseModel

from watchdog.cli.channels import Channels
from watchdog.cli.databases import postgres_of
from watchdog.cli.judging import rules_of
from watchdog.clients.http import HttpClient
from watchdog.clients.post import Poster
from watchdog.engine.board import Watch, WatchedSignal
from watchdog.engine.clock import SystemClock
from watchdog.engine.daemon import Daemon, Objects, Setup
from watchdog.incidents.directory import DirectoryFiles
from watchdog.incidents.recorder import IncidentRecorder
from watchdog.platforms.command import CommandPlatform, Commands, CommandWriter
from watchdog.ports import Clock, EvidenceSource, Lease, Platform, Signal, Store, StoreUnavailable
from watchdog.redaction import Redactor
from watchdog.redaction.names import is_secret_name
from watchdog.safety.permits import PermitOffice
from watchdog.settings import ConfigurationRefused, access
from watchdog.settings.azure_access import ContainerApp
from watchdog.settings.loader import Loaded, hash_of, load
from watchdog.settings.prometheus_access import PrometheusServer
from watchdog.settings.secret import Secret
from watchdog.settings.state import KubernetesStateSection
from watchdog.signals.database import DatabaseSignal, PostgresSchemas
from watchdog.signals.http import Connection, HttpCheck, HttpSignal, Pods
from watchdog.stores import FileLease, MemoryStore, SqliteStore, lock_path

if TYPE_CHECKING:
    from watchdog.cli.azure import Azure
    from watchdog.clients.kubernetes import KubernetesClient, Watches

HELM_EXTRA_S = 15.0
"""Reads before and after, beside helm's own timeout."""

log = structlog.get_logger("watchdog.run")


@dataclass
class Clients:
    """What is shared by everything that talks to the outside; lives as long as the process."""

    clock: Clock
    http: HttpClient
    kubernetes: dict[tuple[str, str], object] = field(default_factory=dict)
    watches: dict[tuple[str, str], Watches] = field(default_factory=dict)
    prometheus: dict[PrometheusServer, Sources] = field(default_factory=dict)
    posters: dict[str, Poster] = field(default_factory=dict)
    azure: Sources | None = None

    async def cluster(self, kubeconfig: str, context: str) -> KubernetesClient:
        """One client a cluster, shared by all targets in it and by the state. Raises Unavailable."""
        from watchdog.clients.kubernetes import Connection as Cluster  # noqa: PLC0415 - only where configured
        from watchdog.clients.kubernetes import KubernetesClient  # noqa: PLC0415

        client = self.kubernetes.get((kubeconfig, context))
        if not isinstance(client, KubernetesClient):
            client = await KubernetesClient.open(Cluster(kubeconfig=kubeconfig, context=context))
            self.kubernetes[(kubeconfig, context)] = client
        return client

    async def watched(self, kubeconfig: str, context: str) -> Watches:
        """The watches on one cluster, shared by all targets in it. Raises Unavailable."""
        from watchdog.clients.kubernetes import Watches  # noqa: PLC0415 - only where configured

        client = await self.cluster(kubeconfig, context)
        return self.watches.setdefault((kubeconfig, context), Watches(client, self.clock))

    async def close(self) -> None:
        """Close every client that was made."""
        for watches in self.watches.values():
            await watches.close()
        await self.http.close()
        for client in (*self.prometheus.values(), *self.posters.values(), *([self.azure] if self.azure else [])):
            await client.close()
        for cluster in self.kubernetes.values():
            await cluster.close()  # type: ignore[attr-defined]  # KubernetesClient, imported only when configured


class Sources(Protocol):
    """A server that signals ask; its library is imported only when one is configured."""

    async def close(self) -> None:
        """Let connections go."""
        ...


class TellingPlatform(Platform, EvidenceSource, Protocol):
    """A platform that also hands over evidence: all of ours do."""


class Builder:
    """Builds setups from settings: once at the start, and again for each reload."""

    def __init__(self, clients: Clients, secret: bytes, bundles: DirectoryFiles) -> None:
        """Share `clients`; writers check permits that are signed with `secret`."""
        self._clients = clients
        self._office = PermitOffice(secret)
        self._bundles = bundles
        self._channels = Channels(clients.clock, clients.posters)

    async def setup(self, loaded: Loaded) -> Setup:
        """The whole setup of one configuration."""
        settings = loaded.settings
        json_lines = settings.log.format.value == "json"  # both streams often end in one: every line is then JSON
        channels = self._channels.all_of(settings, json_lines=json_lines)
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
            report_of=lambda incident: self._bundles.location(f"{incident}/report.html"),
        )

    def _watch(self, target: access.ConfiguredTarget, platform: TellingPlatform | None) -> Watch:
        signals = tuple(
            WatchedSignal(signal, entry.every_s, getattr(signal, "deadline_s", entry.timeout_s))
            for entry, signal in ((entry, self.signal(entry, target)) for entry in target.signals)
        )
        return Watch(
            policy=target.policy,
            signals=signals,
            rules=rules_of(target),
            platform=platform,
            track_every_s=target.platform.every_s if target.platform else 5.0,
            evidence=() if platform is None else (platform,),
            databases=tuple(
                PostgresSchemas(database.signal, postgres_of(database), database.schemas)
                for database in target.databases
            ),
            links=tuple(f"{name}: {url}" for name, url in target.links.items()),
            channels=target.channels,
            write_s=_write_s(target.platform),
            config=target.digest,
        )

    def signal(self, entry: access.ConfiguredSignal, target: access.ConfiguredTarget) -> Signal:
        """One signal of a target."""
        if entry.http is not None:
            return HttpSignal(entry.name, _check(entry), self._clients.http, self._clients.clock)
        if entry.prometheus is not None:
            from watchdog.cli.prometheus import signal_of  # noqa: PLC0415 - brings its library, which others need not pay for

            return signal_of(entry, entry.prometheus, self._clients.prometheus, self._clients.clock)
        if entry.app_insights is not None:
            return self._azure().signal_of(entry, entry.app_insights)
        if entry.scrape is not None:
            from watchdog.cli.scraping import scrape_of  # noqa: PLC0415 - brings the reader of pages, which others need not pay for

            return scrape_of(entry, entry.scrape, self._clients.http, self._clients.clock)
        if entry.database is not None:
            return DatabaseSignal(entry.name, postgres_of(entry.database), self._clients.clock)
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
        if isinstance(programs, ContainerApp):
            return self._azure().platform_of(target.name, programs, office)
        if isinstance(programs, access.HelmRelease):
            return await self._helm(target, programs)
        return await self._kubernetes(target, programs)

    def _azure(self) -> Azure:
        """What is shared by everything that asks Azure."""
        from watchdog.cli.azure import Azure  # noqa: PLC0415 - brings Azure's packages, which others need not pay for

        azure = self._clients.azure or Azure(self._clients.clock)
        self._clients.azure = azure
        assert isinstance(azure, Azure)  # noqa: S101 - nobody else makes one
        return azure

    async def _helm(
        self, target: access.ConfiguredTarget, release: access.HelmRelease
    ) -> tuple[TellingPlatform, object]:
        from watchdog.platforms.helm import HelmPlatform, HelmTarget, HelmWriter  # noqa: PLC0415 - only where configured

        client = await self._clients.cluster(release.kubeconfig, release.context)
        config = HelmTarget(
            target=target.name,
            namespace=release.namespace,
            release=release.release,
            program=release.program,
            kubeconfig=release.kubeconfig,
            context=release.context,
            timeout_s=release.timeout_s,
        )
        clock = self._clients.clock
        return HelmPlatform(client, config, clock), HelmWriter(client, config, clock, self._office)

    async def _kubernetes(
        self, target: access.ConfiguredTarget, workload: access.KubernetesWorkload
    ) -> tuple[TellingPlatform, object]:
        # Imported only where a Kubernetes target is configured: others need not pay for it.
        from watchdog.platforms.kubernetes import (  # noqa: PLC0415
            KubernetesPlatform,
            KubernetesTarget,
            KubernetesWriter,
        )

        client = await self._clients.cluster(workload.kubeconfig, workload.context)
        config = KubernetesTarget(
            target=target.name,
            namespace=workload.namespace,
            kind=workload.kind,
            name=workload.name,
            allow_pod_delete=target.policy.allow_pod_delete,
            allow_recreate=target.policy.allow_recreate,
            ignore_annotations=workload.ignore_annotations,
        )
        watches = await self._clients.watched(workload.kubeconfig, workload.context)
        platform = KubernetesPlatform.open(client, config, self._clients.clock, watches)
        return platform, KubernetesWriter(client, config, self._clients.clock, self._office)


def _write_s(platform: access.ConfiguredPlatform | None) -> float:
    """Seconds one write may take: a patch is quick, programs may take minutes."""
    if isinstance(platform, access.CommandPrograms):
        return platform.rollback_timeout_s
    if isinstance(platform, ContainerApp):
        return platform.ready_within_s
    return platform.timeout_s + HELM_EXTRA_S if isinstance(platform, access.HelmRelease) else 10.0


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
        json_condition=request.json_condition,
        body_pattern=request.body_pattern,
    )


@dataclass
class Configuration:
    """The file as it was taken last, and how it is read again."""

    path: Path
    environ: Mapping[str, str]
    builder: Builder
    redactor: Redactor
    loaded: Loaded
    tried: str = ""
    """Hash of the content that was looked at last, taken or refused."""
    files: tuple[Path, ...] = ()
    """The files of that content."""

    def __post_init__(self) -> None:
        self.tried, self.files = self.loaded.source_hash, self.loaded.files

    @property
    def changed(self) -> bool:
        """The files differ from what was looked at last: a refused content is not tried again until it changes."""
        return hash_of(self.files) != self.tried

    async def rebuild(self) -> Setup | None:
        """A setup of the present content, None when it is the one in force. Raises ConfigurationRefused, Unavailable."""
        try:
            fresh = load(self.path, self.environ)
        except ConfigurationRefused as error:
            self.files = error.files or self.files
            self.tried = error.source_hash or hash_of(self.files)
            raise
        self.tried, self.files = fresh.source_hash, fresh.files
        if fresh.source_hash == self.loaded.source_hash:
            return None
        self.redactor.learn(known_secrets(fresh))
        setup = await self.builder.setup(fresh)
        self._say_what_waits(fresh)
        self.loaded = fresh
        return setup

    def _say_what_waits(self, fresh: Loaded) -> None:
        """Places are taken once: a daemon that moved its state while it runs would be two."""
        before, after = self.loaded.settings, fresh.settings
        for section in ("state", "bundles", "api", "log"):
            if getattr(before, section) != getattr(after, section):
                log.warning("takes effect at the next start", action="needs_restart", section=section)


@dataclass
class Assembly:
    """A daemon and all that must be closed after it."""

    daemon: Daemon
    clients: Clients
    store: Store
    configuration: Configuration
    bundles: DirectoryFiles

    async def close(self) -> None:
        """After the daemon has ended: clients, the store, the files."""
        await self.clients.close()
        await self.store.close()
        await self.bundles.close()


async def assemble(path: Path, environ: Mapping[str, str]) -> Assembly:
    """Everything for `watchdog run`. Raises ConfigurationRefused, StoreDamaged, Unavailable."""
    loaded = load(path, environ)
    clock = SystemClock()
    clients = Clients(clock, HttpClient(clock))
    bundles = DirectoryFiles(Path(loaded.settings.bundles), clock)
    secret = secrets.token_bytes(32)
    builder = Builder(clients, secret, bundles)
    store, lease = await _state(loaded, clients)
    try:
        if isinstance(store, SqliteStore):
            await _opened(store)
        setup = await builder.setup(loaded)
    except BaseException:
        await clients.close()
        await store.close()
        await bundles.close()
        raise
    redactor = Redactor(known_secrets(loaded))
    recorder = IncidentRecorder(
        bundles, redactor, clock, print, version=version("rollback-watchdog"), keep_s=loaded.settings.keep_bundles
    )
    objects = await objects_of(loaded.settings.state.kubernetes, clients, redactor, setup.report_of)
    daemon = Daemon(setup, store, lease, recorder, clock, secret, objects)
    configuration = Configuration(path, environ, builder, redactor, loaded)
    daemon.rebuild = configuration.rebuild
    return Assembly(daemon, clients, store, configuration, bundles)


_NO_SUCH_PLACE = frozenset({errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM})
"""No folder can be made there: that is a wrong configuration, and no time mends it."""


async def _opened(store: SqliteStore) -> None:
    """A full or read-only disk keeps nobody from watching: the daemon says so at its start, acts not, and tries again."""
    try:
        await store.open()
    except StoreUnavailable as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_SUCH_PLACE:
            raise


async def _state(loaded: Loaded, clients: Clients) -> tuple[Store, Lease]:
    """The store, not opened yet, and what keeps one acting daemon a store. Raises Unavailable for a cluster."""
    clock, cluster = clients.clock, loaded.settings.state.kubernetes
    if cluster is not None:
        return await _state_in_cluster(cluster, clients)
    path = loaded.settings.state.sqlite_path
    holder = socket.gethostname()
    if not path:
        name = hashlib.sha256(str(loaded.settings.api.socket).encode()).hexdigest()[:16]
        return MemoryStore(), FileLease(Path(loaded.settings.bundles).parent / f"watchdog-{name}.lock", holder)
    return SqliteStore(Path(path), clock), FileLease(lock_path(Path(path)), holder)


async def _state_in_cluster(section: KubernetesStateSection, clients: Clients) -> tuple[Store, Lease]:
    from watchdog.stores.kubernetes import KubernetesStore  # noqa: PLC0415 - only where configured
    from watchdog.stores.kubernetes_lease import KubernetesLease  # noqa: PLC0415 - as above

    client = await clients.cluster(section.kubeconfig or "", section.context or "")
    holder = f"{socket.gethostname()}-{secrets.token_hex(4)}"  # a process that comes again is another one
    lease = KubernetesLease(client, section.namespace, section.name, holder, clients.clock, duration_s=section.lease)
    return KubernetesStore(client, section.namespace, section.name), lease


async def objects_of(
    section: KubernetesStateSection | None,
    clients: Clients,
    redactor: Redactor,
    report_of: Callable[[str], str] = lambda _: "",
) -> Objects | None:
    """What people see and make by kubectl, where that is configured. Raises Unavailable."""
    if section is None or not section.objects:
        return None
    from watchdog.stores.kubernetes_objects import KubernetesIncidents, KubernetesPauses  # noqa: PLC0415 - as above

    client = await clients.cluster(section.kubeconfig or "", section.context or "")
    incidents = KubernetesIncidents(client, section.namespace, lambda text: redactor.text(text)[0], report_of)
    return Objects(KubernetesPauses(client, section.namespace), incidents)


def known_secrets(loaded: Loaded) -> tuple[str, ...]:
    """Every secret value of the configuration: never in a file, message or log.

    Secret is what was read from a file or a variable, and what stands under a name that says so. A text that stands in the
    file under any other name (``Accept``, a directory) is none: taking it out would make reports unreadable.
    """
    pairs = secrets_in("", loaded.settings)
    return tuple(value.get_secret_value() for name, value in pairs if value.origin or is_secret_name(name))


def secrets_in(name: str, value: object) -> Iterator[tuple[str, Secret]]:
    """Every secret below a value of the configuration, with the key it stands under."""
    if isinstance(value, Secret):
        yield name, value
    elif isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from secrets_in(key, getattr(value, key))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from secrets_in(str(key), inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from secrets_in(name, inner)
