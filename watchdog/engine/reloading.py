"""Reload: the new configuration is built whole, then swapped in target by target.

Role: `Daemon`'s part for SIGHUP and changed files. Neighbours: `Daemon.rebuild` builds a `Setup` or raises. Guarantees: a
bad configuration changes nothing and is said everywhere (P17); a target whose part did not change is not touched; a
response under way keeps its snapshot, except that `observe` and removal bind at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from watchdog.engine.board import Watch
from watchdog.model import Mode
from watchdog.ports import StoreUnavailable, Unavailable
from watchdog.safety.machine import CHOOSING, Cancelled, IllegalTransition

if TYPE_CHECKING:
    from watchdog.engine.daemon import Daemon, Setup

STRICTNESS = (Mode.OBSERVE, Mode.ASK, Mode.ENFORCE)
_CHOOSING = frozenset(stage.value for stage in CHOOSING)

BUILD_S = 60.0
"""Longest time that building a new setup may take."""
CLOSE_S = 3.0
"""Longest time for letting one thing go."""

log = structlog.get_logger("watchdog.reload")


@dataclass(frozen=True)
class _Next:
    """What a target becomes: its watch (None = removed) and the writing half that belongs to it."""

    watch: Watch | None
    writer: object | None


async def bounded_close(closing: Awaitable[None], what: str) -> None:
    """Let something go within `CLOSE_S`; trouble with it is said and holds up nothing."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await closing
    except TimeoutError:
        log.error("could not be closed in time", action="close_late", what=what)
    except Exception as error:
        log.exception("could not be closed, this is a bug", action="close_failed", what=what, reason=str(error))


async def close_watch(watch: Watch) -> None:
    """Close the signals, the databases and the platform of a watch."""
    for watched in watch.signals:
        await bounded_close(watched.signal.close(), f"signal {watched.signal.name} of {watch.name}")
    for source in watch.databases:
        await bounded_close(source.close(), f"database {source.name} of {watch.name}")
    if watch.platform is not None:
        await bounded_close(watch.platform.close(), f"platform of {watch.name}")


def strictest(*modes: Mode) -> Mode:
    """The most careful of some modes."""
    return min(modes, key=STRICTNESS.index)


class Reloader:
    """Swaps setups under a running daemon."""

    def __init__(self, daemon: Daemon) -> None:
        """Work on `daemon`."""
        self._daemon = daemon
        self._waiting: dict[str, _Next] = {}
        """Targets whose response is under way: what they become when it has closed."""
        self._one = asyncio.Lock()

    async def reload(self) -> tuple[bool, str]:
        """(True, what is in force) or (False, why it was refused)."""
        async with self._one:
            return await self._reload()

    async def _reload(self) -> tuple[bool, str]:
        daemon = self._daemon
        if daemon.rebuild is None:
            return False, "this daemon has no configuration file"
        try:
            async with asyncio.timeout(BUILD_S):
                setup = await daemon.rebuild()
        except TimeoutError:
            return await self._refused(f"it could not be built within {BUILD_S:g} s")
        except (ValueError, OSError, Unavailable) as error:
            return await self._refused(str(error))
        daemon.loaded.error = ""
        if setup is None:
            return True, "unchanged"
        await self._swap(setup)
        return True, f"configuration {setup.config_hash[:12]} is in force"

    async def settle(self) -> None:
        """Give targets whose response has closed meanwhile what a reload meant for them."""
        for name in list(self._waiting):
            if not self._under_way(name):
                async with self._one:
                    following = self._waiting.pop(name, None)
                    if following is not None:
                        await self._become(name, following)

    async def close(self) -> None:
        """Let go of what was waiting."""
        for following in self._waiting.values():
            if following.watch is not None:
                await close_watch(following.watch)
        self._waiting.clear()

    async def _refused(self, reason: str) -> tuple[bool, str]:
        loaded = self._daemon.loaded
        repeated = loaded.error == reason
        loaded.error, loaded.failed = reason, loaded.failed + 1
        log.error("the new configuration is refused; the old one goes on", action="reload_refused", reason=reason)
        if not repeated:
            key = f"reload/{self._daemon.clock.now():.0f}"
            first = (reason.splitlines() or ["no reason was given"])[0]
            await self._daemon.say(key, "configuration", f"refused, the old one goes on: {first}")
        return False, reason

    async def _swap(self, setup: Setup) -> None:
        daemon = self._daemon
        daemon.setup = setup
        after = {watch.name: watch for watch in setup.watches}
        old = daemon.outbox.channels
        daemon.outbox.channels = dict(setup.channels)
        daemon.pauses.windows = setup.windows
        daemon.gatherer.reference = setup.reference
        for name in dict.fromkeys((*daemon.board.seen, *after)):
            await self._change(name, _Next(after.get(name), setup.writers.get(name)))
        for channel in old.values():
            if channel not in setup.channels.values():
                await bounded_close(channel.close(), f"channel {channel.name}")
        daemon.loaded.hash, daemon.loaded.at = setup.config_hash, daemon.clock.now()
        log.info("configuration in force", action="reloaded", hash=setup.config_hash[:12], targets=len(after))

    async def _change(self, name: str, following: _Next) -> None:
        seen, new = self._daemon.board.seen.get(name), following.watch
        dropped = self._waiting.pop(name, None)
        if dropped is not None and dropped.watch is not None:
            await close_watch(dropped.watch)
        if seen is not None and new is not None and seen.watch.config == new.config and new.config:
            await close_watch(new)  # the one that runs goes on
            return
        if seen is not None and self._under_way(name):
            await self._bind_at_once(name, following)
            return
        await self._become(name, following)

    async def _bind_at_once(self, name: str, following: _Next) -> None:
        """A response is under way: removal and a stricter mode bind now, the rest waits for its end."""
        seen, new = self._daemon.board.seen[name], following.watch
        response = self._daemon.responses[name]
        self._waiting[name] = following
        if new is not None:
            policy = seen.watch.policy
            stricter = replace(policy, mode=strictest(policy.mode, new.policy.mode))
            seen.watch = replace(seen.watch, policy=stricter)
            response.wake()
        elif response.stage in _CHOOSING and response.step == 0:
            try:
                await response.apply(response.incident, Cancelled(who="configuration", why="the target was removed"))
            except (IllegalTransition, StoreUnavailable) as error:
                log.warning("the response goes on", action="not_cancelled", target=name, reason=str(error))
                return
            await self._become(name, self._waiting.pop(name))

    async def _become(self, name: str, following: _Next) -> None:
        """The old loops end, then the new ones begin; a response that is held goes on with the new policy."""
        daemon, new = self._daemon, following.watch
        seen = daemon.board.seen.get(name)
        if seen is not None:
            await daemon.remove(seen.watch, keep_response=new is not None and new.platform is not None)
        if new is None or following.writer is None:
            daemon.writers.pop(name, None)
        else:
            daemon.writers[name] = following.writer
        if new is not None:
            daemon.add(new, "a reload of the configuration")

    def _under_way(self, name: str) -> bool:
        response = self._daemon.responses.get(name)
        return response is not None and response.under_way
