"""P9: an ambiguous reply is resolved by reading the target, not by trying again blindly.

Mutations tried, each fails here: `_settle` believing "not issued" at once (a request that is still on its way then lands
beside a second one); an unread target taken for "not issued"; UNKNOWN taken for a lost precondition.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Intent, Issue, Permit, Step, StepOutcome
from watchdog.safety.permits import PermitOffice
from watchdog.testing.platforms import FakePlatform, FakeUnit, FakeWriter, WriteFault

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

ONE_MORE_TRY = {WriteFault.LOST_UNKNOWN, WriteFault.NO_ANSWER, WriteFault.HANGS, WriteFault.PRECONDITION_FAILED}
AT_ONCE = {WriteFault.APPLIED_UNKNOWN, WriteFault.APPLIED_NO_ANSWER}


@pytest.mark.parametrize("fault", sorted(ONE_MORE_TRY | AT_ONCE))
async def test_p9_whatever_the_reply_the_target_is_changed_once_and_the_outcome_is_known(fault: WriteFault) -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.fail_next_write(fault)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")]), await house.story()
    assert len(incident.intents) == (2 if fault in ONE_MORE_TRY else 1)
    assert all(intent.outcome for intent in incident.intents)
    assert len((await house.record()).acts) == 1


async def test_p9_a_definite_no_is_not_tried_again_and_calls_a_person() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.fail_next_write(WriteFault.REFUSED)
        house.go_bad()
        incident = await house.closed()
        await house.pass_(60)
    assert (incident.reason, incident.needs_human, house.writes) == (CloseReason.REFUSED, True, [])
    assert [notice.severity for notice in house.told("refused")] == ["page"]
    assert len(incident.intents) == 1


async def test_p9_a_precondition_that_is_lost_again_and_again_calls_a_person() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        for _ in range(9):
            api.unit.fail_next_write(WriteFault.PRECONDITION_FAILED)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, incident.needs_human, house.writes) == (CloseReason.PRECONDITION_FAILED, True, [])
    assert len(incident.intents) == 5


class LateWriter(FakeWriter):
    """The connection is dropped, and the request arrives some seconds later all the same."""

    async def execute(self, step: Step, intent: Intent, permit: Permit, *, deadline_s: float) -> StepOutcome:
        late = asyncio.create_task(self._later(step, intent, permit, deadline_s), name="late request")
        self.unit.hints["late"] = str(id(late))
        LATE.append(late)
        return StepOutcome(issue=Issue.UNKNOWN, sentence="the connection was dropped")

    async def _later(self, step: Step, intent: Intent, permit: Permit, deadline_s: float) -> None:
        await asyncio.sleep(4)
        self._write(step, intent, permit)


LATE: list[asyncio.Task[None]] = []


def late(unit: FakeUnit, office: PermitOffice) -> tuple[FakePlatform, FakeWriter]:
    return FakePlatform(unit), LateWriter(unit, office)


async def test_p9_a_request_that_arrives_late_is_still_the_one_and_only_write() -> None:
    house = House()
    api = house.add()
    api.connect = late
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert [intent.outcome for intent in incident.intents] == ["issued"]


@pytest.mark.parametrize("hang", [False, True])
async def test_p9_a_target_that_cannot_be_read_after_the_write_calls_a_person_and_is_left_alone(hang: bool) -> None:
    house = House()
    api = house.add(confirm_within_s=30.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.fail_next_write(WriteFault.APPLIED_UNKNOWN)
        house.go_bad()
        await house.until(lambda: house.writes)
        api.unit.fail_reads("" if hang else "connection refused", hang=hang)
        incident = await house.closed()
        await house.pass_(60)
    assert (incident.reason, incident.needs_human) == (CloseReason.UNKNOWN, True)
    assert house.writes == [("bad", "good")]


async def test_p9_ours_was_applied_and_somebody_released_after_it_is_superseded_and_booked() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.fail_next_write(WriteFault.APPLIED_UNKNOWN)
        house.go_bad()
        await house.until(lambda: house.writes)
        api.unit.deploy("newer")
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.SUPERSEDED, [("bad", "good")])
    assert len((await house.record()).acts) == 1


@pytest.mark.parametrize(("stuck", "reason"), [(False, CloseReason.UNKNOWN), (True, CloseReason.NOT_RECOVERED)])
async def test_p9_a_rollout_that_never_ends_is_unknown_and_one_that_is_stuck_is_not_recovered(
    stuck: bool, reason: CloseReason
) -> None:
    house = House()
    api = house.add(confirm_within_s=30.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.until(lambda: house.writes)
        api.unit.rollout_s = 1e6
        if stuck:
            api.unit.stuck["good"] = "ImagePullBackOff"
        incident = await house.closed()
        await house.pass_(30)
    assert (incident.reason, incident.needs_human) == (reason, True)
    assert house.writes == [("bad", "good")]


async def test_p9_after_an_unknown_outcome_nothing_is_written_again_also_when_samples_are_collected_anew() -> None:
    house = House()
    api = house.add(confirm_within_s=20.0)
    await house.earn()
    async with house.running():
        await house.pass_(3)
        api.unit.fail_next_write(WriteFault.LOST_UNKNOWN)
        house.go_bad()
        await house.when(lambda found: found.intents)
        api.unit.fail_reads("connection refused")
        incident = await house.closed()
        assert incident.reason is CloseReason.UNKNOWN
        api.unit.fail_reads()
        await house.pause(30)
        await house.pass_(90)
        again = await house.incident()
    assert (again.reopened, again.needs_human, house.writes) == (1, True, [])
    assert "already written" in str(again.decision)
