"""Pauses that people keep as objects bind like any other, and incidents are shown where people look; nothing waits for either.

Mutations tried, each fails here: `PauseBook.register` without the objects; `with_objects` that does not end what is gone; `since` of a
new object taken from the object; `Care._answer_objects` without `settled`; `Mirror._show` that drops what could not be shown;
`Mirror._mend` left out.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.engine.daemon import Objects
from watchdog.engine.mirroring import AGAIN_S
from watchdog.engine.pauses import PauseBook
from watchdog.model import CloseReason, Stage, instant
from watchdog.ports import ControlRefused
from watchdog.testing.objects import FakeIncidentObjects, FakePauseObjects
from watchdog.testing.platforms import WriteFault


def with_objects() -> tuple[House, FakePauseObjects, FakeIncidentObjects]:
    house, pauses, incidents = House(), FakePauseObjects(), FakeIncidentObjects()
    house.objects = Objects(pauses, incidents)
    house.add()
    return house, pauses, incidents


def apply(house: House, pauses: FakePauseObjects, for_s: float, scope: str = "target/api", *, ago: float = 1.0) -> str:
    now = house.clock.now()
    return pauses.apply("maintenance", scope, instant(now + for_s), made=instant(now - ago))


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_object_pauses_is_answered_counted_and_told_at_its_end_and_then_fresh_samples_decide() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        pause_id = apply(house, pauses, 60)
        await house.pass_(3)
        assert pauses.told[pause_id].applied_at is not None
        assert "target/api" in house.control.status()["headline"]
        house.go_bad()
        held = await house.closed()
        assert (held.reason, house.writes) == (CloseReason.WOULD_HAVE, [])
        await house.pass_(10)
        assert pauses.told[pause_id].suppressed >= 1
        await house.until(lambda: house.told("pause-ended"))
        ended = house.clock.now()
        assert "suppressed" in house.told("pause-ended")[0].body
        await house.until(lambda: house.writes)
        assert house.world.writes[0].at - ended >= 2
        assert pauses.told[pause_id].ended_at is not None


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_object_that_is_deleted_has_ended_and_what_it_covered_is_judged_anew() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        apply(house, pauses, 600)
        await house.pass_(3)
        house.go_bad()
        await house.closed()
        pauses.delete("maintenance")
        deleted = house.clock.now()
        await house.until(lambda: house.writes)
        assert house.world.writes[0].at - deleted >= 10 + 2  # fresh samples, and a whole countdown
        assert ["deleted" in notice.body or "ended" in notice.body for notice in house.told("pause-ended")] == [True]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_object_ends_a_countdown_at_once() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        apply(house, pauses, 600)
        began = house.clock.now()
        held = await house.closed()
        assert (held.reason, house.writes) == (CloseReason.WOULD_HAVE, [])
        assert [entry.at - began < 3 for entry in held.entries if entry.kind == "ended"] == [True]


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("left_s", [0.2, 0.7, 1.2, 1.7])
async def test_an_object_made_in_the_last_moment_of_a_countdown_is_seen_by_the_gate_itself(left_s: float) -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        counting = await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        assert counting.countdown_until is not None
        await house.pass_(counting.countdown_until - left_s - house.clock.now())
        apply(house, pauses, 600)
        await house.pass_(30)
        assert house.writes == []


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_act_that_an_object_suppressed_is_counted_before_the_register_has_taken_it_in() -> None:
    house, pauses, _ = with_objects()
    book = PauseBook(house.inner, house.clock, pauses)
    await book.begin(first_start=True)
    pause_id = apply(house, pauses, 600)
    read = await book.read(house.targets["api"].policy, house.clock.now())
    await book.count_suppressed(read.active)
    await book.sweep()
    await book.tell(lambda _: True)
    assert pauses.told[pause_id].suppressed == 1


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_while_the_objects_cannot_be_read_everything_is_paused_and_told_and_then_fresh_samples_decide() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        pauses.trouble = "forbidden"
        house.go_bad()
        await house.pass_(40)
        assert house.writes == []
        assert house.control.status()["headline"].startswith("PAUSED")
        assert "forbidden" in house.told("store")[0].body
        pauses.trouble = ""
        again = house.clock.now()
        await house.until(lambda: house.writes)
        assert house.world.writes[0].at - again >= 10


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_object_that_cannot_be_answered_binds_all_the_same() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        pauses.mute = "no right on the status"
        pause_id = apply(house, pauses, 600)
        await house.pass_(3)
        house.go_bad()
        await house.closed()
        assert (house.writes, pauses.told) == ([], {})
        pauses.mute = ""
        await house.until(lambda: pause_id in pauses.told)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_object_is_answered_only_when_a_write_that_had_passed_the_gate_has_come_back() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(2)
        house.targets["api"].unit.fail_next_write(WriteFault.APPLIED_NO_ANSWER)
        house.go_bad()
        await house.until(lambda: house.writes)
        # Made after the decision, and by the API server's clock, which runs ahead, a minute after that.
        pause_id = apply(house, pauses, 600, ago=-60)
        await house.pass_(4)
        assert daemon.responses["api"].writing
        assert pauses.told == {}
        await house.until(lambda: pause_id in pauses.told, within=15)
        assert not daemon.responses["api"].writing


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_object_given_a_later_end_goes_on_and_one_that_had_ended_begins_anew() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        pause_id = apply(house, pauses, 20)
        await house.pass_(10)
        first = pauses.told[pause_id].applied_at
        apply(house, pauses, 40)
        await house.pass_(20)
        assert (pauses.told[pause_id].applied_at, house.told("pause-ended")) == (first, [])
        await house.until(lambda: house.told("pause-ended"))
        apply(house, pauses, 60)
        await house.pass_(3)
        assert pauses.told[pause_id].applied_at > first  # type: ignore[operator]
        house.go_bad()
        await house.closed()
        assert house.writes == []


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_object_ends_where_it_is_kept_and_resuming_says_so() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        pause_id = apply(house, pauses, 600)
        await house.pass_(3)
        for words in (pause_id, "target/api"):
            with pytest.raises(ControlRefused, match="delete its object"):
                await house.control.resume(words, "ann")
        (shown,) = (await house.control.pauses())["pauses"]
        assert (shown["active"], shown["id"]) == (True, pause_id)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_one_that_is_left_in_the_register_when_objects_are_no_longer_asked_for_can_be_resumed() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        pause_id = apply(house, pauses, 600)
        await house.pass_(3)
    house.objects = None
    async with house.running():
        await house.pass_(3)
        (shown,) = (await house.control.pauses())["pauses"]
        assert shown["active"]
        await house.control.resume(pause_id, "ann")
        house.go_bad()
        await house.until(lambda: house.writes)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_one_object_that_cannot_be_answered_keeps_no_other_from_its_answer() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        first = apply(house, pauses, 600)
        second = pauses.apply("other", "all", instant(house.clock.now() + 600), made=house.clock.now())
        pauses.shut.add(first)
        await house.pass_(4)
        assert list(pauses.told) == [second]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_object_survives_a_restart_with_its_count() -> None:
    house, pauses, _ = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        pause_id = apply(house, pauses, 600)
        await house.pass_(3)
        house.go_bad()
        await house.closed()
        await house.pass_(5)
        before = pauses.told[pause_id]
    async with house.running():
        await house.pass_(30)
        assert house.writes == []
        assert pauses.told[pause_id].applied_at == before.applied_at
        assert pauses.told[pause_id].suppressed >= before.suppressed >= 1


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_an_incident_is_shown_stage_by_stage_to_its_end() -> None:
    house, _, incidents = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        closed = await house.closed()
        await house.pass_(3)
        assert incidents.incidents[closed.id].reason is CloseReason.RECOVERED
        assert {"countdown", "verifying", "closed"} <= set(incidents.seen)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_response_waits_for_nothing_that_is_shown_and_what_could_not_be_shown_comes_later() -> None:
    house, _, incidents = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        incidents.trouble = "no answer"
        house.go_bad()
        closed = await house.closed()
        await house.pass_(15)  # nothing is written any more that would show it by the way
        assert (closed.reason, incidents.incidents) == (CloseReason.RECOVERED, {})
        incidents.trouble = ""
        await house.pass_(AGAIN_S + 2)
        assert incidents.incidents[closed.id].stage is Stage.CLOSED


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_after_a_restart_what_was_not_shown_is_mended_and_what_closed_long_ago_is_left_alone() -> None:
    house, _, incidents = with_objects()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        incidents.trouble = "no answer"
        house.go_bad()
        closed = await house.closed()
        await house.pass_(5)
    incidents.trouble = ""
    async with house.running():
        await house.pass_(3)
        assert incidents.incidents[closed.id].stage is Stage.CLOSED
    incidents.incidents.clear()
    house.clock.step(2 * 86_400.0)
    async with house.running():
        await house.pass_(3)
        assert incidents.incidents == {}


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_after_a_restart_one_that_cannot_be_shown_and_one_that_cannot_be_read_keep_no_other_from_it() -> None:
    house, _, incidents = with_objects()
    house.add("web")
    await house.earn()
    await house.earn("web")
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        house.go_bad("web")
        first = await house.closed(target="api")
        second = await house.closed(target="web")
        await house.pass_(5)
    incidents.incidents.clear()
    incidents.refused.add(first.id)
    await house.inner.create("incident/aaa", {"kind": "Nonsense"})
    async with house.running():
        await house.pass_(5)
        assert list(incidents.incidents) == [second.id]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_one_incident_that_cannot_be_shown_keeps_no_other_from_it() -> None:
    house, _, incidents = with_objects()
    house.add("web")
    await house.earn()
    await house.earn("web")
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        first = await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        incidents.refused.add(first.id)
        house.go_bad("web")
        await house.until(
            lambda: any(shown.target == "web" and not shown.open for shown in incidents.incidents.values())
        )
