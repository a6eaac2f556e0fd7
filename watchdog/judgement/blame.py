"""Blame: whether a breach is the release's fault.

Role: weighs what `engine` knows about a breach; the gate turns the answer into pass, hold or ask. Neighbours: `ledger`
(bake), `live_control` (old pods), `judge` (verdicts of controls). Guarantees: one term against the release is enough not
to blame it; a term that cannot tell makes the answer unknown, never yes; what is not configured is said and does not
count. Not guaranteed: right blame for a dependency outage that begins after the rollout when no control is configured.
"""

from __future__ import annotations

from collections.abc import Iterator

from watchdog.judgement.live_control import Control, LiveControl
from watchdog.judgement.wording import clock, count, duration
from watchdog.model import Breach, Health, Instant, SignalVerdict, TargetVerdict, record

SIBLINGS_SHARE = 0.5
SIBLINGS_LEAST = 2
"""So many other targets, and at least half of them, must fail before that speaks against the release."""
SIBLINGS_WITHIN_S = 600.0
"""What began longer than this before the rollout is a chronic failure and says nothing about the present one."""


@record
class Term:
    """One consideration: speaks for blaming the release (True), against it (False), or cannot tell (None).

    `counts` is False for what was not configured or not there: shown, not weighed.
    """

    name: str
    blames: bool | None
    sentence: str
    counts: bool = True


@record
class BlameFacts:
    """What is known about a breach.

    `signals` are the target's signal verdicts (a chronic failure beside a new one is then told apart). `expected_controls`
    names all `control:` and `depends_on` targets, so that one without a verdict in `controls` is unknown. `siblings` are
    verdicts of targets that were *not* released lately and are not known to depend on this one. `start_uncertain_s` is by how much
    the start of the rollout may have been noticed too late (the interval of our reads); 0 when the platform says it.
    """

    breach: Breach
    rollout_started: Instant | None = None
    rollout_completed: Instant | None = None
    start_uncertain_s: float = 0.0
    in_bake: bool = False
    bake_sentence: str = ""
    signals: tuple[SignalVerdict, ...] = ()
    controls: tuple[TargetVerdict, ...] = ()
    expected_controls: tuple[str, ...] = ()
    old_instances: LiveControl | None = None
    siblings: tuple[TargetVerdict, ...] = ()


@record
class Blame:
    """`to_blame` None = could not be told: a person must be asked."""

    to_blame: bool | None
    sentence: str
    terms: tuple[Term, ...]


def blame(facts: BlameFacts) -> Blame:
    """Weigh all terms; every one is shown, also when an early one already decides."""
    terms = (_bake(facts), _beginning(facts), _old(facts), *_controls(facts), _siblings(facts))
    against = [term for term in terms if term.counts and term.blames is False]
    open_ones = [term for term in terms if term.counts and term.blames is None]
    if against:
        to_blame, deciding = False, against
        words = "the release is not to blame"
    elif open_ones:
        to_blame, deciding = None, open_ones
        words = "whether the release is to blame cannot be told"
    else:
        to_blame, deciding = True, [term for term in terms if term.counts]
        words = "the release is to blame"
    return Blame(to_blame=to_blame, sentence=f"{words}: " + "; ".join(t.sentence for t in deciding), terms=terms)


def _bake(facts: BlameFacts) -> Term:
    default = "the release is within its bake time" if facts.in_bake else "no release is within its bake time"
    return Term(name="bake", blames=facts.in_bake, sentence=facts.bake_sentence or default)


def _beginning(facts: BlameFacts) -> Term:
    """First bad sample against the start of the rollout, signal by signal where they are known."""
    name = "first bad sample"
    if facts.rollout_started is None:
        return Term(name=name, blames=None, sentence="when the rollout began is not known")
    began, first_bad = facts.rollout_started - facts.start_uncertain_s, facts.breach.first_bad
    if first_bad >= began:
        after = duration(max(0.0, first_bad - facts.rollout_started))
        return Term(name=name, blames=True, sentence=f"the first bad sample came {after} after the rollout began")
    ahead = f"{clock(first_bad)}, {duration(facts.rollout_started - first_bad)} before the rollout began"
    newly = [
        one.signal
        for one in facts.signals
        if one.health is Health.FAILING and one.first_bad is not None and one.first_bad >= began
    ]
    if newly:
        sentence = f"some signals were bad already at {ahead}, but {', '.join(newly)} only since then"
        return Term(name=name, blames=None, sentence=sentence)
    return Term(name=name, blames=False, sentence=f"the first bad sample came at {ahead}")


def _old(facts: BlameFacts) -> Term:
    found = facts.old_instances
    if found is None or found.control is Control.NONE:
        sentence = "no old pods to compare with" if found is None else found.sentence
        return Term(name="old pods", blames=None, sentence=sentence, counts=False)
    return Term(name="old pods", blames=found.control is Control.OK, sentence=found.sentence)


def _controls(facts: BlameFacts) -> Iterator[Term]:
    """One term for each control and dependency."""
    known = {verdict.target: verdict for verdict in facts.controls}
    names = dict.fromkeys((*facts.expected_controls, *known))
    if not names:
        yield Term(name="control", blames=None, sentence="no control is configured: not checked", counts=False)
    for name in names:
        yield _control(name, known.get(name), facts.breach)


def _control(name: str, verdict: TargetVerdict | None, breach: Breach) -> Term:
    label = f"control {name}"
    if verdict is None:
        return Term(name=label, blames=None, sentence=f"{name} has not been judged yet")
    if verdict.health is Health.FAILING:
        since = _since(verdict)
        order = "first" if since <= breach.first_bad else "later"
        sentence = f"{name}, which was not released, fails as well (since {clock(since)}, it began {order})"
        return Term(name=label, blames=False, sentence=sentence)
    if verdict.health is Health.HEALTHY and not verdict.suspicious:
        return Term(name=label, blames=True, sentence=f"{name} is healthy")
    return Term(name=label, blames=None, sentence=f"{name} is {verdict.health.value}: it cannot tell yet")


def _siblings(facts: BlameFacts) -> Term:
    """Others that were not released: many of them failing means that something shared is broken.

    Only what began before the rollout cannot be this release's doing: targets may depend on this one without saying so.
    """
    name, known = "siblings", [one for one in facts.siblings if one.health in (Health.HEALTHY, Health.FAILING)]
    if not known:
        return Term(name=name, blames=None, sentence="no other targets to compare with", counts=False)
    began = facts.breach.first_bad if facts.rollout_started is None else facts.rollout_started
    failing = [one for one in known if one.health is Health.FAILING and _since(one) >= began - SIBLINGS_WITHIN_S]
    sentence = f"{len(failing)} of {count(len(known), 'other target')} fail"
    if len(failing) < SIBLINGS_LEAST or len(failing) < SIBLINGS_SHARE * len(known):
        return Term(name=name, blames=True, sentence=sentence)
    named = ", ".join(one.target for one in failing[:5])
    before = sum(_since(one) < began for one in failing)
    if before >= SIBLINGS_LEAST:
        return Term(name=name, blames=False, sentence=f"{sentence} as well, since before the rollout: {named}")
    return Term(name=name, blames=None, sentence=f"{sentence} as well, as cause or as consequence: {named}")


def _since(verdict: TargetVerdict) -> Instant:
    return verdict.at if verdict.first_bad is None else verdict.first_bad
