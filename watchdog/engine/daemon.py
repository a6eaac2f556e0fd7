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
from watchdog.engine.gathering import Gatherer
from watchdog.engine.outbox import Outbox
from watchdog.engine.pauses import PauseBook
from watchdog.engine.polling import Poller
from watchdog.engine.reloading import Reloader
from watchdog.engine.response import Means, Response
from watchdog.engine.supervisor import Beat, Supervisor
from watchdog.engine.tracking import Finds, Tracker, count_users
from watchdog.model import Health, Instant, MalformedDocument, Notice, Pause, PauseRegister, Sample
from watchdog.ports import Channel, Clock, Held, Lease, Recorder, Store, StoreUnavailable
from watchdog.safety import pausing
from watchdog.safety.permits import PermitOffice

LIMIT_S = 30.0
RESPONSE_LIMIT_S = 60.0
GRACE_S = 20.0
"""How long a write that was sent may take to come back at shutdown; below Kubernetes' default grace of 30 s."""
CARE_S = 2.0
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
    windows: tuple[Pause, ...] = ()
    config_hash: str = ""
    warnings: tuple[str, ...] = ()
    first_start: str = "observe"
    reference: Callable[[], Sequence[bool | None]] = tuple
    report_of: Callable[[str], str] = str


@dataclass
class Loaded:
    """What is known of the configuration: hash, when, and why the last reload was refused."""

    hash: str = ""
    at: Instant = field(default_factory=lambda: Instant(0.0))
    error: str = ""
    failed: int = 0


class Daemon:
    """One daemon over one store."""

    def __init__(
        self, setup: Setup, store: Store, lease: Lease, recorder: Recorder, clock: Clock, secret: bytes
    ) -> None:
        """Build every loop; nothing runs before `run`. `secret` signs permits: the same that the writers check with."""
        self.setup, self.store, self.lease, self.clock = setup, store, lease, clock
        self.office = PermitOffice(secret)
        self.board = Board(clock)
        self.pauses = PauseBook(store, clock)
        self.outbox = Outbox(store, setup.channels, clock)
        self.writers: dict[str, object] = dict(setup.writers)
        self.gatherer = Gatherer(
            board=self.board,
            store=store,
            lease=lease,
            pauses=self.pauses,
            clock=clock,
            reference=setup.reference,
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
        self.store_trouble = ""
        self.first_start = False
        """The store was found empty: units first seen now are not armed (P22)."""
        self.rebuild: Callable[[], Awaitable[Setup | None]] | None = None
        """Build a new setup from the configuration; None = unchanged. Raises ValueError with what is wrong."""
        self.reloader = Reloader(self)
        self._blind_said: set[str] = set()

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until `stop` is set. Raises LoopGivenUp when an essential loop is lost."""
        await self.lease.acquire()
        await self._begin_store()
        self.loaded.at = self.clock.now()
        self.pauses.windows = self.setup.windows
        for watch in self.setup.watches:
            self.add(watch, "start-up")
        self.supervisor.add("outbox", self.outbox.run, limit_s=LIMIT_S)
        self.supervisor.add("engine", self._care, limit_s=LIMIT_S, essential=True)
        try:
            await self.supervisor.run(self.stop)
        finally:
            await self._end()

    async def _begin_store(self) -> None:
        """Make the register on a first start. With the store unreachable watching begins all the same."""
        try:
            self.first_start = empty = await self.store.found_empty()
            await self.pauses.begin(first_start=empty)
            if empty and self.setup.first_start != "act":
                log.warning(EMPTY_NOTE, action="first_start", first_start=self.setup.first_start)
        except StoreUnavailable as error:
            self.store_trouble = str(error)
            log.error(
                "the store cannot be used: watching without acting", action="store_unavailable", reason=str(error)
            )

    async def _end(self) -> None:
        """Shutdown: stop intake, let a sent write come back, record, tell, release the lease."""
        self.gatherer.shutting_down = True
        until = self.clock.monotonic() + GRACE_S
        while self.clock.monotonic() < until and any(response.writing for response in self.responses.values()):
            await self.clock.sleep(0.1)
        await self.supervisor.end()
        await self.outbox.drain(2.0)
        for seen in self.board.seen.values():
            await close_watch(seen.watch)
        for channel in self.outbox.channels.values():
            await channel.close()
        await self.lease.release()
        log.info("stopped", action="stopped")

    def shut_down(self) -> None:
        """Begin the shutdown: no new act from this moment (P23)."""
        self.gatherer.shutting_down = True
        self.stop.set()

    # -- targets -----------------------------------------------------------------------------------------------------

    def add(self, watch: Watch, why: str) -> None:
        """Start watching a target, or watch it anew."""
        name = watch.name
        seen = self.board.put(watch, why)
        for watched in watch.signals:
            poller = Poller(self.board, name, watched, self.clock)
            poller.on_samples = self._on_samples
            limit = max(LIMIT_S, 3 * watched.every_s) + watched.timeout_s
            self.supervisor.add(
                f"poll {name}/{watched.signal.name}",
                poller.run,
                limit_s=limit,
                on_gone=_gone(seen, watched.signal.name),
            )
        if watch.platform is None:
            return
        tracker = Tracker(self.board, name, self.store, self.pauses, self.clock, Finds(say=self.say))
        tracker.armed_at_birth = not self.first_start or watch.policy.first_start == "act"
        self.supervisor.add(f"track {name}", tracker.run, limit_s=max(LIMIT_S, 3 * watch.track_every_s))
        if name not in self.responses:
            self.responses[name] = Response(self.means, name)
            self.supervisor.add(
                f"respond {name}",
                self.responses[name].run,
                limit_s=max(RESPONSE_LIMIT_S, watch.write_s + LIMIT_S),
                essential=True,
            )

    async def remove(self, watch: Watch, *, keep_response: bool) -> None:
        """Stop the loops of a target and close what they used; with `keep_response` its response goes on."""
        for watched in watch.signals:
            await self.supervisor.remove(f"poll {watch.name}/{watched.signal.name}")
        await self.supervisor.remove(f"track {watch.name}")
        if not keep_response:
            await self.supervisor.remove(f"respond {watch.name}")
            self.responses.pop(watch.name, None)
            self.board.remove(watch.name)
        await close_watch(watch)

    def _on_samples(self, target: str, samples: Sequence[Sample]) -> None:
        seen = self.board.seen.get(target)
        self.cycle += 1
        if seen is None:
            return
        count_users(seen, tuple(samples))
        if seen.breach is not None and target in self.responses:
            self.responses[target].wake()

    def _writing(self) -> Mapping[str, str]:
        """Incidents whose write is stored or under way, by target."""
        return {
            target: response.incident.partition("/")[2]
            for target, response in self.responses.items()
            if response.incident and response.stage in ("intended", "issued", "verifying")
        }

    # -- care --------------------------------------------------------------------------------------------------------

    async def _care(self, beat: Beat) -> None:
        """The slow loop: lease, blind signals, ends of pauses, changed configuration file."""
        windows = {pause.id for pause in self.pauses.windows if pausing.is_active(pause, self.clock.now())}
        while True:
            await self.lease.acquire()
            windows = await self._look_at_pauses(windows)
            await self._say_blind()
            await self._say_suspicion()
            await self.reloader.settle()
            beat.mark()
            await self.clock.sleep(CARE_S)

    async def _look_at_pauses(self, windows: set[str]) -> set[str]:
        """A pause that ran out re-arms what it covered (P5); people are reminded before the end."""
        now = self.clock.now()
        running = {pause.id for pause in self.pauses.windows if pausing.is_active(pause, now)}
        for pause in self.pauses.windows:
            if pause.id in windows - running:
                await self.pause_ended(pause)
        try:
            for pause in await self.pauses.sweep():
                await self.pause_ended(pause)
            self.store_trouble = ""
        except (StoreUnavailable, MalformedDocument) as error:
            self.store_trouble = str(error)
            return running
        for pause in pausing.reminders(self.pauses.last or PauseRegister(), now):
            await self.say(f"pause-ends/{pause.id}", "watchdog", f"soon ends: {pausing.describe(pause, now)}", "info")
        return running

    async def pause_ended(self, pause: Pause) -> None:
        """Re-arm what it covered and tell."""
        for target, seen in self.board.seen.items():
            if pausing.covers(pause, target, seen.watch.policy.group):
                self.board.rearm(target, f"the end of a pause ({pause.scope})")
        text = f"pause of {pause.scope} by {pause.who} ended; {pause.suppressed} acts were suppressed"
        await self.say(f"pause-ended/{pause.id}", "watchdog", text)

    async def _say_blind(self) -> None:
        """A signal that has been blind for its limit is told once, and again only after it could see."""
        for target, seen in self.board.seen.items():
            verdicts = seen.verdict.signals if seen.verdict else ()
            for verdict in verdicts:
                key = f"{target}/{verdict.signal}"
                if verdict.health is not Health.BLIND:
                    self._blind_said.discard(key)
                    continue
                since = verdict.blind_since if verdict.blind_since is not None else seen.fresh_from
                if self.clock.now() - since >= seen.watch.policy.blind_after_s and key not in self._blind_said:
                    self._blind_said.add(key)
                    await self.say(f"blind/{key}/{since:.0f}", target, f"blind on {verdict.signal}: {verdict.sentence}")

    async def _say_suspicion(self) -> None:
        suspicion = self.gatherer.suspicion()
        if suspicion.verdict and "suspect" not in self._blind_said:
            self._blind_said.add("suspect")
            await self.say(
                f"suspect-self/{self.clock.now():.0f}", "watchdog", f"suspecting ourselves: {suspicion.sentence}"
            )
        elif suspicion.verdict is False:
            self._blind_said.discard("suspect")

    async def say(self, key: str, target: str, sentence: str, severity: str = "page") -> None:
        """Owe a notice that belongs to no incident. Store trouble leaves it in the log."""
        log.warning(sentence, action="notice", target=target, key=key)
        notice = Notice(
            key=key,
            kind=key.partition("/")[0],
            headline=f"{target}: {sentence}"[:110],
            body=sentence,
            severity=severity,
            owed_at=self.clock.now(),
        )
        try:
            await self.outbox.owe(notice)
        except StoreUnavailable as error:
            log.error("a notice cannot be stored", action="notice_lost", key=key, reason=str(error))

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


async def close_watch(watch: Watch) -> None:
    """Close the signals and the platform of a watch."""
    for watched in watch.signals:
        await watched.signal.close()
    if watch.platform is not None:
        await watch.platform.close()
