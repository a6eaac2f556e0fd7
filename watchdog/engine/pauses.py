"""The pause book: reads the register from the store, never from memory, before anything acts.

Role: the engine's side of pauses. Neighbours: `safety.pausing` decides what a pause covers, `engine.facts` asks before
each write, `engine.control` makes and ends them; `safety.recurring` says when windows come. Guarantees: a register that is missing after it existed, damaged or
unreachable means paused (P3); a pause binds from its acknowledgement; its end re-arms what it covered.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence

import structlog

from watchdog.engine.documents import Documents, bounded
from watchdog.model import Instant, MalformedDocument, Pause, PauseRegister, TargetPolicy, instant
from watchdog.ports import Clock, PauseObjects, Store, StoreUnavailable, Unavailable
from watchdog.safety import pausing
from watchdog.safety.facts import PausesRead
from watchdog.safety.recurring import Window, known

REGISTER = "pause/register"
JUST_ENDED_S = 30.0
"""For so long a window that has ended is known without the register: much longer than care needs to re-arm after it."""

log = structlog.get_logger("watchdog.pauses")


class PauseBook:
    """All pauses of this environment: the register in the store, and windows from the configuration."""

    def __init__(self, store: Store, clock: Clock, objects: PauseObjects | None = None) -> None:
        """Use `store`; `windows` are what the configuration brings, `objects` what people keep outside the store."""
        self._documents = Documents(store, PauseRegister)
        self._clock, self._objects = clock, objects
        self.windows: tuple[Window, ...] = ()
        self.last: PauseRegister | None = None
        self.trouble = ""
        self._lately: tuple[float, PauseRegister | None] = (float("-inf"), None)
        """When it was read last, and what it said."""

    async def begin(self, *, first_start: bool) -> None:
        """Create the explicit register on a first start. On any later start a missing one means paused."""
        if first_start:
            await self._documents.change(REGISTER, lambda register: register or PauseRegister())

    async def register(self) -> PauseRegister | None:
        """The register and the objects, read now; None = one of them is unreadable, so paused."""
        listed_at = self._clock.now()
        try:
            register, objects = await asyncio.gather(self._documents.read(REGISTER), self._asked())
        except (StoreUnavailable, MalformedDocument) as error:
            self.trouble = str(error)
            return None
        if register is None:
            self.trouble = "the pause register is missing from the store"
            return None
        self.trouble = ""
        if objects is not None:
            register = pausing.with_objects(register, objects, self._clock.now(), listed_at)
        self.last = register
        whole = pausing.with_windows(register, self._configured())
        self._lately = (self._clock.monotonic(), whole)
        return whole

    def known(self) -> tuple[Pause, ...]:
        """The pauses as last read, and the windows of the configuration: for what is shown, never for what acts."""
        return pausing.with_windows(self.last or PauseRegister(), self._configured()).pauses

    async def read(
        self, about: TargetPolicy, fresh_from: Instant, more: tuple[Pause, ...] = (), *, lately_s: float = 0.0
    ) -> PausesRead:
        """What is paused for this target, fresh from the store; its samples count from `fresh_from` on.

        `more` are those that its own annotations ask for. `lately_s` = one that was read no longer ago will do: never for
        what acts.
        """
        at, known_then = self._lately
        fresh = not lately_s or self._clock.monotonic() - at > lately_s
        register = await self.register() if fresh else known_then
        now = self._clock.now()
        if register is not None:
            lately = known(self.windows, instant(now - JUST_ENDED_S))
            register = pausing.with_windows(register, (*lately, *more))
        return pausing.active(register, now, about, fresh_from=fresh_from, trouble=self.trouble)

    async def add(self, scope: str, until: Instant, why: str, who: str) -> Pause:
        """Store a pause; it binds when this returns. Raises pausing.PauseRefused, StoreUnavailable."""
        pause_id = secrets.token_hex(4)

        def change(register: PauseRegister) -> PauseRegister:
            now = self._clock.now()
            return pausing.add(register, pause_id=pause_id, scope=scope, who=who, why=why, until=until, now=now)

        after = await self._change(change)
        log.warning("paused", action="paused", scope=scope, who=who, why=why)
        return next(pause for pause in after.pauses if pause.id == pause_id)

    async def end(self, id_or_scope: str, who: str) -> tuple[Pause, ...]:
        """End the active pauses of that id or scope. Returns those that were ended. Raises PauseRefused for none.

        A window of the configuration ends only by its id: who resumes a scope means the pauses that people have made. An
        object ends where it is kept.
        """
        ended: list[str] = []

        def change(register: PauseRegister) -> PauseRegister:
            now = self._clock.now()
            register = pausing.with_windows(register, self._running(now))
            open_ = [pause for pause in register.pauses if pausing.is_active(pause, now)]
            ended[:] = [
                pause.id
                for pause in open_
                if not self._kept_outside(pause)
                and (pause.id == id_or_scope or (pause.scope == id_or_scope and not pausing.is_window(pause)))
            ]
            outside = [pause for pause in open_ if self._kept_outside(pause) and id_or_scope in (pause.id, pause.scope)]
            if outside and not ended:
                raise pausing.PauseRefused(f"{outside[0].id}: {pausing.other_way_to_end(outside[0])}")
            for pause_id in ended or [id_or_scope]:
                register = pausing.end(register, pause_id, who=who, now=now)
            return register

        after = await self._change(change)
        return tuple(pause for pause in after.pauses if pause.id in ended)

    async def count_suppressed(self, pauses: tuple[Pause, ...]) -> None:
        """Count an act that these pauses kept from happening."""

        def change(register: PauseRegister) -> PauseRegister:
            new = (pause for pause in pauses if pausing.is_object(pause))
            noted = pausing.with_windows(register, (*self._running(self._clock.now()), *new))
            return pausing.count_suppressed(noted, pauses)

        await self._change(change)

    async def sweep(self) -> tuple[Pause, ...]:
        """Note windows that begin, mark what is over; the latter are given back once, for what follows from their end."""
        ran_out: list[Pause] = []
        listed_at = self._clock.now()
        objects = await self._asked()

        def change(register: PauseRegister) -> PauseRegister:
            after, gone = pausing.sweep(register, self._clock.now(), self._configured(), objects, listed_at)
            ran_out[:] = gone
            return after

        await self._change(change)
        return tuple(ran_out)

    async def tell(self, settled: Callable[[Pause], bool]) -> bool:
        """Say on each object what the register knows of it; whether one binds from now on. Raises StoreUnavailable.

        An object is answered only when it is `settled`: no write that passed the gate before it is under way.
        """
        if self._objects is None:
            return False
        held = {pause.id: pause for pause in (self.last or PauseRegister()).pauses}
        began, trouble = False, ""
        for asked in await self._asked() or ():
            pause = held.get(asked.id)
            if pause is None or not settled(pause):
                continue
            began = began or asked.applied_at is None
            try:
                await bounded(self._objects.tell(pause))
            except Unavailable as error:  # the others may fare better
                trouble = f"{asked.id}: {error}"
        if trouble:
            raise StoreUnavailable(trouble)
        return began

    def _kept_outside(self, pause: Pause) -> bool:
        """Whether its object decides over it. One of a time when objects were asked for ends like any other."""
        return self._objects is not None and pausing.is_object(pause)

    async def _asked(self) -> Sequence[Pause] | None:
        """The objects as they are now, None where there are none to ask for. Raises StoreUnavailable."""
        if self._objects is None:
            return None
        try:
            return await bounded(self._objects.list())
        except Unavailable as error:
            raise StoreUnavailable(f"the pause objects cannot be read: {error}") from error

    def _configured(self) -> tuple[Pause, ...]:
        return known(self.windows, self._clock.now())

    def _running(self, now: Instant) -> list[Pause]:
        return [pause for pause in known(self.windows, now) if pausing.is_active(pause, now)]

    async def _change(self, change: Callable[[PauseRegister], PauseRegister]) -> PauseRegister:
        """Change the register that is there. A missing one is not made anew: that would be "not paused" (P3)."""

        def whole(register: PauseRegister | None) -> PauseRegister:
            if register is None:
                raise StoreUnavailable(
                    "the pause register is missing from the store: `watchdog pauses` says what to do"
                )
            return change(register)

        after = await self._documents.change(REGISTER, whole)
        self.last = after or PauseRegister()
        self._lately = (self._clock.monotonic(), pausing.with_windows(self.last, self._configured()))
        return self.last
