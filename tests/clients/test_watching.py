"""Watches: what changed is told, gaps are known, and what is not known is never taken for "nothing has changed".

Guards that were removed once to see a test fail: whether it is connected, the age of what was heard, the wait after a refusal and after watches
that end at once, the forgetting of a collection that nobody listens to.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from watchdog.clients.kubernetes import Connection, KubernetesClient, Watches, api_path
from watchdog.clients.kubernetes import watching as module
from watchdog.clients.kubernetes.client import AT_ONCE
from watchdog.testing.clock import WorldClock
from watchdog.testing.kubernetes import FakeKubernetes, Fault

PODS = api_path("v1", "pods", "shop")
WITHIN_S = 20.0

pytestmark = pytest.mark.asyncio


class Ear:
    """Remembers what it was told, by name; None = anything may have changed."""

    def __init__(self) -> None:
        self.heard: list[str | None] = []

    def told(self, path: str, metadata: Mapping[str, Any] | None) -> None:
        assert path == PODS
        self.heard.append(None if metadata is None else metadata["name"])


class World:
    def __init__(self, server: FakeKubernetes, client: KubernetesClient, clock: WorldClock) -> None:
        self.server, self.client, self.clock = server, client, clock
        self.watches = Watches(client, clock, random.Random(1))
        self.ear = Ear()

    def pod(self, name: str, **labels: str) -> None:
        self.server.apply("pods", {"metadata": {"name": name, "namespace": "shop", "labels": labels}, "spec": {}}, "v1")

    async def until(self, there: Any) -> None:
        until = time.monotonic() + WITHIN_S
        while not there():
            assert time.monotonic() < until, self.ear.heard
            await asyncio.sleep(0.005)

    async def watching(self) -> float:
        """Listening, connected; the moment after which everything is told."""
        self.watches.listen(PODS, self.ear)
        await self.until(lambda: self.watches.covers(PODS, self.clock.monotonic()))
        return self.clock.monotonic()

    @property
    def asked(self) -> list[Mapping[str, str]]:
        return [seen.query for seen in self.server.requests if seen.query.get("watch") == "1"]


@pytest_asyncio.fixture
async def world(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(module, "BACK_OFF_S", (0.02, 0.1))
    monkeypatch.setattr(module, "SHORT_S", 0.0)
    clock = WorldClock()
    async with FakeKubernetes(clock) as server:
        (tmp_path / "kubeconfig").write_text(server.kubeconfig())
        client = await KubernetesClient.open(Connection(kubeconfig=str(tmp_path / "kubeconfig")))
        made = World(server, client, clock)
        yield made
        await made.watches.close()
        await client.close()


async def test_nothing_is_known_before_it_watches(world: World):
    assert not world.watches.covers(PODS, world.clock.monotonic())
    world.watches.listen(PODS, world.ear)
    assert not world.watches.covers(PODS, world.clock.monotonic())


async def test_what_changed_before_it_watched_is_not_covered(world: World):
    before = world.clock.monotonic()
    await world.watching()
    assert not world.watches.covers(PODS, before)


async def test_at_the_beginning_anything_may_have_changed_and_then_each_change_is_told(world: World):
    world.pod("one")
    await world.watching()
    await world.until(lambda: world.ear.heard[:2] == [None, "one"])
    world.pod("two")
    await world.until(lambda: world.ear.heard[-1:] == ["two"])
    world.server.remove("pods", "shop", "one", "v1")
    await world.until(lambda: world.ear.heard[-2:] == ["two", "one"])
    assert all("PartialObjectMetadata" in seen.accept for seen in world.server.requests if seen.query.get("watch"))


async def test_one_connection_serves_all_who_listen(world: World):
    other = Ear()
    await world.watching()
    world.watches.listen(PODS, other)
    world.watches.listen(PODS, world.ear)
    world.pod("one")
    await world.until(lambda: other.heard == ["one"] and world.ear.heard[-1:] == ["one"])
    assert len(world.asked) == 1


async def test_a_watch_that_ends_goes_on_where_it_was_and_nothing_is_missed(world: World):
    since = await world.watching()
    world.pod("one")
    await world.until(lambda: "one" in world.ear.heard)
    world.server.end_watches()
    await world.until(lambda: not world.server.watching or len(world.asked) > 1)
    world.pod("two")
    await world.until(lambda: "two" in world.ear.heard)
    assert world.watches.covers(PODS, since)
    assert world.ear.heard.count(None) == 1
    assert world.asked[1]["resourceVersion"]


async def test_a_bookmark_moves_the_place_where_it_goes_on(world: World):
    await world.watching()
    world.server.objects.version = 5000
    world.server.bookmark()
    await asyncio.sleep(0.1)
    world.server.end_watches()
    await world.until(lambda: len(world.asked) > 1)
    assert world.asked[1]["resourceVersion"] == "5000"
    assert world.ear.heard == [None]


async def test_after_a_gap_that_cannot_be_closed_anything_may_have_changed(world: World):
    since = await world.watching()
    world.pod("one")
    await world.until(lambda: "one" in world.ear.heard)
    world.server.forgotten = 10_000
    world.server.end_watches()
    await world.until(lambda: world.ear.heard.count(None) == 2)
    await world.until(lambda: world.watches.covers(PODS, world.clock.monotonic()))
    assert not world.watches.covers(PODS, since)
    assert "resourceVersion" not in world.asked[-1]


@pytest.mark.parametrize("answer", [410, 500, 429, "drop", "html"])
async def test_while_it_cannot_connect_nothing_is_known_and_it_tries_again(world: World, answer: int | str):
    since = await world.watching()
    world.pod("one")
    await world.until(lambda: "one" in world.ear.heard)
    # Dropped connections and 5xx of a question are tried twice by the client.
    world.server.faults.append(Fault("GET", answer, path="pods", times=3))
    world.server.end_watches()
    await world.until(lambda: not world.watches.covers(PODS, since))
    await world.until(lambda: world.watches.covers(PODS, world.clock.monotonic()))
    assert world.watches.covers(PODS, since) is (answer != 410)


async def test_a_place_that_the_server_refuses_again_and_again_is_given_up(world: World):
    await world.watching()
    world.pod("one")
    await world.until(lambda: "one" in world.ear.heard)
    world.server.faults.append(Fault("GET", 504, path="pods", times=2 * module.GIVEN_UP))
    world.server.end_watches()
    await world.until(lambda: world.ear.heard.count(None) == 2)
    assert "resourceVersion" not in world.asked[-1]


async def test_without_the_right_it_is_never_covered_and_asked_again_only_after_a_while(world: World, monkeypatch):
    world.server.denied.add(("watch", "pods"))
    world.watches.listen(PODS, world.ear)
    await world.until(lambda: world.asked)
    await asyncio.sleep(0.3)
    assert len(world.asked) == 1
    assert not world.watches.covers(PODS, world.clock.monotonic())
    assert world.ear.heard == []


async def test_what_was_not_heard_for_long_may_be_a_dead_connection(world: World, monkeypatch):
    since = await world.watching()
    monkeypatch.setattr(module, "SILENT_S", 0.1)
    await world.until(lambda: not world.watches.covers(PODS, since))
    world.server.bookmark()
    await world.until(lambda: world.watches.covers(PODS, since))


async def test_a_connection_that_stays_silent_is_given_up(world: World, monkeypatch):
    monkeypatch.setattr(module, "SILENT_S", 0.2)
    world.watches.listen(PODS, world.ear)
    await world.until(lambda: len(world.asked) >= 3)


@pytest.mark.parametrize("line", [b"no json", b"[]", b'{"type": 3}', b'{"type": "MODIFIED", "object": []}', b"{}"])
async def test_a_line_that_is_not_understood_is_a_gap(world: World, line: bytes):
    since = await world.watching()
    world.server.say(line)
    await world.until(lambda: world.ear.heard.count(None) == 2)
    assert not world.watches.covers(PODS, since)


async def test_watches_that_end_at_once_are_not_begun_in_a_rush(world: World, monkeypatch):
    monkeypatch.setattr(module, "SHORT_S", 60.0)
    monkeypatch.setattr(module, "LASTS_S", (0.0, 0.0))
    monkeypatch.setattr(module, "BACK_OFF_S", (0.2, 0.4))
    world.watches.listen(PODS, world.ear)
    await asyncio.sleep(0.7)
    assert 1 <= len(world.asked) <= 5


async def test_a_collection_that_nobody_listens_to_any_more_is_let_go(world: World):
    await world.watching()
    world.ear = Ear()
    gc.collect()
    world.server.end_watches()
    await world.until(lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("watch ")])
    assert not world.watches.covers(PODS, world.clock.monotonic())
    await world.watching()


async def test_closing_ends_everything_and_may_be_done_twice(world: World):
    await world.watching()
    await world.watches.close()
    await world.watches.close()
    assert not world.watches.covers(PODS, world.clock.monotonic())
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("watch ")]


async def test_many_watches_leave_room_for_calls(world: World):
    """More than a pool of connections usually holds, as with three a namespace in fifty namespaces."""
    paths = [api_path("v1", "pods", f"shop-{number}") for number in range(150)]
    ears = [Deaf() for _ in paths]
    for path, ear in zip(paths, ears, strict=True):
        world.watches.listen(path, ear)
    await world.until(lambda: len(world.server.watching) == len(paths))
    async with asyncio.timeout(8.0):
        await world.client.list(PODS)


class Deaf:
    def told(self, path: str, metadata: Mapping[str, Any] | None) -> None:
        pass


async def test_calls_are_bounded_whatever_watches(world: World):
    world.server.faults.append(Fault("GET", "hang", path="configmaps", times=1000))
    calls = [
        asyncio.create_task(world.client.get(api_path("v1", "configmaps", "shop", str(n)), timeout_s=30.0))
        for n in range(AT_ONCE + 40)
    ]
    await world.until(lambda: sum("configmaps" in seen.path for seen in world.server.requests) >= AT_ONCE)
    await asyncio.sleep(0.2)
    assert sum("configmaps" in seen.path for seen in world.server.requests) == AT_ONCE
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
