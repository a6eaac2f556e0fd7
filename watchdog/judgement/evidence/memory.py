"""The short memory of a watch: the last minute of counts, and when probes failed.

Role: what holds, the interruption counter and sentences look back to. Neighbours: `weighing`, `recent`. Guarantees:
bounded, whatever the poll period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from watchdog.judgement.evidence.baseline import Pair
from watchdog.judgement.evidence.look import Look
from watchdog.judgement.evidence.recent import Recent, noted
from watchdog.judgement.evidence.terms import Terms
from watchdog.model import record

SHOWN_S = 60.0
"""Counts of this time stand in the sentence."""

MOST_FAILURES = 100


@record
class Memory:
    """By signal: `recent` counts and the `latest` ones with the event time they speak of. `probe_failures` = event times."""

    recent: Mapping[str, Recent] = field(default_factory=dict)
    latest: Mapping[str, tuple[float, Pair]] = field(default_factory=dict)
    probe_failures: tuple[float, ...] = ()


def remembered(terms: Terms, before: Memory, look: Look) -> Memory:
    """The memory after this look; counts of no events change nothing."""
    if not look.counts:
        return before
    recent, latest, failures = dict(before.recent), dict(before.latest), before.probe_failures
    for name, counts in look.counts.items():
        if not counts[0]:
            continue
        at = look.ends.get(name, look.at)
        recent[name] = noted(recent.get(name, ()), at, counts, SHOWN_S)
        if name not in latest or at >= latest[name][0]:
            latest[name] = (at, counts)
        if counts[1] and name in terms.probes:
            failures = (*failures[-MOST_FAILURES:], at)
    return Memory(recent=recent, latest=latest, probe_failures=failures)
