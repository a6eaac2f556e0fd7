"""Precedence as a property: random facts, and a slow second opinion written from the decisions, not from the code.

The oracle works on the knobs that the facts were built from, never on the facts: a list of "objections" per knob, an
answer by a person where one fits, and a ladder of plain questions for the outcome.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.safety.passing import (
    BAD,
    GOOD,
    NEWER,
    NOW,
    PAUSE,
    act,
    approval,
    override,
    passing,
    policy,
    record_of,
    state,
    verdict,
)
from watchdog.model import (
    DataSafety,
    Decision,
    Effect,
    Finding,
    Grade,
    Health,
    Instant,
    Mode,
    Outcome,
    Owner,
    Ownership,
)
from watchdog.safety.facts import BlameView, GateFacts, HazardView, Leadership, PausesRead, SelfSuspicion
from watchdog.safety.gate import CHECKS, pass_gate

NAMES = [name for name, _ in CHECKS]

# knob: value -> (check, outcome it leads to, may a person override it by hand)
KNOBS: dict[str, dict[str, tuple[str, str, bool] | None]] = {
    "breach": {
        "stands": None,
        "gone": ("breach_stands", "recovered_unaided", False),
        "blind": ("breach_stands", "blind", False),
        "none": ("breach_stands", "hold", False),
        "stale": ("breach_stands", "hold", False),
    },
    "store": {"fine": None, "broken": ("store", "hold", False)},
    "configured": {"yes": None, "no": ("target_known", "hold", False)},
    "mode": {"enforce": None, "ask": ("mode", "ask", False), "observe": ("mode", "hold", True)},
    "armed": {"yes": None, "no": ("first_start", "hold", True)},
    "pause": {"none": None, "named": ("pause", "hold", True), "unreadable": ("pause", "hold", False)},
    "stopping": {"no": None, "yes": ("shutting_down", "hold", False)},
    "lease": {
        "held": None,
        "lost": ("leadership", "hold", False),
        "unknown": ("leadership", "hold", False),
        "short": ("leadership", "hold", False),
    },
    "target": {
        "quiet": None,
        "rolling": None,
        "newer": ("in_progress_by_others", "hold", False),
        "unreadable": ("in_progress_by_others", "blind", False),
        "halted": ("in_progress_by_others", "ask", True),
        "owned": ("in_progress_by_others", "escalate", False),
        "busy": ("in_progress_by_others", "hold", False),
    },
    "bake": {"in": None, "past": ("bake", "escalate", True)},
    "blame": {"yes": None, "no": ("blame", "hold", True), "unknown": ("blame", "ask", True)},
    "data": {"compatible": None, "not said": ("data", "ask", True), "breaking": ("data", "escalate", True)},
    "good": {
        "earned": None,
        "far": ("good_near", "ask", True),
        "condemned": ("good_not_condemned", "escalate", True),
        "broken": ("good_can_run", "escalate", False),
        "unsure": ("good_can_run", "ask", True),
        "none": ("good_exists", "escalate", False),
    },
    "hazard": {
        "none": None,
        "certificate": ("hazards", "escalate", True),
        "traffic": ("hazards", "hold", True),
        "events": ("hazards", "ask", True),
        "unknown": ("hazards", "ask", True),
    },
    "budget": {"free": None, "spent": ("budget", "hold", True), "twice": ("budget", "escalate", True)},
    "suspect": {"no": None, "yes": ("self_suspect", "hold", True), "unknown": ("self_suspect", "ask", True)},
    "countdown": {"over": None, "running": ("countdown", "hold", True)},
}


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly passing knobs (else nothing would ever be rolled back), with what people said."""
    turned = draw(st.sets(st.sampled_from(sorted(KNOBS)), max_size=4))
    world: dict[str, Any] = {knob: next(iter(values)) for knob, values in KNOBS.items()}
    for knob in sorted(turned):
        world[knob] = draw(st.sampled_from(list(KNOBS[knob])))
    names = st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=len(NAMES))
    world["manual"] = draw(st.booleans())
    world["overridden"] = draw(st.none() | names)
    world["approved"] = draw(st.none() | names)
    world["approval"] = draw(st.sampled_from(["fits", "expired", "other road", "before", "spent"]))
    return world


def build(world: dict[str, Any]) -> GateFacts:
    facts = passing(manual=world["manual"])
    for part in (_build_now, _build_target, _build_road, _build_rest):
        facts = replace(facts, **part(world))
    return facts


def _build_now(world: dict[str, Any]) -> dict[str, Any]:
    leases = {
        "held": Leadership(held=True, remaining_s=60.0),
        "lost": Leadership(held=False),
        "unknown": Leadership(held=None),
        "short": Leadership(held=True, remaining_s=2.0),
    }
    verdicts = {
        "gone": verdict(Health.HEALTHY, recovered=True),
        "blind": verdict(Health.BLIND),
        "none": None,
    }
    pauses = {
        "none": PausesRead(readable=True),
        "named": PausesRead(readable=True, active=(PAUSE,)),
        "unreadable": PausesRead(readable=False),
    }
    return {
        "verdict": verdicts.get(world["breach"], verdict(Health.FAILING)),
        "failing_seen_s": 11.0 if world["breach"] == "stale" else 2.0,
        "store_ok": world["store"] == "fine",
        "target_known": world["configured"] == "yes",
        "armed": world["armed"] == "yes",
        "pauses": pauses[world["pause"]],
        "shutting_down": world["stopping"] == "yes",
        "leadership": leases[world["lease"]],
        "policy": policy(
            mode=Mode(world["mode"]), data=DataSafety.NOT_SAID if world["data"] == "not said" else DataSafety.NONE
        ),
    }


def _build_target(world: dict[str, Any]) -> dict[str, Any]:
    states = {
        "rolling": state(in_progress=True, complete=False),
        "newer": state(release=NEWER, in_progress=True),
        "unreadable": None,
        "halted": state(paused=True),
    }
    owner = Owner.GITOPS if world["target"] == "owned" else Owner.NOBODY
    return {
        "state": states.get(world["target"], state()),
        "owner": Ownership(owner=owner, sentence=""),
        "in_flight": ("inc-9",) if world["target"] == "busy" else (),
        "in_bake": world["bake"] == "in",
        "blame": BlameView(to_blame={"yes": True, "no": False, "unknown": None}[world["blame"]]),
        "blamed": replace(BAD, claims={"migration": "breaking"}) if world["data"] == "breaking" else BAD,
    }


def _build_road(world: dict[str, Any]) -> dict[str, Any]:
    good = {"none": None, "condemned": replace(GOOD, grade=Grade.CONDEMNED)}.get(world["good"], GOOD)
    broken = (Finding(name="secret", sentence="gone", blocks=True),)
    return {
        "good": good,
        "good_far": world["good"] == "far",
        "preflight": {"broken": broken, "unsure": None}.get(world["good"], ()),
    }


def _build_rest(world: dict[str, Any]) -> dict[str, Any]:
    hazards = {
        "certificate": (HazardView(hazard="M", present=True),),
        "traffic": (HazardView(hazard="N", present=True),),
        "events": (HazardView(hazard="B", present=True),),
        "unknown": (HazardView(hazard="M", present=None),),
    }
    acts = {"spent": (act(5), act(6)), "twice": (act(5, source="bad"),)}
    changes = {
        "fits": {},
        "expired": {"expires": NOW},
        "other road": {"to_release": "elsewhere"},
        "before": {"at": Instant(NOW - 99)},
        "spent": {"spent_at": Instant(NOW - 3)},
    }[world["approval"]]
    approved, overridden = world["approved"], world["overridden"]
    return {
        "hazards": hazards.get(world["hazard"], ()),
        "record": record_of(acts=acts.get(world["budget"], ())),
        "suspect": SelfSuspicion(verdict={"no": False, "yes": True, "unknown": None}[world["suspect"]]),
        "countdown_until": Instant(NOW + 5 if world["countdown"] == "running" else NOW - 5),
        "approvals": () if approved is None else (approval(*sorted(approved), **changes),),
        "overrides": () if overridden is None else (override(*sorted(overridden)),),
    }


def oracle(world: dict[str, Any]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """What objects: (check, outcome) pairs that stand, and those that a person answered."""
    yes_counts = world["approved"] is not None and world["approval"] in ("fits", "spent") and world["good"] != "none"
    found: list[tuple[str, str, bool]] = []
    for knob, values in KNOBS.items():
        objection = values[world[knob]]
        if objection is None:
            continue
        if knob == "breach" and world["manual"]:
            continue
        if knob == "mode" and world["mode"] == "ask" and world["manual"]:
            continue
        if knob == "countdown" and yes_counts:
            continue
        found.append(objection)
    alive_elsewhere = (
        world["approved"] is not None and not yes_counts and world["approval"] not in ("expired", "before")
    )
    if alive_elsewhere:
        found.append(("approval", "ask", True))
    stands, answered = set(), set()
    for check, outcome, overridable in found:
        by_hand = world["manual"] and overridable and check in (world["overridden"] or ())
        by_yes = outcome == "ask" and yes_counts and check in world["approved"]
        (answered if by_hand or by_yes else stands).add((check, outcome))
    return stands, answered


def ladder(stands: set[tuple[str, str]]) -> str:
    outcomes = {outcome for check, outcome in stands if check != "countdown"}
    if not outcomes and stands:
        return "hold"
    if "recovered_unaided" in outcomes:
        return "recovered_unaided"
    if "blind" in outcomes:
        return "blind"
    if "escalate" in outcomes:
        return "escalate"
    if "hold" in outcomes:
        return "hold"
    return "ask" if "ask" in outcomes else "roll_back"


@settings(max_examples=600, deadline=None)
@given(worlds())
def test_the_gate_agrees_with_the_slow_oracle(world: dict[str, Any]) -> None:
    decision = pass_gate(build(world), NOW)
    stands, answered = oracle(world)
    objecting = {
        (check.name, check.outcome.value)
        for check in decision.checks
        if check.effect is not Effect.PASS and not check.overridden_by
    }
    assert objecting == stands
    assert {(check.name, check.outcome.value) for check in decision.checks if check.overridden_by} == answered
    assert decision.outcome.value == ladder(stands)
    simulated = {"mode", "first_start", "pause"}
    assert decision.would.value == ladder({(check, outcome) for check, outcome in stands if check not in simulated})
    assert set(decision.asking) == {check for check, outcome in stands if outcome == "ask"}
    assert [check.name for check in decision.checks] == NAMES


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_a_write_is_never_allowed_on_something_that_nobody_may_override(world: dict[str, Any]) -> None:
    decision = pass_gate(build(world), NOW)
    hard = (
        world["store"] != "fine"
        or world["configured"] != "yes"
        or world["lease"] != "held"
        or world["stopping"] == "yes"
        or world["pause"] == "unreadable"
        or world["target"] in ("newer", "unreadable", "owned", "busy")
        or world["good"] in ("none", "broken")
    )
    if hard:
        assert decision.outcome is not Outcome.ROLL_BACK


@settings(max_examples=300, deadline=None)
@given(worlds(), st.sampled_from(sorted(KNOBS)), st.data())
def test_one_more_objection_never_leads_nearer_to_a_write(
    world: dict[str, Any], knob: str, data: st.DataObject
) -> None:
    calm = {**world, knob: next(iter(KNOBS[knob]))}
    worse = {**world, knob: data.draw(st.sampled_from(list(KNOBS[knob])))}
    order = ["recovered_unaided", "blind", "escalate", "hold", "ask", "countdown", "roll_back"]
    before, after = (_rank(pass_gate(build(one), NOW)) for one in (calm, worse))
    if (
        worse["good"] == calm["good"]
    ):  # without a good release no approval counts, which may turn an ask into another ask
        assert order.index(after) <= order.index(before)


def _rank(decision: Decision) -> str:
    left = [check.name for check in decision.checks if check.effect is not Effect.PASS and not check.overridden_by]
    return "countdown" if left == ["countdown"] else decision.outcome.value


def test_a_standing_question_is_said_instead_of_the_countdown_behind_it() -> None:
    facts = replace(passing(), policy=policy(mode=Mode.ASK), countdown_until=None, countdown_started=False)
    decision = pass_gate(facts, NOW)
    assert decision.outcome is Outcome.ASK
    assert "waiting for a person's yes" in decision.sentence
    assert "countdown" not in decision.sentence
