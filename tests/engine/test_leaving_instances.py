"""A rolling update takes instances away between two reads of the platform: what they no longer answer is no fault.

Mutations tried, each fails here: `Poller._settled` gives back all samples; it never looks; its look has no deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.engine.house import House, never
from watchdog.engine.board import Board, Seen, Watch, WatchedSignal
from watchdog.engine.polling import LOOK_S, Poller
from watchdog.engine.supervisor import Beat
from watchdog.judgement.threshold import Consecutive
from watchdog.model import Counts, Health, Instance, Sample
from watchdog.ports import PollContext

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


class EachOfThem:
    """A signal that asks every instance of the last read; those in `refusing` do not answer any more."""

    name, counts_users = "pods", False

    def __init__(self, house: House, refusing: set[str]) -> None:
        self.clock, self.refusing = house.clock, refusing

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        assert context.state is not None
        now = self.clock.now()
        return [
            Sample(
                signal=self.name,
                start=now,
                end=now,
                reading=Counts(good=entry.name not in self.refusing, bad=entry.name in self.refusing),
                release=entry.release,
                instance=entry.name,
            )
            for entry in context.state.instances
        ]

    async def close(self) -> None:
        pass


def placed(house: House, refusing: set[str]) -> tuple[Seen, Poller]:
    """A target whose last read had the instances `old-1` and `old-2`, polled once a second."""
    target = house.add()
    signal = EachOfThem(house, refusing)
    rules = (Consecutive(signal="pods", n=2, recover=2),)
    watch = Watch(policy=target.policy, signals=(WatchedSignal(signal, 1.0, 1.0),), rules=rules)
    board = Board(house.clock)
    seen = board.put(watch, "start-up")
    state = target.unit.state()
    seen.state = replace(state, instances=tuple(instance(f"old-{n}", state.release.fingerprint) for n in (1, 2)))
    return seen, Poller(board, "api", watch.signals[0], house.clock)


def instance(name: str, release: str, **changes: object) -> Instance:
    return Instance(name=name, release=release, address="10.0.0.1", ready=True, **changes)  # type: ignore[arg-type]


async def polled(poller: Poller, house: House, seconds: float) -> None:
    """Let it poll for a while."""
    task = asyncio.create_task(poller.run(Beat(house.clock, house.clock.monotonic())))
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])


async def test_an_instance_that_has_gone_since_the_last_read_is_not_held_against_the_release() -> None:
    house = House()
    seen, poller = placed(house, {"old-1", "old-2"})

    async def look() -> None:
        assert seen.state is not None
        seen.state = replace(seen.state, instances=(instance("new-1", seen.state.release.fingerprint),))

    poller.look_again = look
    await polled(poller, house, 5.5)
    assert seen.verdict is not None
    assert seen.verdict.health is Health.HEALTHY
    assert not [sample for sample in seen.samples if sample.instance in ("old-1", "old-2")]


async def test_one_that_is_leaving_says_nothing_either() -> None:
    house = House()
    seen, poller = placed(house, {"old-1"})

    async def look() -> None:
        assert seen.state is not None
        first, *others = seen.state.instances
        seen.state = replace(seen.state, instances=(replace(first, terminating=True), *others))

    poller.look_again = look
    await polled(poller, house, 5.5)
    assert seen.verdict is not None
    assert seen.verdict.health is Health.HEALTHY


async def test_one_that_is_still_there_and_fails_counts() -> None:
    house = House()
    seen, poller = placed(house, {"old-1", "old-2"})
    looks: list[float] = []

    async def look() -> None:
        looks.append(house.clock.monotonic())

    poller.look_again = look
    await polled(poller, house, 3.5)
    assert seen.verdict is not None
    assert seen.verdict.health is Health.FAILING
    assert len(looks) >= 2


async def test_a_platform_that_does_not_answer_costs_the_look_its_deadline_and_the_failure_counts() -> None:
    house = House()
    seen, poller = placed(house, {"old-1", "old-2"})
    poller.look_again = never
    await polled(poller, house, 3 * (LOOK_S + 1))
    assert seen.verdict is not None
    assert seen.verdict.health is Health.FAILING


async def test_while_all_is_well_the_platform_is_not_asked_by_the_poll() -> None:
    house = House()
    _, poller = placed(house, set())
    looks: list[float] = []

    async def look() -> None:
        looks.append(house.clock.monotonic())

    poller.look_again = look
    await polled(poller, house, 5.5)
    assert looks == []
