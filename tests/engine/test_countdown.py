"""The countdown: ended by the recovery rule or a person only; a question instead of it where one is asked.

Mutations tried, each fails here: `_follow` without its branch for a missing fresh poll, or with the countdown counted
beside a question; `_nobody_answered` not reading `ask_then`; the refusal stored after the cancelling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Counts, DataSafety, Grade, Instant, Mode, Reading, Stage
from watchdog.ports import ControlRefused

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_countdown_ends_when_the_release_recovers_by_its_own_rule() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        api.behaviour.bad.clear()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED_UNAIDED, [])


def crash_loop() -> Callable[[str, Instant], Reading]:
    """Down for three seconds, up for one: the up phase is shorter than the rule of recovery."""
    begins: list[float] = []

    def script(release: str, now: Instant) -> Reading:
        if release != "bad":
            return Counts(good=1, bad=0)
        begins.append(now)
        return Counts(good=1, bad=0) if int(now - begins[0]) % 4 == 3 else Counts(good=0, bad=1)

    return script


async def test_the_up_phase_of_a_crash_loop_does_not_end_a_countdown() -> None:
    house = House()
    api = house.add()
    api.signals[0].script = crash_loop()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.deploy("bad")
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert sum(entry.kind == "countdown" for entry in incident.entries) == 1


async def test_a_poll_that_is_missing_does_not_begin_the_countdown_anew() -> None:
    house = House()
    api = house.add(countdown_s=20.0)
    api.timeout_s = 6.0
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        begun = await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        api.signals[0].hang = True
        await house.pass_(5)
        api.signals[0].hang = False
        incident = await house.closed()
    assert sum(entry.kind == "countdown" for entry in incident.entries) == 1
    assert begun.countdown_until is not None
    assert 0 <= house.world.writes[0].at - begun.countdown_until < 10


async def test_a_person_ends_a_countdown_for_good_until_the_release_is_cleared() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        answer = await house.control.cancel(incident.id, "ann", "known and harmless")
        assert answer["fingerprint"] == "bad"
        closed = await house.closed()
        assert closed.reason is CloseReason.CANCELLED
        await house.pass_(40)
        assert house.writes == []
        await house.control.history_edit("api", "bad", "clear", "ann", "not harmless")
        await house.until(lambda: house.writes)
    assert house.writes == [("bad", "good")]


async def test_a_refusal_survives_a_crash_right_after_it() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.COUNTDOWN)
        house.life.die_after = len(house.life.writes) + 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await house.control.cancel(incident.id, "ann", "no")
    async with house.running():
        await house.pass_(60)
    assert house.writes == []


@pytest.mark.parametrize("asks", [{"mode": Mode.ASK}, {"data": DataSafety.NOT_SAID}])
async def test_a_question_is_asked_once_and_its_yes_is_followed_by_the_gate_and_no_countdown(
    asks: dict[str, object],
) -> None:
    house = House()
    house.add(**asks)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.ASKED and found.evidence)
        await house.pass_(5)
        assert [notice.severity for notice in house.told("ask")] == ["page"]
        assert house.writes == []
        answered = house.clock.now()
        answer = await house.control.approve(incident.id, "ann", "go")
        approval = answer["approval"]
        assert (approval["from_release"], approval["to_release"]) == ("bad", "good")
        closed = await house.closed()
    assert (closed.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert house.world.writes[0].at - answered < 2
    assert closed.approvals[0].spent_at is not None
    assert not any(entry.kind == "countdown" for entry in closed.entries)


async def test_an_unanswered_question_expires_and_calls_a_person() -> None:
    house = House()
    house.add(mode=Mode.ASK)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
        with pytest.raises(ControlRefused, match="asks nothing"):
            await house.control.approve(incident.id, "ann", "too late")
        await house.pass_(60)
    assert (incident.reason, incident.needs_human, house.writes) == (CloseReason.EXPIRED, True, [])
    assert incident.closed_at is not None
    assert 60 <= incident.closed_at - incident.opened_at < 63


async def test_an_unanswered_question_rolls_back_where_the_policy_says_so() -> None:
    house = House()
    house.add(mode=Mode.ASK, ask_then="roll_back")
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert [approval.who for approval in incident.approvals] == ["policy"]
    assert house.world.writes[0].at - incident.opened_at >= 60


async def test_a_no_to_a_question_ends_it() -> None:
    house = House()
    house.add(mode=Mode.ASK)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.ASKED)
        await house.control.cancel(incident.id, "ann", "no")
        closed = await house.closed()
        await house.pass_(30)
    assert (closed.reason, house.writes) == (CloseReason.CANCELLED, [])


async def test_a_pause_ends_a_question() -> None:
    house = House()
    house.add(mode=Mode.ASK)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.ASKED)
        pause = await house.pause()
        closed = await house.closed()
        assert closed.reason is CloseReason.WOULD_HAVE
        await house.control.resume(pause, "ann")
        await house.when(lambda found: found.stage is Stage.ASKED)
    assert len(house.told("ask")) == 2
    assert house.writes == []


async def test_a_yes_to_one_road_is_none_to_another() -> None:
    """The good release that was approved is condemned meanwhile: the road is another one, and is asked for anew."""
    house = House()
    house.add(mode=Mode.ASK)
    await house.earn()
    await house.known("older", grade=Grade.GOOD, graded_at=house.clock.now())
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.ASKED)
        house.recorder.takes_s = 5.0
        await house.control.history_edit("api", "good", "condemn", "ann", "bad as well")
        await house.edit("api", lambda record: replace(record, armed=True))
        await house.control.approve(incident.id, "ann", "go")
        await house.pass_(20)
    assert house.writes in ([], [("bad", "older")])
    after = await house.incident()
    assert all(intent.to_release == "older" for intent in after.intents)
