"""Orders and questions of people: they go through the same records and the same gate, and refuse without changing anything."""

from __future__ import annotations

import json

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Grade, Stage
from watchdog.ports import ControlRefused

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def built(**changes: object) -> House:
    house = House()
    house.add(**changes)
    await house.earn()
    return house


async def test_stop_cancels_what_is_not_yet_written_and_pauses_everything_for_an_hour() -> None:
    house = House()
    house.add()
    house.add("web")
    await house.earn()
    await house.earn("web")
    async with house.running():
        await house.pass_(3)
        house.go_bad("web")
        await house.when(lambda found: found.stage is Stage.VERIFYING, target="web")
        house.go_bad("api")
        api = await house.when(lambda found: found.stage is Stage.COUNTDOWN, target="api")
        answer = await house.control.stop("ann", "stop it")
        web = await house.incident("web")
        assert (answer["cancelled"], answer["running"], answer["applied"]) == ([api.id], [web.id], True)
        await house.closed(target="web")
        closed = await house.closed(target="api")
        await house.pass_(120)
        assert house.control.status()["headline"].startswith("PAUSED by ann")
        assert (await house.record("api")).cancelled == ("bad",)
        assert (await house.record("web")).cancelled == ()
    assert (closed.reason, house.writes) == (CloseReason.CANCELLED, [("bad", "good")])


async def test_nobody_can_cancel_what_is_written() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.VERIFYING)
        with pytest.raises(ControlRefused) as refused:
            await house.control.cancel(incident.id, "ann", "too late")
        assert refused.value.code == "conflict"
        assert (await house.record()).cancelled == ()
        closed = await house.closed()
    assert closed.reason is CloseReason.RECOVERED


async def test_an_incident_is_found_by_a_unique_beginning_of_its_id() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
        found = await house.control.incident(incident.id[:8])
        assert found["incident"]["id"] == incident.id
        for unknown in ("nothing", "x"):
            with pytest.raises(ControlRefused) as refused:
                await house.control.incident(unknown)
            assert refused.value.code == "not_found"
        listed = await house.control.incidents(None, open_only=False)
        assert [row["reason"] for row in listed["incidents"]] == ["recovered"]
        assert (await house.control.incidents("api", open_only=True))["incidents"] == []


async def test_a_target_that_does_not_exist_is_refused_with_those_that_do() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        for ask in (
            house.control.describe("x"),
            house.control.explain("x"),
            house.control.check("x", None),
            house.control.history("x"),
            house.control.arm("ann", "x"),
            house.control.rollback("x", to=None, dry_run=True, why="", who="ann", overrides=()),
        ):
            with pytest.raises(ControlRefused, match="known: api"):
                await ask


async def test_describe_shows_the_way_back_as_it_stands_now_and_no_raw_template() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        house.targets["api"].unit.deploy("next")
        await house.pass_(5)
        shown = await house.control.describe("api")
    assert shown["road_back"]["plan"]["to_release"] == "good"
    assert [release["fingerprint"] for release in shown["releases"]].index("good") >= 0
    assert all(release["template"] is None for release in shown["releases"])
    json.dumps(shown)


async def test_explain_names_what_keeps_it_from_acting_and_what_is_missing_to_fire() -> None:
    house = await built()
    async with house.running():
        await house.pass_(5)
        quiet = await house.control.explain("api")
        assert quiet["missing"]
        await house.pause()
        house.go_bad()
        await house.pass_(8)
        paused = await house.control.explain("api")
    blocked = {check["name"] for check in paused["decision"]["checks"] if check["effect"] == "block"}
    assert "pause" in blocked
    json.dumps(paused)


async def test_check_looks_once_and_does_not_feed_the_judgement() -> None:
    house = await built(n=1)
    async with house.running():
        await house.pass_(3)
        house.targets["api"].behaviour.blips = [(house.clock.now(), house.clock.now() + 0.01)]
        looked = await house.control.check("api", None)
        assert looked["health"] == "failing"
        assert [sample["health"] for sample in looked["samples"]] == ["bad"]
        with pytest.raises(ControlRefused, match="has no signal"):
            await house.control.check("api", "other")
        await house.pass_(10)
    assert await house.incidents() == []


async def test_history_shows_the_ledger_and_condemning_takes_a_release_from_the_way_back() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        house.targets["api"].unit.deploy("next")
        await house.pass_(3)
        before = await house.control.history("api")
        assert (before["current"], before["good"]) == ("next", "good")
        await house.control.history_edit("api", "good", "condemn", "ann", "leaks memory")
        after = await house.control.history("api")
        assert after["good"] is None
        release = next(entry for entry in after["releases"] if entry["fingerprint"] == "good")
        assert (release["grade"], release["note"]) == (Grade.CONDEMNED, "ann: leaks memory")
        await house.control.history_edit("api", "good", "clear", "ann", "was another")
        cleared = (await house.record()).release("good")
        assert cleared is not None
        assert cleared.grade is Grade.NEW
        with pytest.raises(ControlRefused, match="no release"):
            await house.control.history_edit("api", "zzz", "condemn", "ann", "x")


async def test_status_is_json_and_counts_what_grows() -> None:
    house = await built()
    async with house.running():
        await house.pass_(10)
        status = house.control.status()
    json.dumps(status)
    assert status["headline"] == "ARMED"
    assert status["counters"]["polls"] >= 8
    row = status["targets"][0]
    assert (row["state"], row["release"], row["incident"]) == (
        "healthy",
        "revision 1 (registry.example/api:good)",
        None,
    )


async def test_orders_without_the_store_are_refused_and_say_so() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        house.store.unavailable = True
        for order in (
            house.control.arm("ann", None),
            house.control.cancel("api", "ann", "x"),
            house.control.incidents(None, open_only=False),
            house.control.pauses(),
            house.control.resume("all", "ann"),
        ):
            with pytest.raises(ControlRefused) as refused:
                await order
            assert refused.value.code == "unavailable"


async def test_arming_all_is_refused_whole_when_one_target_is_not_known_yet() -> None:
    house = House()
    house.add()
    other = house.add("web")
    other.unit.fail_reads("connection refused")
    async with house.running():
        await house.pass_(5)
        with pytest.raises(ControlRefused, match="nothing is known of web"):
            await house.control.arm("ann", None)
        assert not (await house.record()).armed
