"""P1: every change of the outside passes one gate, and what the gate closes on is recorded with its reason.

Mutations tried, each fails here: a write decided on the stage instead of the gate's outcome (`Response._decide`);
`machine.blocked_by_simulation` answering False.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import watchdog
from tests.engine.house import House
from watchdog.model import (
    Act,
    Budget,
    CloseReason,
    DataSafety,
    Effect,
    Finding,
    Grade,
    Incident,
    Mode,
    Owner,
    Ownership,
    Release,
    Stage,
    UnitRecord,
    UnitRef,
    instant,
)
from watchdog.ports import HazardFact, LeaseUnknown, Unavailable
from watchdog.testing.leases import FakeLease


class Reader:
    """A hazard reader with one answer; None = cannot be asked."""

    name = "reader"

    def __init__(self, fact: HazardFact | None) -> None:
        self.fact = fact

    async def read(self, unit: UnitRef, blamed: Release, good: Release) -> Sequence[HazardFact]:
        if self.fact is None:
            raise Unavailable("no answer")
        return (self.fact,)


def acts(house: House, count: int) -> tuple[Act, ...]:
    now = house.clock.now()
    return tuple(
        Act(at=instant(now - 600 - n), incident=f"i{n}#0", from_release=f"old{n}", to_release="good")
        for n in range(count)
    )


def lease(house: House) -> FakeLease:
    assert isinstance(house.lease, FakeLease)
    return house.lease


def owned(owner: Owner) -> Callable[[House], None]:
    return lambda house: setattr(
        house.targets["api"].unit, "owner", Ownership(owner=owner, sentence=f"{owner} owns it")
    )


def hazard(present: bool | None) -> Callable[[House], None]:
    fact = None if present is None else HazardFact(hazard="M", present=present, sentence="the certificate ran out")
    return lambda house: setattr(house.targets["api"], "hazards", (Reader(fact),))


def findings(*found: Finding) -> Callable[[House], None]:
    return lambda house: house.targets["api"].unit.findings.update(good=found)


def with_policy(**changes: object) -> Callable[[House], None]:
    def change(house: House) -> None:
        api = house.targets["api"]
        api.policy = replace(api.policy, **changes)

    return change


def broken_dependency(house: House) -> None:
    with_policy(depends_on=("db",))(house)
    house.add("db", platform=False).behaviour.dependency_down = True


def blind_dependency(house: House) -> None:
    with_policy(depends_on=("db",))(house)
    house.add("db", platform=False).behaviour.unknown = "connection refused"


def broken_reference(house: House) -> None:
    house.reference = ("internet",)
    house.add("internet", platform=False).behaviour.dependency_down = True


CLOSED: dict[str, tuple[Callable[[House], object], str]] = {
    "observe": (with_policy(mode=Mode.OBSERVE), "mode"),
    "ask": (with_policy(mode=Mode.ASK), "mode"),
    "lease unknown": (lambda house: lease(house).force(LeaseUnknown(reason="the lock file is gone")), "leadership"),
    "lease nearly over": (lambda house: setattr(lease(house), "remaining", 3.0), "leadership"),
    "rollout paused by a person": (
        lambda house: setattr(house.targets["api"].unit, "paused", True),
        "in_progress_by_others",
    ),
    "owned by Helm": (owned(Owner.HELM), "in_progress_by_others"),
    "owner unknown": (owned(Owner.UNKNOWN), "in_progress_by_others"),
    "dependency fails too": (broken_dependency, "blame"),
    "dependency cannot be seen": (blind_dependency, "blame"),
    "data not said": (with_policy(data=DataSafety.NOT_SAID), "data"),
    "database not asked": (with_policy(data=DataSafety.CHECK), "data"),
    "good release too far": (with_policy(good_back=0), "good_near"),
    "good release cannot run": (
        findings(Finding(name="cm", sentence="ConfigMap x is gone", blocks=True)),
        "good_can_run",
    ),
    "good release not checked": (findings(Finding(name="cm", sentence="forbidden", unknown=True)), "good_can_run"),
    "hazard present": (hazard(True), "hazards"),
    "hazard unknown": (hazard(None), "hazards"),
    "reference probe fails": (broken_reference, "self_suspect"),
    "no budget at all": (with_policy(budget=Budget(per_target=0)), "budget"),
}


def objecting(incident: Incident) -> set[str]:
    checks = incident.decision.checks if incident.decision else ()
    return {check.name for check in checks if check.effect is not Effect.PASS and not check.overridden_by}


async def bad_release(house: House, seconds: float = 55.0) -> Incident:
    async with house.running():
        await house.pass_(4)
        house.go_bad()
        await house.pass_(seconds)
        incident = await house.incident("api")
    assert house.writes == []
    assert incident.reopened == 0
    return incident


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("name", CLOSED)
async def test_p1_whatever_closes_the_gate_is_recorded_once_with_its_reason_and_nothing_is_written(name: str) -> None:
    arrange, check = CLOSED[name]
    house = House()
    house.add()
    await house.earn()
    arrange(house)
    incident = await bad_release(house)
    assert check in objecting(incident), await house.story()
    assert incident.reason in (None, CloseReason.WOULD_HAVE)
    assert sum(entry.kind == "breach" for entry in incident.entries) == 1
    assert incident.intents == ()


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("scope", ["all", "target/api", "group/shop"])
async def test_p1_a_pause_of_any_scope_that_covers_it_leaves_a_would_have_record(scope: str) -> None:
    house = House()
    house.add(group="shop")
    await house.earn()
    async with house.running():
        await house.pass_(2)
        await house.pause(scope=scope)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.WOULD_HAVE, [])
    assert "would have rolled back" in incident.entries[-2].sentence
    assert "maintenance" in incident.entries[-2].sentence


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p1_a_pause_of_another_scope_does_not_cover_it() -> None:
    house = House()
    house.add(group="shop")
    house.add("web", group="other")
    await house.earn()
    async with house.running():
        await house.pass_(2)
        await house.pause(scope="group/other")
        house.go_bad()
        await house.closed()
    assert house.writes == [("bad", "good")]


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize(
    ("claims", "outcome"), [({"migration": "breaking"}, Stage.HELD), ({"no-rollback": "true"}, Stage.ASKED)]
)
async def test_p1_what_the_release_says_about_its_data_closes_the_gate(claims: dict[str, str], outcome: Stage) -> None:
    house = House()
    api = house.add()
    await house.earn()
    api.behaviour.bad["bad"] = 1.0
    async with house.running():
        await house.pass_(4)
        api.unit.deploy("bad", claims=claims)
        incident = await house.when(lambda found: found.stage is outcome)
        await house.pass_(40)
    assert house.writes == []
    assert "data" in objecting(incident)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p1_without_a_known_good_release_a_person_is_called() -> None:
    house = House()
    api = house.add()
    now = house.clock.now()
    new = replace(api.unit.state().release, grade=Grade.CONDEMNED, graded_at=now)
    await house.remember(UnitRecord(unit=api.unit.ref, releases=(new,), current="good", first_seen=now, armed=True))
    incident = await bad_release(house)
    assert incident.needs_human
    assert "good_exists" in objecting(incident)
    assert [notice.severity for notice in house.told("not_acting")] == ["page"]


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize(("outside_bake", "severity"), [("note", "info"), ("page", "page")])
async def test_p1_a_breach_outside_bake_is_told_as_the_policy_says_and_not_rolled_back(
    outside_bake: str, severity: str
) -> None:
    house = House()
    api = house.add(outside_bake=outside_bake)
    await house.earn()
    async with house.running():
        await house.pass_(4)
        api.behaviour.bad["good"] = 1.0
        incident = await house.when(lambda found: found.stage is Stage.HELD)
        await house.pass_(20)
        api.behaviour.bad.clear()
        over = await house.closed()
        await house.pass_(2)
    assert house.writes == []
    assert "bake" in objecting(incident)
    assert incident.needs_human is (outside_bake == "page")
    assert over.reason is CloseReason.RECOVERED_UNAIDED
    assert not over.needs_human
    told = [notice.severity for notice, _ in house.pager.delivered]
    assert told == (["info"] if outside_bake == "note" else ["page", "info"])


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_p1_what_would_have_been_a_question_is_recorded_and_nobody_is_asked() -> None:
    house = House()
    house.add(mode=Mode.OBSERVE, data=DataSafety.NOT_SAID)
    await house.earn()
    async with house.running():
        await house.pass_(4)
        house.go_bad()
        incident = await house.closed()
        await house.pass_(1)
    assert incident.reason is CloseReason.WOULD_HAVE
    assert "would have asked" in incident.entries[-2].sentence
    assert incident.evidence is not None
    assert [notice.severity for notice, _ in house.pager.delivered] == ["info"]


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize("changed", [{"cancelled": ("bad",)}, {"acts": 2}])
async def test_p1_a_refusal_and_a_spent_budget_hold(changed: dict[str, object]) -> None:
    house = House()
    house.add()
    await house.earn()
    if "acts" in changed:
        changed = {"acts": acts(house, 2)}
    await house.edit("api", lambda record: replace(record, **changed))
    incident = await bad_release(house)
    assert "budget" in objecting(incident)


def test_p1_only_the_response_and_the_writers_know_the_writing_port() -> None:
    root = Path(watchdog.__file__).parent
    found = set()
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.startswith("watchdog.writer") for name in names):
                found.add(file.relative_to(root).as_posix())
    assert {name for name in found if not name.startswith(("platforms/", "testing/"))} == {"engine/response.py"}
