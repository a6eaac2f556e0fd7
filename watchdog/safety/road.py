"""The gate about the target itself: is it free, and is there a good release that it can go back to.

Role: the checks in_progress_by_others, good_exists, good_near, good_not_condemned and good_can_run. Neighbours: facts come
from a fresh read of the platform, its preflight and the ledger. Guarantees: another owner, a newer release or another write
in flight is never stepped over, not even by hand.
"""

from __future__ import annotations

from watchdog.model import Check, Finding, Grade, Instant, Outcome, Owner, WorkloadState
from watchdog.safety.answers import also, asks, blocked, passed, spell, unknown
from watchdog.safety.facts import GateFacts


def in_progress_by_others(facts: GateFacts, now: Instant) -> Check:
    """Nobody else owns, changes or has just released the target."""
    name, state = "in_progress_by_others", facts.state
    if state is None:
        words = also(f"{facts.policy.target} cannot be read now", facts.state_error)
        return unknown(name, Outcome.BLIND, f"{words}; deciding anew when it can", hazard="T")
    if state.deleting:
        return blocked(name, Outcome.HOLD, f"{state.unit.name} is being deleted")
    if facts.superseded:
        return _superseded(facts, state)
    if facts.in_flight:
        others = ", ".join(facts.in_flight)
        return blocked(name, Outcome.HOLD, f"a write of incident {others} is in flight here; one at a time", hazard="G")
    return _owned(facts, state) or _own_rollout(state, now)


def _superseded(facts: GateFacts, state: WorkloadState) -> Check:
    live, words = state.release, f"superseded: {state.release.label} is live now, not {facts.blamed.label}"
    if facts.good is not None and live.fingerprint == facts.good.fingerprint:
        words = f"superseded: somebody already went back to {live.label}"
    actor = f", changed by {state.actor}" if state.actor else ""
    return blocked("in_progress_by_others", Outcome.HOLD, f"{words}{actor}; it is never overwritten", hazard="V")


def _owned(facts: GateFacts, state: WorkloadState) -> Check | None:
    name, owner = "in_progress_by_others", facts.owner
    if owner is None or owner.owner is Owner.UNKNOWN:
        why = "" if owner is None else owner.sentence
        return unknown(name, Outcome.HOLD, also(f"who else claims {state.unit.name} could not be found out", why))
    if owner.owner is Owner.NOBODY:
        return None
    words = also(
        f"{state.unit.name} belongs to {owner.owner.value}, which would undo or collide with a write", owner.sentence
    )
    return blocked(name, Outcome.ESCALATE, f"{words}; roll back there", hazard="F")


def _own_rollout(state: WorkloadState, now: Instant) -> Check:
    name = "in_progress_by_others"
    if state.paused:
        words = f"the rollout of {state.unit.name} is paused on the workload (spec.paused), so a write would wait there"
        return asks(name, f"{words}; a person paused it, a person decides")
    if not state.in_progress:
        return passed(name, f"nobody else is acting; {state.release.label} is live")
    since = f" for {spell(now - state.started)}" if state.started is not None else ""
    return passed(
        name,
        f"the rollout of {state.release.label} itself is under way{since} ({state.updated} of {state.wanted} updated): "
        "the best moment to go back",
    )


def good_exists(facts: GateFacts, _now: Instant) -> Check:
    """There is a release that earned trust, and it is another one than the blamed."""
    name, good = "good_exists", facts.good
    if good is None:
        words = also("there is no known good release to go back to", facts.good_sentence)
        return blocked(name, Outcome.ESCALATE, f"{words}; name one with `watchdog rollback --to`", hazard="J")
    if good.fingerprint == facts.blamed.fingerprint:
        return blocked(name, Outcome.ESCALATE, f"{good.label} is the blamed release itself", hazard="J")
    if good.is_good or good.grade is Grade.CONDEMNED:
        return passed(name, also(f"back to {good.label} ({good.grade.value.replace('_', ' ')})", facts.good_sentence))
    if facts.manual:
        return passed(name, f"back to {good.label}, named by hand; it has not earned the grade good")
    words = f"{good.label} has not earned the grade good (watched for {spell(good.watched_s)})"
    return blocked(name, Outcome.ESCALATE, f"{words}; name it with `watchdog rollback --to` to take it", hazard="J")


def good_near(facts: GateFacts, _now: Instant) -> Check:
    """It is near enough to be taken without asking."""
    name, policy, good = "good_near", facts.policy, facts.good
    if good is None:
        return passed(name, "no release to measure")
    steps = facts.steps_back
    where = "" if steps is None else f", {steps} good release{'' if steps == 1 else 's'} back"
    if not facts.good_far and (steps is None or steps <= policy.good_back):
        return passed(name, f"{good.label} is near{where}")
    limit = f"without asking at most {policy.good_back} good releases and {spell(policy.good_age_s)} back"
    return asks(name, f"{good.label} is far{where}; {limit}")


def good_not_condemned(facts: GateFacts, _now: Instant) -> Check:
    """It has not been blamed for a breach itself."""
    name, good = "good_not_condemned", facts.good
    if good is None:
        return passed(name, "no release to look up")
    noted = facts.record.release(good.fingerprint)
    if Grade.CONDEMNED not in (good.grade, noted.grade if noted else None):
        return passed(name, f"{good.label} is not condemned")
    why = good.note or (noted.note if noted else "")
    words = also(f"{good.label} was condemned for a breach of its own", why)
    return blocked(name, Outcome.ESCALATE, f"{words}; a person has to clear it first", overridable=True, hazard="I")


def good_can_run(facts: GateFacts, _now: Instant) -> Check:
    """What it refers to (ConfigMaps, Secrets, accounts, quota) still exists."""
    name, good, found = "good_can_run", facts.good, facts.preflight
    if good is None:
        return passed(name, "no release to try")
    if found is None:
        return unknown(
            name, Outcome.ASK, f"whether {good.label} can still run could not be checked", overridable=True, hazard="J"
        )
    blocking = [finding for finding in found if finding.blocks]
    if blocking:
        words = f"{good.label} cannot run as things stand: {_said(blocking)}"
        return blocked(name, Outcome.ESCALATE, f"{words}; put it back first", hazard="J")
    open_questions = [finding for finding in found if finding.unknown]
    if open_questions:
        words = f"whether {good.label} can run is not known: {_said(open_questions)}"
        return unknown(name, Outcome.ASK, words, overridable=True, hazard="J")
    return passed(name, also(f"{good.label} can run", _said(found)))


def _said(findings: tuple[Finding, ...] | list[Finding]) -> str:
    return "; ".join(finding.sentence for finding in findings)
