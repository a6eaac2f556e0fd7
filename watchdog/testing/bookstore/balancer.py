"""The bookstore's balancer: one door for readers, one for the API, each in turn to the instances that are ready.

Role: what users really see, and therefore what counts. `/-/stats` on the API's door says, for each release, how many answers
were good and bad: ``{"releases": {"1.2": {"good": 10, "bad": 0}}}``; bad = 5xx, no answer, or nobody there (release "").
"""

from __future__ import annotations

import itertools
import json
from collections import Counter

from watchdog.testing.bookstore.fleet import Fleet, Running
from watchdog.testing.bookstore.speech import Asked, Told, ask

SERVER_ERROR = 500
PATIENCE_S = 2.0


class Balancer:
    """One door. `kind` is what stands behind it."""

    def __init__(self, fleet: Fleet, kind: str) -> None:
        """Choose among the fleet's instances of that kind."""
        self._fleet, self._kind = fleet, kind
        self._turns = itertools.count()
        self._good: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()

    async def answer(self, asked: Asked) -> Told:
        """Hand one request on."""
        if asked.path == "/-/stats":
            return Told(200, json.dumps(self.stats()).encode())
        ready = self._fleet.ready(self._kind)
        if not ready:
            self._bad[""] += 1
            return Told(503, b'{"error": "no instance is ready"}')
        chosen = ready[next(self._turns) % len(ready)]
        told = await self._hand_on(asked, chosen)
        (self._bad if told.status >= SERVER_ERROR else self._good)[chosen.release] += 1
        return told

    def stats(self) -> dict[str, object]:
        """Good and bad answers by release since the start."""
        releases = sorted({*self._good, *self._bad})
        return {"releases": {name: {"good": self._good[name], "bad": self._bad[name]} for name in releases}}

    async def _hand_on(self, asked: Asked, chosen: Running) -> Told:
        try:
            told = await ask(chosen.port, asked.target, method=asked.method, timeout_s=PATIENCE_S)
        except TimeoutError:
            return Told(504, b'{"error": "the instance is silent"}')
        except (OSError, ValueError):
            chosen.ready = False  # until it is found healthy again
            return Told(502, b'{"error": "the instance broke off"}')
        return Told(told.status, told.body, told.kind, {"X-Release": chosen.release, "X-Instance": chosen.name})
