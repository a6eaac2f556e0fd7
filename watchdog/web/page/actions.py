"""What may be ordered on the page, by whoever has logged in with a token.

Role: forms of the page to orders of `ports.Control`, through `web.orders` as the API does. Neighbours: `sessions` says who,
`application` adds these routes only where tokens are configured. Guarantees: each order needs a session of its scope and target, the
session's mark in the form, and a request of our own page; a reason is demanded where the API demands one; who ordered is the
token's name; the answer is said on the next page, "pending" when it is not acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from watchdog.model import JsonObject, instant
from watchdog.ports import Clock, Control, ControlRefused
from watchdog.web.failures import Failures
from watchdog.web.orders import Orders
from watchdog.web.page.sessions import COOKIE, Session, Sessions, keep_cookie, marked, same_site

Order = Coroutine[Any, Any, JsonObject]
Route = tuple[str, str, str]

ROUTES: tuple[Route, ...] = (
    ("/login", "log_in", ""),
    ("/logout", "log_out", ""),
    ("/pauses", "pause", "pause"),
    ("/pauses/{pause}/end", "resume", "pause"),
    ("/stop", "stop", "pause"),
    ("/incidents/{incident}/approve", "approve", "approve"),
    ("/incidents/{incident}/cancel", "cancel", "approve"),
)
"""Path, handler, scope; all of them POST."""

LENGTHS: Mapping[str, float] = {"30 min": 1800.0, "1 h": 3600.0, "2 h": 7200.0, "4 h": 14_400.0, "12 h": 43_200.0}
WHY_AT_MOST = 500

Say = Callable[[web.Request, int, str, str], web.Response]


class Actions:
    """Handlers of `ROUTES`."""

    def __init__(
        self, control: Control, clock: Clock, orders: Orders, sessions: Sessions, failures: Failures, say: Say
    ) -> None:
        """`say` makes a page of a status, a sentence and the next command."""
        self._control, self._clock, self._orders = control, clock, orders
        self._sessions, self._failures, self._say = sessions, failures, say

    def add(self, application: web.Application) -> None:
        """Add all routes."""
        for path, name, scope in ROUTES:
            application.router.add_post(
                path, self._guarded(getattr(self, name), scope) if scope else getattr(self, name)
            )

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """``POST /login`` with ``token``."""
        if limited := self._failures.limited(request):
            return self._say(request, 429, limited, "")
        if not same_site(request):
            return self._say(request, 403, "That request came from another site.", "")
        token = (await request.post()).get("token")
        begun = await self._sessions.begin(token.strip()) if isinstance(token, str) and token.isascii() else None
        if begun is None:
            self._failures.note(request)
            return self._say(request, 401, "Nobody has this token.", "watchdog token NAME --scope pause")
        response = _led_to("/")
        keep_cookie(request, response, begun[0])
        return response

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """``POST /logout``."""
        if same_site(request):
            self._sessions.end(request)
        response = _led_to("/")
        response.del_cookie(COOKIE, path="/")
        return response

    async def pause(self, request: web.Request, session: Session, form: Mapping[str, str]) -> str:
        """``scope``, ``for`` (one of `LENGTHS`), ``why``."""
        scope, length = form.get("scope", ""), LENGTHS.get(form.get("for", ""))
        if length is None:
            raise ControlRefused("how long? one of " + ", ".join(LENGTHS))
        self._demand(session, scope.removeprefix("target/") if scope.startswith("target/") else "")
        until = instant(self._clock.now() + length)
        return await self._order(request, self._control.pause(scope, until, _why(form), session.principal.name))

    async def resume(self, request: web.Request, session: Session, _form: Mapping[str, str]) -> str:
        """Ends one pause."""
        name = request.match_info["pause"]
        found = (await self._control.pauses())["pauses"]
        scope = next((str(one["scope"]) for one in found if one["id"] == name), "")
        self._demand(session, scope.removeprefix("target/") if scope.startswith("target/") else "")
        return await self._order(request, self._control.resume(name, session.principal.name))

    async def stop(self, request: web.Request, session: Session, form: Mapping[str, str]) -> str:
        """Cancels what is not yet written and pauses everything."""
        self._demand(session, "")
        return await self._order(request, self._control.stop(session.principal.name, _why(form)))

    async def approve(self, request: web.Request, session: Session, form: Mapping[str, str]) -> str:
        """A yes."""
        incident = await self._incident(request, session)
        return await self._order(request, self._control.approve(incident, session.principal.name, _why(form)))

    async def cancel(self, request: web.Request, session: Session, form: Mapping[str, str]) -> str:
        """A no."""
        incident = await self._incident(request, session)
        return await self._order(request, self._control.cancel(incident, session.principal.name, _why(form)))

    async def _incident(self, request: web.Request, session: Session) -> str:
        found = (await self._control.incident(request.match_info["incident"]))["incident"]
        self._demand(session, str(found["target"]))
        return str(found["id"])

    def _demand(self, session: Session, target: str) -> None:
        if not session.principal.may_order(target):
            raise ControlRefused(f"your token is not for {target or 'everything at once'}")

    async def _order(self, request: web.Request, order: Order) -> str:
        answer = await self._orders.carry_out(f"{request.method} {request.path}", order)
        if answer is None:
            return "The order was taken, but the engine has not acknowledged it yet: it is pending."
        pending = "" if answer.get("applied") is not False else " (pending: the engine has not acknowledged it yet)"
        return f"{answer.get('sentence', 'done')}{pending}"

    def _guarded(self, handler: Callable[..., Coroutine[Any, Any, str]], scope: str) -> Callable[..., Any]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            session = self._sessions.of(request)
            if session is None:
                return self._say(request, 401, "Log in first.", "")
            raw = await request.post()
            form = {key: value for key, value in raw.items() if isinstance(value, str)}
            if not same_site(request) or not marked(session, form.get("csrf")):
                return self._say(
                    request, 403, "That form was not one of this page, or is too old: load the page again.", ""
                )
            if not session.principal.may(scope):
                return self._say(request, 403, f"Your token lacks the scope {scope}.", "")
            try:
                session.said = await handler(request, session, form)
            except ControlRefused as refused:
                return self._say(request, 403, refused.reason, refused.next_command)
            place = request.path.rpartition("/")[0] if "/incidents/" in request.path else "/pauses"
            return _led_to(place)

        return guarded


def _led_to(place: str) -> web.Response:
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": place, "Cache-Control": "no-store"})


def _why(form: Mapping[str, str]) -> str:
    why = " ".join(form.get("why", "").split())
    if not why or not why.isprintable() or len(why) > WHY_AT_MOST:
        raise ControlRefused(f"why? one printable line of at most {WHY_AT_MOST} characters")
    return why
