"""Processes with metrics pages on ports of their own, and a signal that reads them: real exchanges, time moved by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from aiohttp import web

from watchdog.clients.http import HttpClient
from watchdog.model import Instance, Sample
from watchdog.ports import PollContext
from watchdog.signals.http import Pods
from watchdog.signals.scrape import Pages, Part, ScrapeSignal, Selector
from watchdog.signals.scrape.questions import Question
from watchdog.testing.clock import WorldClock
from watchdog.testing.platforms import FakeWorld

EVERY_S = 5.0
ALL = Selector(metric="http_requests_total", text="http_requests_total")
BAD = Selector(metric="http_requests_total", matchers=(("code", "=~", "5.."),), text='http_requests_total{code=~"5.."}')
ERRORS = Part(part=BAD, every=ALL)


class Process:
    """One process: counts requests, and says so on its page as it is told."""

    def __init__(self, name: str, release: str) -> None:
        self.name, self.release = name, release
        self.counts: Counter[str] = Counter()
        self.more = ""
        self.born: float | None = None
        self.status, self.body, self.headers = 200, "", {}
        self.silent = asyncio.Event()
        self.silent.set()
        self.restarts, self.ready = 0, True
        self.port = 0
        self.seen: list[dict[str, str]] = []

    def serve(self, good: int = 0, bad: int = 0) -> None:
        """Answer so many requests."""
        for code, count in (("200", good), ("500", bad)):
            if count:
                self.counts[code] += count

    def restart(self) -> None:
        """The same pod, a fresh process."""
        self.counts.clear()
        self.restarts += 1

    @property
    def page(self) -> str:
        lines = ["# HELP http_requests_total All.", "# TYPE http_requests_total counter"]
        lines += [f'http_requests_total{{code="{code}"}} {count}' for code, count in sorted(self.counts.items())]
        if self.born is not None:
            lines.append(f"process_start_time_seconds {self.born}")
        return "\n".join([*lines, self.more]) + "\n"

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(dict(request.headers))
        await self.silent.wait()
        return web.Response(status=self.status, text=self.body or self.page, headers=self.headers)

    def instance(self) -> Instance:
        return Instance(
            name=self.name,
            address="127.0.0.1",
            port=self.port,
            release=self.release,
            ready=self.ready,
            restarts=self.restarts,
        )


class World:
    """A workload whose pods come and go."""

    def __init__(self, clock: WorldClock, client: HttpClient, stack: AsyncExitStack) -> None:
        self.clock, self.client, self._stack = clock, client, stack
        self.pods: list[Process] = []
        self.looked = clock.now()

    async def start(self, name: str, release: str = "good") -> Process:
        """One more pod, on a port of its own."""
        process = Process(name, release)
        application = web.Application()
        application.router.add_get("/metrics", process.answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        process.port = runner.addresses[0][1]
        self.pods.append(process)
        return process

    def signal(self, question: Question = ERRORS, **pages: object) -> ScrapeSignal:
        given = Pages(pods=Pods(path="/metrics"), **{"timeout_s": 2.0, **pages})  # type: ignore[arg-type]
        return ScrapeSignal("errors", question, given, self.client, self.clock, every_s=EVERY_S, counts_users=True)

    @property
    def context(self) -> PollContext:
        state = FakeWorld(self.clock).add("shop", "good").state()
        pods = tuple(pod.instance() for pod in self.pods)
        return PollContext(state=replace(state, at=self.clock.now(), instances=pods))

    async def poll(self, signal: ScrapeSignal, *, after: float = EVERY_S) -> Sequence[Sample]:
        """Time goes by, and the pages are read."""
        self.clock.step(after)
        return await signal.poll(self.context)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    clock = WorldClock()
    client = HttpClient(clock)
    async with AsyncExitStack() as stack:
        yield World(clock, client, stack)
        await client.close()
