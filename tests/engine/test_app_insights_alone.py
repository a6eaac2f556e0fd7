"""A target whose only source is four minutes late: it earns its grade, is judged, and is not called blind for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.engine.house import House
from watchdog.judgement.evidence import EvidenceRule, Kind, Knobs
from watchdog.model import CloseReason, Counts, Grade, Sample, instant
from watchdog.ports import PollContext

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

LATE_S = 200.0


class Telemetry:
    """Each poll gives the minute that is `LATE_S` old; requests fail while a release of `bad` was running then."""

    name, counts_users = "telemetry", True

    def __init__(self, house: House) -> None:
        self.house = house
        self.ran: list[tuple[float, str]] = []
        self.bad: set[str] = set()
        self.given = 0.0

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        now = self.house.clock.now()
        self.ran.append((now, self.house.targets["api"].unit.current))
        end = (now - LATE_S) // 60 * 60.0
        if end <= self.given:
            return []
        self.given = end
        release = next((name for at, name in reversed(self.ran) if at <= end), "good")
        bad = 40 if release in self.bad else 0
        reading = Counts(good=100 - bad, bad=bad)
        return [Sample(signal="telemetry", start=instant(end - 60), end=instant(end), reading=reading)]

    async def close(self) -> None:
        """Nothing."""


async def test_it_earns_its_grade_is_never_blind_and_a_bad_release_goes_back() -> None:
    house = House()
    api = house.add("api", tolerate_interruption_s=30.0, blind_after_s=300.0, bake_s=300.0)
    telemetry = Telemetry(house)
    api.signals, api.every_s = [telemetry], 60.0  # type: ignore[list-item]
    api.rules = (EvidenceRule(("telemetry",), {"telemetry": Kind.ERR}, Knobs(), poll_s=60.0),)
    await house.earn()
    async with house.running():
        await house.pass_(900)
        api.unit.deploy("next")
        await house.pass_(1500)
        record = await house.record()
        entry = record.release("next")
        assert entry is not None
        assert entry.grade is Grade.GOOD, replace(entry, template=None)
        assert not [notice for notice, _ in house.pager.delivered if notice.kind.startswith("blind")]
        telemetry.bad.add("bad")
        api.unit.deploy("bad")
        incident = await house.closed(within=1800)
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "next")]), await house.story()
