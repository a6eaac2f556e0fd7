"""HTTP exchanges under a deadline, each measured phase by phase and cut at a size.

Role: one client for all checks of the process. Neighbours: `signals.http` makes requests of its checks and judges the
answers; nobody else touches aiohttp's client. Guarantees: `exchange` ends within the request's deadline and raises nothing
but cancellation; at most `most_bytes` (64 KiB where nothing is said) of a body are read, never decompressed; a hung target holds only its own
connection (no limit over all hosts, one per host); no cookies, no proxies of the environment, configured headers are not
carried to another origin by a redirect. Not guaranteed: that a target sees a request once - a failure of a *kept*
connection before the first byte is repeated once on a fresh one, and a kept connection that is silent for half of the
deadline is raced by a fresh one, because a middlebox may have forgotten it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from watchdog.clients.faults import Fault, Kind, fault_of
from watchdog.clients.names import Names
from watchdog.clients.tls import TlsContexts, on_handshake
from watchdog.model import record
from watchdog.ports import Clock

BODY_CAP = 65_536
"""Bytes of a body that are read at most."""
OWN_STALL_S = 0.25
"""A deadline noticed this much too late means that our own loop stood still: the timeout then says nothing."""
USER_AGENT = "rollback-watchdog"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})


@record
class Request:
    """One exchange. `max_redirects` 0 = a redirect is an answer like any other. `headers` may hold secrets: not in repr.

    `host` replaces the Host header, and is the name that TLS asks for and verifies. `fresh` opens a new connection.
    """

    url: str = field(repr=False)
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    host: str = ""
    timeout_s: float = 5.0
    max_redirects: int = 0
    fresh: bool = True
    ca_file: str = ""
    verify: bool = True
    most_bytes: int = BODY_CAP
    """Of the body that are read at most."""


@record
class Phases:
    """Seconds of each phase of the last attempt; None = did not happen (a kept connection, an address, no answer)."""

    dns_s: float | None = None
    connect_s: float | None = None
    tls_s: float | None = None
    first_byte_s: float | None = None
    total_s: float = 0.0
    """From the beginning of the first attempt, redirects and repetition included."""
    reused: bool = False


@record
class Answer:
    """What the target answered. `body` holds at most the request's `most_bytes` as they came; `whole` says whether that is all."""

    status: int
    phases: Phases
    body: bytes = field(default=b"", repr=False)
    whole: bool = True
    location: str = field(default="", repr=False)
    repeated: bool = False
    """A kept connection had failed, and this is the answer on a fresh one."""


@record
class Failure:
    """No answer: why, and how far it came."""

    fault: Fault
    phases: Phases
    repeated: bool = False


@dataclass(slots=True)
class _Trail:
    """When an attempt reached each phase, on the monotonic clock."""

    begun: float
    queued: float | None = None
    unqueued: float | None = None
    dns_from: float | None = None
    dns_until: float | None = None
    connect_from: float | None = None
    tls_from: float | None = None
    connected: float | None = None
    sent: float | None = None
    answered: float | None = None
    reused: bool = False

    def phases(self, begun: float, now: float) -> Phases:
        tcp_from = self.dns_until if self.dns_until is not None else self.connect_from
        tcp_until = self.tls_from if self.tls_from is not None else self.connected
        return Phases(
            dns_s=_between(self.dns_from, self.dns_until),
            connect_s=_between(tcp_from, tcp_until),
            tls_s=_between(self.tls_from, self.connected),
            first_byte_s=_between(self.sent, self.answered),
            total_s=now - begun,
            reused=self.reused,
        )

    def waiting(self) -> tuple[str, bool]:
        """What it waits for now, and whether that is our own affair."""
        if self.answered is not None:
            return "the answer had begun", False
        if self.connected is not None or self.reused:
            return "connected, no byte came", False
        if self.tls_from is not None:
            return "in the TLS handshake", False
        if self.dns_from is not None and self.dns_until is None:
            return "our name server gave no answer", True
        if self.connect_from is None:
            return "we had no free connection to this host", True
        return "no connection", False


@dataclass(slots=True)
class _Journey:
    """All attempts of one exchange."""

    begun: float
    trails: list[_Trail] = field(default_factory=list)
    repeated: bool = False


class HttpClient:
    """Exchanges for everybody: one pool of kept connections, and one that keeps none."""

    def __init__(self, clock: Clock, *, per_host: int = 16, names: Names | None = None) -> None:
        """`per_host` bounds the connections to one host and port. Connections are opened at the first exchange."""
        self._clock = clock
        self._per_host = per_host
        self._names = names or Names()
        self._tls = TlsContexts()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def exchange(self, request: Request) -> Answer | Failure:
        """One request within `request.timeout_s`, all attempts and redirects included."""
        with suppress(OSError):  # said by the attempt
            self._context(request)  # reading all the system's CAs takes longer than an exchange: not on its account
        journey = _Journey(begun=self._clock.monotonic())
        try:
            async with asyncio.timeout(request.timeout_s):
                return await self._follow(request, journey)
        except TimeoutError:
            return self._late(request, journey)

    async def close(self) -> None:
        """Close all connections."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()
        await self._names.close()

    # -- redirects ---------------------------------------------------------------------------------------------------

    async def _follow(self, request: Request, journey: _Journey) -> Answer | Failure:
        hop = request
        for _ in range(request.max_redirects + 1):
            answer = await self._ask(hop, journey)
            if isinstance(answer, Failure) or not request.max_redirects:
                return answer
            if answer.status not in _REDIRECTS or not answer.location:
                return answer
            following = _next_hop(hop, answer)
            if following is None:
                fault = Fault(kind=Kind.REDIRECTS, words="redirected to what is no HTTP URL")
                return Failure(fault=fault, phases=answer.phases, repeated=answer.repeated)
            hop = following
        fault = Fault(kind=Kind.REDIRECTS, words=f"redirected more than {request.max_redirects} times")
        return Failure(fault=fault, phases=answer.phases, repeated=answer.repeated)

    # -- a second try on a fresh connection --------------------------------------------------------------------------

    async def _ask(self, request: Request, journey: _Journey) -> Answer | Failure:
        if request.fresh or request.method not in _REPEATABLE:
            return await self._attempt(request, journey, fresh=request.fresh)
        attempts = [asyncio.create_task(self._attempt(request, journey, fresh=False), name="http attempt")]
        try:
            return await self._race(request, journey, attempts)
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)

    async def _race(
        self, request: Request, journey: _Journey, attempts: list[asyncio.Task[Answer | Failure]]
    ) -> Answer | Failure:
        (first,) = attempts
        await asyncio.wait(attempts, timeout=request.timeout_s / 2)
        trail = journey.trails[-1]
        doubtful = trail.reused and trail.answered is None
        if not doubtful or (first.done() and isinstance(first.result(), Answer)):
            return await first
        journey.repeated = True
        second = asyncio.create_task(self._attempt(request, journey, fresh=True), name="http second attempt")
        attempts.append(second)
        if not first.done():
            await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
            if first.done() and isinstance(answer := first.result(), Answer):
                return answer
        answer = await second
        if isinstance(answer, Failure) and not first.done():
            return await first  # slow, and not yet lost
        return answer

    # -- one attempt -------------------------------------------------------------------------------------------------

    async def _attempt(self, request: Request, journey: _Journey, *, fresh: bool) -> Answer | Failure:
        trail = _Trail(begun=self._clock.monotonic())
        journey.trails.append(trail)
        try:
            context = self._context(request)
        except OSError:
            return self._failed(Fault(kind=Kind.OURS, words="our CA file cannot be read"), trail, journey)
        try:
            return await self._send(request, trail, journey, context=context, fresh=fresh)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = error.cause if isinstance(error, _Once) else error
            return self._failed(fault_of(cause), trail, journey)

    async def _send(
        self, request: Request, trail: _Trail, journey: _Journey, *, context: ssl.SSLContext | bool, fresh: bool
    ) -> Answer:
        with on_handshake(lambda: setattr(trail, "tls_from", self._clock.monotonic())):
            async with self._session(fresh=fresh).request(
                request.method,
                request.url,
                headers=_headers(request),
                allow_redirects=False,
                ssl=context,
                server_hostname=_name(request.host) or None,
                trace_request_ctx=trail,
            ) as response:
                trail.answered = self._clock.monotonic()
                body, whole = await _read(response, request.most_bytes)
                return Answer(
                    status=response.status,
                    phases=trail.phases(journey.begun, self._clock.monotonic()),
                    body=body,
                    whole=whole,
                    location=response.headers.get("Location", ""),
                    repeated=journey.repeated,
                )

    def _failed(self, fault: Fault, trail: _Trail, journey: _Journey) -> Failure:
        now = self._clock.monotonic()
        return Failure(fault=fault, phases=trail.phases(journey.begun, now), repeated=journey.repeated)

    def _late(self, request: Request, journey: _Journey) -> Failure:
        now = self._clock.monotonic()
        trail = journey.trails[-1] if journey.trails else _Trail(begun=journey.begun)
        late = now - journey.begun - request.timeout_s
        if late > OWN_STALL_S:
            fault = Fault(kind=Kind.OURS, words=f"our own loop stood still for {late:.1f} s")
            return self._failed(fault, trail, journey)
        words, ours = trail.waiting()
        limit = f"no answer within {request.timeout_s * 1000:.0f} ms"
        return self._failed(Fault(kind=Kind.OURS if ours else Kind.TIMEOUT, words=f"{limit} ({words})"), trail, journey)

    def _context(self, request: Request) -> ssl.SSLContext | bool:
        """Raises OSError when the CA file cannot be read."""
        if not request.url.lower().startswith("https:"):
            return True  # aiohttp's word for "nothing special"
        return self._tls.get(request.ca_file, verify=request.verify)

    def _session(self, *, fresh: bool) -> aiohttp.ClientSession:
        if fresh not in self._sessions:
            connector = aiohttp.TCPConnector(
                resolver=self._names,
                use_dns_cache=False,  # Names keeps answers, and a lookup of ours can then be told from a connection
                limit=0,  # a limit over all hosts would let hanging targets starve the others
                limit_per_host=self._per_host,
                force_close=fresh,
            )
            self._sessions[fresh] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[_tracing(self._clock)],
                middlewares=(_never_twice,),
            )
        return self._sessions[fresh]


class _Once(aiohttp.ClientError):
    """Carries a lost connection past aiohttp's own silent repetition, which would hide it from the check."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


async def _never_twice(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Once(error) from error


def _tracing(clock: Clock) -> aiohttp.TraceConfig:
    def mark(moment: str) -> Callable[[Any, SimpleNamespace, Any], Awaitable[None]]:
        async def note(_session: Any, context: SimpleNamespace, _params: Any) -> None:
            setattr(context.trace_request_ctx, moment, clock.monotonic())

        return note

    async def reused(_session: Any, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.reused = True

    config = aiohttp.TraceConfig()
    config.on_connection_queued_start.append(mark("queued"))
    config.on_connection_queued_end.append(mark("unqueued"))
    config.on_connection_create_start.append(mark("connect_from"))
    config.on_dns_resolvehost_start.append(mark("dns_from"))
    config.on_dns_resolvehost_end.append(mark("dns_until"))
    config.on_connection_create_end.append(mark("connected"))
    config.on_connection_reuseconn.append(reused)
    config.on_request_headers_sent.append(mark("sent"))
    return config


async def _read(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """At most `most` bytes, and whether that was all. aiohttp closes a connection whose rest is unread."""
    parts: list[bytes] = []
    room = most
    while room:
        part = await response.content.read(room)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        room -= len(part)
    return b"".join(parts), response.content.at_eof()


def _headers(request: Request) -> list[tuple[str, str]]:
    given = {name.lower() for name, _ in request.headers}
    own = [("User-Agent", USER_AGENT), ("Accept", "*/*"), ("Accept-Encoding", "identity")]
    if request.host:
        own.append(("Host", request.host))
    return [pair for pair in own if pair[0].lower() not in given] + list(request.headers)


def _next_hop(hop: Request, answer: Answer) -> Request | None:
    """The request a redirect leads to; None when it leads out of HTTP."""
    try:
        target = urljoin(hop.url, answer.location)
        before, after = urlsplit(hop.url), urlsplit(target)
        same = (before.scheme, before.hostname, before.port) == (after.scheme, after.hostname, after.port)
    except ValueError:
        return None
    if after.scheme not in ("http", "https") or not after.hostname:
        return None
    method = "GET" if answer.status == 303 and hop.method != "HEAD" else hop.method  # noqa: PLR2004 - See Other
    if same:
        return replace(hop, url=target, method=method)
    return replace(hop, url=target, method=method, headers=(), host="")


def _name(host: str) -> str:
    """The host name of a Host header, without its port."""
    return urlsplit(f"//{host}").hostname or "" if host else ""


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else max(0.0, end - begin)
