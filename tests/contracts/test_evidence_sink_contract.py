"""What every sink of evidence must do, run on the real capture and on the fake that sources are tested with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from watchdog.incidents import Capture
from watchdog.model import Instant
from watchdog.ports import EvidenceSink
from watchdog.redaction import Redactor
from watchdog.testing.clock import WorldClock
from watchdog.testing.evidence import MemorySink
from watchdog.testing.files import MemoryFiles

pytestmark = pytest.mark.asyncio


class World(Protocol):
    sink: EvidenceSink

    def kept(self) -> Mapping[str, str]:
        """Path to note."""

    def missed(self) -> list[str]:
        """One line each."""


class Real:
    def __init__(self) -> None:
        clock = WorldClock()
        self.capture = Capture("books", MemoryFiles(clock), Redactor(), clock)
        self.sink: EvidenceSink = self.capture

    def kept(self) -> Mapping[str, str]:
        files = self.capture.evidence(Instant(0.0)).files
        return {file.path.removeprefix("books/"): file.note for file in files}

    def missed(self) -> list[str]:
        return list(self.capture.evidence(Instant(0.0)).missing)


class Fake:
    def __init__(self) -> None:
        self.memory = MemorySink()
        self.sink: EvidenceSink = self.memory

    def kept(self) -> Mapping[str, str]:
        return self.memory.notes

    def missed(self) -> list[str]:
        return [f"{what}: {why}" for what, why in self.memory.missed]


@pytest.fixture(params=[Real, Fake])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.param()
    return made


@pytest.mark.parametrize("content", [b"a log\n", "a log\n", {"kind": "Pod"}, [{"kind": "Event"}], b"", []])
async def test_a_part_of_any_form_is_kept_under_its_path_with_its_note(world: World, content: object) -> None:
    await world.sink.file("logs/api.log", content, "the current log")  # type: ignore[arg-type] - a sequence of forms
    assert world.kept() == {"logs/api.log": "the current log"}


async def test_the_same_path_again_replaces_the_part(world: World) -> None:
    await world.sink.file("a.log", "one")
    await world.sink.file("a.log", "two")
    assert list(world.kept()) == ["a.log"]


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "", "a//b", "a/../../b"])
async def test_a_path_that_leaves_the_bundle_is_never_kept_and_raises_nothing(world: World, path: str) -> None:
    await world.sink.file(path, "x")
    for kept in world.kept():
        assert not kept.startswith("/")
        assert ".." not in kept.split("/")


async def test_what_could_not_be_had_is_named_once_with_its_reason(world: World) -> None:
    world.sink.missing("events", "forbidden")
    world.sink.missing("events", "forbidden")
    assert world.missed() == ["events: forbidden"]
