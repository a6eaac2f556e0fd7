"""The same on a real Prometheus that really restarts, loses its data and is stopped in mid-flight.

Needs Debian's `prometheus`; skipped without it, failing where WATCHDOG_TEST_REQUIRE is `all` or lists `prometheus`.
"""

from __future__ import annotations

import asyncio
import shutil

import pytest
import pytest_asyncio

from tests.components import needed
from tests.signals.contract import SignalContract
from tests.signals.prometheus.real import SCRAPE_S, Pod, Prometheus
from tests.signals.prometheus.world import NEW, OLD, counts, reason, state_of
from watchdog.engine.clock import SystemClock
from watchdog.model import Counts, Unknown
from watchdog.ports import PollContext
from watchdog.signals.prometheus import Access, Expression, Limit, PrometheusSignal, PrometheusSource, Quantile, Ratio
from watchdog.signals.prometheus.questions import slower_than

RATIO = Ratio('requests_total{namespace="shop",code=~"5.."}', 'requests_total{namespace="shop"}')


class Shop:
    """A real server, two pods, and signals that ask."""

    def __init__(self, server: Prometheus, pods: dict[str, Pod]) -> None:
        self.server, self.pods, self.clock = server, pods, SystemClock()
        self.source = PrometheusSource("main", Access(url=server.url, timeout_s=1.0, lag_s=0.2), self.clock)
        self.context = PollContext(state=state_of(self.clock))  # type: ignore[arg-type]

    def signal(self, question=RATIO, every_s=SCRAPE_S):
        return PrometheusSignal("errors", question, self.source, self.clock, every_s=every_s)

    async def counted(self, signal, expected, within=25.0):
        """What the signal gives out until that is `expected` at least (events by (instance, release)), and 2 s more."""
        total, end = {}, self.clock.monotonic() + within
        while self.clock.monotonic() < end:
            samples = await signal.poll(self.context)
            for key, pair in counts([one for one in samples if isinstance(one.reading, Counts)]).items():
                before = total.get(key, (0, 0))
                total[key] = (before[0] + pair[0], before[1] + pair[1])
            if all(total.get(key, (0, 0))[0] >= events for key, events in expected.items()):
                end = min(end, self.clock.monotonic() + 2.0)
            await asyncio.sleep(0.4)
        return total

    async def unknown(self, signal, within=10.0):
        """The reason, once it is unknown: an answer of the same two seconds is shared."""
        end = self.clock.monotonic() + within
        while self.clock.monotonic() < end:
            samples = list(await signal.poll(self.context))
            if samples and isinstance(samples[0].reading, Unknown):
                return reason(samples)
            await asyncio.sleep(0.2)
        raise AssertionError(samples)

    async def scraped(self, at, within=20.0):
        """Until the server holds a scrape of every pod from `at` or later: a busy machine scrapes late."""
        end = self.clock.monotonic() + within
        while await asyncio.to_thread(self.server.oldest_scrape) < at:
            assert self.clock.monotonic() < end, "the server does not scrape"
            await asyncio.sleep(0.1)

    async def answered(self, signal, seconds=20.0):
        """Until it gives samples that say something."""
        for _ in range(int(seconds / 0.25)):
            samples = list(await signal.poll(self.context))
            if samples and not isinstance(samples[0].reading, Unknown):
                return samples
            await asyncio.sleep(0.25)
        raise AssertionError(samples)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    program = needed("prometheus", "prometheus")
    pods = {OLD: Pod(), NEW: Pod()}
    for pod in pods.values():
        pod.serve(5)
        pod.start()
    server = Prometheus(program, tmp_path_factory.mktemp("prometheus"), pods)
    server.start()
    yield server
    server.stop()
    for pod in pods.values():
        pod.stop()


@pytest_asyncio.fixture
async def shop(running):
    for pod in running.pods.values():
        if pod.stopped:
            pod.start()
    running.thaw()
    if not running.runs:
        running.start()
    made = Shop(running, running.pods)
    await made.scraped(made.clock.now())  # started again, it answers from its disk at once and scrapes 5 s later
    yield made
    await made.source.close()


@pytest.mark.asyncio
async def test_what_pods_counted_is_what_comes_out_also_over_a_restart_and_a_first_burst_of_errors(shop):
    signal = shop.signal()
    await shop.answered(signal)
    await shop.counted(signal, {})
    shop.pods[OLD].serve(40)
    shop.pods[NEW].serve(30, bad=12)  # the series code="500" is born with these
    seen = await shop.counted(signal, {(OLD, "good"): 40, (NEW, "bad"): 30})
    assert seen == {(OLD, "good"): (40, 0), (NEW, "bad"): (30, 12)}
    shop.pods[OLD].restart()
    shop.pods[OLD].serve(7, bad=2)
    assert (await shop.counted(signal, {(OLD, "good"): 7}))[(OLD, "good")] == (7, 2)


@pytest.mark.asyncio
async def test_slow_requests_values_expressions_and_quantiles(shop):
    slow = shop.signal(slower_than('seconds{namespace="shop"}', 0.8))
    await shop.answered(slow)
    await shop.counted(slow, {})
    shop.pods[NEW].serve(20, took_s=1.5)
    assert (await shop.counted(slow, {(NEW, "bad"): 20}))[(NEW, "bad")] == (20, 20)
    (up,) = await shop.answered(shop.signal(Limit('sum(up{namespace="shop"})', below=2)))
    assert (up.reading.good, up.reading.bad) == (1, 0)
    part, every = 'sum(increase(requests_total{code="404"}[$interval]))', "sum(increase(requests_total[$interval]))"
    (many,) = await shop.answered(shop.signal(Expression(part, every), every_s=10.0))
    assert many.reading.bad == 0 and many.reading.good > 0
    latest = shop.signal(Quantile('seconds{namespace="shop"}', 0.9, 0.8, min_events=5), every_s=1.0)
    for _ in range(20):  # its window is four scrapes, which the counting above may have outlasted
        shop.pods[NEW].serve(20, took_s=1.5)
        await asyncio.sleep(SCRAPE_S)
        (late,) = await shop.answered(latest)
        if late.reading.bad:
            break
    assert late.reading.bad == 1


@pytest.mark.asyncio
async def test_a_query_that_is_no_promql_says_where(shop):
    said = reason(list(await shop.signal(Limit("sum(rate(x[1m])", above=1)).poll(shop.context)))
    assert "refused the query (400)" in said and "1:" in said


@pytest.mark.asyncio
async def test_a_pod_that_is_not_scraped_any_more_is_not_taken_for_a_healthy_or_an_ill_one(shop):
    signal = shop.signal()
    await shop.answered(signal)
    shop.pods[NEW].stop()
    await asyncio.sleep(3.0)
    await shop.counted(signal, {})
    shop.pods[OLD].serve(10)
    total = await shop.counted(signal, {(OLD, "good"): 10})
    assert total[(OLD, "good")] == (10, 0)
    assert total.get((NEW, "bad"), (0, 0)) == (0, 0)


@pytest.mark.asyncio
async def test_a_stopped_server_is_unknown_and_one_that_lost_its_data_begins_anew_without_inventing_events(shop):
    signal = shop.signal()
    await shop.answered(signal)
    shop.server.freeze()
    assert "within 1 s" in await shop.unknown(signal)
    shop.server.thaw()
    await shop.answered(signal)
    shop.server.stop()
    assert await shop.unknown(signal) == "main cannot be reached"
    shutil.rmtree(shop.server.directory / "data")
    shop.server.start()
    shop.pods[OLD].serve(100)  # before or after its first scrape, and nobody can know which
    await shop.answered(signal)
    shop.pods[NEW].serve(3)
    total = await shop.counted(signal, {(NEW, "bad"): 3})
    assert total[(NEW, "bad")] == (3, 0)
    assert total[(OLD, "good")][0] <= 100


class TestPrometheusSignalOnARealServer(SignalContract):
    @pytest_asyncio.fixture
    async def source(self, shop):
        signal = shop.signal()
        await shop.answered(signal)

        class Source:
            clock, context = shop.clock, shop.context

            def __init__(self):
                self.signal, self.ill = signal, False

            def make_bad(self):
                self.ill = True

            def make_unknown(self):
                shop.server.stop()

            def make_hang(self):
                shop.server.freeze()
                shop.source._kept.clear()  # an answer of the same two seconds would be shared

            async def something_new(self):
                """Steady traffic, as users are: a single burst would leave the window again while a busy machine waits."""
                began = shop.clock.now()
                for _ in range(10):
                    for pod in shop.pods.values():
                        pod.serve(4, bad=4 if self.ill else 0)
                    await asyncio.sleep(0.5 * SCRAPE_S)
                await shop.scraped(began + 4 * SCRAPE_S)

        return Source()
