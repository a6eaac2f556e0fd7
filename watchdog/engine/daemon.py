"""The daemon: all loops of all targets over one store, started, reloaded and stopped as a whole.

Role: the engine's root. Neighbours: the composition root in `cli` builds `Setup` from the configuration and hands it over;
`engine.control` is what faces see of it. Guarantees: a new setup is built whole before the old one is let go, and a bad one
changes nothing (P17); shutdown lets a write that was sent come back and be recorded, and starts nothing new (P23); the
lease is released last. Not guaranteed: that a face answers while the daemon ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from watchdog.engine.board import Board, Seen, Watch
from watchdog.engine.caring import Care
from watchdog.engine.databases import LOOK_S, SchemaKeeper
from watchdog.engine.documents import bounded
from watchdog.engine.gathering import Gatherer
from watchdog.engine.mirroring import Mirror
from watchdog.engine.outbox import Outbox
from watchdog.engine.pauses import PauseBook
from watchdog.engine.polling import Poller
from watchdog.engine.reloading import Reloader, bounded_close, close_watch
from watchdog.engine.remembering import Rememberer
from watchdog.engine.response import Means, Response
from watchdog.engine.supervisor import LoopGivenUp, Supervisor
from watchdog.engine.tracking import Finds, Tracker, count_users
from watchdog.model import Instant, MalformedDocument, Notice, Pause, Sample
from watchdog.ports import (
    Channel,
    Clock,
    Held,
    IncidentObjects,
    Lease,
    NotHolder,
    PauseObjects,
    Recorder,
    Remembering,
    Store,
    StoreUnavailable,
)
from watchdog.safety import pausing
from watchdog.safety.permits import PermitOffice
from watchdog.safety.recurring import Window

LIMIT_S = 30.0
CARE_LIMIT_S = 60.0
RESPONSE_LIMIT_S = 60.0
GRACE_S = 15.0
"""How long a write that was sent may take to come back at shutdown; below Kubernetes' default grace of 30 s."""
DRAIN_S = 2.0
EMPTY_NOTE = "the store was found empty: nothing is written until `watchdog arm`"

log = structlog.get_logger("watchdog.daemon")


@dataclass(frozen=True)
class Setup:
    """Everything that comes from one configuration file."""

    watches: tuple[Watch, ...]
    writers: Mapping[str, object]
    """Writing halves by target; only the response knows their port."""
    channels: Mapping[str, Channel]
    mode: str = "observe"
    windows: tuple[Window, ...] = ()
    config_hash: str = ""
    warnings: tuple[str, ...] = ()
    first_start: str = "observe"
    reference: tuple[str, ...] = ()
    """Watch-only targets whose failure says that it is rather us."""
    report_of: Callable[[str], str] = str


@dataclass
class Loaded:
    """What is known of the configuration: hash, when, and why the last reload was refused."""

    hash: str = ""
    at: Instant = field(default_factory=lambda: Instant(0.0))
    error: str = ""
    failed: int = 0


@dataclass(frozen=True)
class Objects:
    """What people see and make where they see and make everything else (`kubectl`)."""

    pauses: PauseObjects
    incidents: IncidentObjects


class LeaseLost(LoopGivenUp):
    """Another daemon holds the lease that we held: this one has ended its work and must be started anew."""


class Daemon:
    """One daemon over one store."""

    def __init__(
        self,
        setup: Setup,
        store: Store,
        lease: Lease,
        recorder: Recorder,
        clock: Clock,
        secret: bytes,
        objects: Objects | None = None,
    ) -> None:
        """Build every loop; nothing runs before `run`. `secret` signs permits: the same that the writers check with."""
        self.mirror = None if objects is None else Mirror(store, objects.incidents, clock, self.standing_by)
        store = store if self.mirror is None else self.mirror.store
        self.setup, self.store, self.lease, self.clock = setup, store, lease, clock
        self.office = PermitOffice(secret)
        self.board = Board(clock)
        self.pauses = PauseBook(store, clock, None if objects is None else objects.pauses)
        self.outbox = Outbox(store, setup.channels, clock)
        self.writers: dict[str, object] = dict(setup.writers)
        self.gatherer = Gatherer(
            board=self.board,
            store=store,
            lease=lease,
            pauses=self.pauses,
            clock=clock,
            reference=setup.reference,
            store_trouble=lambda: self.ledger_trouble,
            writing=self._writing,
        )
        self.means = Means(
            board=self.board,
            store=store,
            clock=clock,
            office=self.office,
            gatherer=self.gatherer,
            recorder=recorder,
            outbox=self.outbox,
            writers=self.writers,
        )
        self.supervisor = Supervisor(clock)
        self.responses: dict[str, Response] = {}
        self.loaded = Loaded(hash=setup.config_hash)
        self.cycle = 0
        self.counters: dict[str, int] = {}
        self.stop = asyncio.Event()
        self.register_trouble = ""
        """Why the pauses cannot be read; empty while they can."""
        self.begun = False
        """The store could be looked at: it is known whether this is a first start."""
        self.first_start = False
        """The store was found empty: units first seen now are not armed (P22)."""
        self._begin_trouble = ""
        self._lost = ""
        self.rebuild: Callable[[], Awaitable[Setup | None]] | None = None
        """Build a new setup from the configuration; None = unchanged. Raises ValueError with what is wrong."""
        self.reloader = Reloader(self)
        self.carer = Care(self)
        self.outbox.standby = self.standing_by

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until `stop` is set. Raises LoopGivenUp when an essential loop is lost, LeaseLost with the lease."""
        await self.carer.keep_lease()
        await self.begin_store()
        self.loaded.at = self.clock.now()
        self.pauses.windows = self.setup.windows
        for watch in self.setup.watches:
            self.add(watch, "start-up")
        self.supervisor.add("outbox", self.outbox.run, limit_s=LIMIT_S)
        if self.mirror is not None:
            self.supervisor.add("mirror", self.mirror.run, limit_s=LIMIT_S)
        self.supervisor.add("engine", self.carer.engine, limit_s=LIMIT_S, essential=True)
        self.supervisor.add("care", self.carer.care, limit_s=CARE_LIMIT_S, essential=True)
        try:
            await self.supervisor.run(self.stop)
        finally:
            await self._end()
        if self._lost:
            raise LeaseLost(self._lost)

    async def begin_store(self) -> None:
        """Make the register on a first start. With the store unreachable watching begins all the same."""
        try:
            empty = await bounded(self.store.found_empty())
            await self.pauses.begin(first_start=empty)
        except (StoreUnavailable, MalformedDocument) as error:
            if not self._begin_trouble:
                log.error(
                    "the store cannot be used: watching without acting", action="store_unavailable", reason=str(error)
                )
            self._begin_trouble = str(error)
            return
        self.first_start = self.gatherer.found_empty = empty
        self.begun, self._begin_trouble = True, ""
        if empty and self.setup.first_start != "act":
            log.warning(EMPTY_NOTE, action="first_start", first_start=self.setup.first_start)

    async def _end(self) -> None:
        """Shutdown: stop intake, let a sent write come back, record, tell, release the lease."""
        self.gatherer.shutting_down = True
        until = self.clock.monotonic() + (0.0 if self._lost else GRACE_S)
        while self.clock.monotonic() < until and any(response.writing for response in self.responses.values()):
            await self.clock.sleep(0.1)
        await self.supervisor.end()
        await self.outbox.drain(DRAIN_S)
        await self.reloader.close()
        parts = [close_watch(seen.watch) for seen in self.board.seen.values()]
        channels = self.outbox.channels.values()
        await asyncio.gather(*parts, *(bounded_close(one.close(), f"channel {one.name}") for one in channels))
        await bounded_close(self.lease.release(), "lease")
        log.info("stopped", action="stopped")

    def lose(self, reason: str) -> None:
        """The lease is lost: nothing new, what runs is cancelled and awaited, then `run` raises LeaseLost."""
        self._lost = reason
        self.shut_down()

    def standing_by(self) -> bool:
        """Another daemon holds the lease: it acts, records and tells."""
        return isinstance(self.lease.state(), NotHolder)

    def count(self, name: str) -> None:
        """One more in a counter that faces and metrics show."""
        self.counters[name] = self.counters.get(name, 0) + 1

    @property
    def store_trouble(self) -> str:
        """Why nothing can be stored or read, as any loop has found; empty while the store works."""
        driven = (response.store_trouble for response in self.responses.values())
        return next((text for text in (*driven, self.ledger_trouble) if text), "")

    @property
    def ledger_trouble(self) -> str:
        """The same as start and trackers have found it. What a response finds binds it anyway: no intent, no write."""
        kept = (seen.store_error for seen in self.board.seen.values())
        return next((text for text in (self._begin_trouble, *kept) if text), "")

    def shut_down(self) -> None:
        """Begin the shutdown: no new act from this moment (P23)."""
        self.gatherer.shutting_down = True
        self.stop.set()

    # -- targets -----------------------------------------------------------------------------------------------------

    def add(self, watch: Watch, why: str) -> None:
        """Start watching a target, or watch it anew."""
        name = watch.name
        seen = self.board.put(watch, why)
        tracker = Tracker(self.board, name, self.store, self.pauses, self.clock, Finds(say=self.say))
        for watched in watch.signals:
            poller = Poller(self.board, name, watched, self.clock)
            poller.on_samples = self._on_samples
            poller.look_again = tracker.refresh
            limit = max(LIMIT_S, 3 * watched.every_s) + watched.timeout_s
            self.supervisor.add(
                f"poll {name}/{watched.signal.name}",
                poller.run,
                limit_s=limit,
                on_gone=_gone(seen, watched.signal.name),
            )
        if watch.platform is None:
            return
        tracker.armed_at_birth = lambda: not self.first_start if self.begun else None
        tracker.standby = self.standing_by
        if any(isinstance(entry.signal, Remembering) for entry in watch.signals):
            remember = Rememberer(self.board, name, self.store, self.clock, tracker.standby)
            self.supervisor.add(f"remember {name}", remember.run, limit_s=LIMIT_S)
        keepers = [
            SchemaKeeper(self.board, name, source, self.store, self.clock, tracker.standby)
            for source in watch.databases
        ]
        seen.keepers = tuple(keepers)
        for keeper in keepers:
            self.supervisor.add(f"schema {name}/{keeper.name}", keeper.run, limit_s=3 * LOOK_S)
        self.supervisor.add(f"track {name}", tracker.run, limit_s=max(LIMIT_S, 3 * watch.track_every_s))
        response = self.responses.setdefault(name, Response(self.means, name))
        self.supervisor.add(f"respond {name}", response.run, limit_s=RESPONSE_LIMIT_S, essential=True)

    async def remove(self, watch: Watch, *, keep_response: bool) -> None:
        """Stop the loops of a target and close what they used; with `keep_response` its response can go on later."""
        await self.supervisor.remove(f"respond {watch.name}")
        for watched in watch.signals:
            await self.supervisor.remove(f"poll {watch.name}/{watched.signal.name}")
        for source in watch.databases:
            await self.supervisor.remove(f"schema {watch.name}/{source.name}")
        await self.supervisor.remove(f"remember {watch.name}")
        await self.supervisor.remove(f"track {watch.name}")
        if not keep_response:
            self.responses.pop(watch.name, None)
            self.board.remove(watch.name)
        await close_watch(watch)

    def _on_samples(self, target: str, samples: Sequence[Sample]) -> None:
        seen = self.board.seen.get(target)
        self.cycle += 1
        self.count("polls")
        if seen is None:
            return
        count_users(seen, tuple(samples))
        if seen.breach is not None and target in self.responses:
            self.responses[target].wake()

    def _writing(self) -> Mapping[str, str]:
        """Acts whose write is stored or under way, by target."""
        return {target: response.act for target, response in self.responses.items() if response.in_flight}

    # -- telling -----------------------------------------------------------------------------------------------------

    async def pause_ended(self, pause: Pause) -> None:
        """A person has ended it: re-arm what it covered and tell."""
        await self.carer.pause_ended(pause, ordered=True)

    def applied(self, pause: Pause) -> bool:
        """Every write that the pause covers is behind us: none passed the gate before it and is still under way."""
        for target, response in self.responses.items():
            seen = self.board.seen.get(target)
            if seen is None or not pausing.covers(pause, seen.watch.policy):
                continue
            if response.deciding_since is not None and response.deciding_since <= pause.since:
                return False
        return True

    async def say(self, key: str, target: str, sentence: str, severity: str = "page", *, ordered: bool = False) -> None:
        """Owe a notice that belongs to no incident, once a key. What cannot be stored is sent from memory.

        While another daemon acts it says what both see; what a person has `ordered` here only we know, and it sends it.
        """
        log.warning(sentence, action="notice", target=target, key=key)
        if self.standing_by() and not ordered:
            return
        notice = Notice(
            key=key,
            kind=key.partition("/")[0],
            headline=f"{target}: {sentence}"[:110],
            body=sentence,
            severity=severity,
            owed_at=self.clock.now(),
        )
        await self.outbox.owe(notice)

    def report_of(self, incident: str) -> str:
        """Where the report of an incident lies, empty when it is unknown."""
        return self.setup.report_of(incident)

    @property
    def leading(self) -> bool:
        """We hold the lease."""
        return isinstance(self.lease.state(), Held)


def _gone(seen: Seen, signal: str) -> Callable[[str], None]:
    def gone(reason: str) -> None:
        seen.gone[signal] = reason

    return gone
