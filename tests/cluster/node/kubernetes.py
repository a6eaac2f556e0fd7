"""Raw calls to the API server, and collections that are followed through list and watch.

Guarantee: a followed collection survives an API server that is killed, frozen or restarted; it is read anew
when the stream ends. Not guaranteed: that every intermediate state is seen.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

Manifest = dict[str, Any]

MERGE_PATCH = "application/strategic-merge-patch+json"
PAUSE = 0.3
"""Seconds between a failed call and the next try."""

_CALL_TIMEOUT = aiohttp.ClientTimeout(total=5)
_WATCH_SECONDS = 60
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_WATCH_SECONDS + 5)


class ApiError(Exception):
    """The API server answered, and it was a no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
"""What is raised when there was no answer."""


class Api:
    """The API server, as one user."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """The session carries the base address, the certificates and the token."""
        self._session = session

    async def call(self, method: str, path: str, body: Manifest | None = None, **options: Any) -> Manifest:
        """One call; ApiError when refused, one of `UNREACHABLE` when there was no answer."""
        async with self._session.request(method, path, json=body, timeout=_CALL_TIMEOUT, **options) as response:
            answer = await response.read()
            if response.status >= 400:
                raise ApiError(response.status, answer.decode(errors="replace")[:300])
            found: Manifest = json.loads(answer)
            return found

    async def patch(self, path: str, body: Manifest) -> Manifest:
        """One strategic merge patch."""
        return await self.call("PATCH", path, body, headers={"Content-Type": MERGE_PATCH})

    async def follow(self, path: str) -> AsyncIterator[Mapping[str, Manifest]]:
        """Yield the whole collection by uid, and again after every change, for ever."""
        while True:
            try:
                async for objects in self._follow_once(path):
                    yield objects
            except (ApiError, *UNREACHABLE):
                await asyncio.sleep(PAUSE)

    async def _follow_once(self, path: str) -> AsyncIterator[Mapping[str, Manifest]]:
        listed = await self.call("GET", path)
        objects: dict[str, Manifest] = {item["metadata"]["uid"]: item for item in listed["items"]}
        yield objects
        question = {
            "watch": "1",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        async with self._session.get(path, params=question, timeout=_WATCH_TIMEOUT) as response:
            if response.status != 200:
                raise ApiError(response.status, "watch refused")
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(event["object"].get("code", 410), event["object"].get("message", ""))
                uid = event["object"]["metadata"]["uid"]
                if event["type"] == "DELETED":
                    objects.pop(uid, None)
                else:
                    objects[uid] = event["object"]
                yield objects
