"""The yardstick: the smallest aiohttp poller that does the same requests. ``python -m tests.benchmarks.bare PORT N EVERY fresh|keep``."""

from __future__ import annotations

import asyncio
import random
import sys

import aiohttp


async def poll(session: aiohttp.ClientSession, url: str, every: float) -> None:
    """Ask one URL on its own phase, for ever."""
    loop = asyncio.get_running_loop()
    due = loop.time() + random.random() * every
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        async with session.get(url) as response:
            await response.content.read(65536)
        due += every


async def main(port: int, count: int, every: float, connections: str) -> None:
    """Poll `count` addresses."""
    connector = aiohttp.TCPConnector(limit=0, force_close=connections == "fresh", keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=3)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        urls = (f"http://{host(number)}:{port}/health" for number in range(count))
        await asyncio.gather(*(poll(session, url, every) for url in urls))


def host(number: int) -> str:
    """A loopback address of its own for each target."""
    return f"127.{1 + number // 65536}.{number // 250 % 250}.{1 + number % 250}"


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
