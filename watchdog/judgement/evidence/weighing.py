"""Weighing: one look after another, the whole of the evidence rule as a pure function.

Role: `weigh(terms, state, look) -> state`; leads each count to the groups that bet on it and asks the rules by count.
Neighbours: `rule` and `watchdog.testing.judging` make looks; `groups`, `comparison`, `rollout`, `interruptions` do the
parts. Guarantees: a look that knows nothing changes no evidence; holds, odd pods, gaps and levels only lower evidence (or
bet against a higher rate), so Ville's bound of `detector` stays for each group; shown evidence never rises on good counts.
Not guaranteed: a bound on false alarms of the rules by count; that odd pods are chosen without looking at the same bin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from watchdog.judgement.evidence.baseline import Pair
from watchdog.judgement.evidence.comparison import Comparison, compared
from watchdog.judgement.evidence.detector import Floats
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
from watchdog.judgement.evidence.memory import Memory, remembered
from watchdog.judgement.evidence.podwise import Pods, most_telling, pods_evidence, pods_weighed
from watchdog.judgement.evidence.recent import looks_fine, sums
from watchdog.judgement.evidence.rollout import Rollout, crash_loop, moving, not_ready, replaced
from watchdog.judgement.evidence.terms import Terms
from watchdog.model import record

JUST_NOW_S = 15.0
"""Requests of this time say whether users are fine while probes fail."""

LEAST_REQUESTS = 10
LUMP, SPREAD_LUMP = 0.48, 0.84
"""Share of the fastest alternative's filling that one sum may bring: it can hide an interruption, and two neighbours can share one, so two of
them must not fill it; more where probes failed too far apart for one interruption."""

SPREAD_FAILURES = 3
LEAST_BAD_REQUESTS = 4
"""So many requests, half of them bad, make an interruption of one poll."""


@record
class Weighed:
    """Everything remembered of the watch of one release. `why` is the reason to roll back; once set it stays.

    `evidence` = log evidence of the leading group; `shown` = share of what is needed, for people.
    """

    at: float = 0.0
    service: Group
    new: Group | None = None
    pods: Pods = Pods()
    comparison: Comparison = Comparison()
    rollout: Rollout = Rollout()
    interruptions: Interruptions = Interruptions()
    memory: Memory = Memory()
    evidence: float = -math.inf
    shown: float = 0.0
    leading: str = "the service"
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
    at = max(before.at, look.at)
    memory = remembered(terms, before.memory, look)
    service, new, pods = _groups(terms, before, look)
    comparison = compared(terms, before.comparison, look)
    rollout, waits = replaced(terms, before.rollout, look)
    fine = _users_fine(terms, memory, at)
    if not waits:
        row = _unexplained(terms, pods, look)
        service = group_bet(terms, service, _bins(terms, before.memory, memory, comparison, look, row))
    if fine and any(look.counts.get(name, NOTHING)[0] for name in terms.probes):  # probes say down, users say fine
        service = group_held(terms, service, terms.probes, at)
    if new is not None:
        pods, new = pods_weighed(terms, pods, new, look, comparison, users_fine=fine)
    if look.held:
        service, new, pods = _all_held(terms, service, new, pods, at)
    rollout, stuck = not_ready(terms, rollout, look)
    bad = _interruption(terms, memory, look, at, users_fine=fine)
    interruptions, often = before.interruptions, ""
    if bad is not None:
        bad = bad and not comparison.levels and not moving(terms, rollout, look)
        interruptions, often = interrupted(terms, interruptions, at, bad=bad)
    verdict = _decided(terms, before, look, (service, new, pods))
    why = before.why or stuck or crash_loop(look) or often or verdict.why
    return Weighed(
        at=at,
        service=service,
        new=new,
        pods=pods,
        comparison=comparison,
        rollout=rollout,
        interruptions=interruptions,
        memory=memory,
        evidence=verdict.evidence,
        shown=1.0 if why else verdict.shown,
        leading=verdict.leading,
        why=why,
    )


def mixed_requests(look: Look) -> bool:
    """Old and new pods serve, and requests cannot be told apart: weak evidence takes longer."""
    olds = bool(look.old) or any(pod.ready and not pod.new for pod in look.pods or ())
    return olds and not look.pods_count


Groups = tuple[Group, Group | None, Pods]


def _groups(terms: Terms, before: Weighed, look: Look) -> Groups:
    """Once pods are seen the service answers only for what no pod explains."""
    if look.pods is None or before.new is not None:
        return before.service, before.new, before.pods
    began = look.at - terms.poll_s
    return fresh_group(terms, SERVICE_SHARE, began), fresh_group(terms, NEW_SHARE, began), before.pods


def _all_held(terms: Terms, service: Group, new: Group | None, pods: Pods, at: float) -> Groups:
    """Every group below half of what it needs."""
    names = list(terms.kinds)
    known = {name: replace(pod, group=group_held(terms, pod.group, names, at)) for name, pod in pods.known.items()}
    return (
        group_held(terms, service, names, at),
        None if new is None else group_held(terms, new, names, at),
        replace(pods, known=known),
    )


def _bins(
    terms: Terms, before: Memory, memory: Memory, comparison: Comparison, look: Look, row: Mapping[str, Pair]
) -> dict[str, Bin]:
    """What the service's streams get; a sum that covers longer than a poll may bring more at once, within limits."""
    mixed = mixed_requests(look)
    bins: dict[str, Bin] = {}
    for name, counts in row.items():
        if counts[0] > 0:
            at = look.ends.get(name, look.at)
            since = at - before.latest[name][0] if name in before.latest else math.inf
            covers = look.covers.get(name) or min(since, terms.every_s[name])
            burst = _lump(terms, memory, name, at, covers) if covers > terms.burst_s else None
            bins[name] = Bin(counts=counts, at=at, level=comparison.rate(name), burst=burst, mixed=mixed)
    return bins


def _lump(terms: Terms, memory: Memory, name: str, at: float, covers: float) -> Floats | None:
    """Seconds of evidence one sum may bring; None where it cannot hide a whole interruption.

    What it covers is said by the source, else the rhythm of the history: a gap in telemetry is not a sum.
    """
    if covers < terms.knobs.tolerate_interruption_s:
        return None
    failed = [moment for moment in memory.probe_failures if moment > at - 2 * covers]
    spread = len(failed) >= SPREAD_FAILURES and failed[-1] - failed[0] > terms.fill_s
    fills = terms.ladders[name].fill
    return (min(covers, (SPREAD_LUMP if spread else LUMP) * min(fills)),) * len(fills)


def _unexplained(terms: Terms, known: Pods, look: Look) -> Mapping[str, Pair]:
    """What the service's counts say beyond those of the pods."""
    pods = look.pods
    if not pods:
        return look.counts
    row = dict(look.counts)
    if any(pod.counts.get(name) for pod in pods for name in terms.kinds if name not in terms.probes):
        for name in [name for name in row if name not in terms.probes]:
            events = sum(pod.counts.get(name, NOTHING)[0] for pod in pods)
            bad = sum(pod.counts.get(name, NOTHING)[1] for pod in pods)
            row[name] = (max(0, row[name][0] - events), max(0, row[name][1] - bad))
    elif any(pod.ready and not pod.settled(terms.knobs.tolerate_interruption_s) for pod in look.new_pods):
        return {}  # requests cannot be split: wait until the youngest pod has settled
    if known.explain_probe(terms, look):
        for name in terms.probes:
            row.pop(name, None)
    return row


def _users_fine(terms: Terms, memory: Memory, at: float) -> bool:
    if not terms.requests or not terms.probes:
        return False
    enough = 0
    for name in terms.requests:
        pair = sums(memory.recent.get(name, ()), at, JUST_NOW_S)
        enough += pair[0]
        if not looks_fine(pair, terms.ladders[name].tolerated):
            return False
    return enough >= LEAST_REQUESTS


def _interruption(terms: Terms, memory: Memory, look: Look, at: float, *, users_fine: bool) -> bool | None:
    """Whether this reading is part of an interruption of the whole service; None when it says nothing."""
    known = bad = False
    for name, (said_at, (events, failed)) in memory.latest.items():
        kind = terms.kinds[name]
        if at - said_at >= terms.poll_s or kind is Kind.SLOW:
            continue
        probe = kind is Kind.PROBE
        if probe or events >= LEAST_BAD_REQUESTS:
            known = True
            fails = failed == events and not users_fine if probe else 2 * failed >= events
            bad = bad or (fails and terms.ladders[name].tolerated <= terms.unacceptable(name))
    if not known:
        return None
    if bad and look.pods:
        ready = [pod for pod in look.pods if pod.ready]
        failing = sum(any(pod.counts.get(name, NOTHING)[1] for name in terms.probes) for pod in ready)
        return 2 * failing >= len(ready)  # one pod's trouble is no interruption
    return bad


@record
class _Verdict:
    evidence: float
    shown: float
    leading: str
    why: str


def _decided(terms: Terms, before: Weighed, look: Look, groups: Groups) -> _Verdict:
    """What it comes to, and how it is shown: clipped at its floor, never rising unless something bad was seen."""
    service, new, pods = groups
    evidence, leading, group = service.evidence(), "the service", service
    if new is not None:
        of_new, of_pods = new.evidence(), pods_evidence(pods)
        if of_new > evidence:
            evidence, leading, group = of_new, "the new pods", new
        if of_pods > evidence:
            evidence, leading, group = of_pods, "single new pods", most_telling(pods).group
    shown = group.shown(evidence, terms.need)
    if not look.seen_bad:
        shown = min(shown, before.shown)
    why = f"evidence of {leading}" if evidence >= terms.need else ""
    return _Verdict(evidence=evidence, shown=shown, leading=leading, why=why)
