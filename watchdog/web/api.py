"""The API under ``/api/v1``: on the unix socket, and on TCP where tokens are configured.

Role: one route a method of `ports.Control`. Neighbours: `web.server` binds it, the command line asks, `web.access` stands
before it on TCP. Guarantees: `ROUTES` is the whole table; a question that is not answered within `QUESTION_S` is a 504; an
order that is not acknowledged in time is a 202 that says pending; `who` is the kernel's word about the peer, or the name of
the token.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from watchdog.model import Instant, JsonObject, instant, parse_instant, record
from watchdog.ports import Clock, Control
from watchdog.web.access import ACTOR
from watchdog.web.bodies import BODY_AT_MOST, Fields, fields_of
from watchdog.web.metrics import metrics_handler
from watchdog.web.openapi import document
from watchdog.web.orders import Orders
from watchdog.web.peers import Peers
from watchdog.web.problems import Malformed, TookTooLong, problems

PREFIX = "/api/v1"

QUESTION_S = 30.0
"""Bound of one question. The slowest, `check`, waits for a probe's own deadline."""

LONGEST_PAUSE_S = 366 * 86_400.0
"""Only against typing errors; the engine has its own limit."""

_log = structlog.get_logger("watchdog.web")


@record
class Route:
    """One line of the table. `handler` is the name of a method of `Api`; `scope` what a token needs for it (TCP only)."""

    method: str
    path: str
    handler: str
    scope: str = "read"

    @property
    def changes(self) -> bool:
        """It orders something."""
        return self.scope != "read"


ROUTES = (
    Route(method="GET", path="/status", handler="status"),
    Route(method="GET", path="/health", handler="health"),
    Route(method="GET", path="/metrics", handler="metrics"),
    Route(method="GET", path="/openapi.json", handler="openapi"),
    Route(method="GET", path="/targets/{target}", handler="describe"),
    Route(method="GET", path="/targets/{target}/explain", handler="explain"),
    Route(method="GET", path="/targets/{target}/history", handler="history"),
    Route(method="GET", path="/targets/{target}/polls", handler="polls"),
    Route(method="POST", path="/targets/{target}/check", handler="check"),
    Route(method="POST", path="/targets/{target}/rollback", handler="rollback", scope="act"),
    Route(method="POST", path="/targets/{target}/drill", handler="drill", scope="act"),
    Route(method="POST", path="/targets/{target}/history/{fingerprint}/{verb:condemn|clear}", handler="history_edit", scope="act"),
    Route(method="GET", path="/incidents", handler="incidents"),
    Route(method="GET", path="/incidents/{incident}", handler="incident"),
    Route(method="POST", path="/incidents/{incident}/approve", handler="approve", scope="approve"),
    Route(method="POST", path="/incidents/{incident}/cancel", handler="cancel", scope="approve"),
    Route(method="POST", path="/incidents/{incident}/judge", handler="judge", scope="approve"),
    Route(method="GET", path="/pauses", handler="pauses"),
    Route(method="POST", path="/pauses", handler="pause", scope="pause"),
    Route(method="POST", path="/pauses/end", handler="resume", scope="pause"),
    Route(method="DELETE", path="/pauses/{pause}", handler="resume", scope="pause"),
    Route(method="POST", path="/stop", handler="stop", scope="pause"),
    Route(method="POST", path="/arm", handler="arm", scope="act"),
    Route(method="POST", path="/reload", handler="reload", scope="act"),
)  # fmt: skip


def canonical(path: str) -> str:
    """A route's path without the patterns of its parts, as aiohttp names its resource."""
    return re.sub(r":[^}]+}", "}", path)


class Api:
    """Handlers of every route in `ROUTES`."""

    def __init__(self, *, control: Control, clock: Clock, orders: Orders, peers: Peers) -> None:
        """Take the control and what orders need."""
        self._control = control
        self._clock = clock
        self._orders = orders
        self._peers = peers
        self.metrics = metrics_handler(control)

    def application(self, *, prefix: str = PREFIX, before: Sequence[Middleware] = ()) -> web.Application:
        """The application with all routes, its body limit and its errors as problems; `before` looks at each request."""
        application = web.Application(middlewares=[problems, *before], client_max_size=BODY_AT_MOST)
        for route in ROUTES:
            application.router.add_route(route.method, prefix + route.path, getattr(self, route.handler))
        return application

    # questions

    async def status(self, _request: web.Request) -> web.Response:
        """``GET /status``: the whole service on one screen."""
        return _answer(self._control.status())

    async def health(self, _request: web.Request) -> web.Response:
        """``GET /health``: every loop with its last progress. Always 200; the TCP probes turn it into a status."""
        return _answer(self._control.health())

    async def openapi(self, _request: web.Request) -> web.Response:
        """``GET /openapi.json``: this API, for programs."""
        return _answer(document(ROUTES, PREFIX))

    async def describe(self, request: web.Request) -> web.Response:
        """``GET /targets/{target}``."""
        return await _asked(self._control.describe(request.match_info["target"]))

    async def explain(self, request: web.Request) -> web.Response:
        """``GET /targets/{target}/explain``."""
        return await _asked(self._control.explain(request.match_info["target"]))

    async def history(self, request: web.Request) -> web.Response:
        """``GET /targets/{target}/history``."""
        return await _asked(self._control.history(request.match_info["target"]))

    async def polls(self, request: web.Request) -> web.Response:
        """``GET /targets/{target}/polls``."""
        return await _asked(self._control.polls(request.match_info["target"]))

    async def check(self, request: web.Request) -> web.Response:
        """``POST /targets/{target}/check`` ``{signal?}``: one look at the outside, therefore no GET."""
        fields = await fields_of(request)
        signal = fields.optional("signal")
        fields.finish()
        return await _asked(self._control.check(request.match_info["target"], signal))

    async def drill(self, request: web.Request) -> web.Response:
        """``POST /targets/{target}/drill`` ``{tell?, as?}``: nothing is written to the workload; channels get a message."""
        fields = await fields_of(request)
        tell = fields.flag("tell")
        who = await self._who(request, fields)
        _log.info("a drill was ordered", action="order", order=f"{request.method} {request.path}", actor=who)
        return await _asked(self._control.drill(request.match_info["target"], who, tell=tell))

    async def incidents(self, request: web.Request) -> web.Response:
        """``GET /incidents?target=&open=true``."""
        known = {"target", "open"}
        if unknown := set(request.query) - known:
            raise Malformed(f"unknown query {min(unknown)!r}; known are open and target")
        open_only = {"": False, "false": False, "true": True}.get(request.query.get("open", ""))
        if open_only is None:
            raise Malformed("open: true or false")
        return await _asked(self._control.incidents(request.query.get("target") or None, open_only=open_only))

    async def incident(self, request: web.Request) -> web.Response:
        """``GET /incidents/{incident}``."""
        return await _asked(self._control.incident(request.match_info["incident"]))

    async def pauses(self, _request: web.Request) -> web.Response:
        """``GET /pauses``."""
        return await _asked(self._control.pauses())

    # orders

    async def pause(self, request: web.Request) -> web.Response:
        """``POST /pauses`` ``{scope?, why, for_s | until, as?}``."""
        fields = await fields_of(request)
        scope, why = fields.text("scope", "all"), fields.text("why")
        until = self._until(fields)
        who = await self._who(request, fields)
        return await self._order(request, who, self._control.pause(scope, until, why, who))

    async def resume(self, request: web.Request) -> web.Response:
        """``DELETE /pauses/{pause}`` or ``POST /pauses/end`` ``{scope}``, each with ``{as?}``."""
        fields = await fields_of(request)
        which = request.match_info.get("pause") or fields.text("scope")
        who = await self._who(request, fields)
        return await self._order(request, who, self._control.resume(which, who))

    async def stop(self, request: web.Request) -> web.Response:
        """``POST /stop`` ``{why?, as?}``."""
        fields = await fields_of(request)
        why = fields.text("why", "stopped by hand") or "stopped by hand"
        who = await self._who(request, fields)
        return await self._order(request, who, self._control.stop(who, why))

    async def arm(self, request: web.Request) -> web.Response:
        """``POST /arm`` ``{target?, as?}``."""
        fields = await fields_of(request)
        target = fields.optional("target")
        who = await self._who(request, fields)
        return await self._order(request, who, self._control.arm(who, target))

    async def rollback(self, request: web.Request) -> web.Response:
        """``POST /targets/{target}/rollback`` ``{to?, dry_run?, why?, overrides?, as?}``."""
        fields = await fields_of(request)
        to, dry_run, why = fields.optional("to"), fields.flag("dry_run"), fields.text("why", "")
        overrides = fields.texts("overrides")
        if overrides and not why:
            raise Malformed("why: an override needs a reason")
        who = await self._who(request, fields)
        target = request.match_info["target"]
        order = self._control.rollback(target, to=to, dry_run=dry_run, why=why, who=who, overrides=overrides)
        return await self._order(request, who, order)

    async def approve(self, request: web.Request) -> web.Response:
        """``POST /incidents/{incident}/approve`` ``{why?, as?}``."""
        fields = await fields_of(request)
        why = fields.text("why", "")
        who = await self._who(request, fields)
        return await self._order(request, who, self._control.approve(request.match_info["incident"], who, why))

    async def cancel(self, request: web.Request) -> web.Response:
        """``POST /incidents/{incident}/cancel`` ``{why?, as?}``."""
        fields = await fields_of(request)
        why = fields.text("why", "")
        who = await self._who(request, fields)
        return await self._order(request, who, self._control.cancel(request.match_info["incident"], who, why))

    async def judge(self, request: web.Request) -> web.Response:
        """``POST /incidents/{incident}/judge`` ``{verdict, why?, as?}``."""
        fields = await fields_of(request)
        verdict, why = fields.text("verdict"), fields.text("why", "")
        who = await self._who(request, fields)
        order = self._control.judge(request.match_info["incident"], verdict, who, why)
        return await self._order(request, who, order)

    async def history_edit(self, request: web.Request) -> web.Response:
        """``POST /targets/{target}/history/{fingerprint}/condemn`` or ``/clear`` ``{why?, as?}``."""
        fields = await fields_of(request)
        why = fields.text("why", "")
        who = await self._who(request, fields)
        place = request.match_info
        order = self._control.history_edit(place["target"], place["fingerprint"], place["verb"], who, why)
        return await self._order(request, who, order)

    async def reload(self, request: web.Request) -> web.Response:
        """``POST /reload`` ``{as?}``."""
        fields = await fields_of(request)
        who = await self._who(request, fields)
        return await self._order(request, who, self._control.reload())

    async def _who(self, request: web.Request, fields: Fields) -> str:
        """The token's name, or the peer of the socket; after the last key of the body was taken."""
        claim = fields.text("as", "")
        fields.finish()
        actor = request.get(ACTOR)
        if actor is None:
            return await self._peers.who(request.transport, claim)
        return f"{actor} as {claim}" if claim else actor

    def _until(self, fields: Fields) -> Instant:
        for_s, until = fields.seconds("for_s"), fields.optional("until")
        if (for_s is None) == (until is None):
            raise Malformed("exactly one of for_s and until is needed: a pause always ends by itself")
        now = self._clock.now()
        if until is not None:
            try:
                for_s = parse_instant(until) - now
            except ValueError as error:
                raise Malformed(f"until: {error}") from error
        if for_s is None or not math.isfinite(for_s) or not 0 < for_s <= LONGEST_PAUSE_S:
            raise Malformed("the pause must end in the future, and within a year")
        return instant(now + for_s)

    async def _order(self, request: web.Request, who: str, order: Coroutine[Any, Any, JsonObject]) -> web.Response:
        words = f"{request.method} {request.path}"
        _log.info("an order came in", action="order", order=words, actor=who)
        answer = await self._orders.carry_out(words, order)
        if answer is None:
            sentence = "the order was taken, but the engine has not acknowledged it yet"
            return _answer({"applied": False, "pending": True, "sentence": sentence}, status=202)
        return _answer(answer, status=202 if answer.get("applied") is False else 200)


async def _asked(question: Awaitable[JsonObject]) -> web.Response:
    try:
        async with asyncio.timeout(QUESTION_S):
            return _answer(await question)
    except TimeoutError as error:
        raise TookTooLong(f"no answer within {QUESTION_S:g} s: what was asked is unknown now") from error


def _answer(body: JsonObject, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, dumps=_dumps)


_dumps: Callable[[Any], str] = json.JSONEncoder(allow_nan=False).encode
"""NaN is not JSON: an answer that holds one is our defect and must fail here, not in somebody's parser."""
