"""Failures of addresses: after too many within a while an address has to wait.

Role: shared by `web.access` (bearer tokens) and the page's log-in. Guarantees: bounded memory; one address never makes another
one wait. Not guaranteed: anything behind a proxy that hides addresses - there all share one limit.
"""

from __future__ import annotations

from collections import OrderedDict, deque

import structlog
from aiohttp import web

from watchdog.ports import Clock

FAILURES = 10
WITHIN_S = 60.0
"""So many failures of one address in so many seconds, and it has to wait."""
ADDRESSES = 2000

_log = structlog.get_logger("watchdog.web")


class Failures:
    """The failures of the last minute."""

    def __init__(self, clock: Clock) -> None:
        """None yet."""
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def limited(self, request: web.Request) -> str:
        """Why this address has to wait; empty when it need not."""
        failed, now = self._failed.get(request.remote or ""), self._clock.monotonic()
        while failed and now - failed[0] > WITHIN_S:
            failed.popleft()
        return f"too many failures from here: wait {WITHIN_S:g} s" if failed and len(failed) >= FAILURES else ""

    def note(self, request: web.Request) -> None:
        """One more."""
        address = request.remote or ""
        self._failed.setdefault(address, deque(maxlen=FAILURES)).append(self._clock.monotonic())
        self._failed.move_to_end(address)
        while len(self._failed) > ADDRESSES:
            self._failed.popitem(last=False)
        _log.warning("no valid token", action="token_refused", address=address, path=request.path)
