"""Watches: what has changed in a collection, told by the API server while nobody asks.

Role: one connection a collection and namespace, shared by everybody who cares. Neighbours: `client` carries the lines;
`platforms.kubernetes.attention` says what matters to a target. Guarantees: events are hints that something changed, never what
anything is decided by - only metadata travels; as long as `covers(since)` is true, every change after `since` has been told to every
listener, or is on its way; after a gap that cannot be closed (410, a first connection) every listener is told that anything may
have changed; whoever stops listening is forgotten. Without the right to watch it is never covered, so its users go on reading.
Not guaranteed: that a connection that is silently cut is noticed sooner than `SILENT_S` - the server sends a bookmark a minute.
Source: Kubernetes API concepts, "Efficient detection of changes": a watch without resourceVersion begins at the most recent
state with an ADDED for each object.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakSet

import structlog

from watchdog.clients.kubernetes.client import KubernetesClient
from watchdog.clients.kubernetes.errors import Forbidden, Invalid, KubernetesError, NotFound
from watchdog.ports import Clock, Unavailable

METADATA_EVENTS = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
LASTS_S = (240.0, 300.0)
"""A watch is begun anew after about this long, so that watches do not all end together."""
SILENT_S = 150.0
"""Nothing was heard for so long, not even two bookmarks: the connection may be dead."""
BACK_OFF_S = (1.0, 30.0)
SHORT_S = 5.0
DENIED_S = 300.0
"""How long until a right that was missing is asked for again."""
GONE = 410
GIVEN_UP = 4
"""Failures in a row after which a watch begins at the most recent state, wherever it was."""

log = structlog.get_logger("watchdog.kubernetes")


class Listener(Protocol):
    """Somebody who cares about a collection."""

    def told(self, path: str, metadata: Mapping[str, Any] | None) -> None:
        """An object of this collection changed; None = anything may have."""
        ...


@dataclass(eq=False)
class _Stream:
    """One collection: who listens, and how far it can be relied on."""

    path: str
    listeners: WeakSet[Listener]
    task: asyncio.Task[None] | None = None
    version: str = ""
    """Where the next watch begins; empty = at the most recent state."""
    since: float | None = None
    """Monotonic moment from which on nothing was missed; None = not connected yet."""
    heard: float = float("-inf")
    connected: bool = False
    trouble: str = ""


class Watches:
    """All watches on one API server. Close it before its client."""

    def __init__(self, client: KubernetesClient, clock: Clock, chance: random.Random | None = None) -> None:
        """Watch through `client`."""
        self._client, self._clock = client, clock
        self._chance = chance or random.Random()  # noqa: S311 - spreads load, keeps no secret
        self._streams: dict[str, _Stream] = {}
        self._closed = False

    def listen(self, path: str, listener: Listener) -> None:
        """Tell `listener` of every change of the collection from now on, for as long as it is kept by somebody."""
        stream = self._streams.setdefault(path, _Stream(path, WeakSet()))
        if listener not in stream.listeners:
            stream.listeners.add(listener)
        if stream.task is None or stream.task.done():
            stream.task = asyncio.create_task(self._run(stream), name=f"watch {path}")

    def covers(self, path: str, since: float) -> bool:
        """Whether every change of the collection after this monotonic moment has been, or is just being, told."""
        stream = self._streams.get(path)
        if stream is None or stream.since is None or not stream.connected:
            return False
        return stream.since <= since and self._clock.monotonic() - stream.heard <= SILENT_S

    async def close(self) -> None:
        """End all watches."""
        self._closed = True
        tasks = [stream.task for stream in self._streams.values() if stream.task is not None]
        self._streams.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one watch after the other -------------------------------------------------------------------------------------

    async def _run(self, stream: _Stream) -> None:
        """Until nobody listens any more."""
        failures = 0
        while stream.listeners and not self._closed:
            began = self._clock.monotonic()
            try:
                await self._once(stream)
                failures = 0 if self._clock.monotonic() - began > SHORT_S else failures + 1
                if failures:  # whatever stands between ends each watch at once
                    await self._clock.sleep(self._wait(failures))
            except (KubernetesError, Unavailable) as error:
                failures += 1
                await self._failed(stream, error, failures)
            finally:
                stream.connected = False
        self._streams.pop(stream.path, None)

    async def _once(self, stream: _Stream) -> None:
        """One connection to its end. Raises KubernetesError, Unavailable."""
        lasts = self._chance.uniform(*LASTS_S)
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": f"{lasts:.0f}"}
        if stream.version:
            query["resourceVersion"] = stream.version
        lines = self._client.lines(stream.path, query, accept=METADATA_EVENTS, timeout_s=lasts + 15, silent_s=SILENT_S)
        async with contextlib.aclosing(lines):
            async for line in lines:
                if line is None:
                    self._begun(stream)
                elif not self._take(stream, line):
                    return

    def _begun(self, stream: _Stream) -> None:
        """The server has accepted the watch."""
        now = self._clock.monotonic()
        stream.connected, stream.heard = True, now
        if stream.trouble:
            log.info("watching again", action="watch", path=stream.path)
        stream.trouble = ""
        if not stream.version:
            stream.since = now
            self._tell(stream, None)

    def _take(self, stream: _Stream, line: bytes) -> bool:
        """One line; False = this watch is of no more use."""
        stream.heard = self._clock.monotonic()
        try:
            event = json.loads(line)
            kind, metadata = event["type"], event["object"].get("metadata") or {}
        except (ValueError, KeyError, TypeError, AttributeError):
            kind = ""
        if kind in ("", "ERROR"):  # not understood, or 410: the server has forgotten where we were
            stream.version = ""
            return False
        version = metadata.get("resourceVersion")
        if isinstance(version, str) and version:
            stream.version = version
        if kind != "BOOKMARK":
            self._tell(stream, metadata)
        return True

    async def _failed(self, stream: _Stream, error: Exception, failures: int) -> None:
        wait = DENIED_S if isinstance(error, Forbidden | NotFound) else self._wait(failures)
        if (isinstance(error, Invalid) and error.status == GONE) or failures >= GIVEN_UP:
            stream.version = ""  # also one that a restored server has never heard of: it answers 504 for ever
        if not stream.trouble:
            log.info("cannot watch: it is read again and again", action="watch", path=stream.path, reason=str(error))
        stream.trouble = str(error)
        await self._clock.sleep(wait)

    def _wait(self, failures: int) -> float:
        first, most = BACK_OFF_S
        return float(min(most, first * 2 ** min(failures - 1, 10)) * self._chance.uniform(0.5, 1.0))

    @staticmethod
    def _tell(stream: _Stream, metadata: Mapping[str, Any] | None) -> None:
        for listener in list(stream.listeners):
            listener.told(stream.path, metadata)
