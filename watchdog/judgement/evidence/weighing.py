"""Weighing: one look after another, the whole of the evidence rule as a pure function.

Role: `weigh(terms, state, look) -> state`; leads each count to the groups that bet on it and asks the rules by count.
Neighbours: `rule` and `watchdog.testing.judging` make looks; `groups`, `comparison`, `rollout`, `interruptions` do the
parts. Guarantees: a look that knows nothing changes no evidence; holds, odd pods, gaps and levels only lower evidence (or
bet against a higher rate), so Ville's bound of `detector` stays for each group; shown evidence never rises on good counts.
Not guaranteed: a bound on false alarms of the rules by count; that odd pods are chosen without looking at the same bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from watchdog.judgement.evidence.baseline import Pair
from watchdog.judgement.evidence.comparison import Comparison, compared
from watchdog.judgement.evidence.detector import start_weight
from watchdog.judgement.evidence.groups import (
    NEW_SHARE,
    SERVICE_SHARE,
    Bin,
    Group,
    fresh_group,
    group_bet,
    group_held,
)
from watchdog.judgement.evidence.interruptions import Interruptions, interrupted
from watchdog.judgement.evidence.knobs import Kind
from watchdog.judgement.evidence.look import NOTHING, Look
from watchdog.judgement.evidence.podwise import Pods, pods_evidence, pods_weighed
from watchdog.judgement.evidence.recent import Recent, looks_fine, noted, sums
from watchdog.judgement.evidence.rollout import Rollout, crash_loop, moving, not_ready, replaced
from watchdog.judgement.evidence.terms import Terms
from watchdog.model import record

JUST_NOW_S = 15.0
"""Requests of this time say whether users are fine while probes fail."""

LEAST_REQUESTS = 10
LUMP_S, SPREAD_LUMP_S = 24.0, 42.0
"""Seconds of evidence that one sum may bring: it can hide one interruption, unless probes failed too far apart for one."""

SPREAD_FAILURES = 3
MOST_FAILURES = 200
LEAST_BAD_REQUESTS = 4
"""So many requests, half of them bad, make an interruption of one poll."""

SHOWN_S = 60.0
"""Counts of this time stand in the sentence."""


@record
class Weighed:
    """Everything remembered of the watch of one release. `why` is the reason to roll back; once set it stays."""

    at: float = 0.0
    service: Group
    new: Group | None = None
    pods: Pods = Pods()
    comparison: Comparison = Comparison()
    rollout: Rollout = Rollout()
    interruptions: Interruptions = Interruptions()
    recent: Mapping[str, Recent] = field(default_factory=dict)
    latest: Mapping[str, tuple[float, Pair]] = field(default_factory=dict)
    probe_failures: tuple[float, ...] = ()
    users_fine: bool = False
    evidence: float = float("-inf")
    shown: float = 0.0
    leading: str = "service"
    why: str = ""

    @property
    def fires(self) -> bool:
        """The release made things worse."""
        return bool(self.why)


def begin(terms: Terms, start: float = 0.0) -> Weighed:
    """Nothing seen yet; the watch begins at event time `start`."""
    return Weighed(at=start, service=fresh_group(terms, 1.0, start))


def weigh(terms: Terms, before: Weighed, look: Look) -> Weighed:
    """The state after one look. Looks come in order of their arrival; late bins carry their own `ends`."""
    state = _noted(terms, before, look)
    state = replace(state, comparison=compared(terms, state.comparison, look))
    rollout, waits = replaced(terms, state.rollout, look)
    state = replace(state, rollout=rollout)
    state = _service_weighed(terms, state, look, before.latest, waits=waits)
    if state.new is not None:
        pods, new = pods_weighed(terms, state.pods, state.new, look, state.comparison, users_fine=state.users_fine)
        state = replace(state, pods=pods, new=new)
    rollout, stuck = not_ready(terms, state.rollout, look)
    interruptions, often = _counted(terms, replace(state, rollout=rollout), look)
    state = replace(state, rollout=rollout, interruptions=interruptions)
    return _decided(terms, state, before, look, stuck or crash_loop(look) or often)


def mixed_requests(look: Look) -> bool:
    """Old and new pods serve, and requests cannot be told apart: weak evidence takes longer."""
    return bool(look.old) and not look.pods_count


def _noted(terms: Terms, state: Weighed, look: Look) -> Weighed:
    """Take the counts into the short memory; once pods are seen the service answers only for what no pod explains."""
    recent, latest = dict(state.recent), dict(state.latest)
    failures = state.probe_failures
    for name, counts in look.counts.items():
        at = look.ends.get(name, look.at)
        if counts[0]:
            recent[name] = noted(recent.get(name, ()), at, counts, SHOWN_S)
            latest[name] = (at, counts)
        if counts[1] and terms.kinds[name] is Kind.PROBE:
            failures = (*failures[-MOST_FAILURES:], at)
    at = max(state.at, look.at)
    state = replace(state, at=at, recent=recent, latest=latest, probe_failures=failures)
    if look.pods is None or state.new is not None:
        return state
    began = look.at - terms.poll_s
    return replace(
        state, new=fresh_group(terms, NEW_SHARE, began), service=fresh_group(terms, SERVICE_SHARE, began)
    )


def _service_weighed(
    terms: Terms, state: Weighed, look: Look, latest: Mapping[str, tuple[float, Pair]], *, waits: bool
) -> Weighed:
    service = state.service
    if not waits:
        mixed = mixed_requests(look)
        bins = {
            name: Bin(
                counts=counts,
                at=look.ends.get(name, look.at),
                level=state.comparison.rate(name),
                burst=_lump(terms, state, name, look, latest),
                mixed=mixed,
            )
            for name, counts in _unexplained(terms, state, look).items()
            if counts[0] > 0
        }
        service = group_bet(terms, service, bins)
    fine = _users_fine(terms, state)
    if fine:  # probes say down, users say fine
        service = group_held(terms, service, terms.of_kind(Kind.PROBE), state.at)
    return replace(state, service=service, users_fine=fine)


def _unexplained(terms: Terms, state: Weighed, look: Look) -> dict[str, Pair]:
    """What the service's counts say beyond those of the pods."""
    row = dict(look.counts)
    pods = look.pods or ()
    if any(pod.counts.get(name) for pod in pods for name, kind in terms.kinds.items() if kind is not Kind.PROBE):
        for name in [name for name in row if terms.kinds[name] is not Kind.PROBE]:
            events = sum(pod.counts.get(name, NOTHING)[0] for pod in pods)
            bad = sum(pod.counts.get(name, NOTHING)[1] for pod in pods)
            row[name] = (max(0, row[name][0] - events), max(0, row[name][1] - bad))
    elif any(pod.ready and not pod.settled(terms.knobs.tolerate_interruption_s) for pod in look.new_pods):
        return {}  # requests cannot be split: wait until the youngest pod has settled
    if state.pods.explain_probe(terms, look):
        for name in terms.of_kind(Kind.PROBE):
            row.pop(name, None)
    return row


def _lump(
    terms: Terms, state: Weighed, name: str, look: Look, latest: Mapping[str, tuple[float, Pair]]
) -> float | None:
    """Seconds of evidence one sum may bring when it covers longer than a poll; None for an ordinary bin.

    What it covers is said by the source, else the rhythm of the history: a gap in telemetry is not a sum.
    """
    at = look.ends.get(name, look.at)
    before = latest.get(name, (at - terms.every_s[name], NOTHING))[0]
    covers = look.covers.get(name) or min(at - before, terms.every_s[name])
    if covers <= terms.burst_s or covers < terms.knobs.tolerate_interruption_s:
        return None
    failed = [moment for moment in state.probe_failures if moment > at - 2 * covers]
    spread = len(failed) >= SPREAD_FAILURES and failed[-1] - failed[0] > terms.fill_s
    return min(covers, SPREAD_LUMP_S if spread else LUMP_S)


def _users_fine(terms: Terms, state: Weighed) -> bool:
    names = terms.of_kind(Kind.ERR)
    if not names or not terms.of_kind(Kind.PROBE):
        return False
    pairs = {name: sums(state.recent.get(name, ()), state.at, JUST_NOW_S) for name in names}
    enough = sum(events for events, _ in pairs.values()) >= LEAST_REQUESTS
    return enough and all(looks_fine(pair, terms.ladders[name].tolerated) for name, pair in pairs.items())


def _counted(terms: Terms, state: Weighed, look: Look) -> tuple[Interruptions, str]:
    """Whether this reading is part of an interruption of the whole service."""
    now = {name: pair for name, (at, pair) in state.latest.items() if state.at - at < terms.poll_s}
    known = bad = False
    for name, (events, failed) in now.items():
        kind = terms.kinds[name]
        normal = terms.ladders[name].tolerated <= terms.knobs.floor(kind)
        if kind is Kind.PROBE:
            known, bad = True, bad or (failed == events and normal and not state.users_fine)
        elif kind is Kind.ERR and events >= LEAST_BAD_REQUESTS:
            known, bad = True, bad or (2 * failed >= events and normal)
    if not known:
        return state.interruptions, ""
    ready = [pod for pod in look.pods or () if pod.ready]
    failing = sum(any(pod.counts.get(name, NOTHING)[1] for name in terms.of_kind(Kind.PROBE)) for pod in ready)
    whole = 2 * failing >= len(ready)  # one pod's trouble is no interruption
    bad = bad and whole and not state.comparison.levels and not moving(terms, state.rollout, look, look.new_pods)
    return interrupted(terms, state.interruptions, state.at, bad=bad)


def _decided(terms: Terms, state: Weighed, before: Weighed, look: Look, by_count: str) -> Weighed:
    """What it comes to, and how it is shown: clipped at its floor, never rising unless something bad was seen."""
    values = {"service": state.service.evidence()}
    if state.new is not None:
        values |= {"new pods": state.new.evidence(), "one pod after another": pods_evidence(state.pods)}
    leading = max(values, key=lambda name: values[name])
    evidence = values[leading]
    floor = start_weight(state.at - terms.poll_s, state.at, terms.knobs.expert.watch_s)
    shown = min(1.0, max(0.0, (evidence - floor) / (terms.need - floor)))
    seen_bad = any(bad for _, bad in look.counts.values()) or any(
        bad for pod in look.pods or () for _, bad in pod.counts.values()
    )
    why = before.why or by_count
    if not why and evidence >= terms.need:
        why = f"evidence of {leading}"
    if not seen_bad:
        shown = min(shown, before.shown)
    return replace(state, evidence=evidence, shown=1.0 if why else shown, leading=leading, why=why)
