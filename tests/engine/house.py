"""A whole watchdog on fakes in virtual time: the world outlives it, so that a crash is a new house over the same world."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

from watchdog.engine.board import Watch, WatchedSignal
from watchdog.engine.control import DaemonControl
from watchdog.engine.daemon import Daemon, Objects, Setup
from watchdog.engine.pauses import REGISTER
from watchdog.judgement.rule import Rule
from watchdog.judgement.threshold import Consecutive
from watchdog.model import (
    DataSafety,
    Grade,
    Incident,
    Instant,
    JsonObject,
    Mode,
    Notice,
    PauseRegister,
    Release,
    TargetPolicy,
    UnitRecord,
    from_document,
    instant,
    to_document,
)
from watchdog.ports import HazardReader, Lease, LeaseState, SchemaSource, Store, Stored
from watchdog.safety.permits import PermitOffice
from watchdog.safety.recurring import Window
from watchdog.stores.memory import MemoryStore
from watchdog.testing.channels import RecordingChannel
from watchdog.testing.clock import WorldClock
from watchdog.testing.leases import FakeLease
from watchdog.testing.platforms import FakePlatform, FakeUnit, FakeWorld, FakeWriter
from watchdog.testing.recorder import FakeRecorder
from watchdog.testing.signals import Behaviour, FakeSignal
from watchdog.testing.stores import FaultyStore

SECRET = b"0123456789abcdef"


def policy(target: str = "api", **changes: object) -> TargetPolicy:
    values: dict[str, object] = {
        "target": target,
        "mode": Mode.ENFORCE,
        "data": DataSafety.NONE,
        "bake_s": 1800.0,
        "bake_events": 0,
        "tolerate_interruption_s": 5.0,
        "countdown_s": 10.0,
        "confirm_within_s": 120.0,
        "ask_timeout_s": 60.0,
        "blind_after_s": 60.0,
    }
    return TargetPolicy(**{**values, **changes})  # type: ignore[arg-type]


async def never() -> None:
    await asyncio.Event().wait()


class Life:
    """One process. `die_after` counts its writes to the store, `die_in_response` those since an incident's first one;
    `die_at` names a point around the write to the world."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, str]] = []
        self.die_after: int | None = None
        self.die_in_response: int | None = None
        self.die_at = ""
        self.gone = asyncio.Event()

    @property
    def of_response(self) -> list[str]:
        """Keys written since the first write of an incident."""
        keys = [key for _, key in self.writes]
        first = next((n for n, key in enumerate(keys) if key.startswith("incident/")), len(keys))
        return keys[first:]

    def due(self) -> bool:
        if self.die_in_response is not None and len(self.of_response) >= self.die_in_response:
            return True
        return self.die_after is not None and len(self.writes) >= self.die_after

    async def end(self) -> None:
        """kill -9: this very await never returns, and nothing of this process reaches anybody any more."""
        self.gone.set()
        await never()


class MortalStore:
    """The connection of one process to the store of all."""

    def __init__(self, inner: FaultyStore, life: Life) -> None:
        self.inner, self.life = inner, life

    async def read(self, key: str) -> Stored | None:
        await self._alive()
        return await self.inner.read(key)

    async def list(self, kind: str) -> Sequence[Stored]:
        await self._alive()
        return await self.inner.list(kind)

    async def create(self, key: str, document: JsonObject) -> Stored:
        await self._alive()
        stored = await self.inner.create(key, document)
        await self._wrote("create", key)
        return stored

    async def replace(self, key: str, document: JsonObject, version: str) -> Stored:
        await self._alive()
        stored = await self.inner.replace(key, document, version)
        await self._wrote("replace", key)
        return stored

    async def delete(self, key: str, version: str) -> None:
        await self._alive()
        await self.inner.delete(key, version)
        await self._wrote("delete", key)

    async def changes(self, cursor: str) -> tuple[str, Sequence[str]]:
        await self._alive()
        return await self.inner.changes(cursor)

    async def found_empty(self) -> bool:
        await self._alive()
        return await self.inner.found_empty()

    async def close(self) -> None:
        pass

    async def _alive(self) -> None:
        if self.life.gone.is_set():
            await never()

    async def _wrote(self, verb: str, key: str) -> None:
        self.life.writes.append((verb, key))
        if self.life.due():
            await self.life.end()


class MortalLease:
    """A process that is gone renews nothing."""

    def __init__(self, inner: Lease, life: Life) -> None:
        self.inner, self.life = inner, life

    async def acquire(self) -> LeaseState:
        if self.life.gone.is_set():
            await never()
        return await self.inner.acquire()

    def state(self) -> LeaseState:
        return self.inner.state()

    async def release(self) -> None:
        if not self.life.gone.is_set():
            await self.inner.release()


class MortalWriter:
    """A writer whose process may die just before or just after the world took the write."""

    def __init__(self, inner: FakeWriter, life: Life) -> None:
        self.inner, self.life = inner, life

    async def execute(self, *args: object, **more: object) -> object:
        if self.life.gone.is_set() or self.life.die_at == "before":
            await self.life.end()
        outcome = await self.inner.execute(*args, **more)  # type: ignore[arg-type]
        if self.life.die_at == "after":
            await self.life.end()
        return outcome

    async def rehearse(self, *args: object, **more: object) -> object:
        return await self.inner.rehearse(*args, **more)  # type: ignore[arg-type]


class Line:
    """One process's line to the pager, which outlives it."""

    def __init__(self, pager: RecordingChannel, life: Life) -> None:
        self.name, self.pager, self.life = pager.name, pager, life

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        if self.life.gone.is_set():
            await never()
        await self.pager.deliver(notice, incident)

    async def close(self) -> None:
        pass


@dataclass
class Target:
    unit: FakeUnit
    behaviour: Behaviour
    policy: TargetPolicy
    signals: list[FakeSignal] = field(default_factory=list)
    rules: tuple[Rule, ...] = ()
    hazards: tuple[HazardReader, ...] = ()
    databases: tuple[SchemaSource, ...] = ()
    every_s: float = 1.0
    timeout_s: float = 1.0
    write_s: float = 10.0
    connect: Callable[[FakeUnit, PermitOffice], tuple[FakePlatform, FakeWriter]] | None = None
    track_s: float = 1.0


class House:
    """`targets` share one world and one store; `running` builds a daemon over them, as after a (re)start."""

    def __init__(self, other: House | None = None) -> None:
        """With `other` a second process over the same world, store and pager."""
        self.clock = other.clock if other else WorldClock()
        self.world = other.world if other else FakeWorld(self.clock)
        self.inner = other.inner if other else MemoryStore()
        self.store = other.store if other else FaultyStore(self.inner)
        self.lease: Lease = FakeLease(held=True)
        self.pager = other.pager if other else RecordingChannel("pager")
        self.channels = other.channels if other else {"pager": self.pager}
        self.recorder = FakeRecorder(self.clock)
        self.targets: dict[str, Target] = dict(other.targets) if other else {}
        self.mode, self.first_start = "enforce", "observe"
        self.windows: tuple[Window, ...] = ()
        self.reference: tuple[str, ...] = ()
        self.objects: Objects | None = None
        self.daemon: Daemon | None = None
        self.life = Life()
        self._shared = other is not None
        self._lives = 0

    # -- building ----------------------------------------------------------------------------------------------------

    def add(self, name: str = "api", *, n: int = 3, platform: bool = True, **changes: object) -> Target:
        unit = self.world.add(name, "good", rollout_s=2.0)
        behaviour = Behaviour()
        target = Target(unit, behaviour, policy(name, watch_only=not platform, **changes))
        target.signals = [FakeSignal("probe", unit, behaviour)]
        target.rules = (Consecutive(signal="probe", n=n, recover=2),)
        self.targets[name] = target
        return target

    async def earn(self, name: str = "api", *, armed: bool = True, **changes: object) -> None:
        """As if the present release had been watched long enough: graded good, in the store, before the daemon starts."""
        target, now = self.targets[name], self.clock.now()
        release = replace(target.unit.state().release, grade=Grade.GOOD, graded_at=now, **changes)
        await self.remember(
            UnitRecord(
                unit=target.unit.ref, releases=(release,), current=release.fingerprint, first_seen=now, armed=armed
            )
        )

    async def remember(self, record: UnitRecord) -> None:
        """A unit's record of an earlier run, beside the register that every earlier run has left."""
        await self.inner.create(record.unit.key, to_document(record))
        if await self.inner.read(REGISTER) is None:
            await self.inner.create(REGISTER, to_document(PauseRegister()))

    async def known(self, fingerprint: str, name: str = "api", **changes: object) -> Release:
        """One more release in the ledger, older than the present one."""
        unit = self.targets[name].unit
        unit._learn(fingerprint, "ci", {})
        unit.order.insert(0, fingerprint)
        entry = replace(unit.known[fingerprint], started=instant(self.clock.now() - 9000), **changes)
        await self.edit(name, lambda record: replace(record, releases=(*record.releases, entry)))
        return entry

    async def edit(self, name: str, change: Callable[[UnitRecord], UnitRecord]) -> None:
        """Change a unit's record behind the daemon's back."""
        key = self.targets[name].unit.ref.key
        stored = await self.inner.read(key)
        assert stored is not None
        await self.inner.replace(key, to_document(change(from_document(UnitRecord, stored.document))), stored.version)

    def watch(self, target: Target, platform: FakePlatform | None) -> Watch:
        return Watch(
            policy=target.policy,
            signals=tuple(WatchedSignal(signal, target.every_s, target.timeout_s) for signal in target.signals),
            rules=target.rules,
            platform=platform,
            track_every_s=target.track_s,
            evidence=() if platform is None else (platform,),
            hazards=target.hazards,
            databases=target.databases,
            write_s=target.write_s,
            config=repr(target.policy),
        )

    def setup(self, config_hash: str = "c0ffee") -> Setup:
        watches, writers, office = [], {}, PermitOffice(SECRET)
        for name, target in self.targets.items():
            if target.policy.watch_only:
                watches.append(self.watch(target, None))
                continue
            make = target.connect or (lambda unit, permits: self.world.connect(unit.ref.target, permits))
            platform, writer = make(target.unit, office)
            watches.append(self.watch(target, platform))
            writers[name] = MortalWriter(writer, self.life)
        return Setup(
            watches=tuple(watches),
            writers=writers,
            channels={name: Line(channel, self.life) for name, channel in self.channels.items()},
            mode=self.mode,
            windows=self.windows,
            config_hash=config_hash,
            first_start=self.first_start,
            reference=self.reference,
        )

    async def reopen(self) -> None:
        """The store as the next process finds it: the same documents, and no longer empty."""
        kinds = ("unit", "incident", "pause", "outbox", "schema")
        documents = {entry.key: entry.document for kind in kinds for entry in await self.inner.list(kind)}
        self.inner = self.store.inner = MemoryStore(documents)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        """A daemon that runs until the block ends; an unexpected end of it or a leaked task fails the test."""
        before = asyncio.all_tasks()
        if self._lives or not self._shared:
            await self.reopen()
        self._lives, self.life = self._lives + 1, Life()
        store: Store = MortalStore(self.store, self.life)
        daemon = self.daemon = Daemon(
            self.setup(), store, MortalLease(self.lease, self.life), self.recorder, self.clock, SECRET, self.objects
        )
        task = asyncio.create_task(daemon.run(), name="daemon")
        try:
            yield daemon
            if task.done():
                await task
        finally:
            if self.life.gone.is_set():
                await self._bury(before)
            else:
                daemon.shut_down()
                await task
        if not self._shared:
            await asyncio.sleep(0.01)
            leaked = [
                left.get_name() for left in asyncio.all_tasks() - before - {asyncio.current_task()} if not left.done()
            ]  # type: ignore[arg-type]
            assert not leaked, f"leaked tasks: {leaked}"

    async def _bury(self, before: set[asyncio.Task[object]]) -> None:
        """Nothing of a killed process goes on: every task of it ends at its next await."""
        me = asyncio.current_task()
        while alive := [task for task in asyncio.all_tasks() - before if task is not me and not task.done()]:
            for task in alive:
                task.cancel()
            await asyncio.sleep(0)

    @property
    def control(self) -> DaemonControl:
        assert self.daemon is not None
        return DaemonControl(self.daemon)

    # -- what happens ------------------------------------------------------------------------------------------------

    def go_bad(self, name: str = "api", fingerprint: str = "bad") -> None:
        """A release that fails every probe is deployed."""
        target = self.targets[name]
        target.behaviour.bad[fingerprint] = 1.0
        target.unit.deploy(fingerprint)

    async def pause(self, seconds: float = 600.0, scope: str = "all") -> str:
        answer = await self.control.pause(scope, instant(self.clock.now() + seconds), "maintenance", "ann")
        assert answer["applied"]
        return str(answer["pause"]["id"])

    # -- looking -----------------------------------------------------------------------------------------------------

    async def until(self, there: Callable[[], object], within: float = 300.0) -> None:
        end = self.clock.monotonic() + within
        while not there():
            if self.clock.monotonic() >= end:
                raise AssertionError(f"not within {within:g} s: {await self.story()}")
            await asyncio.sleep(0.05)

    async def pass_(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def incidents(self, target: str = "") -> list[Incident]:
        found = [from_document(Incident, entry.document) for entry in await self.inner.list("incident")]
        return [entry for entry in found if target in ("", entry.target)]

    async def incident(self, target: str = "") -> Incident:
        (only,) = await self.incidents(target)
        return only

    async def when(self, true: Callable[[Incident], object], within: float = 300.0, target: str = "") -> Incident:
        """The only incident (of the target), once it is as wanted."""
        end = self.clock.monotonic() + within
        while True:
            found = await self.incidents(target)
            if found and true(found[0]):
                assert len(found) == 1, await self.story()
                return found[0]
            if self.clock.monotonic() >= end:
                raise AssertionError(f"not within {within:g} s: {await self.story()}")
            await asyncio.sleep(0.1)

    async def closed(self, within: float = 300.0, target: str = "") -> Incident:
        """The only incident, once it is closed and its report is written."""
        return await self.when(lambda found: not found.open and found.entries[-1].kind == "reported", within, target)

    async def record(self, name: str = "api") -> UnitRecord:
        stored = await self.inner.read(self.targets[name].unit.ref.key)
        assert stored is not None
        return from_document(UnitRecord, stored.document)

    async def story(self) -> str:
        lines = [
            f"{e.at - self.started:7.2f} {e.kind}: {e.sentence}"
            for found in await self.incidents()
            for e in found.entries
        ]
        status = self.control.status()["targets"] if self.daemon else []
        return "\n".join([*lines, *(f"{row['name']} {row['state']}: {row['sentence']}" for row in status)])

    @property
    def started(self) -> Instant:
        return Instant(self.clock.now() - self.clock.monotonic())

    def told(self, kind: str) -> list[Notice]:
        """Notices of that kind that reached the pager."""
        return [notice for notice, _ in self.pager.delivered if notice.kind == kind]

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [(write.from_release, write.to_release) for write in self.world.writes]
