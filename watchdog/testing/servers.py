"""A real local HTTP server that misbehaves in every way a probe target can.

Role: public fault server for tests of checks, ours and yours. Neighbours: speaks HTTP by hand over asyncio streams, because a
proper server library will not break the protocol. Guarantees: each fault is a path, so one server serves them all at once;
big answers are made as they are read and cost no memory; `requests` counts what arrived. Not guaranteed: HTTP beyond what a
probe sends - no request bodies, no pipelining.

Faults by path: `FaultServer.url("hang")`; see `FAULTS`.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import struct
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Self
from urllib.parse import unquote

GIB = 1 << 30
_BLOCK = 65_536
_NO_CONTENT = 204
_BODYLESS = frozenset({_NO_CONTENT, 304})


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived: path with query, headers in lower case, and which connection it came on."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    connection: int
    turn: int
    """How many requests that connection had brought before."""


@dataclass(slots=True)
class _Line:
    """One connection and the request that is being answered on it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seen: Seen
    server: FaultServer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int, body: bytes = b"", *, headers: str = "", keep: bool = True) -> bool:
        more = "keep-alive" if keep else "close"
        length = "" if status == _NO_CONTENT else f"Content-Length: {len(body)}\r\n"
        head = f"HTTP/1.1 {status} Made\r\n{length}Connection: {more}\r\n{headers}\r\n"
        await self.send(head.encode() + (b"" if self.seen.method == "HEAD" else body))
        return keep

    @property
    def rest(self) -> str:
        """What follows the fault's name in the path."""
        return self.seen.path.partition("?")[0].strip("/").partition("/")[2]


Fault = Callable[[_Line], Awaitable[bool]]
"""Answers one request; True = the connection stays open for the next."""


async def _ok(line: _Line) -> bool:
    return await line.answer(200, b"ok\n")


async def _status(line: _Line) -> bool:
    status = int(line.rest)
    return await line.answer(status, b"" if status in _BODYLESS else b"as you wish\n")


async def _hang(line: _Line) -> bool:
    await line.reader.read()  # until the client gives up
    return False


async def _slow(line: _Line) -> bool:
    await asyncio.sleep(float(line.rest))
    return await line.answer(200, b"at last\n")


async def _drip(line: _Line) -> bool:
    await line.send(b"HTTP/1.1 200 Made\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await line.send(b".")
        await asyncio.sleep(0.02)


async def _slow_headers(line: _Line) -> bool:
    await line.send(b"HTTP/1.1 200 Made\r\n")
    while True:
        await line.send(b"X-More: yes\r\n")
        await asyncio.sleep(0.02)


async def _huge(line: _Line) -> bool:
    await line.send(f"HTTP/1.1 200 Made\r\nContent-Length: {GIB}\r\n\r\n".encode())
    block = b"\0" * _BLOCK
    for _ in range(GIB // _BLOCK):
        await line.send(block)
        line.server.sent += _BLOCK
    return False


async def _gzip_bomb(line: _Line) -> bool:
    member = _member()
    head = f"HTTP/1.1 200 Made\r\nContent-Encoding: gzip\r\nContent-Length: {64 * len(member)}\r\n\r\n"
    await line.send(head.encode())
    for _ in range(64):
        await line.send(member)
        line.server.sent += len(member)
    return True


@functools.cache
def _member() -> bytes:
    """16 MiB of zeros as one gzip member. Members may follow each other: 64 of them are 1 GiB in 1 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"\0" * _BLOCK
    return b"".join(packer.compress(block) for _ in range(256)) + packer.flush()


async def _reset(line: _Line) -> bool:
    line.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    line.writer.transport.abort()
    return False


async def _closed(line: _Line) -> bool:
    del line
    return False


async def _loop(line: _Line) -> bool:
    turn = int(line.rest or 0) + 1
    return await line.answer(302, headers=f"Location: /loop/{turn}\r\n")


async def _redirect(line: _Line) -> bool:
    target = unquote(line.seen.path.partition("?to=")[2])
    return await line.answer(302, headers=f"Location: {target}\r\n")


async def _half(line: _Line) -> bool:
    await line.send(b"HTTP/1.1 200 Made\r\nContent-Length: 1000\r\n\r\nonly this")
    return False


async def _garbage(line: _Line) -> bool:
    await line.send(b"\x00\x01 this is not HTTP \xff\r\n\r\n")
    return False


async def _long_headers(line: _Line) -> bool:
    await line.send(b"HTTP/1.1 200 Made\r\n")
    for number in range(2000):
        await line.send(f"X-{number}: {'a' * 1000}\r\n".encode())
    return await line.answer(200)


async def _once(line: _Line) -> bool:
    if line.seen.turn:
        return False  # promised to be kept, and closed when it is used again
    return await line.answer(200, b"the first\n")


async def _forgotten(line: _Line) -> bool:
    if line.seen.turn:
        return await _hang(line)  # as a middlebox that forgot the connection: no answer, no reset
    return await line.answer(200, b"the first\n")


FAULTS: dict[str, Fault] = {
    "ok": _ok,
    "status": _status,  # status/503
    "slow": _slow,  # slow/0.2: answers after so many seconds
    "hang": _hang,  # reads the request and never answers
    "drip": _drip,  # a body byte by byte
    "slow-headers": _slow_headers,  # headers without end
    "huge": _huge,  # 1 GiB
    "gzip": _gzip_bomb,  # 1 GiB in 1 MB
    "reset": _reset,  # RST instead of an answer
    "closed": _closed,  # FIN instead of an answer
    "loop": _loop,  # redirects for ever
    "redirect": _redirect,  # redirect?to=URL
    "half": _half,  # closes within the body
    "garbage": _garbage,  # not HTTP
    "long-headers": _long_headers,  # 2 MB of them
    "once": _once,  # closes a kept connection when it is used again
    "forgotten": _forgotten,  # never answers on a kept connection that is used again
}
"""Fault by the first part of the path."""


class FaultServer:
    """All of `FAULTS` on one port of `address`. Use with ``async with``.

    `tls` makes it speak TLS. `silent_url` is a second port where connections are accepted and nothing is ever read or said,
    `broken_tls_url` a third that answers a TLS handshake with rubbish.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> None:
        """Take a server-side context to speak TLS. `address` 0.0.0.0 makes it answer as 127.0.0.2 and so on, too."""
        self._address = address
        self._tls = tls
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = 0
        self.requests: list[Seen] = []
        self.sent = 0
        """Bytes of big bodies that the client's side took."""
        self.port = self._silent = self._rubbish = 0

    async def __aenter__(self) -> Self:
        self.port = await self._listen(self._serve, self._tls)
        self._silent = await self._listen(_say_nothing, None)
        self._rubbish = await self._listen(_talk_rubbish, None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        await asyncio.sleep(0)  # connections just accepted get their handler now, not after we have looked
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The URL of a fault: ``url("status/503")``."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/{path}"

    @property
    def silent_url(self) -> str:
        """Accepts and never says a word."""
        return f"http://127.0.0.1:{self._silent}/"

    @property
    def broken_tls_url(self) -> str:
        """Answers a TLS handshake with rubbish."""
        return f"https://127.0.0.1:{self._rubbish}/"

    @property
    def connections(self) -> int:
        """How many connections the main port has had."""
        return self._connections

    async def _listen(
        self,
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        tls: ssl.SSLContext | None,
    ) -> int:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            try:
                with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                    await serve(reader, writer)
            except asyncio.CancelledError:
                writer.transport.abort()  # the server is closing; asyncio would report the cancelled handler
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

        server = await asyncio.start_server(guarded, self._address, 0, ssl=tls, backlog=512)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number, turn, keep = self._connections, 0, True
        while keep:
            head = await reader.readuntil(b"\r\n\r\n")
            seen = _parse(head, number, turn)
            self.requests.append(seen)
            fault = FAULTS.get(seen.path.lstrip("/").partition("/")[0].partition("?")[0], _not_found)
            keep = await fault(_Line(reader=reader, writer=writer, seen=seen, server=self))
            turn += 1


async def _not_found(line: _Line) -> bool:
    return await line.answer(404, b"no such fault\n")


async def _say_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _talk_rubbish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(64)
    writer.write(b"I speak no TLS at all, sorry.\r\n" * 4)
    await writer.drain()


def _parse(head: bytes, connection: int, turn: int) -> Seen:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Seen(method=method, path=rest.rpartition(" ")[0], headers=headers, connection=connection, turn=turn)
