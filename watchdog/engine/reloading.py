"""Reload: the new configuration is built whole, then swapped in target by target.

Role: `Daemon`'s part for SIGHUP and changed files. Neighbours: `Daemon.rebuild` builds a `Setup` or raises. Guarantees: a
bad configuration changes nothing and is said everywhere (P17); a target whose part did not change is not touched; a
response under way keeps its snapshot, except that `observe` and removal bind at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from watchdog.engine.board import Watch
from watchdog.model import Mode
from watchdog.safety.machine import CHOOSING, Cancelled, IllegalTransition

if TYPE_CHECKING:
    from watchdog.engine.daemon import Daemon, Setup

STRICTNESS = (Mode.OBSERVE, Mode.ASK, Mode.ENFORCE)
_CHOOSING = frozenset(stage.value for stage in CHOOSING)

log = structlog.get_logger("watchdog.reload")


def strictest(*modes: Mode) -> Mode:
    """The most careful of some modes."""
    return min(modes, key=STRICTNESS.index)


class Reloader:
    """Swaps setups under a running daemon."""

    def __init__(self, daemon: Daemon) -> None:
        """Work on `daemon`."""
        self._daemon = daemon
        self._waiting: dict[str, Watch | None] = {}
        """Targets whose response is under way: what they become when it has closed (None = removed)."""

    async def reload(self) -> tuple[bool, str]:
        """(True, what is in force) or (False, why it was refused)."""
        daemon = self._daemon
        if daemon.rebuild is None:
            return False, "this daemon has no configuration file"
        try:
            setup = await daemon.rebuild()
        except ValueError as error:
            await self._refused(str(error))
            return False, str(error)
        daemon.loaded.error = ""
        if setup is None:
            return True, "unchanged"
        await self._swap(setup)
        return True, f"configuration {setup.config_hash[:12]} is in force"

    async def settle(self) -> None:
        """Give targets whose response has closed meanwhile what a reload meant for them."""
        for name in list(self._waiting):
            if self._stage(name) in ("", "closed"):
                await self._become(name, self._waiting.pop(name))

    async def _refused(self, reason: str) -> None:
        loaded = self._daemon.loaded
        repeated = loaded.error == reason
        loaded.error, loaded.failed = reason, loaded.failed + 1
        log.error("the new configuration is refused; the old one goes on", action="reload_refused", reason=reason)
        if not repeated:
            key = f"reload/{self._daemon.clock.now():.0f}"
            await self._daemon.say(key, "configuration", f"refused, the old one goes on: {reason.splitlines()[0]}")

    async def _swap(self, setup: Setup) -> None:
        daemon = self._daemon
        daemon.setup = setup
        after = {watch.name: watch for watch in setup.watches}
        daemon.writers.update(setup.writers)
        daemon.outbox.channels = dict(setup.channels)
        daemon.pauses.windows = setup.windows
        daemon.gatherer.reference = setup.reference
        for name in {*daemon.board.seen, *after}:
            await self._change(name, after.get(name))
        daemon.loaded.hash, daemon.loaded.at = setup.config_hash, daemon.clock.now()
        log.info("configuration in force", action="reloaded", hash=setup.config_hash[:12], targets=len(after))

    async def _change(self, name: str, new: Watch | None) -> None:
        seen = self._daemon.board.seen.get(name)
        self._waiting.pop(name, None)
        if seen is not None and new is not None and seen.watch.config == new.config and new.config:
            return
        if seen is not None and self._stage(name) not in ("", "closed"):
            await self._bind_at_once(name, new)
            return
        await self._become(name, new)

    async def _bind_at_once(self, name: str, new: Watch | None) -> None:
        """A response is under way: removal and a stricter mode bind now, the rest waits for its end."""
        seen = self._daemon.board.seen[name]
        response = self._daemon.responses[name]
        if new is None and response.stage in _CHOOSING:
            try:
                await response.apply(response.incident, Cancelled(who="configuration", why="the target was removed"))
            except IllegalTransition:
                self._waiting[name] = None
                return
            await self._become(name, None)
            return
        if new is not None:
            policy = seen.watch.policy
            stricter = replace(policy, mode=strictest(policy.mode, new.policy.mode))
            seen.watch = replace(seen.watch, policy=stricter)
        self._waiting[name] = new

    async def _become(self, name: str, new: Watch | None) -> None:
        daemon = self._daemon
        seen = daemon.board.seen.get(name)
        if seen is not None:
            keep = new is not None and new.platform is not None
            await daemon.remove(seen.watch, keep_response=keep)
        if new is None:
            daemon.writers.pop(name, None)
        else:
            daemon.add(new, "a reload of the configuration")

    def _stage(self, name: str) -> str:
        response = self._daemon.responses.get(name)
        return response.stage if response else ""
