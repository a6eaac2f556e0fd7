"""The contract of `ports.Watching`, on the fake and on a platform over the fake API server; `tests/cluster` runs it on a real one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from tests.platforms.kubernetes_shop import NAME, NS, Shop
from watchdog.clients.kubernetes import Watches
from watchdog.platforms.kubernetes import KubernetesPlatform
from watchdog.ports import Clock, Watching
from watchdog.testing.clock import WorldClock
from watchdog.testing.kubernetes.objects import Key
from watchdog.testing.platforms import FakeWorld, WatchedPlatform

pytestmark = pytest.mark.asyncio
WITHIN_S = 10.0


class Watched(Protocol):
    """A unit that rests until it is told otherwise."""

    platform: Watching
    clock: Clock

    async def change(self) -> None:
        """Another release."""

    async def lose_an_instance(self) -> None:
        """An instance is replaced or restarts; no release changes."""

    def cut(self) -> None:
        """Nobody tells of changes any more."""


class FakeWatched:
    def __init__(self) -> None:
        self.clock = WorldClock()
        self.unit = FakeWorld(self.clock).add("shop", "one")
        self.platform = WatchedPlatform(self.unit)

    async def change(self) -> None:
        self.unit.deploy("two")

    async def lose_an_instance(self) -> None:
        self.unit.crash(self.unit.instances()[0].name)

    def cut(self) -> None:
        self.platform.told = False


class KubernetesWatched:
    def __init__(self, shop: Shop) -> None:
        self.shop, self.clock = shop, shop.clock
        self.watches = Watches(shop.client, shop.clock)
        self.platform = KubernetesPlatform.open(shop.client, shop.config, shop.clock, self.watches)

    async def change(self) -> None:
        self.shop.release("web:2")

    async def lose_an_instance(self) -> None:
        self.shop.server.remove("pods", NS, self.shop.pods()[0]["metadata"]["name"], "v1")
        self.shop.server.settle()

    def cut(self) -> None:
        self.shop.server.denied |= {("watch", "pods")}
        self.shop.server.end_watches()


@pytest_asyncio.fixture(params=["fake", "Deployment", "StatefulSet", "DaemonSet"])
async def watched(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Watched]:
    if request.param == "fake":
        yield FakeWatched()
        return
    async with Shop(tmp_path, request.param) as shop:
        shop.begin()
        made = KubernetesWatched(shop)
        yield made
        await made.watches.close()


async def until_known(watched: Watched) -> float:
    """Read until it is known that nothing changes; when the last read began."""
    until = time.monotonic() + WITHIN_S
    while True:
        began = watched.clock.monotonic()
        await watched.platform.read_state()  # type: ignore[attr-defined]
        for _ in range(20):
            if watched.platform.unchanged(began):
                return began
            await asyncio.sleep(0.01)
        assert time.monotonic() < until, "it is never known that nothing has changed"


async def until_unknown(watched: Watched, since: float) -> None:
    until = time.monotonic() + WITHIN_S
    while watched.platform.unchanged(since):
        assert time.monotonic() < until, "it is still said that nothing has changed"
        await asyncio.sleep(0.01)


async def test_it_is_a_platform_that_watches(watched: Watched) -> None:
    assert isinstance(watched.platform, Watching)


async def test_before_anything_was_read_nothing_is_known(watched: Watched) -> None:
    assert not watched.platform.unchanged(watched.clock.monotonic())


async def test_at_rest_it_comes_to_be_known_that_nothing_changes_and_stays_so(watched: Watched) -> None:
    since = await until_known(watched)
    await asyncio.sleep(0.2)
    assert watched.platform.unchanged(since)


async def test_of_a_time_before_the_read_nothing_is_known(watched: Watched) -> None:
    since = await until_known(watched)
    assert not watched.platform.unchanged(since - 3600)


async def test_another_release_is_noticed(watched: Watched) -> None:
    since = await until_known(watched)
    await watched.change()
    await until_unknown(watched, since)


async def test_what_happens_to_an_instance_is_noticed(watched: Watched) -> None:
    since = await until_known(watched)
    await watched.lose_an_instance()
    await until_unknown(watched, since)


async def test_after_a_read_of_what_has_changed_it_is_known_again(watched: Watched) -> None:
    await until_known(watched)
    await watched.lose_an_instance()
    await until_known(watched)


async def test_a_change_that_somebody_else_has_read_is_still_one_for_who_has_not(watched: Watched) -> None:
    since = await until_known(watched)
    await watched.change()
    await until_unknown(watched, since)
    await watched.platform.read_state()  # type: ignore[attr-defined]  # the gate, say
    assert not watched.platform.unchanged(since)


async def test_when_nobody_tells_any_more_nothing_is_known(watched: Watched) -> None:
    since = await until_known(watched)
    watched.cut()
    await until_unknown(watched, since)


async def test_changes_of_others_are_none_of_its_own(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        shop.begin()
        made = KubernetesWatched(shop)
        since = await until_known(made)
        for resource, version, labels in (("pods", "v1", {"app": "other"}), ("deployments", "apps/v1", {})):
            metadata = {"name": "other", "namespace": NS, "labels": labels}
            template = {"metadata": {"labels": {"app": "other"}}, "spec": {"containers": []}}
            spec = {"selector": {"matchLabels": {"app": "other"}}, "template": template, "replicas": 0}
            shop.server.apply(resource, {"metadata": metadata, "spec": spec}, version)
        owner = {"uid": "somebody else", "controller": True, "kind": "Deployment", "name": "other"}
        metadata = {"name": "other-1", "namespace": NS, "ownerReferences": [owner]}
        shop.server.objects.put(_key("replicasets", "other-1"), {"metadata": metadata, "spec": {}})
        await asyncio.sleep(0.3)
        assert made.platform.unchanged(since)
        metadata = {"name": "stray", "namespace": NS, "labels": {"app": NAME}}
        shop.server.apply("pods", {"metadata": metadata, "spec": {}}, "v1")  # perhaps its own: nobody's for sure
        await until_unknown(made, since)
        await made.watches.close()


def _key(resource: str, name: str) -> Key:
    return Key("apps/v1", resource, NS, name)


async def test_without_watches_it_is_never_known(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        shop.begin()
        began = shop.clock.monotonic()
        await shop.platform.read_state()
        assert not shop.platform.unchanged(began)
