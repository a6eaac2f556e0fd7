"""The outbox: notices that are owed are sent by a task of their own, and never delay anything else.

Role: sends what incidents owe, and notices that belong to no incident (``outbox/...``). Neighbours: `safety.machine` owes,
`ports.Channel` delivers. Guarantees: "sent" is recorded only after sending; a channel that hangs or fails delays neither
the others nor any response; retried with back-off per channel, honouring Retry-After, given up loudly after `GIVE_UP`
tries. What was delivered but cannot be recorded (a full disk) is not delivered again by this process; what cannot be
stored is sent from memory. Not guaranteed: exactly once - after a crash between delivery and record a notice arrives twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from watchdog.engine.documents import Documents
from watchdog.engine.supervisor import Beat
from watchdog.model import Incident, MalformedDocument, Notice, instant
from watchdog.ports import Channel, Clock, Conflict, DeliveryFailed, Store, StoreUnavailable

TICK_S = 0.5
SWEEP_S = 60.0
"""Everything that is owed is read anew from the store this often, and at start."""
DELIVER_S = 15.0
FIRST_S, MOST_S = 2.0, 300.0
GIVE_UP = 12
KEEP_S = 30 * 86_400.0
"""Sent notices outside incidents stay in the store for so long."""
MEMORY = "memory/"
"""Keys of notices that could not be stored."""

Merge = Callable[[Notice], Notice]

log = structlog.get_logger("watchdog.outbox")


def backoff(attempts: int) -> float:
    """Seconds to wait after `attempts` failed deliveries: doubles from 2 s to 5 min."""
    return min(MOST_S, FIRST_S * 2.0 ** max(0, attempts - 1))


@dataclass(frozen=True)
class _Owed:
    """Where one notice lies: document key, and the incident it belongs to."""

    key: str
    notice: Notice
    incident: Incident | None


@dataclass
class _Delivery:
    """How far one channel has come with one notice."""

    attempts: int = 0
    not_before: float = float("-inf")
    """Monotonic moment of the next try."""
    delivered: bool = False
    """Delivered, though not yet recorded."""
    error: str = ""
    given_up: bool = False


@dataclass
class _State:
    """What this process remembers: nothing here is needed after a restart."""

    owed: dict[str, list[_Owed]] = field(default_factory=dict)
    deliveries: dict[tuple[str, str, str], _Delivery] = field(default_factory=dict)
    """By document key, notice key, channel."""
    dirty: set[str] = field(default_factory=set)
    swept: float = float("-inf")


class Outbox:
    """Sends what is owed."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], clock: Clock) -> None:
        """Deliver through `channels`, by name."""
        self._incidents = Documents(store, Incident)
        self._loose = Documents(store, Notice)
        self._clock = clock
        self.channels = dict(channels)
        self.standby: Callable[[], bool] = lambda: False
        """Another daemon holds the lease: it sends what is stored, we only what we could not store."""
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._state = _State()
        self.last_error = ""

    def touched(self, key: str) -> None:
        """A document may owe notices: look at it with the next tick."""
        self._state.dirty.add(key)

    async def owe(self, notice: Notice) -> None:
        """Owe a notice outside incidents, once per key. What cannot be stored is owed in memory."""
        loose = replace(notice, channels=notice.channels or tuple(self.channels))
        try:
            await self._loose.change(f"outbox/{notice.key}", lambda there: there or loose)
        except StoreUnavailable as error:
            self.last_error = f"store: {error}"
            key = MEMORY + notice.key
            self._state.owed.setdefault(key, [_Owed(key, loose, None)])
            return
        self.touched(f"outbox/{notice.key}")

    @property
    def depth(self) -> int:
        """Notices still to be delivered by somebody."""
        return sum(len(entries) for entries in self._state.owed.values())

    async def run(self, beat: Beat) -> None:
        """Send for ever. Deliveries go on when this loop is started anew; `drain` ends them."""
        while True:
            await self.tick()
            beat.mark()
            await self._clock.sleep(TICK_S)

    async def tick(self) -> None:
        """Learn what is owed, and start one delivery per free channel. What is known is sent without the store too."""
        try:
            await self._learn()
        except StoreUnavailable as error:
            self.last_error = f"store: {error}"
        for name, channel in self.channels.items():
            if name in self._busy and not self._busy[name].done():
                continue
            due = self._due(name)
            if due is not None:
                self._busy[name] = asyncio.create_task(self._serve(name, channel, due), name=f"deliver {name}")

    async def drain(self, seconds: float) -> None:
        """At shutdown: send what is due, for at most `seconds`, then cancel what still hangs."""
        end = self._clock.monotonic() + seconds
        while self._clock.monotonic() < end:
            await self.tick()
            if not self._hanging() and all(self._due(name) is None for name in self.channels):
                break
            await self._clock.sleep(0.05)
        hanging = self._hanging()
        for task in hanging:
            task.cancel()
        if hanging:
            await asyncio.wait(hanging, timeout=1.0)

    def _hanging(self) -> list[asyncio.Task[None]]:
        return [task for task in self._busy.values() if not task.done()]

    # -- what is owed ------------------------------------------------------------------------------------------------

    def _due(self, channel: str) -> _Owed | None:
        now, standby = self._clock.monotonic(), self.standby()
        for key, entries in self._state.owed.items():
            if standby and not key.startswith(MEMORY):
                continue
            for owed in entries:
                if channel in owed.notice.channels and self._delivery(owed, channel).not_before <= now:
                    return owed
        return None

    def _delivery(self, owed: _Owed, channel: str) -> _Delivery:
        return self._state.deliveries.setdefault((owed.key, owed.notice.key, channel), _Delivery())

    async def _learn(self) -> None:
        state = self._state
        if self._clock.monotonic() - state.swept >= SWEEP_S:
            for record in (await self._incidents.list("incident"))[0]:
                state.dirty.add(record.key)
            for notice in (await self._loose.list("outbox"))[0]:
                await self._sweep(notice)
            state.swept = self._clock.monotonic()
        while state.dirty:
            key = next(iter(state.dirty))
            try:
                await self._read(key)
            except MalformedDocument as error:
                log.error("notices cannot be read", action="outbox_damaged", key=key, reason=str(error))
            state.dirty.discard(key)

    async def _sweep(self, notice: Notice) -> None:
        """What was sent long ago is forgotten; until then its key keeps it from being owed twice."""
        key = f"outbox/{notice.key}"
        if notice.channels or self._clock.now() - notice.owed_at < KEEP_S:
            self._state.dirty.add(key)
            return
        try:
            await self._loose.delete(key)
        except Conflict:
            self._state.dirty.add(key)

    async def _read(self, key: str) -> None:
        found: list[_Owed] = []
        if key.startswith("outbox/"):
            notice = await self._loose.read(key)
            found = [_Owed(key, notice, None)] if notice else []
        else:
            incident = await self._incidents.read(key)
            found = [_Owed(key, notice, incident) for notice in (incident.notices if incident else ())]
        self._keep(key, found)

    def _keep(self, key: str, found: list[_Owed]) -> None:
        owed = [entry for entry in found if any(name in self.channels for name in entry.notice.channels)]
        if owed:
            self._state.owed[key] = owed
            return
        self._state.owed.pop(key, None)
        for known in [known for known in self._state.deliveries if known[0] == key]:
            del self._state.deliveries[known]

    # -- one delivery ------------------------------------------------------------------------------------------------

    async def _serve(self, name: str, channel: Channel, owed: _Owed) -> None:
        """Deliver unless that is done, then record it. Trouble sets the time of the next try."""
        delivery = self._delivery(owed, name)
        if not delivery.delivered and not delivery.given_up:
            await self._deliver(name, channel, owed, delivery)
        try:
            await self._record(owed, name, delivery)
        except (StoreUnavailable, MalformedDocument) as error:
            self.last_error = f"store: {error}"
            delivery.not_before = max(delivery.not_before, self._clock.monotonic() + FIRST_S)

    async def _deliver(self, name: str, channel: Channel, owed: _Owed, delivery: _Delivery) -> None:
        try:
            async with asyncio.timeout(DELIVER_S):
                await channel.deliver(owed.notice, owed.incident)
        except TimeoutError:
            self._failed(owed, delivery, f"{name}: no answer within {DELIVER_S:g} s")
        except DeliveryFailed as error:
            self._failed(owed, delivery, f"{name}: {error}", error.retry_after, permanent=error.permanent)
        except Exception as error:
            log.exception("channel failed, this is a bug", action="channel_failed", channel=name)
            self._failed(owed, delivery, f"{name}: its own code failed: {type(error).__name__}")
        else:
            delivery.delivered = True

    def _failed(
        self,
        owed: _Owed,
        delivery: _Delivery,
        reason: str,
        retry_after: float | None = None,
        *,
        permanent: bool = False,
    ) -> None:
        self.last_error = delivery.error = reason
        delivery.attempts += 1
        delivery.given_up = permanent or delivery.attempts >= GIVE_UP
        level = log.error if delivery.given_up else log.warning
        level(
            "notice not delivered",
            action="notice_failed",
            key=owed.notice.key,
            reason=reason,
            attempts=delivery.attempts,
            given_up=delivery.given_up,
        )
        wait = backoff(delivery.attempts) if retry_after is None else min(retry_after, 10 * MOST_S)
        delivery.not_before = self._clock.monotonic() + wait

    async def _record(self, owed: _Owed, channel: str, delivery: _Delivery) -> None:
        """What became of it, merged into the document as it stands now: another channel may have recorded its part."""
        now = self._clock.now()

        def merge(there: Notice) -> Notice:
            done = delivery.delivered or delivery.given_up
            left = tuple(entry for entry in there.channels if not (done and entry == channel))
            changed = replace(there, channels=left, dead=there.dead or delivery.given_up)
            if delivery.error and not delivery.delivered:
                wait = max(0.0, delivery.not_before - self._clock.monotonic())
                later = instant(now + wait)
                reason = there.last_error if there.dead and not delivery.given_up else delivery.error
                changed = replace(changed, attempts=there.attempts + 1, last_error=reason, next_attempt=later)
            return replace(changed, sent_at=there.sent_at or now) if delivery.delivered else changed

        if owed.key.startswith(MEMORY):
            there = self._state.owed.get(owed.key, [owed])[0]
            self._keep(owed.key, [replace(there, notice=merge(there.notice))])
        elif owed.incident is None:
            await self._loose.change(owed.key, lambda there: merge(there) if there else None)
        else:
            await self._incidents.change(owed.key, lambda incident: _merged(incident, owed.notice.key, merge))
        if not owed.key.startswith(MEMORY):
            self.touched(owed.key)


def _merged(incident: Incident | None, key: str, merge: Merge) -> Incident | None:
    if incident is None:
        return None
    notices = tuple(merge(notice) if notice.key == key else notice for notice in incident.notices)
    return replace(incident, notices=notices)
