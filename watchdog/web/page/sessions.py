"""Who is logged in on the page.

Role: a browser gives a token once and gets a cookie; `actions` asks who it stands for. Neighbours: `web.tokens`. Guarantees: the
cookie is random, HttpOnly and SameSite=Strict, and kept here as a hash only; a session ends after `LASTS_S`, with its token, and
with the daemon; every form carries a mark that another site cannot know, and a request that another site made is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from watchdog.ports import Clock
from watchdog.web.tokens import Principal, Tokens

COOKIE = "watchdog_session"
LASTS_S = 8 * 3600.0
MOST = 500


@dataclass
class Session:
    """One browser that has logged in. `said` is what the next page tells, once."""

    principal: Principal
    ends: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    number: str = field(default_factory=lambda: secrets.token_hex(8))
    said: str = ""


class Sessions:
    """All sessions of this daemon's life."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        """None yet."""
        self._tokens, self._clock = tokens, clock
        self._kept: OrderedDict[bytes, Session] = OrderedDict()

    async def begin(self, token: str) -> tuple[str, Session] | None:
        """A session for a token, with the value of its cookie; None for a token that is none."""
        principal = await self._tokens.find(token)
        if principal is None:
            return None
        value = secrets.token_urlsafe(32)
        session = Session(principal=principal, ends=self._clock.monotonic() + LASTS_S)
        self._kept[_hash(value)] = session
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return value, session

    def of(self, request: web.Request) -> Session | None:
        """Who asks; None = nobody who has logged in."""
        value = request.cookies.get(COOKIE, "")
        session = self._kept.get(_hash(value)) if value else None
        if session is None:
            return None
        if self._clock.monotonic() >= session.ends or not self._tokens.stands(session.principal):
            self.end(request)
            return None
        return session

    def end(self, request: web.Request) -> None:
        """Log out."""
        self._kept.pop(_hash(request.cookies.get(COOKIE, "")), None)


def same_site(request: web.Request) -> bool:
    """Whether the request comes from a page of ours, by what the browser says of it."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def marked(session: Session, mark: object) -> bool:
    """Whether a form carries the session's mark."""
    return isinstance(mark, str) and hmac.compare_digest(mark.encode(), session.csrf.encode())


def keep_cookie(request: web.Request, response: web.StreamResponse, value: str) -> None:
    """Give the browser its cookie; over TLS only, where TLS is."""
    secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
    response.set_cookie(COOKIE, value, max_age=int(LASTS_S), path="/", httponly=True, samesite="Strict", secure=secure)


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
