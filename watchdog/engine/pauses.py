"""The pause book: reads the register from the store, never from memory, before anything acts.

Role: the engine's side of pauses. Neighbours: `safety.pausing` decides what a pause covers, `engine.facts` asks before
each write, `engine.control` makes and ends them. Guarantees: a register that is missing after it existed, damaged or
unreachable means paused (P3); a pause binds from its acknowledgement; its end re-arms what it covered.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

import structlog

from watchdog.engine.documents import Documents
from watchdog.model import Instant, MalformedDocument, Pause, PauseRegister
from watchdog.ports import Clock, Store, StoreUnavailable
from watchdog.safety import pausing
from watchdog.safety.facts import PausesRead

REGISTER = "pause/register"

log = structlog.get_logger("watchdog.pauses")


class PauseBook:
    """All pauses of this environment: the register in the store, and windows from the configuration."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Use `store`; `windows` are one-off pauses that the configuration brings."""
        self._documents = Documents(store, PauseRegister)
        self._clock = clock
        self.windows: tuple[Pause, ...] = ()
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
        return replace(register, pauses=(*register.pauses, *self.windows))

    async def read(self, target: str, group: str) -> PausesRead:
        """What is paused for this target, fresh from the store."""
        register = await self.register()
        return pausing.active(register, self._clock.now(), target, group, trouble=self.trouble)

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
        """End the active pauses of that id or scope. Returns those that were ended. Raises PauseRefused for none."""
        ended: list[str] = []

        def change(register: PauseRegister) -> PauseRegister:
            now = self._clock.now()
            open_ = [pause for pause in register.pauses if pausing.is_active(pause, now)]
            ended[:] = [pause.id for pause in open_ if id_or_scope in (pause.id, pause.scope)]
            for pause_id in ended or [id_or_scope]:
                register = pausing.end(register, pause_id, who=who, now=now)
            return register

        after = await self._change(change)
        return tuple(pause for pause in after.pauses if pause.id in ended)

    async def count_suppressed(self, pauses: tuple[Pause, ...]) -> None:
        """Count an act that these pauses kept from happening."""
        await self._change(lambda register: pausing.count_suppressed(register, pauses))

    async def sweep(self) -> tuple[Pause, ...]:
        """Mark those that ran out; they are given back once, for what follows from their end."""
        ran_out: list[Pause] = []

        def change(register: PauseRegister) -> PauseRegister:
            after, gone = pausing.sweep(register, self._clock.now())
            ran_out[:] = gone
            return after

        await self._change(change)
        return tuple(ran_out)

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
