"""The budget: one rollback a bad release, a few a target and over all, never a rollback of a rollback (P15).

Role: pure counting over the acts that were really issued. Neighbours: `safety.consent` makes the check of it; the engine
writes `Act`s into the unit's record. Guarantees: an act of the future (a clock that stepped back) counts as recent. Not
guaranteed: that acts and incident change in one write; therefore the incident's own `wrote` counts as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from watchdog.model import Act, Instant, Outcome, record
from watchdog.safety.answers import clock_time, spell
from watchdog.safety.facts import GateFacts


@record
class BudgetAnswer:
    """`outcome` is `ROLL_BACK` when the budget allows one more."""

    outcome: Outcome
    sentence: str
    hazard: str = ""


def recent(acts: Iterable[Act], now: Instant, window_s: float) -> tuple[Act, ...]:
    """The acts younger than the window, oldest first."""
    return tuple(sorted((act for act in acts if now - act.at < window_s), key=lambda act: act.at))


def free_in_s(acts: Iterable[Act], limit: int, now: Instant, window_s: float) -> float:
    """Seconds until fewer than `limit` acts lie in the window; 0 when that is so now, infinite for a limit of 0."""
    inside = recent(acts, now, window_s)
    if len(inside) < limit:
        return 0.0
    return inside[-limit].at + window_s - now if limit > 0 else float("inf")


def assess_budget(facts: GateFacts, now: Instant) -> BudgetAnswer:
    """Whether one more rollback may be made, and the first reason why not."""
    for reason in (_refused_by_person, _own_rollback, _same_release, _target_window, _fleet_window):
        found = reason(facts, now)
        if found is not None:
            return found
    budget, acts = facts.policy.budget, counted_acts(facts)
    used, fleet_used = (
        len(recent(acts, now, budget.per_target_window_s)),
        len(recent(counted_fleet_acts(facts), now, budget.fleet_window_s)),
    )
    return BudgetAnswer(
        outcome=Outcome.ROLL_BACK,
        sentence=f"{used} of {budget.per_target} rollbacks of this target used in {spell(budget.per_target_window_s)}, "
        f"{fleet_used} of {budget.fleet} over all targets in {spell(budget.fleet_window_s)}",
    )


def counted_acts(facts: GateFacts) -> tuple[Act, ...]:
    """Acts of this unit, without the one whose later steps are at hand."""
    return _without_plan_at_hand(facts, facts.record.acts)


def counted_fleet_acts(facts: GateFacts) -> tuple[Act, ...]:
    """The acts on all targets, likewise; the unit's own are in it even if the caller left them out."""
    own = set(facts.fleet_acts)
    return _without_plan_at_hand(facts, (*facts.fleet_acts, *(act for act in facts.record.acts if act not in own)))


def _without_plan_at_hand(facts: GateFacts, acts: tuple[Act, ...]) -> tuple[Act, ...]:
    if facts.step == 0 or facts.good is None:
        return acts
    mine = (facts.incident, facts.blamed.fingerprint, facts.good.fingerprint)
    return tuple(act for act in acts if (act.incident, act.from_release, act.to_release) != mine)


def _refused_by_person(facts: GateFacts, _now: Instant) -> BudgetAnswer | None:
    if facts.blamed.fingerprint not in facts.record.cancelled:
        return None
    return BudgetAnswer(
        outcome=Outcome.HOLD,
        sentence=f"a person said no to rolling back {facts.blamed.label}; nothing happens by itself until somebody clears it",
    )


def _own_rollback(facts: GateFacts, now: Instant) -> BudgetAnswer | None:
    bake = max(facts.policy.bake_s, facts.policy.bake_at_most_s)
    ours = [act for act in recent(facts.record.acts, now, bake) if act.to_release == facts.blamed.fingerprint]
    if not ours:
        return None
    return BudgetAnswer(
        outcome=Outcome.ESCALATE,
        hazard="H",
        sentence=f"never a rollback of a rollback: {facts.blamed.label} is where incident {ours[-1].incident} went back to "
        f"at {clock_time(ours[-1].at)}; a person decides",
    )


def _same_release(facts: GateFacts, _now: Instant) -> BudgetAnswer | None:
    before = [act for act in counted_acts(facts) if act.from_release == facts.blamed.fingerprint]
    if before:
        last = max(before, key=lambda act: act.at)
        words = f"{facts.blamed.label} was already rolled back by incident {last.incident} at {clock_time(last.at)}"
    elif facts.wrote and facts.step == 0:
        words = f"incident {facts.incident} has already written to this target"
    else:
        return None
    return BudgetAnswer(
        outcome=Outcome.ESCALATE,
        hazard="H",
        sentence=f"{words}; one rollback a bad release, so a person decides (if it came back, find who re-applied it)",
    )


def _target_window(facts: GateFacts, now: Instant) -> BudgetAnswer | None:
    limit, window = facts.policy.budget.per_target, facts.policy.budget.per_target_window_s
    return _window(counted_acts(facts), limit, window, now, "of this target")


def _fleet_window(facts: GateFacts, now: Instant) -> BudgetAnswer | None:
    limit, window = facts.policy.budget.fleet, facts.policy.budget.fleet_window_s
    return _window(counted_fleet_acts(facts), limit, window, now, "over all targets")


def _window(acts: tuple[Act, ...], limit: int, window_s: float, now: Instant, whose: str) -> BudgetAnswer | None:
    wait = free_in_s(acts, limit, now, window_s)
    if wait <= 0:
        return None
    until = "never with a limit of 0" if limit <= 0 else f"next one possible in {spell(wait)}"
    return BudgetAnswer(
        outcome=Outcome.HOLD,
        hazard="H",
        sentence=f"{len(recent(acts, now, window_s))} rollbacks {whose} in the last {spell(window_s)}, limit {limit}: {until}",
    )
