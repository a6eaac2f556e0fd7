"""Facts in which every check of the gate passes, and small changes to them. Shared by the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from watchdog.model import (
    Act,
    Approval,
    Check,
    DataSafety,
    Decision,
    Grade,
    Health,
    Instant,
    Mode,
    Override,
    Owner,
    Ownership,
    Pause,
    Release,
    TargetPolicy,
    TargetVerdict,
    UnitRecord,
    UnitRef,
    WorkloadState,
)
from watchdog.safety.facts import BlameView, GateFacts, Leadership, PausesRead, SelfSuspicion
from watchdog.safety.gate import CHECKS

NOW = Instant(1_000_000.0)
UNIT = UnitRef(target="api", platform="kubernetes", uid="u-1", name="deployment/api")
GOOD = Release(fingerprint="good", revision="6", grade=Grade.GOOD, started=Instant(NOW - 9000))
BAD = Release(fingerprint="bad", revision="7", started=Instant(NOW - 300))
NEWER = Release(fingerprint="newer", revision="8", started=Instant(NOW - 5))
STATE = WorkloadState(
    unit=UNIT, at=NOW, release=BAD, version="42", complete=True, in_progress=False, wanted=3, updated=3
)
FAILING = TargetVerdict(target="api", at=NOW, health=Health.FAILING, sentence="31% of requests fail, limit 5%")
POLICY = TargetPolicy(target="api", group="shop", mode=Mode.ENFORCE, data=DataSafety.COMPATIBLE)
PAUSE = Pause(
    id="p-1",
    scope="group/shop",
    who="anna",
    why="database maintenance",
    since=Instant(NOW - 60),
    until=Instant(NOW + 3600),
    applied_at=Instant(NOW - 60),
)


def passing(**changes: Any) -> GateFacts:
    """Facts that lead to ROLL_BACK, with `changes` laid over."""
    facts = GateFacts(
        policy=POLICY,
        verdict=FAILING,
        failing_seen_s=1.0,
        poll_s=5.0,
        pauses=PausesRead(readable=True),
        leadership=Leadership(held=True, remaining_s=60.0),
        need_s=10.0,
        state=STATE,
        owner=Ownership(owner=Owner.NOBODY, sentence="nobody else claims it"),
        blamed=BAD,
        in_bake=True,
        blame=BlameView(to_blame=True, sentence="old pods are fine"),
        good=GOOD,
        steps_back=1,
        preflight=(),
        record=UnitRecord(unit=UNIT, releases=(BAD, GOOD), first_seen=Instant(NOW - 10_000)),
        suspect=SelfSuspicion(verdict=False),
        incident="inc-1",
        countdown_started=True,
        countdown_until=Instant(NOW - 1),
        began=Instant(NOW - 30),
    )
    return replace(facts, **changes)


def policy(**changes: Any) -> TargetPolicy:
    return replace(POLICY, **changes)


def state(**changes: Any) -> WorkloadState:
    return replace(STATE, **changes)


def verdict(health: Health, *, recovered: bool = False) -> TargetVerdict:
    return replace(FAILING, health=health, recovered=recovered, sentence=f"{health.value} now")


def record_of(**changes: Any) -> UnitRecord:
    return replace(passing().record, **changes)


def act(seconds_ago: float, *, source: str = "older", to: str = "oldest", incident: str = "inc-0") -> Act:
    return Act(at=Instant(NOW - seconds_ago), incident=incident, from_release=source, to_release=to)


def approval(*checks: str, **changes: Any) -> Approval:
    given = Approval(
        id="a-1",
        who="bea",
        at=Instant(NOW - 10),
        from_release="bad",
        to_release="good",
        checks=checks,
        expires=Instant(NOW + 300),
    )
    return replace(given, **changes)


def override(*checks: str, **changes: Any) -> Override:
    return replace(Override(id="o-1", who="carl", why="users suffer", checks=checks, at=Instant(NOW - 5)), **changes)


def check_of(decision: Decision, name: str) -> Check:
    (found,) = [check for check in decision.checks if check.name == name]
    return found


def run(name: str, facts: GateFacts) -> Check:
    """One check alone."""
    return dict(CHECKS)[name](facts, NOW)
