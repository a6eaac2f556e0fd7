"""A workspace with a role that reports, the real client of Azure against it, and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from watchdog.clients.azure import AzureLogs, Login, Place
from watchdog.model import Counts, Instance, Sample, Unknown
from watchdog.ports import PollContext
from watchdog.signals.app_insights import AppInsightsSignal, Question, Workspace
from watchdog.testing.clock import WorldClock
from watchdog.testing.log_analytics import WORKSPACE, FakeLogAnalytics, Request
from watchdog.testing.platforms import FakeWorld

LATE_S = 40.0
"""How late this service's rows arrive; below the least that we assume."""


class World:
    def __init__(self, server: FakeLogAnalytics, clock: WorldClock) -> None:
        self.server, self.clock = server, clock
        self.logs = AzureLogs("prod", Login(kind="managed_identity", endpoint=server.url))
        self.workspace = Workspace("prod", Place(workspace=WORKSPACE), self.logs, clock)
        state = FakeWorld(clock).add("shop", "good").state()
        self.state = replace(
            state,
            release=replace(state.release, images={"api": "registry/api:1.9.0"}),
            instances=(
                Instance(name="api-1-a", release="good", ready=True),
                Instance(name="api-2-b", release="bad", ready=True),
            ),
        )
        self.context = PollContext(state=self.state)

    def signal(self, question: Question | None = None, name: str = "failures") -> AppInsightsSignal:
        return AppInsightsSignal(name, question or Question("api"), self.workspace, self.clock)

    def report(self, minutes: float = 1.0, **row: object) -> None:
        """Time goes by, in which the role reports ten rows a minute."""
        late = float(row.pop("late", LATE_S))  # type: ignore[arg-type]
        for _ in range(round(minutes * 10)):
            self.clock.step(6.0)
            now = self.clock.now()
            self.server.rows.append(Request(at=now, arrived=now + late, **row))  # type: ignore[arg-type]

    async def polled(self, signal: AppInsightsSignal, times: int = 6, **row: object) -> list[Sample]:
        """Polls once a minute while the role reports."""
        found: list[Sample] = []
        for _ in range(times):
            self.report(**row)
            found += await signal.poll(self.context)
        return found


def counts(samples: list[Sample]) -> dict[tuple[str | None, str | None], tuple[int, int]]:
    found: dict[tuple[str | None, str | None], tuple[int, int]] = {}
    for one in samples:
        assert isinstance(one.reading, Counts), one
        before = found.get((one.instance, one.release), (0, 0))
        found[(one.instance, one.release)] = (before[0] + one.reading.events, before[1] + one.reading.bad)
    return found


def reason(samples: list[Sample]) -> str:
    (one,) = samples
    assert isinstance(one.reading, Unknown), one
    return one.reading.reason


@asynccontextmanager
async def world(monkeypatch) -> AsyncIterator[World]:
    clock = WorldClock()
    async with FakeLogAnalytics(clock.now) as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        made = World(server, clock)
        made.report(20)
        try:
            yield made
        finally:
            await made.logs.close()
