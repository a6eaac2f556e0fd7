"""Azure Resource Manager as raw JSON: single calls under a deadline, never repeated by themselves.

Role: what `platforms.container_app` reads and writes through. Neighbours: `clients.azure` makes the credential. Raw JSON and not
the typed client: a model drops what it does not know, and a revision's template has to go back whole. Guarantees: one call
sends one request; it ends within its timeout; every failure is an error of `ports` that says what to do; no token and no body
stands in a message. Source: facts/back-ends 6 (no ETag anywhere: read again right before a write).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from watchdog.clients.azure import INSTALL, Login, credential_of
from watchdog.model import JsonObject
from watchdog.ports import Conflict, Unavailable, WatchdogError

MANAGEMENT: Mapping[str, str] = {
    "public": "https://management.azure.com",
    "usgov": "https://management.usgovcloudapi.net",
    "china": "https://management.chinacloudapi.cn",
}
TIMEOUT_S = 8.0
MOST_WORDS = 200
MOST_PAGES = 20


class Missing(Unavailable):
    """404: there is no such thing, or we may not see it."""


class Refused(WatchdogError):
    """400, 403 and their like: a definite no. Nothing was changed."""


class Arm:
    """Calls of one log-in in one cloud. Opened with the first call, closed by its owner."""

    def __init__(self, name: str, login: Login, *, endpoint: str = "") -> None:
        """`endpoint` instead of the cloud's: a server on the loopback, in tests."""
        self.name = name
        self._login, self._endpoint = login, endpoint or MANAGEMENT[login.cloud]
        self._client: Any = None
        self._credential: Any = None

    async def get(self, path: str, version: str, *, timeout_s: float = TIMEOUT_S) -> JsonObject:
        """One object. Raises Missing, Unavailable."""
        try:
            return await self._call("GET", path, version, None, timeout_s)
        except Refused as error:
            raise Unavailable(str(error)) from None  # we may not read it: unknown, never no

    async def list(self, path: str, version: str, *, timeout_s: float = TIMEOUT_S) -> list[JsonObject]:
        """All entries, page by page. Raises Missing, Unavailable."""
        found: list[JsonObject] = []
        page = await self.get(path, version, timeout_s=timeout_s)
        for _ in range(MOST_PAGES):
            found += page.get("value") or []
            following = str(page.get("nextLink") or "")
            if not following:
                return found
            page = await self.get(following, "", timeout_s=timeout_s)
        raise Unavailable(f"{self.name}: more than {MOST_PAGES} pages")

    async def patch(self, path: str, version: str, body: JsonObject, *, timeout_s: float = TIMEOUT_S) -> JsonObject:
        """Merge patch, accepted (200 or 202); what it leads to is read. Raises Conflict, Refused, Unavailable."""
        return await self._call("PATCH", path, version, body, timeout_s)

    async def post(self, path: str, version: str, *, timeout_s: float = TIMEOUT_S) -> JsonObject:
        """An action, once. Raises Conflict, Refused, Unavailable."""
        return await self._call("POST", path, version, None, timeout_s)

    async def close(self) -> None:
        """Close client and credential."""
        for one in (self._client, self._credential):
            if one is not None:
                await one.close()
        self._client = self._credential = None

    async def _call(self, verb: str, path: str, version: str, body: JsonObject | None, timeout_s: float) -> JsonObject:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - only when configured

        try:
            async with asyncio.timeout(timeout_s):
                status, headers, content = await self._send(verb, path, version, body, timeout_s)
        except TimeoutError:
            raise Unavailable(f"{self.name}: no answer within {timeout_s:g} s") from None
        except AzureError as error:
            raise Unavailable(f"{self.name}: cannot be reached or logged in to ({type(error).__name__})") from None
        if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            return _object(content) if content else {}
        raise _refusal(self.name, verb, status, headers, content)

    async def _send(
        self, verb: str, path: str, version: str, body: JsonObject | None, timeout_s: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - only when configured

        client = self._open()
        url = path if path.startswith("http") else f"{self._endpoint}{path}"
        params = {"api-version": version} if version else {}
        request = HttpRequest(verb, url, params=params, json=body)
        options: dict[str, Any] = {"read_timeout": timeout_s, "connection_timeout": timeout_s}
        if self._endpoint.startswith("http://"):
            options["enforce_https"] = False
        response = await client.send_request(request, **options)
        return int(response.status_code), dict(response.headers), bytes(response.content)

    def _open(self) -> Any:
        if self._client is None:
            try:
                from azure.core import AsyncPipelineClient  # noqa: PLC0415 - only when configured
                from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy  # noqa: PLC0415
            except ImportError:
                raise Unavailable(INSTALL) from None
            self._credential = credential_of(self._login)
            scope = f"{MANAGEMENT[self._login.cloud]}/.default"
            policies = [AsyncBearerTokenCredentialPolicy(self._credential, scope)]
            self._client = AsyncPipelineClient(self._endpoint, policies=policies)
        return self._client


def arm_path(*parts: str) -> str:
    """A path of quoted parts."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _object(content: bytes) -> JsonObject:
    try:
        body = json.loads(content)
    except ValueError:
        raise Unavailable("the answer is no JSON: perhaps a proxy") from None
    if not isinstance(body, dict):
        raise Unavailable("the answer is no object")
    return body


def _refusal(name: str, verb: str, status: int, headers: Mapping[str, str], content: bytes) -> WatchdogError:
    words = f"{name}: {verb} answered {status}{_said(content)}"
    if status == 404:  # noqa: PLR2004 - HTTP, here and below
        return Missing(words)
    if status in (409, 412):
        return Conflict(words)
    if status == 429:  # noqa: PLR2004
        wait = {key.lower(): value for key, value in headers.items()}.get("retry-after", "")
        return Unavailable(f"{name}: asked too often (429)" + (f", again in {wait} s" if wait else ""))
    if status in (401, 403) or 400 <= status < 500:  # noqa: PLR2004
        return Refused(words)
    return Unavailable(words)


def _said(content: bytes) -> str:
    try:
        error = json.loads(content)["error"]
        line = " ".join(f"{error.get('code', '')}: {error.get('message', '')}".split())
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f" ({line[:MOST_WORDS]})"
