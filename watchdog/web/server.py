"""Starts and stops the faces: the API on its socket file, metrics and health on TCP.

Role: what the composition root calls. Neighbours: `web.api` (unix socket), this module's three probes (TCP). Guarantees:
the TCP application has exactly ``GET /metrics``, ``GET /healthz`` and ``GET /readyz``; a silent or dripping client is
dropped; stopping takes at most about three times `STOP_S`; the socket file of a successor is not removed.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import structlog
from aiohttp import web

from watchdog.ports import Clock, Control, WatchdogError
from watchdog.web import socketfile
from watchdog.web.access import Access
from watchdog.web.api import PREFIX, ROUTES, Api, canonical
from watchdog.web.failures import Failures
from watchdog.web.metrics import metrics_handler
from watchdog.web.orders import ACKNOWLEDGED_WITHIN_S, Orders
from watchdog.web.page.doors import Doors
from watchdog.web.peers import Peers
from watchdog.web.problems import problems
from watchdog.web.tokens import Tokens

SILENT_S = 10.0
"""A connection that brings no whole request head for this long is closed."""

STOP_S = 2.0
"""How long a request, and then an order, may go on when the daemon stops."""

_log = structlog.get_logger("watchdog.web")


class PortRefused(WatchdogError):
    """The TCP port cannot be listened on; the message says which and why."""


class Faces:
    """The API and the probes of one daemon."""

    def __init__(
        self,
        *,
        control: Control,
        clock: Clock,
        socket_path: Path,
        host: str,
        port: int,
        acknowledged_within_s: float = ACKNOWLEDGED_WITHIN_S,
        page: tuple[str, int] | None = None,
        tokens: Path | None = None,
        closed: bool = False,
    ) -> None:
        """Nothing is opened before `start`. Port 0 takes a free one (see `tcp_port`); `page` None = no page.

        With a file of `tokens` the API is served beside the page, and people may log in there; `closed` = they must.
        Raises TokensRefused.
        """
        self._orders = Orders(acknowledged_within_s)
        self._tokens = None if tokens is None else Tokens(tokens)
        api = Api(control=control, clock=clock, orders=self._orders, peers=Peers())
        self._api = _runner(api.application())
        self._probes = _runner(probes(control))
        self._page_at = page
        self._page = None if page is None else _page_runner(control, clock, api, self._doors(clock, closed=closed))
        self._socket_path = socket_path
        self._host = host
        self._port = port
        self._identity: tuple[int, int] | None = None

    def _doors(self, clock: Clock, *, closed: bool) -> Doors | None:
        return None if self._tokens is None else Doors(self._tokens, self._orders, Failures(clock), closed)

    async def start(self) -> None:
        """Listen on both. Raises SocketRefused or PortRefused, and then nothing is left open."""
        try:
            await self._api.setup()
            listener = socketfile.bind(self._socket_path)
            self._identity = socketfile.identity_of(self._socket_path)
            await web.SockSite(self._api, listener).start()
            await _listen(self._probes, self._host, self._port)
            if self._page is not None and self._page_at is not None:
                await _listen(self._page, *self._page_at)
        except WatchdogError:
            await self.stop()
            raise
        _log.info(
            "listening", action="listening", socket=str(self._socket_path), port=self.tcp_port, page=self.page_port
        )

    @property
    def tcp_port(self) -> int:
        """The TCP port that is listened on, 0 before `start`."""
        return int(self._probes.addresses[0][1]) if self._probes.addresses else 0

    @property
    def page_port(self) -> int:
        """The TCP port of the page, 0 without one or before `start`."""
        return int(self._page.addresses[0][1]) if self._page is not None and self._page.addresses else 0

    async def stop(self) -> None:
        """Take nothing new, let what runs come to its end within the bound, remove the socket file."""
        pages = () if self._page is None else (self._page.cleanup(),)
        await asyncio.gather(self._api.cleanup(), self._probes.cleanup(), *pages)
        await self._orders.close(STOP_S)
        if self._tokens is not None:
            self._tokens.close()
        if self._identity is not None:
            with contextlib.suppress(OSError):  # a read-only or vanished directory: the next daemon replaces the file
                socketfile.remove(self._socket_path, self._identity)
            self._identity = None


def probes(control: Control) -> web.Application:
    """The application of the TCP port: what may be seen by anybody who can reach it."""

    async def healthz(_request: web.Request) -> web.Response:
        """503 when the engine, a response or the event loop stands still; paused or not, leader or not."""
        return _probe(control, "live")

    async def readyz(_request: web.Request) -> web.Response:
        """503 until the daemon watches."""
        return _probe(control, "ready")

    application = web.Application(middlewares=[problems], client_max_size=1024)
    application.router.add_get("/metrics", metrics_handler(control), allow_head=False)
    application.router.add_get("/healthz", healthz, allow_head=False)
    application.router.add_get("/readyz", readyz, allow_head=False)
    return application


def _probe(control: Control, what: str) -> web.Response:
    health = control.health()
    # Only a plain True is good: a missing or odd answer must not keep a dead daemon alive.
    status = 200 if health.get(what) is True else 503
    return web.json_response({what: status == 200, "sentence": str(health.get("sentence", ""))}, status=status)  # noqa: PLR2004 - HTTP


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise PortRefused(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _page_runner(control: Control, clock: Clock, api: Api, doors: Doors | None) -> web.AppRunner:
    """The page, and beside it the API where tokens say who may."""
    from watchdog.web.page.application import PageApp  # noqa: PLC0415 - jinja2 costs memory only where a page is served

    application = PageApp(control, clock, doors).application()
    if doors is not None:
        scopes = {(route.method, PREFIX + canonical(route.path)): route.scope for route in ROUTES}
        guard = Access(doors.tokens, control, doors.failures, scopes).middleware
        application.add_subapp(PREFIX, api.application(prefix="", before=(guard,)))
    return _runner(application)


def _runner(application: web.Application) -> web.AppRunner:
    # No lingering: a body that did not arrive in time is not waited for once more before the connection closes.
    return web.AppRunner(
        application, access_log=None, keepalive_timeout=SILENT_S, shutdown_timeout=STOP_S, lingering_time=0.0
    )
