"""What every recorder must do, run on the real one over files in memory and on the fake that the engine is tested with."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.incidents.worlds import recovered, samples, suspected
from watchdog.incidents import IncidentRecorder
from watchdog.model import Incident
from watchdog.ports import Clock, EvidenceSink, EvidenceSource, Recorder
from watchdog.redaction import Redactor
from watchdog.testing.clock import WorldClock
from watchdog.testing.files import MemoryFiles
from watchdog.testing.recorder import FakeRecorder

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

BOX_S = 4.0
SPARE_S = 1.0
"""For ending what the box cut off."""


class Source:
    """Evidence that comes after a while; then the source breaks, if it is to."""

    def __init__(self, *, takes_s: float = 0.0, breaks: bool = False) -> None:
        self.takes_s, self.breaks = takes_s, breaks

    async def gather(self, keep: EvidenceSink, incident: Incident) -> None:
        await asyncio.sleep(self.takes_s)
        await keep.file("objects/deployment.json", {"target": incident.target})
        if self.breaks:
            raise OSError("the connection was reset")


class Real:
    """The real recorder; what is slow are its sources."""

    def __init__(self) -> None:
        self.clock: Clock = WorldClock()
        self.files = MemoryFiles(self.clock)
        self.said: list[str] = []
        self.recorder: Recorder = IncidentRecorder(self.files, Redactor(), self.clock, self.said.append)
        self.sources: list[EvidenceSource] = [Source()]

    def slow(self, seconds: float) -> None:
        self.sources = [Source(), Source(takes_s=seconds)]

    def reports(self) -> int:
        return int("books-api-12ab/report.md" in self.files.contents)


class Fake:
    """The fake; it is slow itself."""

    def __init__(self) -> None:
        self.clock: Clock = WorldClock()
        self.fake = FakeRecorder(self.clock)
        self.recorder: Recorder = self.fake
        self.sources: list[EvidenceSource] = [Source()]

    def slow(self, seconds: float) -> None:
        self.fake.takes_s = seconds

    def reports(self) -> int:
        return len({incident.id for incident in self.fake.reported})


World = Real | Fake


@pytest.fixture(params=[Real, Fake])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.param()
    return made


async def test_evidence_is_files_with_size_digest_and_time(world: World) -> None:
    evidence = await world.recorder.capture(suspected(), world.sources, samples(), BOX_S)
    assert evidence.files
    for file in evidence.files:
        assert not file.path.startswith("/")
        assert file.size >= 0
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert evidence.started <= file.taken_at <= evidence.finished


async def test_nothing_lasts_longer_than_its_box_and_what_it_cut_is_named(world: World) -> None:
    world.slow(3600.0)
    began = world.clock.monotonic()
    evidence = await world.recorder.capture(suspected(), world.sources, samples(), BOX_S)
    assert BOX_S <= world.clock.monotonic() - began <= BOX_S + SPARE_S
    assert evidence.finished - evidence.started <= BOX_S + SPARE_S
    assert any("box" in line for line in evidence.missing)
    assert evidence.files


async def test_what_is_ready_within_the_box_is_not_called_missing(world: World) -> None:
    world.slow(BOX_S / 2)
    evidence = await world.recorder.capture(suspected(), world.sources, samples(), BOX_S)
    assert not any("box" in line for line in evidence.missing)


async def test_a_source_that_breaks_costs_nobody_the_evidence(world: World) -> None:
    world.sources = [Source(breaks=True), Source()]
    evidence = await world.recorder.capture(suspected(), world.sources, samples(), BOX_S)
    assert evidence.files


async def test_no_sources_and_no_samples_are_still_evidence_of_what_is_known(world: World) -> None:
    evidence = await world.recorder.capture(suspected(), [], [], BOX_S)
    assert evidence.finished >= evidence.started


async def test_a_capture_can_be_cancelled(world: World) -> None:
    world.slow(3600.0)
    capture = asyncio.create_task(world.recorder.capture(suspected(), world.sources, samples(), 3600.0))
    await asyncio.sleep(1)
    capture.cancel()
    with pytest.raises(asyncio.CancelledError):
        await capture


async def test_a_report_can_be_written_again_and_is_still_one(world: World) -> None:
    assert world.reports() == 0
    await world.recorder.report(recovered(), samples())
    await world.recorder.report(recovered(), samples())
    assert world.reports() == 1


async def test_files_that_are_gone_lose_no_report(world: World) -> None:
    if isinstance(world, Fake):
        await world.recorder.report(recovered(), samples())
        assert world.reports() == 1
        return
    world.files.unavailable = True
    await world.recorder.report(recovered(), samples())
    (text,) = world.said
    assert "books-api" in text


async def test_tidying_raises_for_nothing_and_keeps_what_is_open(world: World) -> None:
    await world.recorder.report(recovered(), samples())
    await world.recorder.tidy([recovered().id])
    assert world.reports() == 1
    if isinstance(world, Real):
        await asyncio.sleep(91 * 86_400)
        await world.recorder.tidy([recovered().id])
        assert world.reports() == 1
        world.files.unavailable = True
        await world.recorder.tidy([])
        world.files.unavailable = False
        assert world.reports() == 1
        await world.recorder.tidy([])
        assert world.reports() == 0
