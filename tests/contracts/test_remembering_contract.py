"""What every source that remembers promises: on the fake, and on Prometheus' answers."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio

from tests.signals.prometheus.world import RATIO, world
from watchdog.model import Counts, instant
from watchdog.ports import Remembering, Unavailable
from watchdog.signals.prometheus import PrometheusSignal
from watchdog.testing.clock import WorldClock
from watchdog.testing.platforms import FakeWorld
from watchdog.testing.signals import Behaviour, RememberingSignal


class Contract:
    @pytest.mark.asyncio
    async def test_it_gives_one_sample_a_minute_of_the_whole_service_oldest_first(self, source):
        signal, _ = source
        assert isinstance(signal, Remembering)
        found = await signal.minutes(instant(0), instant(3600))
        assert len(found) > 50
        assert [one.end for one in found] == sorted({one.end for one in found})
        for one in found:
            assert (one.signal, one.end - one.start, one.release, one.instance) == (signal.name, 60.0, None, None)
            assert isinstance(one.reading, Counts) and one.reading.events > 0
            assert one.start >= 0 and one.end <= 3600

    @pytest.mark.asyncio
    async def test_a_source_that_cannot_say_raises_unavailable(self, source):
        signal, trouble = source
        trouble("down")
        with pytest.raises(Unavailable):
            await signal.minutes(instant(0), instant(3600))

    @pytest.mark.asyncio
    async def test_an_asker_can_be_cancelled(self, source):
        signal, trouble = source
        trouble("hang")
        asking = asyncio.create_task(signal.minutes(instant(0), instant(3600)))
        await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


class TestRememberingSignal(Contract):
    @pytest_asyncio.fixture
    async def source(self):
        clock = WorldClock()
        signal = RememberingSignal("errors", FakeWorld(clock).add("shop", "one"), Behaviour())
        yield signal, lambda what: setattr(signal, "trouble", what)


class TestPrometheusSignal(Contract):
    @pytest_asyncio.fixture
    async def source(self):
        async with world() as shop:
            ends = [[60.0 * n, "100"] for n in range(1, 61)]
            answer = {"resultType": "matrix", "result": [{"metric": {}, "values": ends}]}
            shop.server.answers = {f"sum(increase({query}[60s]))": answer for query in (RATIO.every, RATIO.part)}

            def trouble(what):
                shop.server.hang() if what == "hang" else shop.server.answer(503, "{}")

            signal = shop.signal()
            assert isinstance(signal, PrometheusSignal)
            yield signal, trouble
