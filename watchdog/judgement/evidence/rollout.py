"""What readiness and restarts say: the replacement gap, nothing ready, never ready, crash loops.

Role: the rules by count beside the bet. Neighbours: `weighing`. Guarantees: while the rollout itself leaves fewer than
half of the wanted pods ready, once and soon after the deploy, the service's evidence waits, `nothing_ready` at most; none
of the new pods ready for less than `none_new_ready` never fires; one pod alone never fires by restarts while others
exist. Not guaranteed: a bound on false alarms; these rules count.
"""

from __future__ import annotations

import math
from dataclasses import replace

from watchdog.judgement.evidence.look import NOTHING, Look
from watchdog.judgement.evidence.terms import Terms
from watchdog.judgement.wording import duration
from watchdog.model import record

BEGIN_S = 120.0
"""A gap that opens later is not the rollout's own."""

SERVED_EVENTS = 4
"""So many requests, fewer than half of them bad, show that users are served although nothing says ready."""

RESTARTS, RESTARTS_ALONE = 2, 3
BACK_OFF_S = 10.0
"""The first pause of a back-off; each one is twice as long, so one pod alone restarts log2(1 + t/10) times at most."""


@record
class Rollout:
    """`gap` = when fewer than half were ready; `over` once that gap is past; `stalled` = since when no new pod is ready."""

    gap: float | None = None
    over: bool = False
    stalled: float | None = None

    @property
    def in_gap(self) -> bool:
        """The rollout's own gap is open."""
        return self.gap is not None and not self.over


def replaced(terms: Terms, before: Rollout, look: Look) -> tuple[Rollout, bool]:
    """The rollout after this look, and whether the service's evidence waits for the gap to close."""
    if look.ready is None or before.over:
        return before, False
    ready, wanted = look.ready
    if 2 * ready >= wanted or (before.gap is None and look.at > BEGIN_S):
        return replace(before, over=before.gap is not None or look.at > BEGIN_S), False
    gap = look.at - terms.poll_s if before.gap is None else before.gap
    if look.at - gap <= terms.knobs.expert.nothing_ready_s:
        return replace(before, gap=gap), True
    return replace(before, gap=gap, over=ready > 0), ready == 0


def not_ready(terms: Terms, before: Rollout, look: Look) -> tuple[Rollout, str]:
    """The rollout after this look, and the reason to roll back, empty when there is none."""
    why = ""
    expert = terms.knobs.expert
    nothing = look.ready is not None and look.ready[0] == 0
    if before.in_gap and before.gap is not None and nothing and not _served(terms, look):
        lasted = look.at - before.gap
        if lasted >= expert.nothing_ready_s:
            why = f"no pod has been ready for {duration(lasted)} and users are not served"
    news = look.new_pods
    if look.pods is None:
        return before, why
    if not news or any(pod.ready for pod in news):
        return replace(before, stalled=None), why
    stalled = look.at - terms.poll_s if before.stalled is None else before.stalled
    if look.at - stalled >= expert.none_new_ready_s:
        why = why or f"none of {len(news)} new pods became ready within {duration(look.at - stalled)}"
    return replace(before, stalled=stalled), why


def crash_loop(look: Look) -> str:
    """Two restarts on half of the new pods (three when there is one only); of a bare total only what one pod cannot do."""
    news = look.new_pods
    pods = len(news) or (look.ready or (0, 0))[1]
    need = max(2, (pods + 1) // 2)
    known = sorted((pod.restarts for pod in news if pod.restarts is not None), reverse=True)
    if known:
        looping = sum(count >= RESTARTS for count in known)
        if looping >= need or (pods == 1 and known[0] >= RESTARTS_ALONE):
            return f"{looping} of {pods} new pods restarted at least {RESTARTS} times"
        return ""
    total = look.restarts or 0
    alone = 2 + math.log2(1 + max(0.0, look.at) / BACK_OFF_S)
    if pods and total >= RESTARTS * need and total > alone:
        return f"{total} restarts over {pods} pods"
    return ""


def moving(terms: Terms, state: Rollout, look: Look) -> bool:
    """Pods are being replaced now: an interruption in this time is the rolling update's own."""
    young = any(
        pod.ready and not pod.settled(terms.knobs.tolerate_interruption_s) and not pod.restarts for pod in look.new_pods
    )
    return bool(look.old) or state.in_gap or young


def _served(terms: Terms, look: Look) -> bool:
    for name in terms.probes:
        events, bad = look.counts.get(name, NOTHING)
        if events > bad:
            return True
    for name in terms.requests:
        events, bad = look.counts.get(name, NOTHING)
        if events >= SERVED_EVENTS and 2 * bad < events:
            return True
    return False
