"""A look: what all sources said since the last one, in seconds since the watch began.

Role: the input of the rule, made from samples by `rule` and from plain bins by `watchdog.testing.judging`. Guarantees:
none of its own; it is a record. A signal that is absent said nothing, which moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from watchdog.judgement.evidence.baseline import Pair
from watchdog.model import record

NOTHING: Pair = (0, 0)


@record
class PodLook:
    """One pod of the workload. `ready_for_s` None = not ready; `restarts` None = not known."""

    name: str
    new: bool
    ready: bool
    ready_for_s: float | None = None
    restarts: int | None = None
    counts: Mapping[str, Pair] = field(default_factory=dict)

    def settled(self, after_s: float) -> bool:
        """Ready for so long that its warm-up is over."""
        return self.ready and (self.ready_for_s or 0.0) >= after_s


@record
class Look:
    """What one look brought.

    `at` = end of the newest data. `counts` are of the whole service, by signal; `ends` says of which time they speak where
    that is earlier than `at` (a late bin), `covers` how many seconds a sum covers where the source says it.
    `old` are the pods of the old release as one sum, `control` a target that was not deployed; `ready` = (ready, wanted);
    `restarts` = so far, over all pods. `pods` None = nothing is known of pods; their counts are part of the service's.
    """

    at: float
    counts: Mapping[str, Pair]
    ends: Mapping[str, float] = field(default_factory=dict)
    covers: Mapping[str, float] = field(default_factory=dict)
    old: Mapping[str, Pair] | None = None
    control: Mapping[str, Pair] | None = None
    ready: tuple[int, int] | None = None
    restarts: int | None = None
    pods: tuple[PodLook, ...] | None = None
    held: str = ""
    """Why no evidence may grow now: a control whose counts are not known fails. Empty = no reason."""

    @property
    def new_pods(self) -> tuple[PodLook, ...]:
        """Pods of the release that is judged."""
        return tuple(pod for pod in self.pods or () if pod.new)

    @property
    def seen_bad(self) -> bool:
        """Something bad was seen, by whoever."""
        rows = [self.counts, *(pod.counts for pod in self.pods or ())]
        return any(bad for row in rows for _, bad in row.values())

    @property
    def pods_count(self) -> bool:
        """Whether requests are known pod by pod for the new release."""
        return any(events for pod in self.new_pods for events, _ in pod.counts.values())
