"""A whole watchdog on fakes in virtual time: the world outlives it, so that a crash is a new house over the same world."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from watchdog.engine.board import Watch, WatchedSignal
from watchdog.engine.control import DaemonControl
from watchdog.engine.daemon import Daemon, Setup
from watchdog.judgement.rule import Rule
from watchdog.judgement.threshold import Consecutive
from watchdog.model import (
    DataSafety,
    Grade,
    Incident,
    Mode,
    TargetPolicy,
    UnitRecord,
    from_document,
    iso,
    to_document,
)
from watchdog.safety.permits import PermitOffice
from watchdog.stores.memory import MemoryStore
from watchdog.testing.channels import RecordingChannel
from watchdog.testing.clock import WorldClock
from watchdog.testing.leases import FakeLease
from watchdog.testing.platforms import FakeUnit, FakeWorld
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
        "tolerate_interruption_s": 10.0,
        "countdown_s": 10.0,
        "confirm_within_s": 120.0,
        "ask_timeout_s": 60.0,
        "blind_after_s": 60.0,
    }
    return TargetPolicy(**{**values, **changes})  # type: ignore[arg-type]


@dataclass
class Target:
    unit: FakeUnit
    behaviour: Behaviour
    policy: TargetPolicy
    signals: list[FakeSignal] = field(default_factory=list)
    rules: tuple[Rule, ...] = ()


class House:
    """`targets` share one world and one store; `start` builds a daemon over them as after a (re)start."""

    def __init__(self) -> None:
        self.clock = WorldClock()
        self.world = FakeWorld(self.clock)
        self.inner = MemoryStore()
        self.store = FaultyStore(self.inner)
        self.lease = FakeLease(held=True)
        self.channel = RecordingChannel("pager")
        self.recorder = FakeRecorder(self.clock)
        self.targets: dict[str, Target] = {}
        self.daemon: Daemon | None = None
        self.dead = False

    # -- building ----------------------------------------------------------------------------------------------------

    def add(self, name: str = "api", *, n: int = 3, **changes: object) -> Target:
        unit = self.world.add(name, "good", rollout_s=2.0)
        behaviour = Behaviour()
        target = Target(unit, behaviour, policy(name, **changes))
        target.signals = [FakeSignal("probe", unit, behaviour)]
        target.rules = (Consecutive(signal="probe", n=n, recover=2),)
        self.targets[name] = target
        return target

    async def earn(self, name: str = "api", *, armed: bool = True) -> None:
        """As if the present release had been watched long enough: graded good, in the store, before the daemon starts."""
        target = self.targets[name]
        now = self.clock.now()
        release = target.unit.state().release
        good = from_document(
            type(release), {**to_document(release), "grade": Grade.GOOD.value, "graded_at": iso(now)}
        )
        record = UnitRecord(
            unit=target.unit.ref, releases=(good,), current=good.fingerprint, first_seen=now, armed=armed
        )
        await self.inner.create(target.unit.ref.key, to_document(record))

    def watch(self, target: Target) -> Watch:
        platform, _ = self.world.connect(target.policy.target, PermitOffice(SECRET))
        return Watch(
            policy=target.policy,
            signals=tuple(WatchedSignal(signal, 1.0, 1.0) for signal in target.signals),
            rules=target.rules,
            platform=None if target.policy.watch_only else platform,
            track_every_s=1.0,
            evidence=(platform,),
            config=repr(target.policy),
        )

    def setup(self) -> Setup:
        writers = {name: self.world.connect(name, PermitOffice(SECRET))[1] for name in self.targets}
        return Setup(
            watches=tuple(self.watch(target) for target in self.targets.values()),
            writers=writers,
            channels={"pager": self.channel},
            mode="enforce",
            config_hash="c0ffee",
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        """A daemon that runs until the block ends; an unexpected end of it fails the test."""
        daemon = Daemon(self.setup(), self.store, self.lease, self.recorder, self.clock, SECRET)
        self.daemon = daemon
        task = asyncio.create_task(daemon.run(), name="daemon")
        try:
            yield daemon
            if task.done():
                await task
        finally:
            if self.dead:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            else:
                daemon.shut_down()
                await task

    @property
    def control(self) -> DaemonControl:
        assert self.daemon is not None
        return DaemonControl(self.daemon)

    # -- looking -----------------------------------------------------------------------------------------------------

    async def until(self, there: Callable[[], bool], within: float = 300.0) -> None:
        end = self.clock.monotonic() + within
        while not there():
            if self.clock.monotonic() >= end:
                raise AssertionError(f"not within {within:g} s: {await self.story()}")
            await asyncio.sleep(0.25)

    async def pass_(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def incidents(self) -> list[Incident]:
        return [from_document(Incident, entry.document) for entry in await self.inner.list("incident")]

    async def incident(self) -> Incident:
        (only,) = await self.incidents()
        return only

    async def closed(self, within: float = 300.0) -> Incident:
        """The only incident, once it is closed."""
        end = self.clock.monotonic() + within
        while True:
            found = await self.incidents()
            if found and not found[0].open:
                return found[0]
            if self.clock.monotonic() >= end:
                raise AssertionError(f"not closed within {within:g} s: {await self.story()}")
            await asyncio.sleep(0.25)

    async def record(self, name: str = "api") -> UnitRecord:
        stored = await self.inner.read(self.targets[name].unit.ref.key)
        assert stored is not None
        return from_document(UnitRecord, stored.document)

    async def story(self) -> str:
        lines = [f"{e.kind}: {e.sentence}" for incident in await self.incidents() for e in incident.entries]
        status = self.control.status()["targets"] if self.daemon else []
        return "\n".join([*lines, *(f"{row['name']} {row['state']}: {row['sentence']}" for row in status)])

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [(write.from_release, write.to_release) for write in self.world.writes]

