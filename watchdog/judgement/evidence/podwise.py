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

ODD_TIMES, ODD_TIMES_IN_ROLL = 3, 2
"""Bad pods are odd when this many times as many are fine; fewer do while others are still to come and can tell more."""

APART_TIMES = 2
"""Bad pods speak for themselves only, not for all new pods, when this many times as many are fine."""

LEAST_DOWN = 3
"""Fewer bad answers do not make an outage of a pod."""

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


def most_telling(pods: Pods) -> Pod:
    """The pod with the most evidence; there must be one."""
    return max(pods.known.values(), key=lambda pod: pod.group.evidence())


def pods_weighed(
    terms: Terms, before: Pods, new: Group, look: Look, comparison: Comparison, *, users_fine: bool
) -> tuple[Pods, Group]:
    """Single pods and settled new pods after this look."""
    news = look.new_pods
    pods = _seen(terms, before, news, look.at)
    odd, apart = _set_apart(terms, pods, look)
    apart = (*apart, *_down_alone(terms, pods, look))
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
    new = group_bet(terms, new, _bins(_together(terms, news, apart), look, comparison))
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
        fallen = dict.fromkeys(terms.probes, (1, 1)) if lost > -math.inf else {}  # a starting pod is not a bad one
        counts = one.counts if one.ready else fallen
        recent = dict(pod.recent)
        for name, pair in counts.items():
            recent[name] = noted(recent.get(name, ()), at, pair, WINDOW_S)
        known[one.name] = replace(pod, recent=recent, ready=one.ready, lost=lost)
    if len(known) > MOST_PODS:
        here = {one.name for one in news}
        gone = [name for name in known if name not in here][: len(known) - MOST_PODS]
        known = {name: pod for name, pod in known.items() if name not in gone}
    return Pods(known=known, appeared=appeared)


def _set_apart(terms: Terms, pods: Pods, look: Look) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(odd pods, pods that do not speak for all): the few bad ones beside many fine ones.

    Odd ones are their node's trouble or their own, not the release's. Once all pods are there a fine one must have
    settled; before, one that is ready and has answered counts as well.
    """
    bad: list[str] = []
    settled = young = 0
    more_to_come = look.ready is not None and len(look.new_pods) < look.ready[1]
    for one in look.new_pods:
        has_settled = one.settled(terms.knobs.tolerate_interruption_s)
        more_to_come = more_to_come or not has_settled
        recent = pods.known[one.name].recent
        found = {name: sums(recent.get(name, ()), look.at, WINDOW_S) for name in terms.kinds}
        if not all(looks_fine(pair, terms.ladders[name].tolerated) for name, pair in found.items()):
            bad.append(one.name)
        elif one.ready and sum(events for events, _ in found.values()) >= FINE_SAMPLES:
            young += 1
            settled += has_settled
    odd = ODD_TIMES * len(bad) <= settled or (more_to_come and ODD_TIMES_IN_ROLL * len(bad) <= young)
    apart = odd or APART_TIMES * len(bad) <= settled
    return tuple(bad) if odd else (), tuple(bad) if apart else ()


def _down_alone(terms: Terms, pods: Pods, look: Look) -> tuple[str, ...]:
    """Pods with an outage of their own just now: most of what they answered was bad, while most others are up."""
    down: list[str] = []
    settled = [one for one in look.new_pods if one.settled(terms.knobs.tolerate_interruption_s)]
    for one in settled:
        recent = pods.known[one.name].recent
        pairs = [sums(recent.get(name, ()), look.at, JUST_NOW_S) for name in (*terms.probes, *terms.requests)]
        bad = sum(failed for _, failed in pairs)
        if bad >= LEAST_DOWN and 2 * bad >= sum(events for events, _ in pairs):
            down.append(one.name)
    return tuple(down) if APART_TIMES * len(down) <= len(settled) - len(down) else ()


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


def _together(terms: Terms, news: Sequence[PodLook], apart: tuple[str, ...]) -> dict[str, Pair]:
    """Sums over new pods that have settled and speak for all."""
    settled = [one.counts for one in news if one.settled(terms.knobs.tolerate_interruption_s) and one.name not in apart]
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
