"""A process of the bookstore lives as long as the one that started it.

Role: each process is started with a pipe as standard input that is never written to. It closes when the starter ends,
however that ends, and then the process ends. Guarantees: no process is left behind, also after a kill -9 of its starter.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from watchdog.testing.bookstore.speech import Handler, serve


async def until_abandoned() -> None:
    """Wait until standard input closes."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def announce(line: str) -> None:
    """Tell the starter, which reads one line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_server(handler: Handler, port: int = 0) -> None:
    """Serve until abandoned; the port is announced."""

    async def work() -> None:
        server, chosen = await serve(handler, port)
        announce(str(chosen))
        await until_abandoned()
        server.close()

    asyncio.run(work())


def run_beside(work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` until it ends or the process is abandoned."""

    async def both() -> None:
        tasks = [asyncio.ensure_future(work()), asyncio.ensure_future(until_abandoned())]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    asyncio.run(both())
