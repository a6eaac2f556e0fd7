"""A fake server, processes that count, and a signal that asks: moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from watchdog.model import Counts, Instance, Sample, Unknown, WorkloadState
from watchdog.ports import PollContext
from watchdog.signals.prometheus import Access, PrometheusSignal, PrometheusSource, Ratio
from watchdog.signals.prometheus.questions import Question
from watchdog.signals.prometheus.series import Labels
from watchdog.testing.clock import WorldClock
from watchdog.testing.platforms import FakeWorld
from watchdog.testing.prometheus import FakePrometheus, Process

SCRAPE_S = 15.0
RATIO = Ratio('requests_total{job="shop",code=~"5.."}', 'requests_total{job="shop"}')
OLD, NEW = "shop-7f6d-aaaaa", "shop-9c4b-bbbbb"


class World:
    """Two pods of two releases beside each other, scraped every 15 s."""

    def __init__(self, server: FakePrometheus, clock: WorldClock, **access: object) -> None:
        self.server, self.clock = server, clock
        self.source = PrometheusSource("main", Access(url=server.url, **access), clock)  # type: ignore[arg-type]
        self.pods = {name: Process({"pod": name, "job": "shop", "instance": f"{name}:8000"}) for name in (OLD, NEW)}
        self.state = state_of(clock)
        self.context = PollContext(state=self.state)
        for _ in range(6):
            self.serve()

    def signal(self, question: Question = RATIO, **more: object) -> PrometheusSignal:
        return PrometheusSignal("errors", question, self.source, self.clock, every_s=SCRAPE_S, **more)  # type: ignore[arg-type]

    def serve(self, events: int = 10, bad: int = 0, *, of: str | None = None, after: float = SCRAPE_S) -> None:
        """One scrape interval goes by, in which each pod (or `of` alone the bad ones) answers so many requests."""
        self.clock.step(after)
        for name, process in self.pods.items():
            failed = bad if of in (None, name) else 0
            process.add("requests_total", events - failed, code="200")
            if failed:
                process.add("requests_total", failed, code="500")
            self.server.scrape(process, self.clock.now() - 3.0)

    async def poll(self, signal: PrometheusSignal) -> list[Sample]:
        return list(await signal.poll(self.context))


def state_of(clock: WorldClock) -> WorkloadState:
    state = FakeWorld(clock).add("shop", "good").state()
    pods = (
        Instance(name=OLD, release="good", ready=True, started=clock.now() - 3600),
        Instance(name=NEW, release="bad", ready=True, started=clock.now() - 3600),
    )
    return replace(state, instances=pods)


def counts(samples: list[Sample]) -> dict[tuple[str | None, str | None], tuple[int, int]]:
    """By (instance, release): (events, bad); every sample must have counted."""
    found: dict[tuple[str | None, str | None], tuple[int, int]] = {}
    for one in samples:
        assert isinstance(one.reading, Counts), one
        before = found.get((one.instance, one.release), (0, 0))
        found[(one.instance, one.release)] = (before[0] + one.reading.events, before[1] + one.reading.bad)
    return found


def reason(samples: list[Sample]) -> str:
    """Why nothing is known."""
    (one,) = samples
    assert isinstance(one.reading, Unknown), one
    return one.reading.reason


@asynccontextmanager
async def world(**access: object) -> AsyncIterator[World]:
    async with FakePrometheus() as server:
        made = World(server, WorldClock(), **access)
        yield made
        await made.source.close()


__all__ = ["NEW", "OLD", "RATIO", "SCRAPE_S", "Labels", "World", "counts", "reason", "world"]
