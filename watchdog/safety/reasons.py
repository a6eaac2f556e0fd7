"""The gate about cause and consequence: is the release to blame, and would going back be right.

Role: the checks bake, blame, data, hazards and self_suspect. Neighbours: `judgement` attributes, hazard readers bring facts,
`safety.hazards` knows where each letter leads. Guarantees: not configured passes and says "not checked"; configured but not
answered asks a person.
"""

from __future__ import annotations

from watchdog.model import Check, DataSafety, Instant, Outcome, Release
from watchdog.safety.answers import also, asks, blocked, passed, strongest, unknown
from watchdog.safety.facts import GateFacts, HazardView
from watchdog.safety.hazards import claims_of, hazard_named, hazard_outcome, says_no_rollback


def bake(facts: GateFacts, _now: Instant) -> Check:
    """The blamed release is still under suspicion; later breaches page, they do not roll back."""
    if facts.in_bake:
        return passed("bake", facts.bake_sentence or f"{facts.blamed.label} is in its bake time")
    words = facts.bake_sentence or f"{facts.blamed.label} is past its bake time"
    return blocked(
        "bake",
        Outcome.ESCALATE,
        f"{words}, so the breach is not put down to it; `watchdog rollback` goes back by hand",
        overridable=True,
        hazard="U",
    )


def blame(facts: GateFacts, _now: Instant) -> Check:
    """The release is the cause, as far as control, dependencies, old pods and times can tell."""
    view = facts.blame
    if view.to_blame is None:
        words = also(f"whether {facts.blamed.label} is the cause is not known", view.sentence)
        return unknown("blame", Outcome.ASK, words, overridable=True, hazard=view.hazard)
    if view.to_blame:
        return passed("blame", view.sentence or f"nothing but {facts.blamed.label} explains it")
    words = also(f"{facts.blamed.label} is not to blame", view.sentence)
    return blocked("blame", Outcome.HOLD, words, overridable=True, hazard=view.hazard or "C")


def data(facts: GateFacts, _now: Instant) -> Check:
    """The code may go back without the data: what the releases claim, then what the configuration says."""
    return _claims(facts) or _stated(facts)


def _claims(facts: GateFacts) -> Check | None:
    left = releases_left(facts)
    for release in left:
        if claims_of(release).migration == "breaking":
            words = f"{release.label} says that its migration is breaking: older code cannot read the data"
            return blocked(
                "data",
                Outcome.ESCALATE,
                f"{words}; call the owner of the database and fix forward",
                overridable=True,
                hazard="A",
            )
    for release in left:
        claims = claims_of(release)
        if claims.no_rollback:
            return asks("data", f"{release.label} says that it should not be rolled back (no-rollback)", hazard="W")
        if claims.migration == "unclear":
            said = release.claims["migration"]
            return asks(
                "data", f"{release.label} says migration: {said}, and not that older code can read it", hazard="A"
            )
    if facts.state is not None and says_no_rollback(facts.state.hints):
        return asks("data", "an annotation on the workload says no-rollback", hazard="W")
    return None


def releases_left(facts: GateFacts) -> tuple[Release, ...]:
    """The blamed release and every other one that going back leaves behind: begun after the good one."""
    blamed, good = facts.blamed, facts.good
    if good is None or good.started is None:
        return (blamed,)
    begun = good.started
    between = [
        release
        for release in facts.record.releases
        if release.fingerprint not in (blamed.fingerprint, good.fingerprint)
        and release.started is not None
        and release.started > begun
        and (blamed.started is None or release.started <= blamed.started)
    ]
    return (blamed, *between)


def _stated(facts: GateFacts) -> Check:
    said, target = facts.policy.data, facts.policy.target
    if said is DataSafety.NONE:
        return passed("data", "data: none - the target has no data of its own")
    if said is DataSafety.COMPATIBLE:
        return passed("data", "data: compatible - every release reads what the next one wrote")
    if said is DataSafety.NOT_SAID:
        words = f"nobody said whether the code of {target} may go back without its data"
        return asks("data", f"{words}: set `data: none`, `compatible` or `check`", hazard="A")
    return _database(facts)


def _database(facts: GateFacts) -> Check:
    views = [view for view in facts.hazards if _letter(view) == "A"]
    ahead = [view for view in views if view.present]
    if ahead:
        words = also("the database is ahead of the good release", ahead[0].sentence)
        return blocked(
            "data", Outcome.ESCALATE, f"{words}; call its owner and fix forward", overridable=True, hazard="A"
        )
    if views and all(view.present is False for view in views):
        return passed("data", also("data: check - the database can be read by the good release", views[0].sentence))
    why = next((view.sentence for view in views if view.present is None), "no reader has answered")
    return unknown(
        "data",
        Outcome.ASK,
        f"data: check - whether the database is ahead is not known: {why}",
        overridable=True,
        hazard="A",
    )


def hazards(facts: GateFacts, _now: Instant) -> Check:
    """What configured readers found; the strongest finding speaks, the others are named."""
    decided_by_data = facts.policy.data is DataSafety.CHECK
    views = [view for view in facts.hazards if not (decided_by_data and _letter(view) == "A")]
    if not views:
        return passed("hazards", "not checked: no reader of hazards is configured")
    worrying = [view for view in views if view.present is not False]
    if not worrying:
        return passed("hazards", f"none of {', '.join(sorted(map(_letter, views)))} is present")
    first = min(worrying, key=lambda view: (_rank(view), view.present is None))
    words = "; ".join(_words(view) for view in (first, *(view for view in worrying if view is not first)))
    if first.present is None:
        return unknown("hazards", Outcome.ASK, words, overridable=True, hazard=_letter(first))
    outcome = hazard_outcome(first.hazard)
    if outcome is Outcome.ASK:
        return asks("hazards", words, hazard=_letter(first))
    return blocked("hazards", outcome, words, overridable=True, hazard=_letter(first))


def _rank(view: HazardView) -> int:
    order = (Outcome.ESCALATE, Outcome.HOLD, Outcome.ASK)
    return order.index(strongest([Outcome.ASK if view.present is None else hazard_outcome(view.hazard)]))


def _letter(view: HazardView) -> str:
    known = hazard_named(view.hazard)
    return known.letter if known else view.hazard


def _words(view: HazardView) -> str:
    known = hazard_named(view.hazard)
    name = f"hazard {known.letter} ({known.title})" if known else f"hazard {view.hazard}"
    return also(f"{name} {'could not be checked' if view.present is None else 'is present'}", view.sentence)


def self_suspect(facts: GateFacts, _now: Instant) -> Check:
    """Not everything fails at once, which would rather be our own fault (P14)."""
    name, suspicion = "self_suspect", facts.suspect
    if suspicion.verdict is None:
        words = also("whether it is rather the watchdog's own sight is not known", suspicion.sentence)
        return unknown(name, Outcome.ASK, words, overridable=True)
    if not suspicion.verdict:
        return passed(name, suspicion.sentence or "nothing points at the watchdog itself")
    words = also("too much fails at once, so the watchdog suspects itself", suspicion.sentence)
    return blocked(name, Outcome.HOLD, f"{words}; check its network and sources", overridable=True, hazard="S")
