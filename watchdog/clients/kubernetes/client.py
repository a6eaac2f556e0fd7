"""The client: a handful of calls with raw JSON, one API client a process.

Neighbours: `connection` opens it, `errors` says what can go wrong. Guarantees: raw JSON both ways (typed models drop
fields they do not know, which would change a template); every call has a deadline and a content type of its own;
writes carry our field manager and are sent once - only a read is repeated, once, after a dropped connection or a 5xx,
and a 401, which cannot have done anything, after renewing the credential. Not guaranteed: that a write which raised
`Unavailable` did not happen.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from dataclasses import field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from watchdog.clients.kubernetes.connection import Connection, Renew, open_api
from watchdog.clients.kubernetes.errors import Invalid, ServerTrouble, Unreachable, error_of
from watchdog.model import JsonObject, record

STRATEGIC_MERGE = "application/strategic-merge-patch+json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
FIELD_MANAGER = "watchdog"
"""Our name in managedFields. Never one that Flux reverts (``kubectl``)."""
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TIMEOUT_S = 10.0
AT_ONCE = 100
"""Calls under way at the same time, watches apart: more would be a flood for the API server."""
PAGE = 250
MOST_PAGES = 40
"""10 000 objects: more of one kind behind one selector is a wrong selector."""
_ERROR_BODY = 65_536
LINE_CAP = 4 * 1024 * 1024
"""An object of a cluster is at most 1.5 MiB."""


@record
class Text:
    """What was streamed: at most the cap; `cut` when there was more or the stream broke."""

    content: bytes
    cut: bool = False


@record
class _Call:
    verb: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    timeout_s: float = TIMEOUT_S
    repeatable: bool = False

    @property
    def words(self) -> str:
        """How errors name it; the query may be long and says little."""
        return f"{self.verb} {self.path}"

    @property
    def tests(self) -> bool:
        """Whether it is a JSON patch with a precondition in it."""
        ops = self.body if self.content_type == JSON_PATCH and isinstance(self.body, list) else []
        return any(op.get("op") == "test" for op in ops)


def api_path(group_version: str, resource: str, namespace: str = "", name: str = "", sub: str = "") -> str:
    """The path of a resource: ``api_path("apps/v1", "deployments", "shop", "web")``; ``v1`` is the core group."""
    root = ["api" if "/" not in group_version else "apis", *group_version.split("/")]
    parts = [*root, *(["namespaces", namespace] if namespace else []), resource, name, sub]
    return "/" + "/".join(quote(part, safe=":") for part in parts if part)


class KubernetesClient:
    """Calls to one API server. Open one a process; it is safe for concurrent use."""

    def __init__(self, api: Any, renew: Renew) -> None:
        """Use `open`; this takes what `connection.open_api` gives."""
        self._api = api
        self._renew = renew
        self._room = asyncio.Semaphore(AT_ONCE)

    @classmethod
    async def open(cls, connection: Connection) -> Self:
        """Load credentials. Does not yet talk to the API server. Raises Unreachable."""
        return cls(*await open_api(connection))

    async def close(self) -> None:
        """Let the connections go."""
        await self._api.close()

    async def get(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "", timeout_s: float = TIMEOUT_S
    ) -> JsonObject:
        """One object. Raises NotFound, Forbidden, Unavailable."""
        call = _Call(
            verb="GET",
            path=path,
            query=query or {},
            accept=accept or "application/json",
            timeout_s=timeout_s,
            repeatable=True,
        )
        return await self._json(call)

    async def list(
        self,
        path: str,
        *,
        label_selector: str = "",
        field_selector: str = "",
        accept: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> Sequence[JsonObject]:
        """All items, page by page; begun anew once when the server forgot our place (410)."""
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        query = {key: value for key, value in selectors.items() if value} | {"limit": str(PAGE)}
        try:
            return await self._pages(path, query, accept, timeout_s)
        except Invalid as error:
            if error.status != HTTPStatus.GONE:
                raise
            return await self._pages(path, query, accept, timeout_s)

    async def patch(
        self, path: str, body: Any, *, content_type: str, dry_run: bool = False, timeout_s: float = TIMEOUT_S
    ) -> JsonObject:
        """Patch once with an explicit content type, as our field manager. Raises ConflictLost, Invalid and the rest."""
        query = {"fieldManager": FIELD_MANAGER, **_dry(dry_run)}
        return await self._json(
            _Call(verb="PATCH", path=path, query=query, body=body, content_type=content_type, timeout_s=timeout_s)
        )

    async def create(
        self, path: str, body: JsonObject, *, dry_run: bool = False, timeout_s: float = TIMEOUT_S
    ) -> JsonObject:
        """POST once. Raises ConflictLost when the name exists."""
        query = {"fieldManager": FIELD_MANAGER, **_dry(dry_run)}
        return await self._json(_Call(verb="POST", path=path, query=query, body=body, timeout_s=timeout_s))

    async def delete(
        self, path: str, *, uid: str, resource_version: str = "", dry_run: bool = False, timeout_s: float = TIMEOUT_S
    ) -> JsonObject:
        """DELETE once, only this very object (and version), with its own grace period. Raises ConflictLost."""
        preconditions = {"uid": uid, **({"resourceVersion": resource_version} if resource_version else {})}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        return await self._json(_Call(verb="DELETE", path=path, query=_dry(dry_run), body=body, timeout_s=timeout_s))

    async def text(
        self, path: str, query: Mapping[str, str], *, limit_bytes: int, timeout_s: float = TIMEOUT_S
    ) -> Text:
        """Stream bytes (logs, which need not be UTF-8) up to a cap; what came before a break is kept."""
        call = _Call(verb="GET", path=path, query=query, accept="*/*", timeout_s=timeout_s)
        kept = bytearray()
        try:
            async with asyncio.timeout(timeout_s), self._room, await self._send(call) as response:
                await _check(call, response)
                async for chunk in response.content.iter_chunked(16_384):
                    kept += chunk
                    if len(kept) > limit_bytes:
                        response.close()
                        break
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if not kept:
                raise _unreachable(call, error) from error
            return Text(content=bytes(kept[:limit_bytes]), cut=True)
        return Text(content=bytes(kept[:limit_bytes]), cut=len(kept) > limit_bytes)

    async def lines(
        self, path: str, query: Mapping[str, str], *, accept: str, timeout_s: float, silent_s: float
    ) -> AsyncGenerator[bytes | None]:
        """None once the server has accepted, then each line of the answer until it ends, at most `timeout_s`.

        Raises Unavailable also when nothing came for `silent_s`.
        """
        call = _Call(verb="GET", path=path, query=query, accept=accept, timeout_s=timeout_s)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._send(call)
            async with response:
                await _check(call, response)
                yield None
                rest = b""
                while part := await _within(silent_s, response.content.readany()):
                    *whole, rest = (rest + part).split(b"\n")
                    if len(rest) > LINE_CAP:
                        raise ServerTrouble(f"{call.words}: a line of more than {LINE_CAP} bytes")
                    for line in whole:
                        yield line
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(call, error) from error

    async def may(
        self, verb: str, group: str, resource: str, namespace: str, name: str = "", *, subresource: str = ""
    ) -> bool:
        """Whether we may do this, as the API server sees it (SelfSubjectAccessReview). Raises Unavailable."""
        attributes = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        path = api_path("authorization.k8s.io/v1", "selfsubjectaccessreviews")
        # A review is a question that happens to be a POST: asking twice changes nothing.
        answer = await self._json(_Call(verb="POST", path=path, body=body, repeatable=True))
        allowed = (answer.get("status") or {}).get("allowed")
        if not isinstance(allowed, bool):
            raise ServerTrouble(f"POST {path}: the review has no answer")
        return allowed

    async def _pages(self, path: str, query: Mapping[str, str], accept: str, timeout_s: float) -> Sequence[JsonObject]:
        items: list[JsonObject] = []
        place = ""
        for _ in range(MOST_PAGES):
            page = await self.get(
                path, {**query, **({"continue": place} if place else {})}, accept=accept, timeout_s=timeout_s
            )
            items += page.get("items") or []
            place = (page.get("metadata") or {}).get("continue") or ""
            if not place:
                return items
        raise ServerTrouble(f"GET {path}: more than {MOST_PAGES * PAGE} objects")

    async def _json(self, call: _Call) -> JsonObject:
        try:
            async with asyncio.timeout(call.timeout_s), self._room:
                return await self._twice_if_repeatable(call)
        except TimeoutError as error:
            raise _unreachable(call, error) from error

    async def _twice_if_repeatable(self, call: _Call) -> JsonObject:
        if not call.repeatable:
            return await self._once(call)
        try:
            return await self._once(call)
        except (ServerTrouble, Unreachable):
            return await self._once(call)

    async def _once(self, call: _Call) -> JsonObject:
        try:
            async with await self._send(call) as response:
                await _check(call, response)
                body = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise _unreachable(call, error) from error
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise ServerTrouble(f"{call.words}: the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise ServerTrouble(f"{call.words}: the answer is not an object")
        return answer

    async def _send(self, call: _Call) -> aiohttp.ClientResponse:
        response = await self._raw(call)
        if response.status != HTTPStatus.UNAUTHORIZED:
            return response
        response.release()
        await self._renew()
        return await self._raw(call)

    async def _raw(self, call: _Call) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await self._api.call_api(
            call.path,
            call.verb,
            {},
            list(call.query.items()),
            {"Accept": call.accept, "Content-Type": call.content_type},
            body=call.body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=call.timeout_s,
        )
        return response


async def _within(seconds: float, part: Awaitable[bytes]) -> bytes:
    """Not `asyncio.wait_for`: in Python 3.11 that loses a cancellation which comes together with the part."""
    async with asyncio.timeout(seconds):
        return await part


def _dry(dry_run: bool) -> Mapping[str, str]:  # noqa: FBT001 - spelled out by every caller
    return {"dryRun": "All"} if dry_run else {}


async def _check(call: _Call, response: aiohttp.ClientResponse) -> None:
    if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        return
    body = await response.content.read(_ERROR_BODY)
    retry_after = response.headers.get("Retry-After", "")
    raise error_of(call.words, response.status, body, retry_after=retry_after, tested=call.tests)


def _unreachable(call: _Call, error: BaseException) -> Unreachable:
    if isinstance(error, TimeoutError):
        return Unreachable(f"{call.words}: no answer within {call.timeout_s:g} s")
    return Unreachable(f"{call.words}: no answer: {' '.join(str(error).split())[:120] or type(error).__name__}")
