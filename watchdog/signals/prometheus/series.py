"""Whose a series is: the pod and the release that a label names.

Role: tells origins apart for `counters`, and owners for `signal`. Pure. Guarantees: a pod that has left is taken for one of
its release by the name it shares with its siblings (``NAME-HASH-xxxxx``), or its counts are left out; a series of an unknown
release never counts as the current one's. Not guaranteed: releases of pods of a workload that is not watched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watchdog.model import Instance, WorkloadState, record
from watchdog.signals.prometheus.counters import Origin
from watchdog.signals.releases import release_of_version

SEPARATOR = "\x1f"

Owner = tuple[str | None, str | None]
"""(instance, release)."""


@record
class Labels:
    """Labels that tell series apart. `version` empty = releases are told by their pods."""

    pod: str = "pod"
    version: str = ""
    apart: tuple[str, ...] = ("namespace", "job", "instance")
    """Labels of the scraped process: each has scrape times of its own."""


class Whose:
    """Owners of series, by what is known of the workload at this moment."""

    def __init__(self, labels: Labels, state: WorkloadState | None) -> None:
        """`state` None = nothing is known: everything belongs to the service as a whole."""
        self._labels = labels
        self._state = state
        self._known: dict[str, Instance] = {one.name: one for one in state.instances} if state else {}
        self._families = {
            _family(one.name): one.release for one in self._known.values() if one.release and _family(one.name)
        }

    def origin(self, labels: Mapping[str, str]) -> Origin:
        """The scraped process, with the labels that say whose it is."""
        own = [labels.get(self._labels.pod, ""), labels.get(self._labels.version, "") if self._labels.version else ""]
        return SEPARATOR.join([*own, *(labels.get(name, "") for name in self._labels.apart)])

    def owner(self, origin: Origin) -> Owner | None:
        """(instance, release) of an origin; None = it belongs to no release that is known, and counts nowhere."""
        pod, version = origin.split(SEPARATOR)[:2]
        if self._labels.version:
            return None, release_of_version(version, self._state)
        if not pod or not self._known:
            return None, None
        if pod in self._known:
            return pod, self._known[pod].release
        release = self._families.get(_family(pod))
        return None if release is None else (pod, release)

    def younger_than(self, moment: float) -> Callable[[Origin], bool]:
        """Whether the pod of an origin was started after `moment`."""

        def young(origin: Origin) -> bool:
            instance = self._known.get(origin.split(SEPARATOR)[0])
            return instance is not None and instance.started is not None and instance.started > moment

        return young


def _family(pod: str) -> str:
    """What pods of one ReplicaSet share: the name without its last part. Empty for a name of one part."""
    return pod.rpartition("-")[0]
