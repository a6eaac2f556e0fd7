"""A whole daemon whose only source is Prometheus, in virtual time: scrapes every 15 s, each pod counts its own requests.

The server's answers are those of the public fake, evaluated without a socket: threads and virtual time do not mix.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from tests.engine.house import House
from watchdog.judgement.evidence import EvidenceRule, Kind, Knobs
from watchdog.model import CloseReason, Instant
from watchdog.signals.prometheus import Access, PrometheusSignal, PrometheusSource, Ratio
from watchdog.signals.prometheus.answer import Answer, NoAnswer, answer_of
from watchdog.testing.prometheus import FakePrometheus, Process

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

SCRAPE_S = 15.0
RATE = 4.0
"""Requests a second to each pod."""
RATIO = Ratio('requests_total{code=~"5.."}', "requests_total")


class InProcess(PrometheusSource):
    """The fake's answers without HTTP."""

    def __init__(self, server: FakePrometheus, house: House) -> None:
        super().__init__("main", Access(url="http://fake"), house.clock)
        self.server = server
        self.down = False

    async def ask(self, query: str, at: Instant) -> Answer:
        if self.down:
            raise NoAnswer("main cannot be reached")
        return answer_of({"status": "success", "data": self.server._evaluated(query, at)}, at)


class Shop:
    """Three pods of one unit; `share` is the share of requests that fail, by release."""

    def __init__(self) -> None:
        self.house = House()
        self.api = self.house.add(tolerate_interruption_s=30.0, blind_after_s=300.0)
        self.server = FakePrometheus()
        self.source = InProcess(self.server, self.house)
        self.share: dict[str, float] = {}
        self.random = random.Random(7)
        self.pods: dict[tuple[str, str], Process] = {}
        signal = PrometheusSignal("errors", RATIO, self.source, self.house.clock, every_s=SCRAPE_S, counts_users=True)
        self.api.signals = [signal]  # type: ignore[list-item]
        self.api.every_s, self.api.timeout_s = SCRAPE_S, 6.0
        self.api.rules = (EvidenceRule(("errors",), {"errors": Kind.ERR}, Knobs(), poll_s=SCRAPE_S),)

    async def serve(self) -> None:
        """Requests each second; each pod is scraped at a phase of its own."""
        second = 0
        while True:
            await asyncio.sleep(1.0)
            second += 1
            for number, instance in enumerate(self.api.unit.instances()):
                key = (instance.name, instance.release or "")
                pod = self.pods.setdefault(key, Process({"pod": instance.name, "instance": f"{instance.name}:8000"}))
                bad = sum(self.random.random() < self.share.get(instance.release or "", 0.0) for _ in range(int(RATE)))
                pod.add("requests_total", RATE - bad, code="200")
                if bad:
                    pod.add("requests_total", bad, code="500")
                if second % int(SCRAPE_S) == 4 * number:
                    self.server.scrape(pod, self.house.clock.now())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.house.earn()
        traffic = asyncio.create_task(self.serve())
        await asyncio.sleep(120)
        try:
            async with self.house.running():
                await asyncio.sleep(180)
                yield
        finally:
            traffic.cancel()


@pytest.mark.parametrize(("share", "within"), [(1.0, 110.0), (0.3, 150.0)])
async def test_a_bad_release_is_noticed_by_its_counters_alone_rolled_back_and_verified(
    share: float, within: float
) -> None:
    shop = Shop()
    async with shop.running():
        shop.share["bad"] = share
        shop.api.unit.deploy("bad")
        began = shop.house.clock.now()
        incident = await shop.house.closed(within=600)
    assert (incident.reason, shop.house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert incident.breach_at is not None
    assert 30.0 < incident.breach_at - began <= within


async def test_healthy_releases_one_after_another_are_left_alone() -> None:
    shop = Shop()
    async with shop.running():
        for name in ("one", "two", "three"):
            shop.share[name] = 0.002
            shop.api.unit.deploy(name)
            await asyncio.sleep(400)
        assert (await shop.house.incidents(), shop.house.writes) == ([], [])


async def test_a_server_that_is_down_for_long_rolls_nothing_back_and_is_said_once() -> None:
    shop = Shop()
    async with shop.running():
        shop.api.unit.deploy("next")
        await asyncio.sleep(60)
        shop.source.down = True
        await asyncio.sleep(1800)
        blind = [notice for notice, _ in shop.house.pager.delivered if "blind" in str(notice)]
        assert len(blind) == 1, blind
        shop.source.down = False
        await asyncio.sleep(300)
        assert (await shop.house.incidents(), shop.house.writes) == ([], [])
