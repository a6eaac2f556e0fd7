"""The event stream: once a second whether something moved, to everybody who looks.

Role: `application` serves it at ``/events``. Neighbours: `ports.Control.status` and `health`, asked once a second however
many look. Guarantees: server-sent events with ids that only grow; a client that reconnects with ``Last-Event-ID`` gets the
newest at once; each client has a queue of one, so a stuck one costs nothing and sees the newest when it wakes; more than
`MOST_CLIENTS` are refused. Not guaranteed: every event to everybody - only the newest counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from typing import Any

from aiohttp import web

from watchdog.model import JsonObject
from watchdog.ports import Clock, Control

EVERY_S = 1.0
MOST_CLIENTS = 200
SEND_S = 10.0
"""A client that takes nothing for so long is let go."""
RETRY_MS = 2000


class Feed:
    """One producer, many readers. It runs only while somebody looks."""

    def __init__(self, control: Control, clock: Clock) -> None:
        """Nothing runs before the first client."""
        self._control, self._clock = control, clock
        self._number = 0
        self._news: JsonObject = {}
        self._changed = asyncio.Condition()
        self._clients = 0
        self._producer: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One client, until it goes or the daemon stops."""
        if self._clients >= MOST_CLIENTS:
            raise web.HTTPServiceUnavailable(reason=f"{MOST_CLIENTS} look already")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        self._clients += 1
        try:
            await response.prepare(request)
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            await self._follow(request, response, self._begin(request))
        except (ConnectionError, TimeoutError):
            pass  # gone, or stuck for too long: it comes back by itself
        finally:
            self._clients -= 1
        return response

    async def close(self) -> None:
        """Let every client go."""
        self._closing.set()
        async with self._changed:
            self._changed.notify_all()
        if self._producer is not None:
            self._producer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._producer

    async def _follow(self, request: web.Request, response: web.StreamResponse, seen: int) -> None:
        while not self._closing.is_set():
            number, news = await self._newer_than(seen)
            if self._closing.is_set() or request.transport is None or request.transport.is_closing():
                return
            seen = number
            async with asyncio.timeout(SEND_S):
                await response.write(f"id: {number}\nevent: status\ndata: {json.dumps(news)}\n\n".encode())

    async def _newer_than(self, seen: int) -> tuple[int, JsonObject]:
        """The newest event, once there is one that was not seen, or the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._number > seen or self._closing.is_set())
            return self._number, self._news

    def _begin(self, request: web.Request) -> int:
        """The number of the last event that this client need not see."""
        if self._producer is None or self._producer.done():
            self._producer = asyncio.create_task(self._produce(), name="page feed")
            return self._number  # what was news when somebody looked last is none now
        seen = _number(request.headers.get("Last-Event-ID", ""))
        return seen if seen <= self._number else 0  # a number of another daemon's life

    async def _produce(self) -> None:
        while self._clients:
            news = news_of(self._control.status(), self._control.health())
            async with self._changed:
                self._number, self._news = self._number + 1, news
                self._changed.notify_all()
            await self._clock.sleep(EVERY_S)


def news_of(status: JsonObject, health: JsonObject) -> dict[str, Any]:
    """``{"at", "headline", "engine_s", "mark"}``: `mark` changes when anything but the time of day does."""
    said = [
        status["headline"],
        status["store"],
        status["config"],
        status["outbox"],
        status["pauses"],
        [(row["name"], row["state"], row["release"], row["good"], row["incident"]) for row in status["targets"]],
    ]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return {"at": status["at"], "headline": status["headline"], "engine_s": engine_s(health), "mark": digest}


def engine_s(health: JsonObject) -> float | None:
    """Seconds since the engine has moved; None when that is not said."""
    return next((float(loop["last_s"]) for loop in health.get("loops", ()) if loop["name"] == "engine"), None)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 16 else 0  # noqa: PLR2004 - digits
