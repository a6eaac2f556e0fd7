"""Rendered pages, each at most once a second, made in a thread of their own.

Role: between `application` and the templates. Guarantees: however many look, one page is rendered at most once in `FRESH_S`
and never twice at the same time; rendering delays no poll; the store is bounded. Not guaranteed: a page younger than that.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from watchdog.model import record
from watchdog.ports import Clock

FRESH_S = 1.0
MOST = 200
"""Pages that are remembered; a page is some ten kilobytes."""


@record
class Page:
    """What is sent. `etag` names exactly this content."""

    body: bytes
    etag: str
    at: float


class Pages:
    """The pages of the last second."""

    def __init__(self, clock: Clock) -> None:
        """Empty, with one thread that starts with the first page."""
        self._clock = clock
        self._kept: OrderedDict[str, Page] = OrderedDict()
        self._making: dict[str, asyncio.Lock] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watchdog-page")

    async def page(self, key: str, gather: Callable[[], Awaitable[Callable[[], str]]]) -> Page:
        """The page of `key`: the one at hand when it is fresh, else what `gather` (on the loop) then makes (in the thread)."""
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                kept = self._kept.get(key)
                if kept is not None and self._clock.monotonic() - kept.at < FRESH_S:
                    return kept
                make = await gather()
                text = await asyncio.get_running_loop().run_in_executor(self._pool, make)
                return self._keep(key, text.encode())
        finally:
            if not lock.locked():
                self._making.pop(key, None)

    def close(self) -> None:
        """Let the thread go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _keep(self, key: str, body: bytes) -> Page:
        digest = hashlib.sha256(body).hexdigest()[:32]
        page = Page(body=body, etag=f'"{digest}"', at=self._clock.monotonic())
        self._kept[key] = page
        self._kept.move_to_end(key)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return page
