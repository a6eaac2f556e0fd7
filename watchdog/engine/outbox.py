"""The outbox: notices that are owed are sent by a task of their own, and never delay anything else.

Role: sends what incidents owe, and notices that belong to no incident (``outbox/...``). Neighbours: `safety.machine` owes,
`ports.Channel` delivers. Guarantees: "sent" is recorded only after sending; a channel that hangs or fails delays neither
the others nor any response; retried with back-off, honouring Retry-After, given up loudly after `GIVE_UP` tries.
Not guaranteed: exactly once - after a crash between delivery and record a notice arrives twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from watchdog.engine.documents import Documents
from watchdog.engine.supervisor import Beat
from watchdog.model import Incident, Instant, Notice, instant
from watchdog.ports import Channel, Clock, DeliveryFailed, Store, StoreUnavailable

TICK_S = 0.5
SWEEP_S = 60.0
"""Everything that is owed is read anew from the store this often, and at start."""
DELIVER_S = 15.0
FIRST_S, MOST_S = 2.0, 300.0
GIVE_UP = 12

log = structlog.get_logger("watchdog.outbox")


def backoff(attempts: int) -> float:
    """Seconds to wait after `attempts` failed deliveries: doubles from 2 s to 5 min."""
    return min(MOST_S, FIRST_S * 2.0 ** max(0, attempts - 1))


@dataclass
class _Owed:
    """Where one notice lies."""

    key: str
    notice: Notice
    incident: Incident | None


class Outbox:
    """Sends what is owed."""

    def __init__(self, store: Store, channels: Mapping[str, Channel], clock: Clock) -> None:
        """Deliver through `channels`, by name."""
        self._incidents = Documents(store, Incident)
        self._loose = Documents(store, Notice)
        self._clock = clock
        self.channels = dict(channels)
        self._dirty: set[str] = set()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._owed: dict[str, list[_Owed]] = {}
        self._swept = float("-inf")
        self.last_error = ""

    def touched(self, key: str) -> None:
        """A document may owe notices: look at it with the next tick."""
        self._dirty.add(key)

    async def owe(self, notice: Notice) -> None:
        """Owe a notice outside incidents, once per key."""
        loose = replace(notice, channels=notice.channels or tuple(self.channels))
        await self._loose.change(f"outbox/{notice.key}", lambda there: there or loose)
        self.touched(f"outbox/{notice.key}")

    @property
    def depth(self) -> int:
        """Notices still to be delivered by somebody."""
        return sum(len(entries) for entries in self._owed.values())

    async def run(self, beat: Beat) -> None:
        """Send for ever; ends with its deliveries cancelled."""
        try:
            while True:
                await self.tick()
                beat.mark()
                await self._clock.sleep(TICK_S)
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def tick(self) -> None:
        """Learn what is owed, and start one delivery per free channel."""
        try:
            await self._learn()
        except StoreUnavailable as error:
            self.last_error = f"store: {error}"
            return
        now = self._clock.now()
        for name, channel in self.channels.items():
            if name in self._busy and not self._busy[name].done():
                continue
            due = self._due(name, now)
            if due is not None:
                self._busy[name] = asyncio.create_task(self._deliver(name, channel, due), name=f"deliver {name}")

    async def drain(self, seconds: float) -> None:
        """Send what is due, for at most `seconds`: at shutdown."""
        end = self._clock.monotonic() + seconds
        while self._clock.monotonic() < end:
            await self.tick()
            busy = [task for task in self._busy.values() if not task.done()]
            if not busy and all(self._due(name, self._clock.now()) is None for name in self.channels):
                return
            await self._clock.sleep(0.05)

    def _due(self, channel: str, now: Instant) -> _Owed | None:
        for entries in self._owed.values():
            for owed in entries:
                waits = owed.notice.next_attempt is not None and owed.notice.next_attempt > now
                if channel in owed.notice.channels and not waits:
                    return owed
        return None

    async def _learn(self) -> None:
        if self._clock.monotonic() - self._swept >= SWEEP_S:
            for record in (await self._incidents.list("incident"))[0]:
                self._dirty.add(record.key)
            for notice in (await self._loose.list("outbox"))[0]:
                self._dirty.add(f"outbox/{notice.key}")
            self._swept = self._clock.monotonic()
        while self._dirty:
            key = next(iter(self._dirty))
            await self._read(key)
            self._dirty.discard(key)

    async def _read(self, key: str) -> None:
        found: list[_Owed] = []
        if key.startswith("outbox/"):
            notice = await self._loose.read(key)
            found = [_Owed(key, notice, None)] if notice else []
        else:
            incident = await self._incidents.read(key)
            found = [_Owed(key, notice, incident) for notice in (incident.notices if incident else ())]
        owed = [entry for entry in found if self._open(entry.notice)]
        if owed:
            self._owed[key] = owed
        else:
            self._owed.pop(key, None)

    def _open(self, notice: Notice) -> bool:
        return not notice.dead and any(name in self.channels for name in notice.channels)

    async def _deliver(self, name: str, channel: Channel, owed: _Owed) -> None:
        now = self._clock.now()
        try:
            async with asyncio.timeout(DELIVER_S):
                await channel.deliver(owed.notice, owed.incident)
        except TimeoutError:
            outcome = self._failed(owed.notice, f"{name}: no answer within {DELIVER_S:g} s", None, permanent=False)
        except DeliveryFailed as error:
            outcome = self._failed(owed.notice, f"{name}: {error}", error.retry_after, permanent=error.permanent)
        else:
            left = tuple(entry for entry in owed.notice.channels if entry != name)
            outcome = replace(owed.notice, channels=left, sent_at=owed.notice.sent_at or now)
        try:
            await self._record(owed, name, outcome)
        except StoreUnavailable as error:
            self.last_error = f"store: {error}"
        self.touched(owed.key)

    def _failed(self, notice: Notice, reason: str, retry_after: float | None, *, permanent: bool) -> Notice:
        self.last_error = reason
        attempts = notice.attempts + 1
        dead = permanent or attempts >= GIVE_UP
        level = log.error if dead else log.warning
        level(
            "notice not delivered", action="notice_failed", key=notice.key, reason=reason, attempts=attempts, dead=dead
        )
        wait = retry_after if retry_after is not None else backoff(attempts)
        after = instant(self._clock.now() + wait)
        return replace(notice, attempts=attempts, next_attempt=after, last_error=reason, dead=dead)

    async def _record(self, owed: _Owed, channel: str, outcome: Notice) -> None:
        def merge(there: Notice) -> Notice:
            """Another channel may have recorded its part meanwhile."""
            delivered = channel not in outcome.channels
            left = tuple(entry for entry in there.channels if not (delivered and entry == channel))
            return replace(outcome, channels=left)

        if owed.incident is None:
            await self._loose.change(owed.key, lambda there: merge(there) if there else None)
            return

        def change(incident: Incident | None) -> Incident | None:
            if incident is None:
                return None
            notices = tuple(merge(n) if n.key == outcome.key else n for n in incident.notices)
            return replace(incident, notices=notices)

        await self._incidents.change(owed.key, change)
