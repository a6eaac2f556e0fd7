"""The last part of the gate: budget, what people said, and the countdown that lets them still say no.

Role: the checks budget, approval and countdown, and which approval or override answers which check. Neighbours:
`safety.gate` lays the answers over the checks; the incident carries approvals and overrides. Guarantees: an approval answers
only asking checks that it names, for the very road it names, before it expires; an override counts only for a rollback by
hand and only for a check that may be overridden.
"""

from __future__ import annotations

from dataclasses import replace

from watchdog.model import Approval, Check, Instant, Outcome, Override
from watchdog.safety.answers import also, asks, blocked, clock_time, objects, passed, spell, unknown
from watchdog.safety.budget import assess_budget
from watchdog.safety.facts import GateFacts


def budget(facts: GateFacts, now: Instant) -> Check:
    """One rollback a bad release, a few a window, never a rollback of a rollback (P15)."""
    answer = assess_budget(facts, now)
    if answer.outcome is Outcome.ROLL_BACK:
        return passed("budget", answer.sentence)
    return blocked("budget", answer.outcome, answer.sentence, overridable=True, hazard=answer.hazard)


def approval(facts: GateFacts, now: Instant) -> Check:
    """A person who said yes to one road back is not surprised by another."""
    name = "approval"
    valid = valid_approvals(facts, now)
    if valid:
        newest = max(valid, key=lambda entry: entry.at)
        until = clock_time(newest.expires)
        return passed(name, f"{newest.who} approved {', '.join(newest.checks)}, valid until {until}")
    road = (facts.blamed.fingerprint, _to(facts))
    standing = [
        entry
        for entry in facts.approvals
        if _alive(entry, facts, now) and (entry.from_release, entry.to_release) != road
    ]
    if not standing:
        return passed(name, "no approval stands")
    newest = max(standing, key=lambda entry: entry.at)
    was = f"{newest.from_release[:12]} to {newest.to_release[:12] or 'nothing'}"
    is_now = f"{facts.blamed.fingerprint[:12]} to {_to(facts)[:12] or 'nothing'}"
    return asks(name, f"{newest.who} approved going from {was}, but the road is now {is_now}: ask again")


def countdown(facts: GateFacts, now: Instant) -> Check:
    """People had time to stop it. Only recovery or a person ends it early; an approval makes it needless."""
    name, length = "countdown", facts.policy.countdown_s
    if length <= 0:
        return passed(name, "no countdown is configured")
    valid = valid_approvals(facts, now)
    if valid:
        return passed(name, f"no countdown after the approval by {valid[0].who}")
    if not facts.countdown_started:
        return blocked(name, Outcome.HOLD, f"a countdown of {spell(length)} comes first", overridable=True)
    if facts.countdown_until is None:
        return unknown(name, Outcome.HOLD, "a countdown was begun, but its end is not known", overridable=True)
    left = facts.countdown_until - now
    if left <= 0:
        return passed(name, f"the countdown of {spell(length)} is over")
    words = f"rolling back in {spell(left)} unless it recovers or somebody types `watchdog cancel {facts.incident}`"
    return blocked(name, Outcome.HOLD, words, overridable=True)


def valid_approvals(facts: GateFacts, now: Instant) -> tuple[Approval, ...]:
    """The approvals that count now: alive, bound to this very road, and saying yes to something by name."""
    road = (facts.blamed.fingerprint, _to(facts))
    return tuple(
        entry
        for entry in facts.approvals
        if _alive(entry, facts, now)
        and facts.good is not None
        and (entry.from_release, entry.to_release) == road
        and entry.id
        and entry.checks
    )


def answered(check: Check, facts: GateFacts, now: Instant) -> Check:
    """The check, with the id of the approval or override that answers it, if one does."""
    if not objects(check):
        return check
    override = _override(check, facts)
    given = override or _approval_of(check, facts, now)
    if given is None:
        return check
    verb = "overridden" if override else "approved"
    sentence = also(f"{check.sentence} - {verb} by {given.who}", given.why)
    return replace(check, overridden_by=given.id, sentence=sentence)


def _override(check: Check, facts: GateFacts) -> Override | None:
    if not (facts.manual and check.overridable):
        return None
    named = (entry for entry in facts.overrides if check.name in entry.checks)
    return next((entry for entry in named if entry.id and _knew(check, facts, entry.at)), None)


def _approval_of(check: Check, facts: GateFacts, now: Instant) -> Approval | None:
    if check.outcome is not Outcome.ASK:
        return None
    return next((entry for entry in valid_approvals(facts, now) if check.name in entry.checks), None)


def _knew(check: Check, facts: GateFacts, at: Instant) -> bool:
    """A pause made after the override is not overridden: the person could not have meant it."""
    return check.name != "pause" or all(entry.since <= at for entry in facts.pauses.active)


def _alive(entry: Approval, facts: GateFacts, now: Instant) -> bool:
    """Given since the incident was (re-)opened, and not expired; a plan that it began may be finished later.

    Spent ones count only while it is known that this very response spent them.
    """
    if facts.began is None:
        return entry.spent_at is None and now < entry.expires
    if entry.at < facts.began:
        return False
    return now < entry.expires or (entry.spent_at is not None and facts.step > 0)


def _to(facts: GateFacts) -> str:
    return facts.good.fingerprint if facts.good is not None else ""
