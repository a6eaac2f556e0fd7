"""P2-P5: while paused nothing is changed by us on any path; pauses fail closed, are acknowledged, and end in a fresh window.

Mutations tried, each fails here: `pausing.active` giving no pauses; `PauseBook.register` giving an empty register for one
that is missing or damaged; `Care.pause_ended` without its `rearm`; `DaemonControl._settled` answering True at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC

import looptime
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.engine.conftest import Log
from tests.engine.house import House, Target
from watchdog.engine.pauses import REGISTER
from watchdog.model import CloseReason, Pause, PauseRegister, Stage, from_document, instant, iso, parse_instant
from watchdog.ports import ControlRefused
from watchdog.safety.recurring import Recurring
from watchdog.testing.platforms import WriteFault

EVENTS = (
    "deploy bad",
    "deploy worse",
    "recover",
    "fail again",
    "restart",
    "kill",
    "reload",
    "fault",
    "unclear",
    "resume other",
)


async def happen(house: House, api: Target, event: str, stack: contextlib.AsyncExitStack) -> None:
    daemon = house.daemon
    assert daemon is not None
    if event.startswith("deploy"):
        house.go_bad(fingerprint=event.split()[1])
    elif event == "recover":
        api.behaviour.bad = dict.fromkeys(api.behaviour.bad, 0.0)
    elif event == "fail again":
        api.behaviour.bad = dict.fromkeys([*api.behaviour.bad, "good"], 1.0)
    elif event in ("restart", "kill"):
        if event == "kill":
            house.life.gone.set()
        await stack.aclose()
        await stack.enter_async_context(house.running())
    elif event == "reload":
        await daemon.reloader.reload()
    elif event == "fault":
        api.unit.fail_next_write(WriteFault.LOST_UNKNOWN)
    elif event == "unclear":
        api.unit.fail_next_write(WriteFault.APPLIED_UNKNOWN)
    elif event == "resume other":
        with contextlib.suppress(ControlRefused):
            await house.control.resume("target/web", "ann")


async def live_through(pause_at: float, length: float, events: list[tuple[float, str]]) -> tuple[House, float, float]:
    """One life with a pause in it. Returns when it was acknowledged and when it ended."""
    house = House()
    api, _ = house.add(countdown_s=2.0), house.add("web")
    await house.earn()
    await house.earn("web")
    moments = sorted([*events, (pause_at, "pause")])
    begins = ends = 0.0
    async with contextlib.AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(house.running())
        daemon.rebuild = None
        await house.pass_(2)
        origin = house.clock.monotonic()
        for at, event in moments:
            await house.pass_(max(0.0, origin + at - house.clock.monotonic()))
            if event == "pause":
                await house.pause(length)
                begins = house.clock.now()
                ends = begins + length
            else:
                await happen(house, api, event, stack)
        await house.pass_(max(1.0, ends - house.clock.now() + 5.0))
    return house, begins, ends


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    pause_at=st.floats(0.0, 20.0),
    length=st.floats(10.0, 30.0),
    events=st.lists(st.tuples(st.floats(0.0, 30.0), st.sampled_from(EVENTS)), min_size=1, max_size=5),
)
@example(pause_at=8.5, length=20.0, events=[(0.0, "deploy bad")])
@example(pause_at=3.0, length=30.0, events=[(0.0, "unclear"), (0.5, "deploy bad"), (6.0, "kill")])
def test_p2_no_write_lies_inside_a_pause_whatever_happens(
    pause_at: float, length: float, events: list[tuple[float, str]]
) -> None:
    with contextlib.closing(looptime.new_event_loop()) as loop:
        house, begins, ends = loop.run_until_complete(live_through(pause_at, length, events))
    inside = [write for write in house.world.writes if begins <= write.at < ends]
    assert inside == []
    assert all(write.to_release == "good" for write in house.world.writes)


def test_p2_the_property_would_notice_a_write() -> None:
    """The same life without its pause does write: the property above is not empty."""
    with contextlib.closing(looptime.new_event_loop()) as loop:
        house, begins, _ = loop.run_until_complete(live_through(25.0, 10.0, [(0.0, "deploy bad")]))
    assert [write.at < begins for write in house.world.writes] == [True]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p2_a_pause_ends_a_countdown_and_resuming_begins_a_new_one() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(2)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        await house.pass_(8)
        pause = await house.pause(120)
        held = await house.closed()
        assert held.reason is CloseReason.WOULD_HAVE
        assert any(entry.kind == "ended" for entry in held.entries)
        await house.pass_(20)
        assert house.writes == []
        resumed = house.clock.now()
        await house.control.resume(pause, "ann")
        await house.until(lambda: house.writes)
        assert house.world.writes[0].at - resumed >= 10 + 2  # a whole countdown after three fresh samples
        await house.closed()


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("trouble", ["garbage", "missing", "hangs", "unavailable"])
async def test_p3_a_register_that_cannot_be_read_means_paused_and_is_told(trouble: str, log: Log) -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        if trouble == "garbage":
            house.store.garbage.add(REGISTER)
        elif trouble == "missing":
            stored = await house.inner.read(REGISTER)
            assert stored is not None
            await house.inner.delete(REGISTER, stored.version)
        else:
            setattr(house.store, {"hangs": "hang"}.get(trouble, trouble), True)
        house.go_bad()
        await house.pass_(60)
        assert house.writes == []
        assert house.control.status()["headline"].startswith("PAUSED")
        assert not house.control.status()["store"]["ok"]
        assert [notice.severity for notice in house.told("store")] == ["page"]
        if trouble == "hangs":
            house.store.hang = False
    assert house.writes == []


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p3_once_the_register_can_be_read_again_fresh_samples_are_needed_and_then_it_acts() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.store.garbage.add(REGISTER)
        house.go_bad()
        await house.pass_(40)
        house.store.garbage.clear()
        readable = house.clock.now()
        await house.until(lambda: house.writes)
        assert house.world.writes[0].at - readable >= 10 + 2
        await house.pass_(1)


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("until", ["soon", 17, None])
async def test_p3_a_mistyped_pause_means_paused(until: object) -> None:
    house = House()
    house.add()
    await house.earn()
    stored = await house.inner.read(REGISTER)
    assert stored is not None
    pause = {"id": "p", "scope": "all", "who": "ann", "why": "x", "since": iso(house.clock.now()), "until": until}
    await house.inner.replace(REGISTER, {**stored.document, "pauses": [pause]}, stored.version)
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.pass_(40)
    assert house.writes == []


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p3_a_scope_that_nobody_understands_covers_everything() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(2)
        await house.pause(scope="target/api")
        stored = await house.inner.read(REGISTER)
        assert stored is not None
        (pause,) = stored.document["pauses"]
        await house.inner.replace(
            REGISTER, {**stored.document, "pauses": [{**pause, "scope": "targt/x"}]}, stored.version
        )
        house.go_bad()
        await house.closed()
    assert house.writes == []


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p3_a_pause_survives_a_restart_and_ends_by_itself_with_a_notice_and_its_count() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(2)
        await house.pause(90)
    async with house.running():
        await house.pass_(2)
        assert house.control.status()["headline"].startswith("PAUSED by ann")
        house.go_bad()
        incident = await house.closed()
        assert incident.reason is CloseReason.WOULD_HAVE
        ends = house.daemon.pauses.last.pauses[0].until  # type: ignore[union-attr]
        await house.until(lambda: house.writes)
        assert house.world.writes[0].at >= ends
        await house.until(lambda: house.told("pause-ended"))
    (notice,) = house.told("pause-ended")
    assert "ended; 1 act was suppressed" in notice.body
    stored = await house.inner.read(REGISTER)
    assert stored is not None
    (pause,) = from_document(PauseRegister, stored.document).pauses
    assert (pause.who, pause.why, pause.scope, pause.suppressed) == ("ann", "maintenance", "all", 1)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p3_a_window_of_the_configuration_pauses_from_its_beginning_to_its_end() -> None:
    house = House()
    house.add()
    await house.earn()
    now = house.clock.now()
    window = Pause(
        id="w", scope="all", who="configuration", why="nightly", since=instant(now + 5), until=instant(now + 60)
    )
    house.windows = (window,)
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.pass_(30)
        assert house.writes == []
        await house.until(lambda: house.writes)
        await house.until(lambda: house.told("pause-ended"))
    assert house.world.writes[0].at >= window.until
    (notice,) = house.told("pause-ended")
    assert notice.body.endswith("ended; 1 act was suppressed")


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_recurring_window_pauses_each_time_it_comes_and_what_it_covered_is_judged_anew_before_any_write() -> (
    None
):
    house = House()
    house.add()
    await house.earn()
    begins = comes_again(house, lasts_s=120.0)
    async with house.running() as daemon:
        await house.pass_(begins - house.clock.now() + 5)
        assert daemon.board.seen["api"].verdict is not None
        assert (await paused_now(house)) == [("all", "nightly", begins, begins + 120.0)]
        house.go_bad()
        await house.until(lambda: house.writes, within=300)
        assert house.world.writes[0].at > begins + 120.0 + 2.0  # three bad polls of after its end
        await house.until(lambda: house.told("pause-ended"))
        await house.pass_(begins + 305 - house.clock.now())
        assert [entry[2] for entry in await paused_now(house)] == [begins + 300.0]
    assert "ended; 1 act was suppressed" in house.told("pause-ended")[0].body


@pytest.mark.parametrize("before_s", [3.5, 4.5, 5.5])
@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p5_nothing_is_written_between_the_end_of_a_pause_and_the_fresh_window(stored, before_s: float) -> None:
    """Care re-arms within some seconds of the end; here it is asleep, and bad samples of before it make the breach."""
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(2)
        ends = instant(house.clock.now() + 40)
        if stored:
            await house.pause(40)
        else:
            window = Pause(id="w", scope="all", who="c", why="y", since=house.clock.now(), until=ends)
            daemon.pauses.windows = (window,)
        daemon.carer._look_at_pauses = asleep  # type: ignore[method-assign]
        await house.pass_(ends - house.clock.now() - before_s)
        house.go_bad()
        await house.pass_(before_s + 15)
        assert house.writes == []
        assert "judged anew first" in str((await house.incident()).decision)
        del daemon.carer._look_at_pauses
        await house.until(lambda: house.writes)


async def asleep() -> None:
    """Looks at nothing."""


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_running_window_ends_by_its_id_and_not_by_resuming_its_scope_and_comes_again() -> None:
    house = House()
    house.add()
    await house.earn()
    begins = comes_again(house, lasts_s=240.0)
    async with house.running():
        await house.pass_(begins - house.clock.now() + 5)
        await house.pause(60)
        answer = await house.control.resume("all", "ann")
        assert "1 pause ended; all is still paused by configuration until" in answer["sentence"]
        with pytest.raises(ControlRefused):
            await house.control.resume("all", "ann")
        (name,) = [pause["id"] for pause in house.control.status()["pauses"]]
        assert (await house.control.resume(name, "ann"))["sentence"] == "1 pause ended"
        await house.pass_(5)
        assert await paused_now(house) == []
        await house.pass_(300)
        assert [entry[2] for entry in await paused_now(house)] == [begins + 300.0]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_end_of_a_window_during_which_the_daemon_was_down_is_told_with_its_count() -> None:
    house = House()
    house.add()
    await house.earn()
    begins = comes_again(house, lasts_s=200.0)
    async with house.running():
        await house.pass_(begins - house.clock.now() + 5)
        house.go_bad()
        await house.when(lambda incident: incident.simulated)
        await house.pass_(3)
    await asyncio.sleep(250)
    async with house.running():
        await house.until(lambda: house.told("pause-ended"))
    assert "ended; 1 act was suppressed" in house.told("pause-ended")[0].body


def comes_again(house: House, lasts_s: float) -> float:
    """Give the house a window that comes at the next full minute and again 5 min later. Returns when it begins."""
    begins = 60.0 * (house.clock.now() // 60.0 + 1)
    first = int(begins // 60) % 60
    house.windows = (
        Recurring(
            id="w",
            scope="all",
            who="configuration",
            why="nightly",
            cron=f"{first},{(first + 5) % 60} * * * *",
            zone=UTC,
            lasts_s=lasts_s,
        ),
    )
    return begins


async def paused_now(house: House) -> list[tuple[str, str, float, float]]:
    pauses = (await house.control.pauses())["pauses"]
    found = [
        (entry["scope"], entry["why"], parse_instant(entry["since"]), parse_instant(entry["until"]))
        for entry in pauses
        if entry["active"]
    ]
    assert [entry["state"] for entry in pauses].count("upcoming") == 1  # the next one
    return found


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_people_are_reminded_once_before_a_window_of_the_configuration_ends() -> None:
    house = House()
    house.add()
    await house.earn()
    now = house.clock.now()
    house.windows = (
        Pause(id="w", scope="all", who="configuration", why="nightly", since=instant(now), until=instant(now + 1300)),
    )
    async with house.running():
        await house.pass_(690)
        assert house.told("pause-ends") == []
        await house.until(lambda: house.told("pause-ends"), within=30)
        await house.pass_(120)
    (notice,) = house.told("pause-ends")
    assert "soon ends" in notice.body
    assert "nightly" in notice.body


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p4_a_pause_during_a_write_is_pending_until_the_write_has_come_back() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(2)
        api.unit.fail_next_write(WriteFault.APPLIED_NO_ANSWER)
        house.go_bad()
        await house.until(lambda: house.writes)
        answer = await house.control.pause("all", instant(house.clock.now() + 600), "late", "ann")
        assert answer["applied"] is False
        assert "still under way" in answer["sentence"]
        pause = house.daemon.pauses.last.pauses[0]  # type: ignore[union-attr]
        await house.until(lambda: house.daemon.applied(pause), within=12)  # type: ignore[union-attr]
        later = await house.control.pause("all", instant(house.clock.now() + 600), "again", "ann")
        assert later["applied"] is True
        assert later["cycle"] >= answer["cycle"]
        await house.closed()
    assert house.writes == [("bad", "good")]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p4_the_reply_says_applied_with_the_cycle_when_nothing_is_under_way() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(5)
        answer = await house.control.pause("target/api", instant(house.clock.now() + 60), "why", "ann")
        assert (answer["applied"], answer["cycle"]) == (True, daemon.cycle)
        with pytest.raises(ControlRefused, match="matches nothing"):
            await house.control.pause("target/other", instant(house.clock.now() + 60), "why", "ann")
        ended = await house.control.resume("target/api", "ann")
        assert (ended["applied"], len(ended["ended"])) == (True, 1)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p4_without_the_store_a_pause_is_refused_and_not_acknowledged() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(2)
        house.store.read_only = True
        with pytest.raises(ControlRefused, match="store"):
            await house.pause()


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p5_resuming_needs_as_many_new_failing_samples_as_the_rule_says() -> None:
    house = House()
    api = house.add(n=5, countdown_s=0.0)
    await house.earn()
    async with house.running():
        await house.pass_(2)
        pause = await house.pause()
        house.go_bad()
        await house.closed()
        polls = len(api.signals[0].polls)
        await house.control.resume(pause, "ann")
        await house.until(lambda: house.writes)
        assert len(api.signals[0].polls) - polls >= 5


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p5_after_resuming_the_release_that_runs_then_is_what_counts() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(2)
        pause = await house.pause()
        house.go_bad()
        await house.closed()
        api.unit.deploy("fixed")
        await asyncio.sleep(0)
        await house.control.resume(pause, "ann")
        await house.pass_(40)
    assert house.writes == []
    assert [found.blamed.fingerprint for found in await house.incidents()] == ["bad"]


@pytest.mark.parametrize("ends", ["by itself", "by hand"])
@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_annotation_on_the_workload_pauses_it_and_what_it_covered_is_judged_anew(ends: str) -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(2)
        until = instant(house.clock.now() + 60)
        api.unit.hints["pause"] = {"until": iso(until), "why": "moving the queue", "who": "ann", "generation": 7}
        await house.pass_(2)
        assert house.control.status()["targets"][0]["state"] == "paused"
        assert house.control.status()["headline"] == "ARMED; paused: target/api"
        assert [(one["id"], one["state"]) for one in (await house.control.pauses())["pauses"]] == [
            ("annotation-7", "active")
        ]
        with pytest.raises(ControlRefused, match="taken away from the workload"):
            await house.control.resume("annotation-7", "ann")
        house.go_bad()
        incident = await house.when(lambda found: found.decision)
        assert "paused (target/api) by ann, by an annotation on the workload" in str(incident.decision)
        assert "moving the queue; take the annotation away" in str(incident.decision)
        await house.pass_(20)
        assert house.writes == []
        if ends == "by hand":
            del api.unit.hints["pause"]
            until = house.clock.now()
        await house.until(lambda: house.writes)
        assert (
            "the end of a pause" in daemon.board.seen["api"].fresh_why
            or "rollback" in daemon.board.seen["api"].fresh_why
        )
    assert house.world.writes[0].at >= until + 2.0  # three bad polls of after its end


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_window_that_is_taken_out_and_put_back_pauses_again_and_one_that_a_person_ended_does_not() -> None:
    house = House()
    house.add()
    await house.earn()
    now = house.clock.now()
    window = Pause(id="w", scope="all", who="configuration", why="x", since=now, until=instant(now + 600))
    async with house.running() as daemon:
        await house.pass_(2)
        for windows, active in (((window,), True), ((), False), ((window,), True)):
            daemon.pauses.windows = windows
            await house.pass_(5)
            assert bool((await daemon.pauses.read(house.targets["api"].policy, house.clock.now())).active) is active
        house.go_bad()
        await house.when(lambda incident: incident.simulated)
        assert house.writes == []
        await house.control.resume("w", "ann")
        daemon.pauses.windows = ()
        await house.pass_(5)
        daemon.pauses.windows = (window,)
        await house.pass_(5)
        assert (await daemon.pauses.read(house.targets["api"].policy, house.clock.now())).active == ()


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_pause_by_selector_or_platform_covers_the_targets_that_fit_and_no_others() -> None:
    house = House()
    api = house.add("api", labels=("team=payments", "tier=web"))
    web = house.add("web", labels=("team=books", "tier=web"))
    api.policy, web.policy = replace(api.policy, platform="helm"), replace(web.policy, platform="kubernetes")
    await house.earn("api")
    await house.earn("web")
    async with house.running():
        await house.pass_(3)
        for nothing in ("selector/team=nobody", "selector/team=payments,tier=db", "platform/command"):
            with pytest.raises(ControlRefused, match="matches nothing"):
                await house.control.pause(nothing, instant(house.clock.now() + 600), "x", "ann")
        await house.pause(600, "selector/team=payments,tier=web")
        house.go_bad("api")
        house.go_bad("web")
        await house.until(lambda: house.writes)
        await house.pass_(30)
        assert (len(api.unit.our_writes), len(web.unit.our_writes)) == (0, 1)
        states = {row["name"]: row["state"] for row in house.control.status()["targets"]}
        assert states["api"] == "paused"
        assert states["web"] != "paused"
