"""The evidence rule in a whole daemon: live control, baseline, speed limit, knobs, no memory across what re-arms.

Mutations tried, each fails here: `judge._given` without the old release's samples; `board._baseline` always empty.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.house import House, Target
from watchdog.engine.daemon import Daemon
from watchdog.judgement.evidence import EvidenceRule, Kind, Knobs
from watchdog.model import CloseReason, Health, MinuteCount, Stage, instant

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

TOLERATED = 10.0


async def shop(*, poll_s: float = 1.0, kind: Kind = Kind.PROBE, minutes: tuple[int, int] | None = (60, 0)) -> House:
    """An API that is weighed, with an hour of minutes of so many (events, bad) behind it."""
    house = House()
    api = house.add(tolerate_interruption_s=TOLERATED)
    api.every_s = poll_s
    api.rules = (EvidenceRule(("probe",), {"probe": kind}, Knobs(tolerate_interruption_s=TOLERATED), poll_s=poll_s),)
    await house.earn()
    if minutes is not None:
        now, (events, bad) = house.clock.now(), minutes
        counts = tuple(
            MinuteCount(minute=instant(now - 60.0 * n), signal="probe", good=events - bad, bad=bad)
            for n in range(60, 0, -1)
        )
        await house.edit("api", lambda record: replace(record, minutes=counts))
    return house


def target(house: House) -> Target:
    return house.targets["api"]


@pytest.mark.parametrize("poll_s", [1.0, 5.0])
async def test_a_release_that_fails_is_rolled_back_soon_after_the_tolerated_interruption_and_verified(poll_s) -> None:
    house = await shop(poll_s=poll_s)
    async with house.running():
        await house.pass_(12)
        house.go_bad()
        began = house.clock.now()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert incident.breach_at is not None
    assert TOLERATED < incident.breach_at - began <= TOLERATED + 4 * poll_s + 10
    assert "enough evidence against the release" in incident.headline


@pytest.mark.parametrize("poll_s", [1.0, 2.0, 5.0])
async def test_an_interruption_shorter_than_the_tolerated_one_never_fires(poll_s: float) -> None:
    house = await shop(poll_s=poll_s)
    async with house.running() as daemon:
        await house.pass_(12)
        target(house).unit.deploy("next")
        await house.pass_(20)
        target(house).behaviour.bad["next"] = 1.0
        await house.pass_(TOLERATED - 0.5)
        target(house).behaviour.bad.clear()
        await house.pass_(120)
        verdict = daemon.board.seen["api"].verdict
    assert (await house.incidents(), house.writes) == ([], [])
    assert verdict is not None
    assert verdict.health is Health.HEALTHY


async def test_what_it_has_seen_is_told_with_what_is_missing_and_never_as_a_bare_percentage() -> None:
    house = await shop()
    async with house.running() as daemon:
        await house.pass_(12)
        house.go_bad()
        await house.until(lambda: (daemon.board.seen["api"].verdict or verdict).signals[0].progress >= 0.5)
        verdict = daemon.board.seen["api"].verdict
        assert verdict is not None
        assert verdict.suspicious
        signal = verdict.signals[0]
        assert "% of the evidence needed, about" in signal.missing
        assert "(tolerated" in signal.sentence
        assert daemon.responses["api"]._capture.active


async def test_a_service_that_was_as_bad_before_the_rollout_is_not_blamed_for_it() -> None:
    house = await shop(kind=Kind.ERR, minutes=(600, 60))
    target(house).behaviour.bad["good"] = 0.1
    target(house).behaviour.events = 10
    async with house.running():
        await house.pass_(12)
        target(house).behaviour.bad["next"] = 0.1
        target(house).unit.deploy("next")
        await house.pass_(240)
    assert (await house.incidents(), house.writes) == ([], [])


async def test_the_same_share_after_a_clean_hour_is_blamed() -> None:
    house = await shop(kind=Kind.ERR, minutes=(600, 0))
    target(house).behaviour.events = 10
    async with house.running():
        await house.pass_(12)
        target(house).behaviour.bad["next"] = 0.1
        target(house).unit.deploy("next")
        incident = await house.closed(within=400)
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("next", "good")])


async def test_what_was_seen_before_a_reload_counts_no_more() -> None:
    house = await shop()
    async with house.running() as daemon:
        await house.pass_(12)
        house.go_bad()
        await house.pass_(TOLERATED)
        assert await house.incidents() == []
        daemon.board.rearm("api", "a reload")
        await house.pass_(TOLERATED - 1)
        assert await house.incidents() == []
        incident = await house.closed()
    assert incident.reason is CloseReason.RECOVERED


async def test_no_data_never_fires_and_is_blind() -> None:
    house = await shop()
    async with house.running() as daemon:
        await house.pass_(12)
        target(house).unit.deploy("next")
        target(house).behaviour.unknown = "the source is away"
        await house.pass_(300)
        verdict = daemon.board.seen["api"].verdict
    assert verdict is not None
    assert (verdict.health, await house.incidents(), house.writes) == (Health.BLIND, [], [])


async def test_a_countdown_ends_by_recovery_only_after_twice_the_tolerated_interruption_of_good() -> None:
    house = await shop()
    target(house).policy = replace(target(house).policy, countdown_s=120.0, ask_timeout_s=600.0)
    async with house.running():
        await house.pass_(12)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        target(house).behaviour.bad.clear()
        began = house.clock.now()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED_UNAIDED, [])
    assert incident.closed_at is not None
    assert incident.closed_at - began >= 2 * TOLERATED - 2


async def rolling(*, shared: bool) -> House:
    """A rolling update that takes two minutes; half of the requests fail, of all pods or of the new ones only."""
    house = await shop()
    api = target(house)
    api.unit.rollout_s = 120.0
    api.signals[0].per_instance = True
    api.behaviour.bad["next"] = 0.5
    if shared:
        api.behaviour.bad["good"] = 0.5
    async with house.running():
        await house.pass_(6)
        api.unit.deploy("next")
        await house.pass_(110)
    return house


async def test_what_old_pods_suffer_beside_the_new_ones_is_no_evidence_against_the_release() -> None:
    house = await rolling(shared=True)
    assert (await house.incidents(), house.writes) == ([], [])


async def test_what_only_new_pods_suffer_is_and_the_rollback_does_not_wait_for_the_end_of_the_rollout() -> None:
    house = await rolling(shared=False)
    assert house.writes == [("next", "good")]


def tolerated(daemon: Daemon) -> float:
    judgement = daemon.board.seen["api"].judgement
    assert judgement is not None
    return float(judgement.rules[0].terms.ladders["probe"].tolerated)


async def test_the_hour_before_counts_also_where_the_ledger_is_read_after_the_first_polls() -> None:
    """As after a restart: the workload is read, polls come, and the record is still on its way."""
    house = await shop()
    async with house.running() as daemon:
        await house.pass_(12)
        target(house).unit.deploy("next")
        await house.pass_(30)
        before = tolerated(daemon)
        seen = daemon.board.seen["api"]
        seen.record = None
        daemon.board.rearm("api", "start-up")
        assert tolerated(daemon) > before
        await house.pass_(10)
        assert tolerated(daemon) == pytest.approx(before)
    assert before < 0.05
