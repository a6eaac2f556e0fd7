"""The contract of the signal port, on the fake and on the http signal in both its forms."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest_asyncio

from tests.components import free_port
from tests.signals.app_insights.world import World as Telemetry
from tests.signals.app_insights.world import world as telemetry
from tests.signals.contract import SignalContract
from tests.signals.database.real import Server
from tests.signals.prometheus.world import World, world
from tests.signals.scrape.world import World as Metrics
from tests.signals.scrape.world import world as metrics
from watchdog.clients.http import HttpClient
from watchdog.clients.names import Names
from watchdog.clients.postgres import Postgres
from watchdog.model import Instance
from watchdog.ports import PollContext
from watchdog.signals.database import DatabaseSignal
from watchdog.signals.http import HttpCheck, HttpSignal, Pods
from watchdog.testing.clock import WorldClock
from watchdog.testing.platforms import FakeWorld
from watchdog.testing.servers import FaultServer
from watchdog.testing.signals import Behaviour, FakeSignal


class FakeSource:
    def __init__(self, *, per_instance: bool) -> None:
        self.clock = WorldClock()
        unit = FakeWorld(self.clock).add("shop", "one")
        self.behaviour = Behaviour(events=10)
        self.signal = FakeSignal("errors", unit, self.behaviour, per_instance=per_instance)
        self.context = PollContext(state=unit.state())

    def make_bad(self) -> None:
        self.behaviour.bad["one"] = 0.3

    def make_unknown(self) -> None:
        self.behaviour.unknown = "the source is down"

    def make_hang(self) -> None:
        self.signal.hang = True


class HttpSource:
    """Points the signal at another fault by changing its check."""

    def __init__(self, server: FaultServer, client: HttpClient, clock: WorldClock) -> None:
        self.server, self.clock = server, clock
        self.signal = HttpSignal("health", HttpCheck(url=server.url("ok")), client, clock)
        self.context = PollContext()

    def make_bad(self) -> None:
        self._ask("status/500")

    def make_unknown(self) -> None:
        self.signal.check = HttpCheck(url="http://shop.test/")

    def make_hang(self) -> None:
        self._ask("hang")

    def _ask(self, path: str) -> None:
        self.signal.check = HttpCheck(url=self.server.url(path))


class PodsSource(HttpSource):
    def __init__(self, server: FaultServer, client: HttpClient, clock: WorldClock) -> None:
        super().__init__(server, client, clock)
        self._ask("ok")
        state = FakeWorld(clock).add("shop", "one").state()
        pods = (Instance(name=n, address="127.0.0.1", port=server.port, release="one", ready=True) for n in ("a", "b"))
        self.context = PollContext(state=replace(state, instances=tuple(pods)))

    def make_unknown(self) -> None:
        self.context = PollContext()

    def _ask(self, path: str) -> None:
        self.signal.check = HttpCheck(pods=Pods(path=f"/{path}"))


class PrometheusWorld:
    """On the fake server; the same contract runs on a real one in `tests/signals/prometheus/test_real.py`."""

    def __init__(self, shop: World) -> None:
        self.shop, self.clock, self.context = shop, shop.clock, shop.context
        self.signal = shop.signal()

    def make_bad(self) -> None:
        self.shop.serve(events=10, bad=10)

    def make_unknown(self) -> None:
        self.shop.server.answer(503, "{}")

    def make_hang(self) -> None:
        self.shop.server.hang()

    async def something_new(self) -> None:
        self.shop.serve()


class AppInsightsWorld:
    """Azure's client against the fake workspace."""

    def __init__(self, shop: Telemetry) -> None:
        self.shop, self.clock, self.context = shop, shop.clock, shop.context
        self.signal = shop.signal()
        self.code = "200"

    def make_bad(self) -> None:
        self.code = "500"

    def make_unknown(self) -> None:
        self.shop.server.trouble = (503, {}, "{}")

    def make_hang(self) -> None:
        self.shop.server.hang = True
        self.shop.clock.step(60.0)

    async def something_new(self) -> None:
        for _ in range(3):  # a minute is given out when two reads agree on it
            self.shop.report(code=self.code)
            await self.signal.poll(self.context)
        self.shop.report(minutes=5, code=self.code)


class ScrapeWorld:
    """Two pods with pages of their own, looked at once before."""

    def __init__(self, shop: Metrics) -> None:
        self.shop, self.clock = shop, shop.clock
        self.signal = shop.signal(timeout_s=5.0)
        self.bad = 0

    @property
    def context(self) -> PollContext:
        return self.shop.context

    def make_bad(self) -> None:
        self.bad = 5

    def make_unknown(self) -> None:
        for pod in self.shop.pods:
            pod.status = 503

    def make_hang(self) -> None:
        for pod in self.shop.pods:
            pod.silent.clear()

    async def something_new(self) -> None:
        if not self.signal._watched:
            await self.shop.poll(self.signal)
        for pod in self.shop.pods:
            pod.serve(good=5, bad=self.bad)
        self.clock.step(5.0)


class DatabaseSource:
    """Points the signal at another database by changing what it asks."""

    def __init__(self, server: Server, database: str, silent: int) -> None:
        self.clock, self.context = WorldClock(), PollContext()
        self.server, self.database, self.silent = server, database, silent
        self.signal = DatabaseSignal("up", server.postgres(database), self.clock)

    def make_bad(self) -> None:
        self._ask(port=free_port())

    def make_unknown(self) -> None:
        self._ask(password="of somebody else")

    def make_hang(self) -> None:
        self._ask(port=self.silent)

    def _ask(self, **changes: object) -> None:
        access = replace(self.server.access(self.database), **changes)
        self.signal = DatabaseSignal("up", Postgres(access), self.clock)


def no_name_server(host, port, family):
    raise socket.gaierror(socket.EAI_AGAIN, "no answer")


class TestFakeSignal(SignalContract):
    @pytest_asyncio.fixture(params=[False, True])
    async def source(self, request):
        return FakeSource(per_instance=request.param)


class TestPrometheusSignal(SignalContract):
    @pytest_asyncio.fixture
    async def source(self):
        async with world() as shop:
            yield PrometheusWorld(shop)


class TestDatabaseSignal(SignalContract):
    @pytest_asyncio.fixture
    async def source(self, server, database):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
            yield DatabaseSource(server, database, silent.getsockname()[1])


class TestScrapeSignal(SignalContract):
    @pytest_asyncio.fixture
    async def source(self):
        async with metrics() as shop:
            for name in ("a", "b"):
                (await shop.start(name)).serve(good=1)
            yield ScrapeWorld(shop)
            for pod in shop.pods:
                pod.silent.set()


class TestAppInsightsSignal(SignalContract):
    @pytest_asyncio.fixture
    async def source(self, monkeypatch):
        async with telemetry(monkeypatch) as shop:
            yield AppInsightsWorld(shop)


class TestHttpSignal(SignalContract):
    @pytest_asyncio.fixture(params=[HttpSource, PodsSource])
    async def source(self, request):
        clock = WorldClock()
        client = HttpClient(clock, names=Names(no_name_server))
        async with FaultServer() as server:
            yield request.param(server, client, clock)
            await client.close()
