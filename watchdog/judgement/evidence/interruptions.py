"""The interruption counter: crash loops whose quick recovery would hide them from the bet.

Role: counts separate interruptions of the whole service by event time. Neighbours: `weighing` says which reading is bad.
Guarantees: an interruption counts only when it surely lasted a third of the tolerated one (from its first bad reading to
the newest, so the length of a poll is not added) and two polls; so disturbances that last less than the tolerated
interruption together never reach the limit. A look that knows nothing changes nothing.
"""

from __future__ import annotations

from watchdog.judgement.evidence.terms import Terms
from watchdog.judgement.wording import count, duration
from watchdog.model import record

SEPARATE_S, SEPARATE_POLLS = 15.0, 3
"""Two interruptions are separate when at least this long, and so many polls, were clean between them."""

LONGEST_PAUSE_POLLS = 3
"""Bad readings further apart are not one run: nobody knows what was in between."""

LONG_AGO = 1e9
JITTER = 0.01
"""Share of a poll that is forgiven when durations are compared."""


@record
class Interruptions:
    """`run` = event time of its first bad reading; `this_counts` = it is already in `counted`, the moments at which each one began to count."""

    run: float | None = None
    last: float = 0.0
    clean_s: float = LONG_AGO
    this_counts: bool = False
    counted: tuple[float, ...] = ()


def least_lasting_s(terms: Terms) -> float:
    """How long one must surely last to count: (limit + 1) of them are longer than the tolerated interruption."""
    knobs = terms.knobs
    return knobs.tolerate_interruption_s / min(3, knobs.max_interruptions + 1)


def interrupted(terms: Terms, before: Interruptions, at: float, *, bad: bool) -> tuple[Interruptions, str]:
    """The counter after one known reading of the service, and the reason to roll back, empty when there is none."""
    knobs, poll_s = terms.knobs, terms.poll_s
    counted = tuple(moment for moment in before.counted if at - moment < knobs.interruptions_within_s)
    if not bad:
        clean_s = before.clean_s + min(max(0.0, at - before.last), 2 * poll_s)
        after = Interruptions(last=at, clean_s=clean_s, this_counts=before.this_counts, counted=counted)
        return after, ""
    leeway = JITTER * poll_s
    separate = before.run is None and before.clean_s >= max(SEPARATE_POLLS * poll_s, SEPARATE_S) - leeway
    torn = at - before.last > LONGEST_PAUSE_POLLS * poll_s + leeway
    run = at if before.run is None or torn else before.run
    this_counts = before.this_counts and not separate
    if not this_counts and at - run >= max(poll_s, least_lasting_s(terms)) - leeway:
        this_counts, counted = True, (*counted, at)
    after = Interruptions(run=run, last=at, clean_s=0.0, this_counts=this_counts, counted=counted)
    if len(counted) <= knobs.max_interruptions:
        return after, ""
    span = duration(knobs.interruptions_within_s)
    return after, f"{count(len(counted), 'separate interruption')} within {span} (tolerated {knobs.max_interruptions})"
