"""The poll loop: one per signal, on a phase of its own.

Role: asks a signal on time and hands what it says to the board. Neighbours: `ports.Signal`, `engine.board`,
`engine.supervisor`. Guarantees: never two polls of one signal at once; each poll has its own deadline; the phase comes
from a hash of target and signal, so it is steady across restarts and spreads the load; a cycle that was much too long
(our own stall) re-arms the target. Not guaranteed: punctuality on a starved machine - late polls are counted.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from watchdog.engine.board import Board, WatchedSignal
from watchdog.engine.supervisor import Beat
from watchdog.model import Counts, Sample, Unknown
from watchdog.ports import Clock, PollContext

STALL = 3.0
"""A cycle longer than this many intervals (and `STALL_S`) is our own stall, not the service's."""
STALL_S = 10.0
LOOK_S = 2.0
"""Deadline of the look at the platform after an instance failed."""
LATE = 0.05
"""A poll is on time when it starts within this share of its interval."""

log = structlog.get_logger("watchdog.polling")


def phase(target: str, signal: str, every_s: float) -> float:
    """Seconds into the interval at which this signal is polled: the same after every restart."""
    digest = hashlib.sha256(f"{target}\x1f{signal}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 * every_s


class Poller:
    """The loop of one signal of one target."""

    def __init__(self, board: Board, target: str, watched: WatchedSignal, clock: Clock) -> None:
        """Poll `watched` for `target`."""
        self._board, self._target, self._watched, self._clock = board, target, watched, clock
        self.on_samples: Callable[[str, Sequence[Sample]], None] = lambda *_: None
        self.look_again: Callable[[], Awaitable[object]] | None = None
        """Reads the platform anew: an instance that failed may have left since the last read."""
        self._last: float | None = None
        """Begin of the last poll. It outlives a restart of the loop: after our own stall the supervisor may come first."""

    async def run(self, beat: Beat) -> None:
        """Poll for ever."""
        every = self._watched.every_s
        wait = (phase(self._target, self._watched.signal.name, every) - self._clock.now()) % every
        due = self._clock.monotonic() + wait
        while True:
            await self._clock.sleep(due - self._clock.monotonic())
            began = self._clock.monotonic()
            self._watch_ourselves(began, due, self._last)
            self._last = began
            samples = await self._settled(await self.poll())
            self._board.take(self._target, samples)
            self.on_samples(self._target, samples)
            beat.mark()
            due = self._next(due)

    def _next(self, due: float) -> float:
        """The next moment of the grid that is not past: a long poll skips moments instead of bunching them."""
        every = self._watched.every_s
        passed = int((self._clock.monotonic() - due) // every)
        return due + every * (max(0, passed) + 1)

    def _watch_ourselves(self, began: float, due: float, last: float | None) -> None:
        seen = self._board.seen.get(self._target)
        every = self._watched.every_s
        if seen is None:
            return
        seen.polls += 1
        if began - due > LATE * every:
            seen.late_polls += 1
        if last is not None and began - last > max(STALL * every, STALL_S) + self._watched.timeout_s:
            self._board.rearm(self._target, f"our own stall of {began - last:.0f} s")

    async def poll(self) -> Sequence[Sample]:
        """One poll within its deadline; trouble of the signal's code is an Unknown sample that says so."""
        signal, timeout = self._watched.signal, self._watched.timeout_s
        begin = self._clock.now()
        try:
            async with asyncio.timeout(timeout):
                return await signal.poll(self._context())
        except TimeoutError:
            reason = f"no answer of the source within {timeout:g} s"
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception(
                "signal failed, this is a bug", action="signal_failed", target=self._target, signal=signal.name
            )
            reason = f"the signal's own code failed: {type(error).__name__}"
        return (Sample(signal=signal.name, start=begin, end=self._clock.now(), reading=Unknown(reason=reason)),)

    async def _settled(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """What is to be judged: a failing instance is looked up anew, and one that has gone says nothing of the release.

        A rollout's leaving pods refuse connections; the last read of the platform still had them.
        """
        failed = any(s.instance and isinstance(s.reading, Counts) and s.reading.bad for s in samples)
        if self.look_again is None or not failed:
            return samples
        before = self._instances()
        try:
            async with asyncio.timeout(LOOK_S):
                await self.look_again()
        except TimeoutError:
            log.info("no fresh look at the platform", action="no_look", target=self._target)
        gone = before - self._instances()
        return [sample for sample in samples if sample.instance not in gone]

    def _instances(self) -> frozenset[str]:
        seen = self._board.seen.get(self._target)
        return frozenset(entry.name for entry in seen.state.instances) if seen and seen.state else frozenset()

    def _context(self) -> PollContext:
        seen = self._board.seen.get(self._target)
        if seen is None or seen.state is None:
            return PollContext()
        known = seen.record.release(seen.state.release.fingerprint) if seen.record else None
        return PollContext(
            state=seen.state,
            release=seen.state.release.fingerprint,
            release_started=(known.started if known else None) or seen.state.started,
        )
