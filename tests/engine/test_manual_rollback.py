"""A rollback by hand: the same gate, the same steps, and never past what a person may not override."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Grade, Mode, Owner, Ownership, Stage
from watchdog.ports import ControlRefused, JsonObject, LeaseUnknown
from watchdog.testing.leases import FakeLease
from watchdog.testing.platforms import WriteFault

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def order(
    house: House, *, to: str | None = None, dry_run: bool = False, overrides: tuple[str, ...] = ()
) -> JsonObject:
    return await house.control.rollback("api", to=to, dry_run=dry_run, why="it smells", who="ann", overrides=overrides)


async def running_next(house: House) -> None:
    """A release that is healthy and in its bake time."""
    await house.pass_(3)
    house.targets["api"].unit.deploy("next")
    await house.pass_(5)


async def built(**changes: object) -> House:
    house = House()
    house.add(**changes)
    await house.earn()
    return house


async def test_a_healthy_release_is_rolled_back_by_order_verified_and_condemned() -> None:
    house = await built()
    async with house.running():
        await running_next(house)
        answer = await order(house)
        assert answer["accepted"], answer["sentence"]
        incident = await house.closed()
    assert answer["incident"] == incident.id
    assert (incident.reason, incident.manual, house.writes) == (CloseReason.RECOVERED, True, [("next", "good")])
    assert incident.evidence is not None
    next_ = (await house.record()).release("next")
    assert next_ is not None
    assert next_.grade is Grade.CONDEMNED
    assert "it smells" in next_.note


async def test_a_dry_run_says_what_would_happen_and_changes_nothing() -> None:
    house = await built()
    async with house.running():
        await running_next(house)
        answer = await order(house, dry_run=True)
        await house.pass_(30)
        assert (answer["accepted"], answer["dry_run"], answer["incident"]) == (True, True, None)
        assert answer["rehearsal"]["issue"] == "issued"
        assert answer["plan"]["to_release"] == "good"
    assert (house.writes, await house.incidents()) == ([], [])
    assert house.targets["api"].unit.rehearsals == 1


async def test_back_to_an_older_release_by_name() -> None:
    house = await built()
    await house.known("older", grade=Grade.NEW)
    async with house.running():
        await running_next(house)
        with pytest.raises(ControlRefused, match="no release"):
            await order(house, to="unheard-of")
        answer = await order(house, to="old")
        assert answer["accepted"], answer["sentence"]
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("next", "older")])


async def test_a_condemned_release_is_taken_only_when_a_person_overrides_that_by_name() -> None:
    house = await built()
    await house.known("older", grade=Grade.CONDEMNED, note="leaks")
    async with house.running():
        await running_next(house)
        refused = await order(house, to="older")
        assert not refused["accepted"]
        assert "condemned" in refused["sentence"]
        answer = await order(house, to="older", overrides=("good_not_condemned", "countdown"))
        assert answer["accepted"]
        incident = await house.closed()
    assert house.writes == [("next", "older")]
    (override,) = [entry for entry in incident.overrides if "good_not_condemned" in entry.checks]
    assert (override.who, override.why, bool(override.id)) == ("ann", "it smells", True)


async def test_overriding_the_countdown_goes_at_once_and_without_it_there_is_one() -> None:
    for overrides, least, most in (((), 10.0, 12.0), (("countdown",), 0.0, 1.5)):
        house = await built()
        async with house.running():
            await running_next(house)
            begun = house.clock.monotonic()
            await order(house, overrides=overrides)
            await house.until(lambda house=house: house.writes)  # type: ignore[misc]
            assert least <= house.clock.monotonic() - begun <= most


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.ASK])
async def test_in_observe_a_person_overrides_the_mode_and_in_ask_the_order_is_the_answer(mode: Mode) -> None:
    house = await built(mode=mode)
    async with house.running():
        await running_next(house)
        plain = await order(house)
        assert plain["accepted"] is (mode is Mode.ASK)
        if mode is Mode.OBSERVE:
            assert (await order(house, overrides=("mode",)))["accepted"]
        await house.until(lambda: house.writes)


async def test_a_pause_holds_also_what_is_ordered_unless_it_is_named() -> None:
    house = await built()
    async with house.running():
        await running_next(house)
        await house.pause()
        assert not (await order(house))["accepted"]
        assert (await order(house, overrides=("pause",)))["accepted"]
        await house.until(lambda: house.writes)


async def test_a_pause_made_after_the_order_holds_it_though_the_order_overrides_pauses() -> None:
    house = await built()
    async with house.running():
        await running_next(house)
        assert (await order(house, overrides=("pause",)))["accepted"]
        await house.pass_(3)
        await house.pause()
        await house.pass_(40)
    assert house.writes == []


@pytest.mark.parametrize("never", ["leadership", "in_progress_by_others", "target_known", "breach_stands"])
async def test_what_nobody_may_override_stays_closed(never: str) -> None:
    house = await built()
    async with house.running():
        await running_next(house)
        if never == "leadership":
            assert isinstance(house.lease, FakeLease)
            house.lease.force(LeaseUnknown(reason="gone"))
        else:
            house.targets["api"].unit.owner = Ownership(owner=Owner.HELM, sentence="helm release shop")
        answer = await order(house, overrides=(never, "leadership", "in_progress_by_others"))
        await house.pass_(20)
        assert not answer["accepted"]
    assert house.writes == []


async def test_an_order_takes_over_the_open_incident_of_the_same_release() -> None:
    house = await built(mode=Mode.ASK)
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        asked = await house.when(lambda found: found.stage is Stage.ASKED)
        answer = await order(house, overrides=("countdown",))
        assert answer["incident"] == asked.id
        incident = await house.closed()
    assert (incident.reason, incident.reopened, house.writes) == (CloseReason.RECOVERED, 1, [("bad", "good")])
    assert (await house.record()).cancelled == ()


async def test_an_order_is_refused_while_a_write_is_under_way_or_being_verified() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        house.targets["api"].unit.fail_next_write(WriteFault.LOST_UNKNOWN)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.INTENDED)
        with pytest.raises(ControlRefused) as refused:
            await order(house, overrides=("countdown",))
        assert refused.value.code == "conflict"
        await house.when(lambda found: found.stage is Stage.VERIFYING)
        assert not (await order(house, overrides=("countdown",)))["accepted"]
        await house.closed()
    assert house.writes == [("bad", "good")]


async def test_an_order_survives_a_crash() -> None:
    house = await built()
    async with house.running():
        await running_next(house)
        assert (await order(house))["accepted"]
        await house.pass_(4)
        house.life.gone.set()
    async with house.running():
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("next", "good")])


async def test_watch_only_targets_are_never_rolled_back() -> None:
    house = await built()
    house.add("db", platform=False)
    async with house.running():
        await house.pass_(3)
        with pytest.raises(ControlRefused, match="watch-only"):
            await house.control.rollback("db", to=None, dry_run=False, why="x", who="ann", overrides=())
