"""Orders outlive the request that brought them.

Role: runs one order of a person (pause, rollback, approve) as a task of its own and waits a bounded time for its answer.
Neighbours: `web.api` hands orders in, `web.server` closes at the end. Guarantees: an order is not cancelled because the
asker went away or the answer took long; the asker is then told *pending*, never *done* (promise P4). At the end of the
daemon, what still runs gets a grace and is then cancelled and awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from watchdog.model import JsonObject

ACKNOWLEDGED_WITHIN_S = 10.0
"""A person waits this long for *applied* before being told *pending*; a cycle of the engine takes about a second."""

_log = structlog.get_logger("watchdog.web")


class Orders:
    """The orders under way."""

    def __init__(self, acknowledged_within_s: float = ACKNOWLEDGED_WITHIN_S) -> None:
        """`acknowledged_within_s`: how long `carry_out` waits for an answer."""
        self._bound_s = acknowledged_within_s
        self._running: set[asyncio.Task[JsonObject]] = set()

    async def carry_out(self, name: str, order: Coroutine[Any, Any, JsonObject]) -> JsonObject | None:
        """The order's answer, or None when it is still under way after the bound. Raises what the order raises."""
        task = asyncio.create_task(order, name=f"order {name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.wait({task}, timeout=self._bound_s)
        if task.done():
            return task.result()
        task.add_done_callback(_told_late)
        return None

    async def close(self, grace_s: float) -> None:
        """Wait `grace_s` for what runs, then cancel it and wait once more as long."""
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        for task in tuple(self._running):
            task.cancel("the daemon stops")
        if self._running:
            await asyncio.wait(self._running, timeout=grace_s)
        for task in self._running:
            _log.error("an order does not end", action="order_stuck", order=task.get_name())


def _told_late(task: asyncio.Task[JsonObject]) -> None:
    if task.cancelled():
        _log.warning("an order was cut off by the end of the daemon", action="order_late", order=task.get_name())
    elif (error := task.exception()) is not None:
        _log.error(
            "a pending order failed", action="order_late", order=task.get_name(), reason=str(error), exc_info=error
        )
    else:
        sentence = task.result().get("sentence", "")
        _log.info("a pending order is done", action="order_late", order=task.get_name(), reason=sentence)
