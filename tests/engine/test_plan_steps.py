"""P2, P8: a plan of several steps passes the gate before each; a pause between two stops it and calls a person.

Mutations tried, each fails here: `_held` calling nobody for a mixed state; `_intended` clearing the countdown (ten seconds
pass between two steps).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engine.house import House
from tests.engine.two_steps import SUSPEND, TwoStepPlatform, TwoStepWriter, connect
from watchdog.model import CloseReason, Plan, Release, Stage, WorkloadState
from watchdog.ports import LeaseUnknown
from watchdog.testing.leases import FakeLease
from watchdog.testing.platforms import FakePlatform

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def built() -> House:
    house = House()
    house.add().connect = connect
    await house.earn()
    return house


async def test_both_steps_are_written_in_order_each_with_its_own_intent_and_without_a_second_countdown() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert incident.reason is CloseReason.RECOVERED
    first, second = incident.intents
    assert (first.step.name, second.outcome) == (SUSPEND, "issued")
    assert second.stored_at - first.stored_at < 2
    assert house.writes == [("bad", "good")]
    assert len((await house.record()).acts) == 1


async def stop_between(house: House, how: str) -> None:
    """Something closes the gate right after the first step's outcome was stored."""

    def close(verb: str, key: str) -> None:
        del verb
        if "suspended" not in house.targets["api"].unit.hints or not key.startswith("incident/"):
            return
        if how == "lease" and isinstance(house.lease, FakeLease):
            house.lease.force(LeaseUnknown(reason="gone"))
        elif how == "pause":
            house.store.garbage.add("pause/register")
        house.store.after_write = None

    house.store.after_write = close


@pytest.mark.parametrize("how", ["lease", "pause"])
async def test_what_closes_the_gate_between_two_steps_stops_there_and_calls_a_person_with_the_mixed_state(
    how: str,
) -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        await stop_between(house, how)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.HELD)
        await house.pass_(60)
        assert (incident.step, incident.needs_human, incident.simulated, house.writes) == (1, True, False, [])
        (mixed,) = [entry.sentence for entry in incident.entries if entry.kind == "mixed_state"]
        assert mixed == (
            "stopped between steps. Done: suspend the reconciler of api. "
            "Not done: set api to revision 1 (registry.example/api:good)"
        )
        assert "page" in [notice.severity for notice in house.told("not_acting")]
        house.store.garbage.clear()
        if isinstance(house.lease, FakeLease):
            house.lease.force(None)
        closed = await house.closed()
    assert (closed.reason, house.writes, len(closed.intents)) == (CloseReason.RECOVERED, [("bad", "good")], 2)


async def test_a_person_who_cancels_between_two_steps_is_told_what_stands() -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        await stop_between(house, "pause")
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.HELD)
        await house.control.cancel(incident.id, "ann", "I do the rest")
        closed = await house.closed()
        await house.pass_(1)
    assert (closed.reason, closed.needs_human, house.writes) == (CloseReason.CANCELLED, True, [])
    assert sum(entry.kind == "mixed_state" for entry in closed.entries) == 2


@pytest.mark.parametrize("nth", range(4, 11))
async def test_p8_killed_at_any_write_of_a_plan_of_two_steps_it_ends_the_same(nth: int) -> None:
    house = await built()
    async with house.running():
        await house.pass_(3)
        house.life.die_in_response = nth
        house.go_bad()
        await house.until(house.life.gone.is_set)
    async with house.running():
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")]), await house.story()
    assert len((await house.record()).acts) == 1


@pytest.mark.parametrize("how", ["lease", "pause"])
async def test_half_a_plan_counts_in_the_budget_of_all_until_its_incident_is_over(how: str) -> None:
    house = await built()
    async with house.running() as daemon:
        await house.pass_(3)
        await stop_between(house, how)
        house.go_bad()
        incident = await house.when(lambda found: found.stage is Stage.HELD)
        assert list(daemon._writing()) == ["api"]
        await house.control.cancel(incident.id, "ann", "I do the rest")
        await house.closed()
        assert list(daemon._writing()) == []


class CourteousPlatform(TwoStepPlatform):
    """The release is set first; the other step is a courtesy behind it."""

    async def plan(self, state: WorkloadState, target: Release, incident: str) -> Plan:
        first, last = (await super().plan(state, target, incident)).steps
        plan = await FakePlatform.plan(self, state, target, incident)
        return replace(plan, steps=(last, replace(first, courtesy=True)))


async def courteous() -> House:
    house = House()
    house.add().connect = lambda unit, office: (CourteousPlatform(unit), TwoStepWriter(unit, office))
    await house.earn()
    return house


async def test_a_courtesy_behind_the_rollback_is_written_through_the_same_gate() -> None:
    house = await courteous()
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])
    assert [(intent.step.courtesy, intent.outcome) for intent in incident.intents] == [
        (False, "issued"),
        (True, "issued"),
    ]
    assert len((await house.record()).acts) == 1


@pytest.mark.parametrize("how", ["lease", "pause"])
async def test_what_closes_the_gate_before_a_courtesy_leaves_it_out_and_calls_nobody(how: str) -> None:
    house = await courteous()

    def close(verb: str, key: str) -> None:
        del verb
        if not house.writes or not key.startswith("incident/"):
            return
        if how == "lease" and isinstance(house.lease, FakeLease):
            house.lease.force(LeaseUnknown(reason="gone"))
        else:
            house.store.garbage.add("pause/register")
        house.store.after_write = None

    async with house.running():
        await house.pass_(3)
        house.store.after_write = close
        house.go_bad()
        await house.when(lambda found: any(entry.kind == "skipped" for entry in found.entries))
        house.store.garbage.clear()
        if isinstance(house.lease, FakeLease):
            house.lease.force(None)
        incident = await house.closed()
    assert (incident.reason, house.writes, len(incident.intents)) == (CloseReason.RECOVERED, [("bad", "good")], 1)
    assert not [notice for notice in house.told("not_acting") if notice.severity == "page"]
    assert len((await house.record()).acts) == 1
