"""P12: what could not be found out never leads to a rollback; it is told once, after its own limit.

Mutations tried, each fails here: a poll's timeout answered with `Counts(good=0, bad=1)`; blindness told without its limit.
"""

from __future__ import annotations

import math

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Counts, Instant, Reading, Stage, Value

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

REASONS = [
    "the query gave an empty vector",
    "429: the source asks for less",
    "malformed JSON",
    "TLS: certificate has expired",
    "partial result",
]


async def blind_release(house: House, seconds: float = 150.0) -> None:
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.targets["api"].unit.deploy("next")
        house.targets["api"].behaviour.unknown = house.targets["api"].behaviour.unknown or "no answer"
        await house.pass_(seconds)
        assert house.control.status()["targets"][0]["state"] == "blind"


@pytest.mark.parametrize("reason", REASONS)
async def test_p12_unknown_samples_never_roll_back_and_are_told_once_after_the_limit(reason: str) -> None:
    house = House()
    house.add(blind_after_s=100.0).behaviour.unknown = reason
    await blind_release(house)
    assert (house.writes, await house.incidents()) == ([], [])
    (notice,) = [notice for notice, _ in house.pager.delivered]
    assert (notice.kind, notice.severity) == ("blind", "page")
    assert reason in notice.body
    assert 100 <= notice.owed_at - house.started < 110


@pytest.mark.parametrize("broken", ["hang", "error"])
async def test_p12_a_signal_that_hangs_or_raises_is_unknown(broken: str, log: object) -> None:
    house = House()
    signal = house.add().signals[0]
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.targets["api"].unit.deploy("next")
        if broken == "hang":
            signal.hang = True
        else:
            log.bugs_expected = True  # type: ignore[attr-defined]
            signal.error = KeyError("result")
        await house.pass_(150)
    assert (house.writes, await house.incidents()) == ([], [])
    assert len(house.told("blind")) == 1


async def test_p12_no_number_is_no_value() -> None:
    def nan(release: str, now: Instant) -> Reading:
        del now
        return Value(value=math.nan) if release == "next" else Counts(good=1, bad=0)

    house = House()
    house.add().signals[0].script = nan
    await blind_release(house)
    assert (house.writes, await house.incidents()) == ([], [])
    assert len(house.told("blind")) == 1


async def test_p12_no_events_are_neither_good_nor_bad() -> None:
    house = House()
    api = house.add()
    api.behaviour.events = 0
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.deploy("next")
        await house.pass_(120)
        assert house.control.status()["targets"][0]["state"] == "inconclusive"
    assert (house.writes, await house.incidents()) == ([], [])


async def test_p12_a_source_that_breaks_during_the_countdown_ends_it() -> None:
    house = House()
    api = house.add(countdown_s=90.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        api.behaviour.unknown = "connection refused"
        incident = await house.when(lambda found: found.stage is Stage.HELD)
        await house.pass_(60)
    assert house.writes == []
    assert incident.decision is not None
    assert incident.decision.outcome == "blind"


async def test_p12_a_blindness_that_ended_is_told_again_when_it_comes_back() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        for _ in range(2):
            api.behaviour.unknown = "no answer"
            await house.pass_(150)
            api.behaviour.unknown = ""
            await house.pass_(20)
    assert len(house.told("blind")) == 2


async def test_p12_in_verification_blindness_ends_in_unknown_and_a_person() -> None:
    house = House()
    api = house.add(verify_within_s=60.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.until(lambda: house.writes)
        api.behaviour.unknown = "connection refused"
        incident = await house.closed()
        await house.pass_(10)
    assert (incident.reason, incident.needs_human) == (CloseReason.UNKNOWN, True)
    assert house.writes == [("bad", "good")]
