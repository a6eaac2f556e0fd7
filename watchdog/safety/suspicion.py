"""Suspecting ourselves: when everything fails at once, the observer is the likelier culprit (P14).

Role: one pure function over the health of all groups, the reference probes and the sources. Neighbours: the engine counts,
`safety.reasons` holds everything while the answer is yes. Guarantees: fewer than five groups never suffice by themselves, so
that API and web of the only group may both be red and still go back.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.model import record
from watchdog.safety.facts import SelfSuspicion

ENOUGH_GROUPS = 5
"""From so many independent groups on, a common failure of most of them says more about us than about them."""

_HALF = 0.5
_SHOWN = 5


@record
class GroupHealth:
    """One independent group (or single target): failing, not failing, or not known (blind, no verdict yet)."""

    name: str
    failing: bool | None


def suspect_ourselves(
    groups: Sequence[GroupHealth], reference: Sequence[bool | None], sources_failing: float | None
) -> SelfSuspicion:
    """Whether it is rather us.

    `reference` holds one entry a configured reference probe: True = it answered, False = it failed, None = not known yet.
    `sources_failing` is the share (0..1) of sources (signals of targets that do not fail) that are blind now, None when
    there are too few. One yes suffices; without a yes, one "could not be told" makes the whole answer None.
    """
    answers = (_by_groups(groups), _by_reference(reference), _by_sources(sources_failing))
    for wanted in (True, None):
        said = [sentence for verdict, sentence in answers if verdict is wanted]
        if said:
            return SelfSuspicion(verdict=wanted, sentence="; ".join(said))
    return SelfSuspicion(verdict=False, sentence="; ".join(sentence for _, sentence in answers))


def _by_groups(groups: Sequence[GroupHealth]) -> tuple[bool | None, str]:
    if len(groups) < ENOUGH_GROUPS:
        return False, f"{len(groups)} groups are too few to compare (from {ENOUGH_GROUPS})"
    known = [group for group in groups if group.failing is not None]
    if len(known) < ENOUGH_GROUPS:
        return None, f"only {len(known)} of {len(groups)} groups can be seen, too few to compare"
    failing = sorted(group.name for group in known if group.failing)
    words = f"{len(failing)} of {len(known)} groups fail at once"
    if 2 * len(failing) > len(known):
        shown = ", ".join(failing[:_SHOWN]) + (" ..." if len(failing) > _SHOWN else "")
        return True, f"{words} ({shown}), more than half"
    return False, words


def _by_reference(reference: Sequence[bool | None]) -> tuple[bool | None, str]:
    if not reference:
        return False, "no reference probe is configured"
    known = [answered for answered in reference if answered is not None]
    if not known:
        return None, f"none of {len(reference)} reference probes can be told"
    failed = known.count(False)
    return 2 * failed > len(known), f"{failed} of {len(known)} reference probes fail"


def _by_sources(share: float | None) -> tuple[bool | None, str]:
    if share is None:
        return False, "no source to compare"
    if not 0 <= share <= 1:
        return None, "the share of broken sources is not known"
    return share > _HALF, f"{share:.0%} of the sources are broken"
