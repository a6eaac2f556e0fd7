"""Name resolution that one dead name server cannot stop for everybody.

Role: the resolver of `clients.http`. Neighbours: aiohttp asks it for every name that is not an address. Guarantees: a lookup
runs in a daemon thread of its own, never in the default executor, so neither blocking work elsewhere nor a hung lookup of
another name delays it, and a hung one does not hold the exit; a name that hangs holds one thread however often it is asked
for; answers are kept `KEEP_S`. Not guaranteed: the record's own time to live, which getaddrinfo does not tell.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult

KEEP_S = 10.0
"""Seconds an answer is used again: two polls of the default interval, so that a moved name is followed soon."""
MOST_LOOKUPS = 64
"""Lookups under way at once. More are refused as our own trouble: so many hanging names mean that DNS is down."""
_MOST_NAMES = 4096

Lookup = Callable[[str, int, socket.AddressFamily], list[ResolveResult]]


class TooManyLookups(OSError):
    """So many lookups hang that no further one is begun: our own trouble, not the target's."""


def look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    """Ask the system. Blocking; raises socket.gaierror, or UnicodeError for a name that cannot be one."""
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]) if len(address) < 4 or not address[3] else f"{address[0]}%{address[3]}",  # noqa: PLR2004 - IPv6 with a scope
            port=port,
            family=kind,
            proto=proto,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, proto, _, address in found
    ]


class Names(AbstractResolver):
    """Looks names up with `lookup`, remembers answers, and asks once for all who wait for the same name."""

    def __init__(self, lookup: Lookup = look_up) -> None:
        """Use `lookup` in threads: it may block."""
        self._lookup = lookup
        self._known: dict[tuple[str, int, int], tuple[float, list[ResolveResult]]] = {}
        self._running: dict[tuple[str, int, int], asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Addresses of `host`. Raises OSError (socket.gaierror, TooManyLookups)."""
        key = (host, port, int(family))
        loop = asyncio.get_running_loop()
        kept = self._known.get(key)
        if kept is not None and loop.time() - kept[0] < KEEP_S:
            return kept[1]
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= MOST_LOOKUPS:
                raise TooManyLookups(f"{MOST_LOOKUPS} name lookups hang already")
            running = self._begin(key, host, port, family)
        answer = await asyncio.shield(running)
        if len(self._known) >= _MOST_NAMES:
            self._known.clear()
        self._known[key] = (loop.time(), answer)
        return answer

    async def close(self) -> None:
        """Forget. Threads that still hang end by themselves and are not waited for."""
        for future in self._running.values():
            future.cancel()
        self._running.clear()
        self._known.clear()

    def _begin(
        self, key: tuple[str, int, int], host: str, port: int, family: socket.AddressFamily
    ) -> asyncio.Future[list[ResolveResult]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[ResolveResult]] = loop.create_future()
        self._running[key] = future

        def settle(answer: list[ResolveResult] | None, error: OSError | None) -> None:
            if self._running.get(key) is future:
                del self._running[key]
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
                future.exception()  # whoever asked may be gone by now
            else:
                future.set_result(answer or [])

        def work() -> None:
            answer, error = None, None
            try:
                answer = self._lookup(host, port, family)
            except OSError as trouble:
                error = trouble
            except UnicodeError as trouble:
                error = socket.gaierror(socket.EAI_NONAME, f"not a host name: {trouble}")
            with suppress(RuntimeError):  # the loop may have ended meanwhile
                loop.call_soon_threadsafe(settle, answer, error)

        threading.Thread(target=work, name=f"lookup {host}", daemon=True).start()
        return future
