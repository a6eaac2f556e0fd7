"""One contract, two controls: the fake that faces are built against, and the engine's over a whole house of fakes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from tests.engine.house import House
from watchdog.model import instant
from watchdog.ports import Clock, Control, ControlRefused
from watchdog.testing.clock import WorldClock
from watchdog.testing.control import FakeControl

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

STATES = {"healthy", "suspect", "failing", "inconclusive", "blind", "paused", "responding", "needs_human"}


@asynccontextmanager
async def fake() -> AsyncIterator[tuple[Control, Clock, str]]:
    clock = WorldClock()
    control = FakeControl(clock.now)
    control.add_incident("inc-1")
    yield control, clock, "bookstore-api"


@asynccontextmanager
async def real() -> AsyncIterator[tuple[Control, Clock, str]]:
    """Two releases, and an incident that asks."""
    house = House()
    api = house.add("bookstore-api", group="bookstore", ask_timeout_s=600.0)
    await house.earn("bookstore-api")
    async with house.running():
        await house.pass_(5)
        api.behaviour.bad["bad"] = 1.0
        api.unit.deploy("bad")
        await house.closed()
        yield house.control, house.clock, "bookstore-api"


World = AbstractAsyncContextManager[tuple[Control, Clock, str]]


@pytest.fixture(params=[fake, real])
def world(request: pytest.FixtureRequest) -> World:
    context: World = request.param()
    return context


def json_of(answer: Any) -> dict[str, Any]:
    """As it goes over the wire: plain JSON, no NaN, every moment an ISO 8601 text with its zone."""
    body = json.loads(json.dumps(answer, allow_nan=False))
    assert isinstance(body, dict)
    for key in ("at", "applied_at"):
        if body.get(key) is not None:
            assert datetime.fromisoformat(body[key]).tzinfo is not None
    return body


def has(answer: dict[str, Any], *keys: str) -> None:
    assert set(keys) <= set(answer), f"missing: {set(keys) - set(answer)}"


async def test_status_is_one_screen_of_json(world: World) -> None:
    async with world as (control, _, target):
        status = json_of(control.status())
        has(
            status,
            "at",
            "mode",
            "headline",
            "cycle",
            "leader",
            "config",
            "store",
            "outbox",
            "targets",
            "pauses",
            "counters",
        )
        has(status["leader"], "held", "sentence")
        has(status["config"], "hash", "loaded_at", "error")
        has(status["store"], "ok", "sentence")
        has(status["outbox"], "depth", "last_error")
        row = next(row for row in status["targets"] if row["name"] == target)
        has(
            row,
            "group",
            "platform",
            "mode",
            "state",
            "sentence",
            "release",
            "good",
            "since",
            "streak",
            "bake",
            "incident",
        )
        assert row["state"] in STATES
        for signal in row["signals"]:
            has(signal, "name", "health", "sentence", "missing", "progress", "value", "limit", "events", "data_age_s")
            assert 0 <= signal["progress"] <= 1
        assert all(isinstance(value, int | float) for value in status["counters"].values())


async def test_health_says_live_ready_and_every_loop(world: World) -> None:
    async with world as (control, _, _target):
        health = json_of(control.health())
        assert (health["live"], health["ready"]) == (True, True)
        assert health["loops"]
        for loop in health["loops"]:
            has(loop, "name", "last_s", "limit_s", "state")


async def test_questions_about_a_target_have_their_parts(world: World) -> None:
    async with world as (control, _, target):
        described = json_of(await control.describe(target))
        has(described, "at", "target", "unit", "releases", "policy", "road_back", "databases")
        has(described["road_back"], "decision", "plan", "sentence")
        assert described["target"]["name"] == target
        explained = json_of(await control.explain(target))
        has(explained, "at", "target", "sentence", "decision", "missing", "incident")
        for check in explained["decision"]["checks"]:
            has(check, "name", "effect", "sentence", "outcome")
            assert check["effect"] in {"pass", "block", "ask", "unknown"}
        history = json_of(await control.history(target))
        has(history, "at", "target", "current", "good", "releases", "acts")
        for release in (*history["releases"], *described["releases"]):
            has(release, "fingerprint", "revision", "images", "grade", "started", "watched_s", "note")


async def test_a_look_has_samples_and_a_health(world: World) -> None:
    async with world as (control, _, target):
        look = json_of(await control.check(target, None))
        has(look, "at", "target", "health", "sentence", "samples")
        assert look["samples"]
        for sample in look["samples"]:
            has(sample, "signal", "health", "sentence", "value", "events", "release", "instance", "phases", "took_s")
            assert sample["health"] in {"good", "bad", "unknown"}


async def test_incidents_are_listed_and_told(world: World) -> None:
    async with world as (control, _, target):
        listed = json_of(await control.incidents(target, open_only=False))["incidents"]
        has(
            listed[0],
            *("id", "target", "group", "stage", "reason", "headline", "blamed", "good"),
            *("opened_at", "closed_at", "simulated", "manual", "needs_human"),
        )
        told = json_of(await control.incident(listed[0]["id"]))
        has(told, "incident", "report")
        has(told["incident"], "id", "target", "stage", "blamed", "entries")
        assert json_of(await control.incident(listed[0]["id"][:-1]))["incident"]["id"] == listed[0]["id"]
        elsewhere = json_of(await control.incidents("nobody", open_only=False))
        assert elsewhere["incidents"] == []


async def test_a_pause_is_applied_shown_and_ended(world: World) -> None:
    async with world as (control, clock, target):
        until = instant(clock.now() + 3600)
        paused = json_of(await control.pause(f"target/{target}", until, "database move", "ann"))
        has(paused, "pause", "applied", "applied_at", "cycle", "sentence")
        assert paused["applied"] is True
        assert (paused["pause"]["who"], paused["pause"]["why"]) == ("ann", "database move")
        (listed,) = [pause for pause in json_of(await control.pauses())["pauses"] if pause["active"]]
        assert listed["id"] == paused["pause"]["id"]
        ended = json_of(await control.resume(listed["id"], "ben"))
        has(ended, "ended", "applied", "applied_at", "cycle", "sentence")
        assert [pause["id"] for pause in ended["ended"]] == [listed["id"]]
        assert not any(pause["active"] for pause in json_of(await control.pauses())["pauses"])


async def test_stop_pauses_everything_for_an_hour(world: World) -> None:
    async with world as (control, clock, _target):
        stopped = json_of(await control.stop("ann", "odd"))
        has(stopped, "cancelled", "running", "pause", "applied", "applied_at", "cycle", "sentence")
        until = datetime.fromisoformat(stopped["pause"]["until"]).timestamp()
        assert until - clock.now() == pytest.approx(3600, abs=5)
        assert json_of(control.status())["headline"].startswith("PAUSED by ann")


async def test_a_dry_run_decides_and_begins_nothing(world: World) -> None:
    async with world as (control, _, target):
        before = len(json_of(await control.incidents(target, open_only=False))["incidents"])
        answer = json_of(await control.rollback(target, to=None, dry_run=True, why="look", who="ann", overrides=()))
        has(answer, "accepted", "dry_run", "incident", "decision", "plan", "sentence")
        assert (answer["dry_run"], answer["incident"]) == (True, None)
        assert len(json_of(await control.incidents(target, open_only=False))["incidents"]) == before


async def test_arming_and_grades(world: World) -> None:
    async with world as (control, _, target):
        assert target in json_of(await control.arm("ann", None))["armed"]
        assert json_of(await control.arm("ann", target))["armed"] == [target]
        fingerprint = json_of(await control.history(target))["current"]
        edited = json_of(await control.history_edit(target, fingerprint, "condemn", "ann", "leaks"))
        has(edited, "release", "sentence")
        assert edited["release"]["grade"] == "condemned"


async def test_what_is_not_there_is_refused_with_a_code(world: World) -> None:
    async with world as (control, _, target):
        for question in (
            control.describe("nobody"),
            control.explain("nobody"),
            control.check("nobody", None),
            control.history("nobody"),
            control.incident("nothing"),
            control.approve("nothing", "ann", ""),
            control.cancel("nothing", "ann", ""),
            control.resume("nothing", "ann"),
            control.arm("ann", "nobody"),
            control.rollback("nobody", to=None, dry_run=True, why="", who="ann", overrides=()),
            control.history_edit(target, "ffff-nothing", "clear", "ann", ""),
        ):
            with pytest.raises(ControlRefused) as refused:
                await question
            assert refused.value.code == "not_found"
            assert refused.value.reason
            assert refused.value.next_command.startswith("watchdog ")


async def test_polls_are_the_latest_polls_of_each_signal_oldest_first(world: World) -> None:
    async with world as (control, _, target):
        found = json_of(await control.polls(target))
        has(found, "at", "target", "signals")
        polls = found["signals"][0]["polls"]
        assert 0 < len(polls) <= 120
        assert [poll["at"] for poll in polls] == sorted(poll["at"] for poll in polls)
        for poll in polls:
            has(poll, "at", "health", "bad", "events", "value", "sentence", "instance")
            assert poll["health"] in ("good", "bad", "unknown")
        with pytest.raises(ControlRefused, match="no target"):
            await control.polls("nobody")
