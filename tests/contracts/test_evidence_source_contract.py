"""What every source of evidence must do: the fake platform, the command platform, and Kubernetes on its fake API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import pytest_asyncio

from tests.incidents.worlds import suspected
from tests.platforms.appctl import Appctl
from tests.platforms.kubernetes_shop import Shop
from watchdog.incidents import capture
from watchdog.ports import EvidenceSource
from watchdog.redaction import Redactor
from watchdog.testing.clock import WorldClock
from watchdog.testing.evidence import MemorySink
from watchdog.testing.files import MemoryFiles
from watchdog.testing.platforms import Blocking, FakeWorld

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def fake(_place: Path) -> AsyncIterator[tuple[EvidenceSource, Any]]:
    world = FakeWorld(WorldClock())
    unit = world.add("shop", "one")
    platform, _ = world.connect("shop", None)  # type: ignore[arg-type] - nobody writes here

    async def cut() -> None:
        unit.evidence = Blocking(reason="the outside does not answer")

    yield platform, cut


@asynccontextmanager
async def command(place: Path) -> AsyncIterator[tuple[EvidenceSource, Any]]:
    outside = Appctl(place)
    await outside.deploy("one")
    yield outside.platform, outside.cut


@asynccontextmanager
async def kubernetes(place: Path) -> AsyncIterator[tuple[EvidenceSource, Any]]:
    async with Shop(place) as shop:
        shop.begin("web:one")
        yield shop.platform, shop.cut


@pytest_asyncio.fixture(params=[fake, command, kubernetes])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[EvidenceSource, Any]]:
    async with request.param(tmp_path) as made:
        yield made


async def test_a_platform_says_that_it_has_evidence(place: tuple[EvidenceSource, Any]) -> None:
    assert isinstance(place[0], EvidenceSource)


async def test_parts_have_relative_paths_and_are_things_that_can_be_kept(place: tuple[EvidenceSource, Any]) -> None:
    sink = MemorySink()
    await place[0].gather(sink, suspected())
    assert sink.files
    for path, content in sink.files.items():
        assert not PurePosixPath(path).is_absolute()
        assert ".." not in PurePosixPath(path).parts
        assert isinstance(content, bytes | str | dict | list | tuple)
    assert all(what and why for what, why in sink.missed)


async def test_gathering_twice_is_no_trouble(place: tuple[EvidenceSource, Any]) -> None:
    first, second = MemorySink(), MemorySink()
    await place[0].gather(first, suspected())
    await place[0].gather(second, suspected())
    assert set(first.files) == set(second.files)


async def test_parts_are_handed_on_one_by_one_and_it_can_be_given_up_in_the_middle(
    place: tuple[EvidenceSource, Any],
) -> None:
    sink = MemorySink()
    sink.hang = True
    task = asyncio.create_task(place[0].gather(sink, suspected()))
    async with asyncio.timeout(20):
        while not sink.files:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(sink.files) == 1


async def test_an_outside_that_cannot_be_asked_is_named_missing_and_breaks_no_capture(
    place: tuple[EvidenceSource, Any],
) -> None:
    source, cut = place
    await cut()
    clock = WorldClock()
    evidence = await capture(
        [source], suspected(), files=MemoryFiles(clock), redactor=Redactor(), clock=clock, box_s=8.0
    )
    assert [line for line in evidence.missing if "template_diff" not in line]
    assert evidence.files, "what the watchdog itself knows is there"
