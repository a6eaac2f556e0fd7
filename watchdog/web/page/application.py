"""Routes of the page.

Role: the room's door: `web.server` opens it on an address of its own. Neighbours: asks `ports.Control`; `overview` and
`sparkline` choose, `rendering` writes, `cache` keeps, `feed` streams, `actions` orders. Guarantees: `ROUTES` is the whole table of
questions, all of them GET; no route orders anything unless tokens are configured; every answer carries the headers of
`HEADERS`; a question that takes too long is a page that says so; what is not known to the control is a page with the next
command, never a traceback.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import cache, partial
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from aiohttp import web

from watchdog.model import JsonObject, instant, iso, parse_instant
from watchdog.ports import Clock, Control, ControlRefused
from watchdog.web.page.actions import LENGTHS, Actions
from watchdog.web.page.cache import Pages
from watchdog.web.page.doors import Doors
from watchdog.web.page.feed import Feed, engine_s
from watchdog.web.page.overview import Query, overview
from watchdog.web.page.rendering import render, spell
from watchdog.web.page.sessions import Session, Sessions
from watchdog.web.page.sparkline import bars
from watchdog.web.problems import STATUS_OF_CODE

QUESTION_S = 10.0
"""Bound of one question: the road back reads the outside."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser's own forms come with Origin: null
    "Cross-Origin-Resource-Policy": "same-origin",
}

ASSETS = {"page.css": "text/css", "page.js": "text/javascript", "mark.svg": "image/svg+xml"}

ROUTES = (
    ("/", "overview"),
    ("/targets/{target}", "target"),
    ("/incidents", "incidents"),
    ("/incidents/{incident}", "incident"),
    ("/pauses", "pauses"),
    ("/daemon", "daemon"),
    ("/events", "events"),
)
"""Path and handler of each question; `asset` and, with tokens, `login` beside them."""

FORM_AT_MOST = 8 * 1024

RENEWING = "Watchdog-Renewing"
"""Header of a request that the page's own script makes to renew what is shown."""

Make = Callable[[], str]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageApp:
    """The page over one control."""

    def __init__(self, control: Control, clock: Clock, doors: Doors | None = None) -> None:
        """Nothing runs before the first look. Without `doors` nobody can log in, and no route orders anything."""
        self._control, self._clock, self._doors = control, clock, doors
        self._pages, self._feed = Pages(clock), Feed(control, clock)
        self._sessions = None if doors is None else Sessions(doors.tokens, clock)

    def application(self) -> web.Application:
        """The application with all routes."""
        application = web.Application(middlewares=[guarded], client_max_size=FORM_AT_MOST)
        for path, name in ROUTES:
            application.router.add_get(path, self._after_log_in(getattr(self, name)))
        application.router.add_get("/assets/{name}", self.asset)
        if self._doors is not None and self._sessions is not None:
            application.router.add_get("/login", self.login)
            orders, failures = self._doors.orders, self._doors.failures
            Actions(self._control, self._clock, orders, self._sessions, failures, self._said).add(application)
        application.on_shutdown.append(self._end)
        return application

    async def overview(self, request: web.Request) -> web.Response:
        """``GET /``: all targets, problems first; ``?q= &state= &group= &page=``."""
        query = Query.of(request.query)

        async def gather() -> Make:
            status = self._control.status()
            return self._made("overview.html", status, "/", request, view=overview(status, query))

        return await self._show(request, f"/{query.url()}", gather)

    async def target(self, request: web.Request) -> web.Response:
        """``GET /targets/{target}``."""
        name = request.match_info["target"]

        async def gather() -> Make:
            described, explained, polls = await _bounded(
                self._control.describe(name), self._control.explain(name), self._control.polls(name)
            )
            status = self._control.status()
            limits = {entry["name"]: entry["limit"] for entry in described["target"]["signals"]}
            lines = {entry["name"]: bars(entry["polls"], limits.get(entry["name"])) for entry in polls["signals"]}
            found = {"row": described["target"], "described": described, "explained": explained, "lines": lines}
            return self._made("target.html", status, "", request, **found)

        return await self._show(request, request.path, gather)

    async def incidents(self, request: web.Request) -> web.Response:
        """``GET /incidents``."""

        async def gather() -> Make:
            (found,) = await _bounded(self._control.incidents(None, open_only=False))
            status, rows = self._control.status(), list(found["incidents"])[:500]
            return self._made("incidents.html", status, "/incidents", request, incidents=rows)

        return await self._show(request, "/incidents", gather)

    async def incident(self, request: web.Request) -> web.Response:
        """``GET /incidents/{incident}``."""
        name = request.match_info["incident"]

        async def gather() -> Make:
            (found,) = await _bounded(self._control.incident(name))
            status = self._control.status()
            return self._made(
                "incident.html", status, "", request, report=found["report"], **_incident(found["incident"])
            )

        return await self._show(request, request.path, gather)

    async def pauses(self, request: web.Request) -> web.Response:
        """``GET /pauses``."""

        async def gather() -> Make:
            (found,) = await _bounded(self._control.pauses())
            status = self._control.status()
            rows = {**_sorted(found["pauses"], found["at"]), "scopes": _scopes(status)}
            return self._made("pauses.html", status, "/pauses", request, **rows)

        return await self._show(request, "/pauses", gather)

    async def daemon(self, request: web.Request) -> web.Response:
        """``GET /daemon``: loops, lease, store, configuration."""

        async def gather() -> Make:
            status, health = self._control.status(), self._control.health()
            return self._made("daemon.html", status, "/daemon", request, health=health)

        return await self._show(request, "/daemon", gather)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """``GET /events``: server-sent events."""
        return await self._feed.serve(request)

    async def asset(self, request: web.Request) -> web.Response:
        """``GET /assets/{name}``: style, script, mark. The address carries their hash, so they may be kept for ever."""
        name = request.match_info["name"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(body=_asset(name), content_type=ASSETS[name], charset="utf-8", headers=kept)

    async def login(self, request: web.Request) -> web.Response:
        """``GET /login``: the form."""
        text = self._made("login.html", self._control.status(), "/login", request)()
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})

    def _after_log_in(self, handler: Handler) -> Handler:
        """Where reads are closed, whoever has not logged in is led to the form."""
        if self._doors is None or not self._doors.closed:
            return handler

        async def guarded(request: web.Request) -> web.StreamResponse:
            if self._session(request) is None:
                raise web.HTTPSeeOther("/login")
            return await handler(request)

        return guarded

    def _session(self, request: web.Request) -> Session | None:
        return None if self._sessions is None else self._sessions.of(request)

    async def _show(self, request: web.Request, key: str, gather: Callable[[], Awaitable[Make]]) -> web.Response:
        session = self._session(request)
        said = _said_now(session, request)
        if session is not None:
            key = f"{session.number}{said}{key}"
        try:
            page = await self._pages.page(key, gather)
            if session is not None and said:
                session.said = ""
        except ControlRefused as refused:
            status = STATUS_OF_CODE.get(refused.code, HTTPStatus.FORBIDDEN)
            return self._said(request, status, refused.reason, refused.next_command)
        except TimeoutError:
            words = f"No answer within {QUESTION_S:g} s: what was asked is unknown now."
            return self._said(request, HTTPStatus.GATEWAY_TIMEOUT, words, "watchdog status")
        headers = {"ETag": page.etag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == page.etag:
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(body=page.body, content_type="text/html", charset="utf-8", headers=headers)

    def _said(self, request: web.Request, status: int, sentence: str, command: str) -> web.Response:
        """A page that says why not, with the next command."""
        said = {"title": HTTPStatus(status).phrase, "sentence": sentence, "command": command}
        text = self._made("problem.html", self._control.status(), "", request, **said)()
        return web.Response(status=status, text=text, content_type="text/html", headers={"Cache-Control": "no-store"})

    def _made(self, template: str, status: JsonObject, here: str, request: web.Request, **values: Any) -> Make:
        """The page, to be written in another thread: everything that it shows is taken here."""
        session = self._session(request)
        shown = {
            "status": status,
            "here": here,
            "evaluated": self._evaluated(status),
            "mark_of_assets": _mark_of_assets(),
            "session": session,
            "said": _said_now(session, request),
            "can_log_in": self._sessions is not None,
            "lengths": tuple(LENGTHS),
        }
        return partial(render, template, **shown, **values)

    def _evaluated(self, status: JsonObject) -> str:
        """When the engine has looked at its targets last; empty when that is not known."""
        ago = engine_s(self._control.health())
        return "" if ago is None else iso(instant(parse_instant(status["at"]) - ago))

    async def _end(self, _application: web.Application) -> None:
        await self._feed.close()
        self._pages.close()


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The headers that keep a browser from loading anything from elsewhere, also on errors of aiohttp itself."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(HEADERS)
        raise
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


def _said_now(session: Session | None, request: web.Request) -> str:
    """The answer that this page tells. The page renewing itself is not a person who looks: it does not use it up."""
    return "" if session is None or RENEWING in request.headers else session.said


async def _bounded(*questions: Awaitable[JsonObject]) -> tuple[JsonObject, ...]:
    async with asyncio.timeout(QUESTION_S):
        return tuple(await asyncio.gather(*questions))


def _incident(one: JsonObject) -> dict[str, Any]:
    """What the template needs of an incident's document."""
    needs = bool(one.get("needs_human")) and not one.get("reviewed")
    return {
        "one": {"decision": None, "reason": None, **one},
        "needs": needs,
        "simulated": bool(one.get("simulated")) or one.get("reason") == "would_have",
        "blamed": _label(one["blamed"]),
        "good": _label(one["good"]) if one.get("good") else "",
        "entries": _timed(one["entries"]),
        "ends": _commands(one),
    }


def _commands(one: JsonObject) -> list[tuple[str, str]]:
    """What a person can type now."""
    name, stage = one["id"], one["stage"]
    if stage == "asked":
        return [("Yes:", f"watchdog approve {name}"), ("No:", f"watchdog cancel {name}")]
    if stage in ("opened", "countdown", "captured", "held"):
        return [
            ("Keep it from acting on this release:", f"watchdog cancel {name}"),
            ("Why:", f"watchdog explain {one['target']}"),
        ]
    return []


def _timed(entries: list[JsonObject]) -> list[dict[str, Any]]:
    """Entries with the time since the one before."""
    timed: list[dict[str, Any]] = []
    before: datetime | None = None
    for entry in entries:
        at = datetime.fromisoformat(entry["at"])
        after = "" if before is None else f"+{spell((at - before).total_seconds())}"
        timed.append({"actor": "", **entry, "after": after})
        before = at
    return timed


def _label(release: JsonObject | str) -> str:
    if isinstance(release, str):
        return release
    revision = release.get("revision")
    images = ", ".join((release.get("images") or {}).values())
    name = f"revision {revision}" if revision else str(release["fingerprint"])[:12]
    return f"{name} ({images})" if images else name


def _scopes(status: JsonObject) -> list[tuple[str, str]]:
    """What may be paused, with how much each covers."""
    rows = status["targets"]
    groups = Counter(str(row["group"]) for row in rows if row["group"])
    whole = [("all", f"everything ({len(rows)} targets)")]
    named = [(f"group/{group}", f"group {group} ({many} targets)") for group, many in sorted(groups.items())]
    return [*whole, *named, *((f"target/{row['name']}", str(row["name"])) for row in rows)]


def _sorted(pauses: list[JsonObject], at: str) -> dict[str, list[JsonObject]]:
    active = [pause for pause in pauses if pause["active"]]
    coming = [pause for pause in pauses if not pause["active"] and pause["since"] > at]
    past = [pause for pause in pauses if not pause["active"] and pause["since"] <= at]
    return {"active": active, "coming": coming, "past": past[:100]}


@cache
def _asset(name: str) -> bytes:
    return files("watchdog.web.page").joinpath("assets", name).read_bytes()


@cache
def _mark_of_assets() -> str:
    return hashlib.sha256(b"".join(_asset(name) for name in sorted(ASSETS))).hexdigest()[:12]
