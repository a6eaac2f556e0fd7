"""A target for pollers: answers after 20 ms on every loopback address, and notes when each address was asked.

Run as ``python -m tests.benchmarks.shop PORT FILE``; on SIGTERM it writes ``{host: [seconds, ...]}`` to FILE.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path

from aiohttp import web

ANSWER_S = 0.02


async def main(port: int, file: Path) -> None:
    """Serve until SIGTERM."""
    arrivals: dict[str, list[float]] = defaultdict(list)

    async def answer(request: web.Request) -> web.Response:
        arrivals[request.host.partition(":")[0]].append(time.monotonic())
        await asyncio.sleep(ANSWER_S)
        return web.json_response({"status": "ok"})

    application = web.Application()
    application.router.add_get("/health", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", port, backlog=4096).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await stop.wait()
    file.write_text(json.dumps(arrivals))
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
