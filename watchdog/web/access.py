"""Access to the API over TCP: a bearer token, its scope, its targets.

Role: the middleware before every route of the API on a TCP port; on the unix socket the file's mode is the credential and
this is not there. Neighbours: `web.tokens` knows the tokens, `web.api.ROUTES` the scope of each route. Guarantees: no route is
answered without a valid token of its scope; who ordered is the token's name, whatever the request says of itself; failures
of one address are limited, and a limited one learns nothing more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from watchdog.ports import Control
from watchdog.web.failures import Failures
from watchdog.web.problems import problem
from watchdog.web.tokens import Principal, Tokens

ACTOR = web.RequestKey("actor", str)
"""Who asks, for `web.api`."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = structlog.get_logger("watchdog.web")


class Access:
    """Decides for each request. `scopes` = (method, path of the route) to its scope."""

    def __init__(
        self, tokens: Tokens, control: Control, failures: Failures, scopes: dict[tuple[str, str], str]
    ) -> None:
        """Nothing is read before the first request."""
        self._tokens, self._control, self._failures, self._scopes = tokens, control, failures, scopes

    @property
    def middleware(self) -> Middleware:
        """For `web.Application`."""

        @web.middleware
        async def demanded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if limited := self._failures.limited(request):
                return problem(HTTPStatus.TOO_MANY_REQUESTS, limited, code="refused")
            principal = await self._principal(request)
            if principal is None:
                self._failures.note(request)
                answer = problem(HTTPStatus.UNAUTHORIZED, "a valid token is needed", code="refused")
                answer.headers["WWW-Authenticate"] = "Bearer"
                return answer
            refusal = await self._refusal(request, principal)
            if refusal:
                _log.warning("an order was refused", action="order_refused", actor=principal.name, reason=refusal)
                return problem(HTTPStatus.FORBIDDEN, refusal, code="refused")
            request[ACTOR] = principal.name
            return await handler(request)

        return demanded

    async def _principal(self, request: web.Request) -> Principal | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token or len(token) > 300 or not token.isascii():  # noqa: PLR2004 - ours are shorter
            return None
        return await self._tokens.find(token.strip())

    async def _refusal(self, request: web.Request, principal: Principal) -> str:
        """Why this token may not do this; empty when it may."""
        resource = request.match_info.route.resource
        scope = self._scopes.get((request.method, resource.canonical if resource else ""), "act")
        if not principal.may(scope):
            return f"the token {principal.name} lacks the scope {scope}"
        if scope == "read":
            return ""
        target = await self._target_of(request)
        if principal.may_order(target):
            return ""
        return f"the token {principal.name} is not for {target or 'everything at once'}"

    async def _target_of(self, request: web.Request) -> str:
        """The target that is ordered about; empty for more than one."""
        place = request.match_info
        if "target" in place:
            return place["target"]
        if "incident" in place:
            found = await self._control.incident(place["incident"])
            return str(found["incident"]["target"])
        return ""
