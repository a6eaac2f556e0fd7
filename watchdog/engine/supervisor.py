"""The supervisor: every loop is named, guarded, owned, and its last progress known.

Role: runs all loops of the daemon. Neighbours: `engine.daemon` adds them; `web` shows `loops()`.
Guarantees: a loop that raises or returns is noticed at once and logged; one that makes no progress within its limit is
cancelled and started again, `RESTARTS` times in a row, and then given up, loudly, by its own `on_gone`; an essential loop
that is given up ends the run. A loop that ignores cancellation is abandoned after `PATIENCE_S`, never awaited for ever,
and keeps nobody else waiting. Being started again is no progress: liveness looks at real progress only.
Not guaranteed: anything when the event loop itself stands still; `lag` shows that, and `/healthz` fails by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from watchdog.model import JsonObject
from watchdog.ports import Clock

RESTARTS = 3
PATIENCE_S = 5.0
CHECK_S = 1.0
FORGIVE_S = 600.0
"""A loop that ran well for so long after a restart has all its restarts again."""
STANDSTILL_S = 60.0
"""Liveness fails when the engine, a response or the event loop stands still for this long (design table)."""

log = structlog.get_logger("watchdog.supervisor")


@dataclass
class Beat:
    """The last progress of one loop, in monotonic seconds."""

    clock: Clock
    at: float

    def mark(self) -> None:
        """Progress was made."""
        self.at = self.clock.monotonic()

    @property
    def age(self) -> float:
        """Seconds since the last progress."""
        return self.clock.monotonic() - self.at


Body = Callable[[Beat], Awaitable[None]]


@dataclass
class Loop:
    """One supervised loop. `limit_s` = longest time without progress; `essential` = its standstill fails liveness."""

    name: str
    body: Body
    limit_s: float
    essential: bool
    on_gone: Callable[[str], None]
    beat: Beat
    task: asyncio.Task[None] | None = None
    started_at: float = 0.0
    restarts: int = 0
    gone: str = ""
    last_error: str = ""
    stuck: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def silent_s(self) -> float:
        """Seconds without progress since it was last started."""
        return min(self.beat.age, self.beat.clock.monotonic() - self.started_at)


class LoopGivenUp(RuntimeError):
    """An essential loop could not be kept running: the daemon must end and be started anew."""


class Supervisor:
    """Owns the tasks of all loops."""

    def __init__(self, clock: Clock) -> None:
        """Begin without loops."""
        self._clock = clock
        self._loops: dict[str, Loop] = {}
        self._started = False
        self._tick = 0.0
        self.lag = 0.0

    def add(
        self,
        name: str,
        body: Body,
        *,
        limit_s: float,
        essential: bool = False,
        on_gone: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Own a loop; started at once when the supervisor runs already."""
        loop = Loop(name, body, limit_s, essential, on_gone, Beat(self._clock, self._clock.monotonic()))
        self._loops[name] = loop
        if self._started:
            self._start(loop)

    async def remove(self, name: str) -> None:
        """Cancel and await one loop."""
        loop = self._loops.pop(name, None)
        if loop is not None:
            await self._end(loop)

    def __contains__(self, name: str) -> bool:
        return name in self._loops

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`. Raises LoopGivenUp when an essential loop is lost. The loops go on until `end`."""
        self._started = True
        self._tick = self._clock.monotonic()
        for loop in list(self._loops.values()):
            self._start(loop)
        while not stop.is_set():
            await self._wait(stop)
            looks = [self._look_after(loop) for loop in list(self._loops.values()) if self._needs_care(loop)]
            for found in await asyncio.gather(*looks, return_exceptions=True):
                if isinstance(found, BaseException):
                    raise found

    async def end(self) -> None:
        """Cancel and await every loop."""
        self._started = False
        await asyncio.gather(*(self._end(loop) for loop in list(self._loops.values())))

    def loops(self) -> list[JsonObject]:
        """State of every loop, for people and metrics."""
        return [
            {
                "name": loop.name,
                "last_s": round(loop.beat.age, 3),
                "limit_s": loop.limit_s,
                "essential": loop.essential,
                "restarts": loop.restarts,
                "state": "gone" if loop.gone else "late" if loop.beat.age > loop.limit_s else "on_time",
                "why": loop.gone,
                "error": loop.last_error,
            }
            for loop in self._loops.values()
        ]

    def standing_still(self) -> list[str]:
        """What liveness must fail for: essential loops without progress for `STANDSTILL_S`, or our own check loop."""
        names = [loop.name for loop in self._loops.values() if loop.essential and loop.beat.age > STANDSTILL_S]
        if self._started and self._clock.monotonic() - self._tick > STANDSTILL_S:
            names.append("event loop")
        return names

    async def _wait(self, stop: asyncio.Event) -> None:
        before = self._clock.monotonic()
        try:
            async with asyncio.timeout(CHECK_S):
                await stop.wait()
        except TimeoutError:
            pass  # the usual case: nobody asked us to stop, and the loops are looked at
        self._tick = self._clock.monotonic()
        self.lag = max(0.0, self._tick - before - CHECK_S)

    def _start(self, loop: Loop) -> None:
        loop.started_at = self._clock.monotonic()
        loop.task = asyncio.create_task(self._guard(loop), name=loop.name)

    async def _guard(self, loop: Loop) -> None:
        """No loop dies silently: an error and a return are both recorded here, at once."""
        try:
            await loop.body(loop.beat)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            loop.last_error = f"{type(error).__name__}: {error}"
            log.exception("loop failed, this is a bug", action="loop_failed", loop=loop.name)
        else:
            loop.last_error = "returned, though it should run for ever"
            log.error("loop returned, this is a bug", action="loop_returned", loop=loop.name)

    def _needs_care(self, loop: Loop) -> bool:
        if loop.gone or loop.task is None:
            return False
        return loop.task.done() or loop.silent_s > loop.limit_s

    async def _look_after(self, loop: Loop) -> None:
        if loop.task is not None and loop.task.done():
            reason = loop.last_error or "cancelled from outside"
        else:
            reason = f"no progress for {loop.silent_s:.0f} s (limit {loop.limit_s:.0f} s)"
            log.warning("loop hangs", action="loop_hangs", loop=loop.name, reason=reason)
            await self._cancel(loop)
        if self._loops.get(loop.name) is not loop or not self._started:
            return  # removed while its end was awaited
        if self._clock.monotonic() - loop.started_at > max(FORGIVE_S, 3 * loop.limit_s):
            loop.restarts = 0
        if loop.restarts < RESTARTS:
            loop.restarts += 1
            self._start(loop)
            return
        loop.gone = reason
        log.error("loop given up", action="loop_gone", loop=loop.name, reason=reason)
        loop.on_gone(reason)
        if loop.essential:
            raise LoopGivenUp(f"{loop.name}: {reason}")

    async def _end(self, loop: Loop) -> None:
        await self._cancel(loop)
        for task in loop.stuck:
            task.cancel()

    async def _cancel(self, loop: Loop) -> None:
        task = loop.task
        if task is None or task.done():
            return
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
        if not done:
            log.error("loop ignores cancellation", action="loop_stuck", loop=loop.name)
            loop.stuck.append(task)
