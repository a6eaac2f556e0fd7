"""Just enough HTTP for the bookstore, so that its processes start in a blink and need only the standard library.

Guarantees: one request per connection; a request or answer that does not come within its time or is too large is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

LIMIT = 1 << 20
HEAD_S = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: path without query, and the query's pairs."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    target: str
    """Path and query as they came."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Asked], Awaitable[Told]]


async def serve(handler: Handler, port: int = 0) -> tuple[asyncio.Server, int]:
    """Listen on 127.0.0.1; returns the server and its port."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(HEAD_S):
                    asked = _asked(await reader.readuntil(b"\r\n\r\n"))
                writer.write(_written(await handler(asked), head_only=asked.method == "HEAD"))
                async with asyncio.timeout(HEAD_S):
                    await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", port, backlog=512)
    return server, int(server.sockets[0].getsockname()[1])


async def ask(
    port: int, target: str, *, method: str = "GET", headers: dict[str, str] | None = None, timeout_s: float = 2.0
) -> Told:
    """One exchange with a port of 127.0.0.1. Raises OSError (TimeoutError is one) or ValueError."""
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
        try:
            lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
            writer.write(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode())
            return _told(await reader.read(-1))
        finally:
            writer.close()


def _asked(head: bytes) -> Asked:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    return Asked(
        method=method,
        path=parts.path,
        query=dict(parse_qsl(parts.query)),
        headers=_headers(lines),
        target=target,
    )


def _told(answer: bytes) -> Told:
    head, found, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not found or not first.startswith("HTTP/1.1 "):
        raise ConnectionResetError("no answer")
    headers = _headers(lines)
    if len(body) != int(headers.get("content-length", len(body))):
        raise ConnectionResetError("half an answer")
    return Told(status=int(first.split(" ")[1]), body=body, kind=headers.get("content-type", ""), headers=headers)


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _written(told: Told, *, head_only: bool) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.headers.items())
    head = (
        f"HTTP/1.1 {told.status} {HTTPStatus(told.status).phrase}\r\nContent-Type: {told.kind}\r\n"
        f"Content-Length: {len(told.body)}\r\nConnection: close\r\n{lines}\r\n"
    )
    return head.encode() + (b"" if head_only else told.body)
