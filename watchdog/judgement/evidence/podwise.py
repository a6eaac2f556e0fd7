"""Pod by pod: each new pod bets for itself, settled new pods bet together, odd pods are set aside.

Role: the groups `pod` and `new`. Neighbours: `weighing` (calls it when pods are known), `groups` (streams).
Guarantees: evidence of single pods is a weighted mean with fixed weights 1/(i(i+1)) by order of appearance, so warm-ups of
one pod after another never add up; a pod joins the common group only when it has been ready for the tolerated
interruption. A few bad pods beside many fine ones are their node's trouble or their own: held, to be told to a person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from watchdog.judgement.evidence.baseline import Pair
from watchdog.judgement.evidence.comparison import Comparison
from watchdog.judgement.evidence.detector import log_sum
from watchdog.judgement.evidence.groups import POD_SHARE, Bin, Group, fresh_group, group_bet, group_held
from watchdog.judgement.evidence.look import NOTHING, Look, PodLook
from watchdog.judgement.evidence.recent import Recent, looks_fine, noted, sums
from watchdog.judgement.evidence.terms import Terms
from watchdog.model import record

LEAVING_S = 15.0
"""Traffic lingers this long after a pod has lost readiness."""

WINDOW_S = 60.0
JUST_NOW_S = 15.0
FINE_SAMPLES = 6
"""Fewer samples in the last minute do not make a pod fine."""

ODD_TIMES = 3
"""Bad pods are odd when this many times as many are fine."""

LEAST_REQUESTS = 10
MOST_PODS = 200
"""Pods remembered; the oldest that are gone are forgotten first."""


@record
class Pod:
    """What is remembered of one new pod. `order` = its place of appearance, from 0."""

    order: int
    group: Group
    recent: Mapping[str, Recent]
    ready: bool = False
    lost: float = -math.inf

    def lingers(self, look: PodLook, at: float) -> bool:
        """Its counts are users' experience: it is ready, or was until a moment ago."""
        return look.ready or at - self.lost < LEAVING_S


@record
class Pods:
    """All new pods seen so far, by name; `odd` are set aside now."""

    known: Mapping[str, Pod] = field(default_factory=dict)
    appeared: int = 0
    odd: tuple[str, ...] = ()

    def explain_probe(self, terms: Terms, look: Look) -> bool:
        """A pod's own probe fails now: it explains a failed probe of the service."""
        probes = terms.probes
        for pod in look.pods or ():
            known = self.known.get(pod.name)
            serving = pod.ready or (known is not None and look.at - known.lost < LEAVING_S)
            if serving and any(pod.counts.get(name, NOTHING)[1] for name in probes):
                return True
        return False


def pods_evidence(pods: Pods) -> float:
    """Log of the weighted mean over pods; minus infinity while there are none."""
    return log_sum([pod.group.evidence() - math.log((pod.order + 1) * (pod.order + 2)) for pod in pods.known.values()])


def pods_weighed(
    terms: Terms, before: Pods, new: Group, look: Look, comparison: Comparison, *, users_fine: bool
) -> tuple[Pods, Group]:
    """Single pods and settled new pods after this look."""
    news = look.new_pods
    pods = _seen(terms, before, news, look.at)
    odd = _odd(terms, pods, news, look.at)
    contradicted = _contradicted(terms, pods, look, users_fine=users_fine)
    probes = terms.probes if contradicted else ()
    known = dict(pods.known)
    for one in news:
        pod = known[one.name]
        group = pod.group
        if pod.lingers(one, look.at):
            group = group_bet(terms, group, _bins(one.counts, look, comparison))
        aside = tuple(terms.kinds) if one.name in odd else probes
        if aside:
            group = group_held(terms, group, aside, look.at)
        known[one.name] = replace(pod, group=group)
    new = group_bet(terms, new, _bins(_together(terms, news, odd), look, comparison))
    if probes:
        new = group_held(terms, new, probes, look.at)
    return replace(pods, known=known, odd=odd), new


def _seen(terms: Terms, before: Pods, news: Sequence[PodLook], at: float) -> Pods:
    known, appeared = dict(before.known), before.appeared
    for one in news:
        pod = known.get(one.name)
        if pod is None:
            group = fresh_group(terms, POD_SHARE, at - terms.poll_s)
            pod, appeared = Pod(order=appeared, group=group, recent={}), appeared + 1
        lost = at if pod.ready and not one.ready else pod.lost
        counts = one.counts if one.ready else dict.fromkeys(terms.probes, (1, 1))
        recent = dict(pod.recent)
        for name, pair in counts.items():
            recent[name] = noted(recent.get(name, ()), at, pair, WINDOW_S)
        known[one.name] = replace(pod, recent=recent, ready=one.ready, lost=lost)
    if len(known) > MOST_PODS:
        here = {one.name for one in news}
        gone = [name for name in known if name not in here][: len(known) - MOST_PODS]
        known = {name: pod for name, pod in known.items() if name not in gone}
    return Pods(known=known, appeared=appeared)


def _odd(terms: Terms, pods: Pods, news: Sequence[PodLook], at: float) -> tuple[str, ...]:
    """The few bad ones beside many fine ones: their node, not the release."""
    bad, fine = [], 0
    for one in news:
        recent = pods.known[one.name].recent
        found = {name: sums(recent.get(name, ()), at, WINDOW_S) for name in terms.kinds}
        if not all(looks_fine(pair, terms.ladders[name].tolerated) for name, pair in found.items()):
            bad.append(one.name)
        elif one.settled(terms.knobs.tolerate_interruption_s):
            fine += sum(events for events, _ in found.values()) >= FINE_SAMPLES
    return tuple(bad) if ODD_TIMES * len(bad) <= fine else ()


def _contradicted(terms: Terms, pods: Pods, look: Look, *, users_fine: bool) -> bool:
    """Probes say down, the same pods' users say fine. Requests known only as a whole speak for new pods once those are alone."""
    requests = terms.requests
    if not any(pod.counts.get(name) for pod in look.pods or () for name in requests):
        return users_fine and not any(pod.ready and not pod.new for pod in look.pods or ())
    events = bad = 0
    probes = terms.probes
    for one in look.new_pods:
        recent = pods.known[one.name].recent
        if any(sums(recent.get(name, ()), look.at, JUST_NOW_S)[1] for name in probes):
            for name in requests:
                more, failed = sums(recent.get(name, ()), look.at, JUST_NOW_S)
                events, bad = events + more, bad + failed
    tolerated = min((terms.ladders[name].tolerated for name in requests), default=1.0)
    return events >= LEAST_REQUESTS and looks_fine((events, bad), tolerated)


def _together(terms: Terms, news: Sequence[PodLook], odd: tuple[str, ...]) -> dict[str, Pair]:
    """Sums over new pods that have settled and are not odd."""
    settled = [one.counts for one in news if one.settled(terms.knobs.tolerate_interruption_s) and one.name not in odd]
    found: dict[str, Pair] = {}
    for name in terms.kinds:
        pairs = [counts[name] for counts in settled if name in counts]
        found[name] = (sum(events for events, _ in pairs), sum(bad for _, bad in pairs))
    return found


def _bins(counts: Mapping[str, Pair], look: Look, comparison: Comparison) -> dict[str, Bin]:
    return {
        name: Bin(counts=pair, at=look.ends.get(name, look.at), level=comparison.rate(name))
        for name, pair in counts.items()
        if pair[0] > 0
    }
