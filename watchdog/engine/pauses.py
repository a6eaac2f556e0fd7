"""The pause book: reads the register from the store, never from memory, before anything acts.

Role: the engine's side of pauses. Neighbours: `safety.pausing` decides what a pause covers, `engine.facts` asks before
each write, `engine.control` makes and ends them; `safety.recurring` says when windows come. Guarantees: a register that is missing after it existed, damaged or
unreachable means paused (P3); a pause binds from its acknowledgement; its end re-arms what it covered.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import structlog

from watchdog.engine.documents import Documents
from watchdog.model import Instant, MalformedDocument, Pause, PauseRegister, instant
from watchdog.ports import Clock, Store, StoreUnavailable
from watchdog.safety import pausing
from watchdog.safety.facts import PausesRead
from watchdog.safety.recurring import Window, known

REGISTER = "pause/register"
JUST_ENDED_S = 30.0
"""For so long a window that has ended is known without the register: much longer than care needs to re-arm after it."""

log = structlog.get_logger("watchdog.pauses")


class PauseBook:
    """All pauses of this environment: the register in the store, and windows from the configuration."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Use `store`; `windows` are what the configuration brings."""
        self._documents = Documents(store, PauseRegister)
        self._clock = clock
        self.windows: tuple[Window, ...] = ()
        self.last: PauseRegister | None = None
        self.trouble = ""

    async def begin(self, *, first_start: bool) -> None:
        """Create the explicit register on a first start. On any later start a missing one means paused."""
        if first_start:
            await self._documents.change(REGISTER, lambda register: register or PauseRegister())

    async def register(self) -> PauseRegister | None:
        """The register, fresh from the store; None = unreadable, so paused."""
        try:
            register = await self._documents.read(REGISTER)
        except (StoreUnavailable, MalformedDocument) as error:
            self.trouble = str(error)
            return None
        if register is None:
            self.trouble = "the pause register is missing from the store"
            return None
        self.trouble = ""
        self.last = register
        return pausing.with_windows(register, self._configured())

    def known(self) -> tuple[Pause, ...]:
        """The pauses as last read, and the windows of the configuration: for what is shown, never for what acts."""
        return pausing.with_windows(self.last or PauseRegister(), self._configured()).pauses

    async def read(self, target: str, group: str, fresh_from: Instant, more: tuple[Pause, ...] = ()) -> PausesRead:
        """What is paused for this target, fresh from the store; its samples count from `fresh_from` on.

        `more` are those that its own annotations ask for.
        """
        register = await self.register()
        now = self._clock.now()
        if register is not None:
            lately = known(self.windows, instant(now - JUST_ENDED_S))
            register = pausing.with_windows(register, (*lately, *more))
        return pausing.active(register, now, target, group, fresh_from=fresh_from, trouble=self.trouble)

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

        A window of the configuration ends only by its id: who resumes a scope means the pauses that people have made.
        """
        ended: list[str] = []

        def change(register: PauseRegister) -> PauseRegister:
            now = self._clock.now()
            register = pausing.with_windows(register, self._running(now))
            open_ = [pause for pause in register.pauses if pausing.is_active(pause, now)]
            ended[:] = [
                pause.id
                for pause in open_
                if pause.id == id_or_scope or (pause.scope == id_or_scope and not pausing.is_window(pause))
            ]
            for pause_id in ended or [id_or_scope]:
                register = pausing.end(register, pause_id, who=who, now=now)
            return register

        after = await self._change(change)
        return tuple(pause for pause in after.pauses if pause.id in ended)

    async def count_suppressed(self, pauses: tuple[Pause, ...]) -> None:
        """Count an act that these pauses kept from happening."""

        def change(register: PauseRegister) -> PauseRegister:
            noted = pausing.with_windows(register, self._running(self._clock.now()))
            return pausing.count_suppressed(noted, pauses)

        await self._change(change)

    async def sweep(self) -> tuple[Pause, ...]:
        """Note windows that begin, mark what is over; the latter are given back once, for what follows from their end."""
        ran_out: list[Pause] = []

        def change(register: PauseRegister) -> PauseRegister:
            after, gone = pausing.sweep(register, self._clock.now(), self._configured())
            ran_out[:] = gone
            return after

        await self._change(change)
        return tuple(ran_out)

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
        return self.last
