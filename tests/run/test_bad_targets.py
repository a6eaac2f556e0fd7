"""Probe targets that hang, drip, send bombs or break the protocol cost one check its deadline and nobody else anything."""

from __future__ import annotations

import asyncio
import statistics
import threading
from collections.abc import Iterator

import pytest

from tests.run.conftest import Start, metric, probe, watching
from tests.run.shop import Shop
from watchdog.testing.servers import FaultServer

pytestmark = pytest.mark.timeout(180)

ILL = ("hang", "drip", "slow-headers", "reset", "closed", "loop", "half", "garbage", "long-headers", "silent", "tls")
BIG = ("huge", "gzip")
"""Endless answers with the right status: what is beyond the cap is not read."""
POLLS = 12


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    """The fault server on a loop of its own."""
    server, loop, up, end = FaultServer(), asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def live() -> None:
        async with server:
            up.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),), name="faults")
    thread.start()
    assert up.wait(10)
    yield server
    loop.call_soon_threadsafe(end.set)
    thread.join(20)
    loop.close()


def test_a_healthy_target_is_polled_on_time_beside_the_worst_ones(
    start: Start, shop: Shop, faults: FaultServer
) -> None:
    config = watching(shop)
    every = {"every": "1s", "rule": {"consecutive": 3}}
    urls = {name: faults.url(name) for name in (*ILL, *BIG)}
    urls |= {"silent": faults.silent_url, "tls": faults.broken_tls_url}
    for name, url in urls.items():
        signals = {"probe": {"http": {"url": url, "timeout": "900ms"}, **every}}
        config["targets"][name] = {"signals": signals}
    daemon = start(config)
    began = len(shop.arrivals)
    daemon.wait(lambda: len(shop.arrivals) > began + POLLS, "the healthy target's polls", within=60)
    gaps = [after - before for before, after in zip(shop.arrivals[began:], shop.arrivals[began + 1 :], strict=False)]
    assert statistics.median(gaps) == pytest.approx(1.0, abs=0.25)
    assert max(gaps) < 3.0, gaps

    states = {name: daemon.target(name)["state"] for name in (*urls, "shop")}
    assert states.pop("shop") == "healthy"
    assert {name: states[name] for name in ILL} == dict.fromkeys(ILL, "failing")
    assert {states[name] for name in BIG} <= {"healthy", "failing"}
    assert (metric(daemon, "watchdog_live"), probe(daemon, "/readyz")[0]) == (1, 200)
    resident = metric(daemon, "process_resident_memory_bytes")
    assert resident is not None
    assert resident < 200 * 1024 * 1024, "no answer is taken in whole"
    assert daemon.stop() == 0
