"""The contract of the signal port on the workload signal, which asks nobody: it says what release tracking has read."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_asyncio

from tests.signals.contract import SignalContract
from watchdog.model import Instance, instant
from watchdog.ports import PollContext
from watchdog.signals.workload import WorkloadSignal
from watchdog.testing.clock import WorldClock
from watchdog.testing.platforms import FakeWorld


class WorkloadSource:
    """Every look at `context` is a fresh read of the platform."""

    def __init__(self) -> None:
        self.clock = WorldClock()
        self.signal = WorkloadSignal("workload", self.clock)
        self._state = FakeWorld(self.clock).add("shop", "one").state()
        self._pods = tuple(self._pod(number) for number in range(3))
        self._age = 0.0

    @property
    def context(self) -> PollContext:
        at = instant(self.clock.now() - self._age)
        state = replace(self._state, at=at, wanted=3, ready=3, in_progress=False, complete=True, instances=self._pods)
        return PollContext(state=state, release="one", release_started=instant(at - 3600))

    def make_bad(self) -> None:
        self._pods = tuple(replace(pod, ready=False, restarts=5, problem="CrashLoopBackOff") for pod in self._pods)

    def make_unknown(self) -> None:
        self._age = 3600.0

    def _pod(self, number: int) -> Instance:
        began = instant(self.clock.now() - 60)
        return Instance(name=f"one-{number}", release="one", ready=True, node=f"node-{number}", started=began)


class TestWorkloadSignal(SignalContract):
    @pytest_asyncio.fixture
    async def source(self) -> WorkloadSource:
        return WorkloadSource()

    @pytest.mark.asyncio
    async def test_a_poll_that_hangs_can_be_cancelled(self, source: WorkloadSource) -> None:
        """It waits for nobody, so nothing can hang: the first step is the last."""
        with pytest.raises(StopIteration):
            source.signal.poll(source.context).send(None)
