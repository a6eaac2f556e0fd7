"""Care: what the daemon looks after besides its targets - lease, clock, silence, pauses that end, what people must hear.

Role: two slow loops. `engine` waits for nobody but the lease and proves that the engine lives; `care` talks with the store
and may be slow with it. Neighbours: `engine.daemon` owns both and says notices. Guarantees: a lease that was held and is
lost ends the daemon; one that is unknown is told apart from it in log, metric and headline; the end of a pause, and of
pauses that could not be read, re-arms what it covered; a wall clock that was set re-arms everything; each trouble is said
once, and again only after it was over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from watchdog.engine.documents import Documents
from watchdog.engine.supervisor import Beat
from watchdog.model import Health, Incident, Instant, MalformedDocument, Pause, PauseRegister, TargetVerdict
from watchdog.ports import Held, LeaseUnknown, NotHolder, StoreUnavailable
from watchdog.safety import pausing
from watchdog.safety.machine import CHOOSING

if TYPE_CHECKING:
    from watchdog.engine.board import Seen
    from watchdog.engine.daemon import Daemon

ENGINE_S = 2.0
CARE_S = 2.0
LEASE_S = 8.0
"""Longest wait for the lease; its state counts on without us."""
TIDY_S = 3600.0
STEP_S = 5.0
"""The wall clock was set when it moved by so much more or less than the monotonic one."""

log = structlog.get_logger("watchdog.care")


class Care:
    """The slow loops of one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        """Look after `daemon`."""
        self._daemon = daemon
        self._clock = daemon.clock
        self._said: set[str] = set()
        self._held = False
        self._unknown = False
        self._offset: float | None = None
        self._looked_for_orphans: Instant | None = None
        self._tidied: float | None = None

    # -- engine ------------------------------------------------------------------------------------------------------

    async def engine(self, beat: Beat) -> None:
        """Lease, clock, silence of signals: for ever."""
        while True:
            await self.keep_lease()
            self._watch_the_clock()
            self._look()
            beat.mark()
            await self._clock.sleep(ENGINE_S)

    def _look(self) -> None:
        """Judge targets anew of which nothing came for a while; the others are judged with each of their polls."""
        now = self._clock.now()
        for target, seen in list(self._daemon.board.seen.items()):
            if seen.verdict is None or seen.gone or now - seen.verdict.at > 2 * seen.watch.slowest_s:
                self._daemon.board.look(target)

    async def keep_lease(self) -> None:
        """Renew the lease, or try to take it. A lost one ends the daemon: its work is cancelled and awaited."""
        try:
            async with asyncio.timeout(LEASE_S):
                state = await self._daemon.lease.acquire()
        except TimeoutError:
            state = self._daemon.lease.state()
        if isinstance(state, Held):
            self._held = True
            self._said.discard("lease-unknown")
            self._unknown = False
        elif isinstance(state, NotHolder) and self._held:
            self._held = False
            log.error("the lease is lost", action="lease_lost", holder=state.holder)
            self._daemon.count("lease_lost")
            self._daemon.lose(f"the lease is lost: {state.holder or 'nobody'} holds it now")
        elif isinstance(state, LeaseUnknown) and not self._unknown:
            self._unknown = True
            log.error("the lease is not known", action="lease_unknown", reason=state.reason)
            self._daemon.count("lease_unknown")

    def _watch_the_clock(self) -> None:
        """Samples carry the wall clock's time: when it is set, those of before and after cannot be compared."""
        offset = self._clock.now() - self._clock.monotonic()
        moved = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        if abs(moved) > STEP_S:
            log.warning("the wall clock was set", action="clock_set", seconds=round(moved, 3))
            self._daemon.board.rearm_all(f"the wall clock was set by {moved:+.0f} s")

    # -- care --------------------------------------------------------------------------------------------------------

    async def care(self, beat: Beat) -> None:
        """Pauses, troubles, reloads that wait: for ever. Each part is progress."""
        while True:
            for part in (
                self._begin_late,
                self._look_at_pauses,
                self._say_store,
                self._say_lease,
                self._say_gone,
                self._say_blind,
                self._say_suspicion,
                self._say_orphans,
                self._tidy,
                self._daemon.reloader.settle,
            ):
                await part()
                beat.mark()
            await self._clock.sleep(CARE_S)

    async def _begin_late(self) -> None:
        """A store that could not be looked at when the daemon started."""
        if not self._daemon.begun:
            await self._daemon.begin_store()

    async def _look_at_pauses(self) -> None:
        """A pause that ran out re-arms what it covered (P5); people are reminded before the end."""
        daemon = self._daemon
        self._rearm_after_pauses()
        try:
            swept = await self._swept()
        except (StoreUnavailable, MalformedDocument) as error:
            daemon.register_trouble = str(error)
            return
        if daemon.register_trouble:
            daemon.register_trouble = ""
            daemon.board.rearm_all("the pauses can be read again")
        for pause in swept:
            await self.pause_ended(pause)
        await self._answer_objects()
        now = self._clock.now()
        for pause in pausing.reminders(PauseRegister(pauses=daemon.pauses.known()), now):
            text = f"soon ends: {pausing.describe(pause, now)}"
            await self._once(f"pause-ends/{pause.id}", "watchdog", text, "info")

    async def _swept(self) -> tuple[Pause, ...]:
        """The pauses that are over and were not marked so. Who stands by only reads: whoever marks them also tells it."""
        daemon = self._daemon
        if not daemon.standing_by():
            return await daemon.pauses.sweep()
        if await daemon.pauses.register() is None:
            raise StoreUnavailable(daemon.pauses.trouble)
        return ()

    async def _answer_objects(self) -> None:
        """Who keeps a pause as an object is told on it when it binds. It binds all the same where that cannot be written."""
        daemon = self._daemon
        if daemon.standing_by():
            return
        try:
            if await daemon.pauses.tell(daemon.applied):
                log.warning("paused by an object", action="paused")
            self._said.discard("pause-objects")
        except StoreUnavailable as error:
            if "pause-objects" not in self._said:
                self._said.add("pause-objects")
                log.error("a pause object cannot be answered", action="pause_object", reason=str(error))

    def _rearm_after_pauses(self) -> None:
        """Whatever a pause covered that is over is judged on fresh samples, whoever or whatever ended it."""
        daemon, now = self._daemon, self._clock.now()
        pauses = daemon.pauses.known()
        for target, seen in list(daemon.board.seen.items()):
            known = (*pauses, *pausing.annotated(seen.state, target))
            ended = pausing.ended_last(known, now, seen.watch.policy)
            if ended is not None and pausing.ended_at(ended) > seen.fresh_from:
                daemon.board.rearm(target, f"the end of a pause ({ended.scope})")

    async def pause_ended(self, pause: Pause, *, ordered: bool = False) -> None:
        """Re-arm what it covered and tell."""
        daemon = self._daemon
        self._rearm_after_pauses()
        how = "was taken out of the configuration" if pause.ended_by == pausing.CONFIGURATION else "ended"
        text = f"pause of {pause.scope} by {pause.who} {how}{_suppressed(pause)}"
        await daemon.say(f"pause-ended/{pause.id}/{pause.until:.0f}", "watchdog", text, "info", ordered=ordered)

    async def _say_store(self) -> None:
        daemon = self._daemon
        trouble = daemon.store_trouble or daemon.register_trouble
        if not trouble:
            self._said.discard("store")
            return
        if "store" not in self._said:
            log.error("no act without the store", action="store_unavailable", reason=trouble)
            daemon.count("store_unavailable")
        await self._once("store", "watchdog", f"no act, as if paused: {trouble}")

    async def _say_lease(self) -> None:
        state = self._daemon.lease.state()
        if isinstance(state, LeaseUnknown):
            await self._once(
                "lease-unknown", "watchdog", f"no act: whether we hold the lease is not known ({state.reason})"
            )

    async def _say_gone(self) -> None:
        """A loop that the supervisor gave up stays so until a reload of its target or a restart."""
        for loop in self._daemon.supervisor.loops():
            if loop["state"] == "gone":
                await self._once(
                    f"gone/{loop['name']}", "watchdog", f"the loop {loop['name']} was given up: {loop['why']}"
                )

    async def _say_blind(self) -> None:
        """A signal that has been blind for its limit is told once, and again only after it could see."""
        for target, seen in list(self._daemon.board.seen.items()):
            if seen.verdict is not None:
                await self._say_blind_target(target, seen, seen.verdict)

    async def _say_blind_target(self, target: str, seen: Seen, verdict: TargetVerdict) -> None:
        for one in verdict.signals:
            key = f"blind/{target}/{one.signal}"
            if one.health is not Health.BLIND:
                self._said.discard(key)
                continue
            since = one.blind_since if one.blind_since is not None else seen.fresh_from
            if self._clock.now() - since >= seen.watch.policy.blind_after_s:
                await self._once(key, target, f"blind on {one.signal}: {one.sentence}")

    async def _say_suspicion(self) -> None:
        suspicion = self._daemon.gatherer.suspicion()
        if suspicion.verdict:
            await self._once("suspect-self", "watchdog", f"suspecting ourselves: {suspicion.sentence}")
        elif suspicion.verdict is False:
            self._said.discard("suspect-self")

    async def _say_orphans(self) -> None:
        """Open incidents of targets that the configuration no longer has: looked for once a start and once a reload."""
        daemon, loaded = self._daemon, self._daemon.loaded.at
        if not daemon.begun or loaded == self._looked_for_orphans:
            return
        try:
            open_ones, _ = await Documents(daemon.store, Incident).list(
                "incident", lambda document: document.get("target") not in daemon.board.seen
            )
        except StoreUnavailable:
            return
        self._looked_for_orphans = loaded
        for incident in open_ones:
            if incident.open and incident.target not in daemon.responses:
                await self._once(f"orphan/{incident.id}", incident.target, _orphaned(incident))

    async def _tidy(self) -> None:
        """Once an hour old bundles make room; what belongs to an open incident stays."""
        now = self._clock.monotonic()
        if self._tidied is not None and now - self._tidied < TIDY_S:
            return
        try:
            known, damaged = await Documents(self._daemon.store, Incident).list("incident")
        except StoreUnavailable:
            return
        self._tidied = now
        if not damaged:  # which of them are open is then not known
            await self._daemon.means.recorder.tidy([incident.id for incident in known if incident.open])

    async def _once(self, name: str, target: str, sentence: str, severity: str = "page") -> None:
        """Say it unless it was said and is not over yet."""
        if name not in self._said and not self._daemon.standing_by():  # said by us when we follow, if it lasts
            self._said.add(name)
            await self._daemon.say(f"{name}/{self._clock.now():.0f}", target, sentence, severity)


def _suppressed(pause: Pause) -> str:
    """How many acts it kept from happening."""
    return f"; {pause.suppressed} {'act was' if pause.suppressed == 1 else 'acts were'} suppressed"


def _orphaned(incident: Incident) -> str:
    """What stands, and how to go on."""
    what = "its rollback was begun and is not verified" if incident.wrote else "nothing was written"
    end = f", or end it with `watchdog cancel {incident.id}`" if incident.stage in CHOOSING else ""
    return (
        f"incident {incident.id} is open ({incident.stage.value}; {what}) and its target is not configured any more: "
        f"nobody drives it. Put the target back into the configuration{end}"
    )
