"""The fake control says the same keys with the same kinds of values as the engine's, and refuses the same things.

`tests/web/test_control_contract.py` has what both must do; here the fake is held against the real one, answer by answer,
so that a face that works with the fake works with the daemon.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.engine.house import House
from watchdog.engine.control import DaemonControl
from watchdog.model import Instant, Mode, instant
from watchdog.ports import Control, ControlRefused
from watchdog.testing.clock import WorldClock
from watchdog.testing.control import FakeControl

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

TARGET = "bookstore-api"
GOOD = {"fake": "f6", "real": "good"}


@asynccontextmanager
async def asking_fake() -> AsyncIterator[tuple[Control, Callable[[], Instant], str]]:
    clock = WorldClock()
    control = FakeControl(clock.now)
    control.add_incident("inc-1")
    yield control, clock.now, GOOD["fake"]


@asynccontextmanager
async def asking_real() -> AsyncIterator[tuple[Control, Callable[[], Instant], str]]:
    """Two releases, and an incident that waits for a person."""
    house = House()
    api = house.add(TARGET, group="bookstore", mode=Mode.ASK, ask_timeout_s=600.0)
    house.mode = "ask"
    await house.earn(TARGET)
    async with house.running():
        await house.pass_(5)
        api.behaviour.bad["bad"] = 1.0
        api.unit.deploy("bad")
        await house.when(lambda found: found.stage == "asked")
        yield house.control, house.clock.now, GOOD["real"]


WORLDS = {"fake": asking_fake, "real": asking_real}


async def incident_of(control: Control) -> str:
    return str((await control.incidents(TARGET, open_only=True))["incidents"][0]["id"])


# -- every answer ----------------------------------------------------------------------------------------------------

Ask = Callable[[Control, Instant, str, str], Any]


async def judged(control: Control, incident: str) -> Any:
    """Of an incident that is over."""
    await control.cancel(incident, "ann", "no")
    return await control.judge(incident, "wrong", "ann", "it was the database")


ANSWERS: dict[str, Ask] = {
    "status": lambda c, _now, _i, _g: c.status(),
    "health": lambda c, _now, _i, _g: c.health(),
    "describe": lambda c, _now, _i, _g: c.describe(TARGET),
    "explain": lambda c, _now, _i, _g: c.explain(TARGET),
    "check": lambda c, _now, _i, _g: c.check(TARGET, None),
    "polls": lambda c, _now, _i, _g: c.polls(TARGET),
    "pauses": lambda c, _now, _i, _g: c.pauses(),
    "incidents": lambda c, _now, _i, _g: c.incidents(None, open_only=False),
    "incident": lambda c, _now, i, _g: c.incident(i),
    "history": lambda c, _now, _i, _g: c.history(TARGET),
    "pause": lambda c, now, _i, _g: c.pause("all", instant(now + 600), "database", "ann"),
    "resume": lambda c, _now, _i, _g: c.resume("all", "ann"),
    "stop": lambda c, _now, _i, _g: c.stop("ann", "odd"),
    "arm": lambda c, _now, _i, _g: c.arm("ann", None),
    "rollback": lambda c, _now, _i, _g: c.rollback(TARGET, to=None, dry_run=True, why="x", who="ann", overrides=()),
    "approve": lambda c, _now, i, _g: c.approve(i, "ann", "fine"),
    "cancel": lambda c, _now, i, _g: c.cancel(i, "ann", "no"),
    "judge": lambda c, _now, i, _g: judged(c, i),
    "drill": lambda c, _now, _i, _g: c.drill(TARGET, "ann", tell=True),
    "history_edit": lambda c, _now, _i, g: c.history_edit(TARGET, g, "condemn", "ann", "leaks"),
    "reload": lambda c, _now, _i, _g: c.reload(),
}

FREE = {"counters", "phases", "images", "request", "hints", "claims", "policy", "decision", "data", "document"}
"""Objects whose keys are data, or records that have a form of their own."""


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return {str: "text", list: "list", dict: "object", type(None): "null"}[type(value)]


def differences(fake: Any, real: Any, where: str = "") -> list[str]:
    """What a face would trip over: a key that only the fake has, or another kind of value. Null fits everything."""
    if None in (fake, real):
        return []
    if kind(fake) != kind(real):
        return [f"{where}: the fake says {kind(fake)}, the daemon {kind(real)}"]
    if isinstance(fake, dict):
        if where.rpartition(".")[2] in FREE:
            return []
        only = [f"{where}.{key}: only the fake says it" for key in fake if key not in real]
        both = [found for key in fake if key in real for found in differences(fake[key], real[key], f"{where}.{key}")]
        return only + both
    if isinstance(fake, list) and fake and real:
        return differences(fake[0], real[0], f"{where}[]")
    return []


async def answer(world: str, name: str) -> Any:
    async with WORLDS[world]() as (control, now, good):
        if name == "resume":
            await control.pause("all", instant(now() + 600), "database", "ann")
        if name == "pauses":
            await control.pause("all", instant(now() + 600), "database", "ann")
        found = ANSWERS[name](control, now(), await incident_of(control), good)
        told = await found if inspect.isawaitable(found) else found
        return json.loads(json.dumps(told, allow_nan=False))


def methods(port: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_")}


async def test_every_method_of_the_port_is_held_against_the_daemon() -> None:
    assert set(ANSWERS) == methods(Control)
    assert methods(Control) <= methods(FakeControl)
    assert methods(Control) <= methods(DaemonControl)


@pytest.mark.parametrize("name", ANSWERS)
async def test_the_fake_answers_in_the_daemons_form(name: str) -> None:
    assert differences(await answer("fake", name), await answer("real", name), name) == []


async def test_a_difference_is_found() -> None:
    assert differences({"a": 1, "b": "x"}, {"a": "1"}, "x") == [
        "x.b: only the fake says it",
        "x.a: the fake says number, the daemon text",
    ]
    assert differences({"a": [{"b": True}]}, {"a": [{"b": 1.0}]}, "x") == [
        "x.a[].b: the fake says bool, the daemon number"
    ]


# -- every refusal ---------------------------------------------------------------------------------------------------

Order = Callable[[Control, Instant, str], Awaitable[Any]]

REFUSED: dict[str, tuple[Order, str]] = {
    "describe nobody": (lambda c, _n, _i: c.describe("nobody"), "not_found"),
    "explain nobody": (lambda c, _n, _i: c.explain("nobody"), "not_found"),
    "check nobody": (lambda c, _n, _i: c.check("nobody", None), "not_found"),
    "check no such signal": (lambda c, _n, _i: c.check(TARGET, "nothing"), "not_found"),
    "polls of nobody": (lambda c, _n, _i: c.polls("nobody"), "not_found"),
    "history of nobody": (lambda c, _n, _i: c.history("nobody"), "not_found"),
    "incident nothing": (lambda c, _n, _i: c.incident("nothing"), "not_found"),
    "approve nothing": (lambda c, _n, _i: c.approve("nothing", "ann", ""), "not_found"),
    "cancel nothing": (lambda c, _n, _i: c.cancel("nothing", "ann", ""), "not_found"),
    "resume nothing": (lambda c, _n, _i: c.resume("nothing", "ann"), "not_found"),
    "arm nobody": (lambda c, _n, _i: c.arm("ann", "nobody"), "not_found"),
    "pause nobody": (lambda c, n, _i: c.pause("target/nobody", instant(n + 60), "x", "ann"), "not_found"),
    "pause no group": (lambda c, n, _i: c.pause("group/nobody", instant(n + 60), "x", "ann"), "not_found"),
    "pause until yesterday": (lambda c, n, _i: c.pause("all", instant(n - 60), "x", "ann"), "refused"),
    "pause no scope": (lambda c, n, _i: c.pause("everything", instant(n + 60), "x", "ann"), "refused"),
    "pause for no reason": (lambda c, n, _i: c.pause("all", instant(n + 60), " ", "ann"), "refused"),
    "rollback nobody": (
        lambda c, _n, _i: c.rollback("nobody", to=None, dry_run=True, why="x", who="ann", overrides=()),
        "not_found",
    ),
    "rollback to nothing": (
        lambda c, _n, _i: c.rollback(TARGET, to="ffff", dry_run=True, why="x", who="ann", overrides=()),
        "not_found",
    ),
    "judge nothing": (lambda c, _n, _i: c.judge("nothing", "right", "ann", ""), "not_found"),
    "judge an odd word": (lambda c, _n, i: c.judge(i, "perhaps", "ann", ""), "refused"),
    "judge what is open": (lambda c, _n, i: c.judge(i, "right", "ann", ""), "conflict"),
    "edit nobody": (lambda c, _n, _i: c.history_edit("nobody", "f7", "clear", "ann", ""), "not_found"),
    "edit no release": (lambda c, _n, _i: c.history_edit(TARGET, "ffff", "clear", "ann", ""), "not_found"),
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", REFUSED)
async def test_both_refuse_with_the_same_code_and_a_sentence(world: str, name: str) -> None:
    ask, code = REFUSED[name]
    async with WORLDS[world]() as (control, now, _):
        with pytest.raises(ControlRefused) as refused:
            await ask(control, now(), await incident_of(control))
        assert refused.value.code == code
        assert len(refused.value.reason) > 5
        assert not (await control.pauses())["pauses"], "a refused order changed something"


@pytest.mark.parametrize("world", WORLDS)
async def test_both_refuse_to_approve_or_cancel_what_is_over(world: str) -> None:
    async with WORLDS[world]() as (control, _, _g):
        incident = await incident_of(control)
        await control.cancel(incident, "ann", "no")
        for order in (control.approve(incident, "ann", ""), control.cancel(incident, "ann", "")):
            with pytest.raises(ControlRefused) as refused:
                await order
            assert refused.value.code in ("refused", "conflict")
        (row,) = (await control.incidents(TARGET, open_only=False))["incidents"]
        assert row["stage"] == "closed"
        assert (await control.incidents(TARGET, open_only=True))["incidents"] == []


@pytest.mark.parametrize("world", WORLDS)
async def test_a_resumed_pause_stays_in_the_list_as_ended_and_is_ended_once(world: str) -> None:
    async with WORLDS[world]() as (control, now, _):
        paused: Mapping[str, Any] = await control.pause("all", instant(now() + 600), "database", "ann")
        await control.resume(paused["pause"]["id"], "ben")
        (left,) = (await control.pauses())["pauses"]
        assert (left["id"], left["active"]) == (paused["pause"]["id"], False)
        assert (await control.resume(paused["pause"]["id"], "ben"))["ended"] == []
