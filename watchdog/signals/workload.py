"""The workload signal: what the platform's own view of the pods says about the release.

Neighbours: reads `PollContext.state`, which release tracking fills from the platform; asks nobody itself. One event a poll
- good, bad, none or unknown - so that ``consecutive`` and ``k of n`` rules count polls; the detail says why.
Guarantees: a rolling update's normal unavailability is never bad; trouble of nodes, scheduling and quotas, or trouble that
the old release's pods share, is unknown and never blames the release (facts/hazards C, K, O); a state read long ago is
unknown; the same read is never counted twice. Not guaranteed: to see a restart and recovery between two reads other than by
the restart count.

Bad is: a crash loop (also by OOM), an image or a configuration that keeps pods from starting, the progress deadline, pods
that never become ready, and pods that were ready and are not - each on at least half of the release's pods.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from watchdog.model import Counts, Instance, Instant, Reading, Sample, Unknown, WorkloadState, instant, record
from watchdog.ports import Clock, PollContext

CANNOT_START = frozenset(
    {
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "StartError",
    }
)
"""The template asks for something that cannot be run - unless pods of the old release say the same."""
ENVIRONMENT = frozenset(
    {
        "Unschedulable",
        "SchedulingGated",
        "Disrupted",
        "Evicted",
        "NodeLost",
        "NodeAffinity",
        "NodeShutdown",
        "Preempting",
        "Shutdown",
        "Terminated",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
        "UnexpectedAdmissionError",
    }
)
"""Node, capacity, zone: going back would need the same room."""
CRASHING = frozenset({"CrashLoopBackOff", "OOMKilled"})
CANNOT_CREATE = "pods cannot be created"
"""How a platform says in `stuck` that quota or admission keeps pods from being made."""


@record
class WorkloadTolerances:
    """What is still normal. Durations in seconds."""

    every_s: float = 5.0
    """How often the state is read; older than `stale_polls` of these is unknown."""
    stale_polls: int = 3
    never_ready_s: float = 240.0
    """Slow starts take up to 150 s; 90 s margin, and well before the progress deadline of 600 s."""
    crash_restarts: int = 2
    """Restarts within the window that make a pod crash-looping."""
    lone_restarts: int = 3
    """The same for the release's only pod, which nothing can be compared with."""
    window_s: float = 600.0
    worse_than_before: float = 2.0
    """A crash loop counts only above this many times the restart rate of the release before."""


NORMAL = WorkloadTolerances()


@record
class _Said:
    """The outcome of one look."""

    reading: Reading
    detail: str


@dataclass
class _Restarts:
    """Restarts over time, by release: the release before is what "more often" is measured against."""

    window_s: float
    seen: dict[str, int] = field(default_factory=dict)
    recent: deque[tuple[Instant, str, int]] = field(default_factory=deque)
    rates: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Release to restarts and pod-seconds."""

    def take(self, state: WorkloadState, began: Instant | None, passed: float) -> None:
        """Count what is new in this read. `passed` = seconds since the last one."""
        for pod in state.instances:
            known = self.seen.get(pod.name)
            more = max(0, pod.restarts - known) if known is not None else self._at_first_sight(pod, state.at, began)
            if more:
                self.recent.append((state.at, pod.name, more))
            if pod.release is not None:
                restarts, seconds = self.rates.get(pod.release, (0, 0.0))
                self.rates[pod.release] = (restarts + more, seconds + min(passed, _age(pod, state.at)))
        self.seen = {pod.name: pod.restarts for pod in state.instances}
        while self.recent and state.at - self.recent[0][0] > self.window_s:
            self.recent.popleft()
        while len(self.rates) > _RELEASES_KEPT:
            del self.rates[next(iter(self.rates))]

    def of(self, pod: str) -> int:
        """Restarts of a pod within the window."""
        return sum(more for _, name, more in self.recent if name == pod)

    def not_above_before(self, release: str, times: float) -> bool:
        """Whether the release restarts no more often than `times` the one before it, as long as that is known."""
        before = [rate for name, rate in self.rates.items() if name != release and rate[1] >= self.window_s]
        restarts, seconds = self.rates.get(release, (0, 0.0))
        if not before or not seconds:
            return False
        old_restarts, old_seconds = before[-1]
        return old_restarts > 0 and restarts / seconds <= times * old_restarts / old_seconds

    def _at_first_sight(self, pod: Instance, at: Instant, began: Instant | None) -> int:
        """A young pod of a known rollout restarted under this release; an old one may have done so weeks ago."""
        if began is None or pod.started is None:
            return 0
        return pod.restarts if pod.started >= began and at - pod.started <= self.window_s else 0


_RELEASES_KEPT = 4


class WorkloadSignal:
    """A `ports.Signal` over what release tracking has read."""

    counts_users = False

    def __init__(self, name: str, clock: Clock, tolerances: WorkloadTolerances = NORMAL) -> None:
        """`name` as configured."""
        self.name = name
        self._tolerances, self._clock = tolerances, clock
        self._restarts = _Restarts(window_s=tolerances.window_s)
        self._was_ready: set[str] = set()
        self._last: Instant | None = None

    async def close(self) -> None:
        """Nothing to let go."""

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        """One event about the latest read; nothing when it was counted already."""
        now, state = self._clock.now(), context.state
        if state is None:
            return (self._unknown(now, "the workload could not be read yet"),)
        age = now - state.at
        if age > self._tolerances.stale_polls * self._tolerances.every_s:
            return (self._unknown(now, f"the workload could not be read for {age:.0f} s"),)
        if self._last is not None and state.at <= self._last:
            return ()
        passed = state.at - self._last if self._last is not None else self._tolerances.every_s
        self._restarts.take(state, context.release_started or state.started, passed)
        said = _Look(state, self._tolerances, self._restarts, frozenset(self._was_ready)).say()
        there = {pod.name for pod in state.instances}
        self._was_ready = (self._was_ready & there) | {pod.name for pod in state.instances if pod.ready}
        self._last = state.at
        return (
            Sample(
                signal=self.name,
                start=instant(state.at - min(passed, self._tolerances.stale_polls * self._tolerances.every_s)),
                end=state.at,
                reading=said.reading,
                release=state.release.fingerprint,
                detail=said.detail,
            ),
        )

    def _unknown(self, now: Instant, reason: str) -> Sample:
        start = instant(now - self._tolerances.every_s)
        return Sample(signal=self.name, start=start, end=now, reading=Unknown(reason=reason), detail=reason)


class _Look:
    """One look at one state. Pure: everything it knows was handed in."""

    def __init__(
        self, state: WorkloadState, tolerances: WorkloadTolerances, restarts: _Restarts, was_ready: frozenset[str]
    ) -> None:
        self.state, self.tolerances, self.restarts, self.was_ready = state, tolerances, restarts, was_ready
        pods = [pod for pod in state.instances if not pod.terminating]
        self.new = [pod for pod in pods if pod.release == state.release.fingerprint]
        self.old = [pod for pod in pods if pod.release not in (None, state.release.fingerprint)]

    def say(self) -> _Said:
        """The first that applies, worst first."""
        if not self.new:
            return self._nothing_there()
        for find in (self._cannot_start, self._crash_loop, self._deadline, self._never_ready, self._lost):
            said = find()
            if said is not None:
                return said
        return self._fine()

    def _nothing_there(self) -> _Said:
        if CANNOT_CREATE in self.state.stuck:
            return _unknown(self.state.stuck)
        text = "scaled to zero" if self.state.wanted == 0 else "no pod of the release yet"
        return _Said(reading=Counts(good=0, bad=0), detail=text)

    def _cannot_start(self) -> _Said | None:
        faulty = [pod for pod in self.new if pod.problem in CANNOT_START]
        if not self._at_least_half(faulty):
            return None
        same = [pod for pod in self.old if pod.problem in CANNOT_START]
        return self._blame(faulty, same, f"cannot start: {_problems(faulty)}")

    def _crash_loop(self) -> _Said | None:
        faulty = [pod for pod in self.new if self._crashes(pod, alone=len(self.new) == 1)]
        if not faulty or len(faulty) < min(len(self.new), max(2, math.ceil(len(self.new) / 2))):
            return None
        if self.restarts.not_above_before(self.state.release.fingerprint, self.tolerances.worse_than_before):
            return _unknown(f"{_count(faulty)} in a crash loop, but no more often than under the release before")
        same = [pod for pod in self.old if self._crashes(pod, alone=False)]
        restarts = sum(pod.restarts for pod in faulty)
        words = _problems(faulty) or "it starts again and again"
        return self._blame(faulty, same, f"in a crash loop, {restarts} restarts: {words}")

    def _crashes(self, pod: Instance, *, alone: bool) -> bool:
        needed = self.tolerances.lone_restarts if alone else self.tolerances.crash_restarts
        return self.restarts.of(pod.name) >= needed or (pod.problem in CRASHING and pod.restarts >= needed)

    def _deadline(self) -> _Said | None:
        if not self.state.stuck:
            return None
        unready = [pod for pod in self.new if not pod.ready]
        if CANNOT_CREATE in self.state.stuck:
            return _unknown(self.state.stuck)
        if unready and all(pod.problem in ENVIRONMENT for pod in unready):
            return _unknown(f"{self.state.stuck}; but for lack of room: {_problems(unready)}")
        return _bad(self.state.stuck)

    def _never_ready(self) -> _Said | None:
        late = [
            pod
            for pod in self.new
            if not pod.ready
            and pod.name not in self.was_ready
            and pod.problem not in ENVIRONMENT
            and _age(pod, self.state.at) > self.tolerances.never_ready_s
        ]
        if not self._at_least_half(late):
            return None
        longest = max(_age(pod, self.state.at) for pod in late)
        return self._blame(late, [], f"not ready since their start, {longest:.0f} s ago {_problems(late)}".strip())

    def _lost(self) -> _Said | None:
        lost = [
            pod for pod in self.new if not pod.ready and pod.name in self.was_ready and pod.problem not in ENVIRONMENT
        ]
        if not self._at_least_half(lost):
            return None
        same = [pod for pod in self.old if not pod.ready]
        return self._blame(lost, same, f"were ready and are not {_problems(lost)}".strip())

    def _fine(self) -> _Said:
        ready = [pod for pod in self.new if pod.ready]
        hindered = [pod for pod in self.new if not pod.ready and pod.problem in ENVIRONMENT]
        restarts = sum(self.restarts.of(pod.name) for pod in self.new)
        text = f"{len(ready)} of {len(self.new)} pods ready, {restarts} restarts lately"
        if hindered:
            text = f"{text}; {_count(hindered)} hindered by the cluster: {_problems(hindered)}"
        if ready:
            return _Said(reading=Counts(good=1, bad=0), detail=text)
        if len(hindered) == len(self.new):
            return _unknown(f"no pod of the release runs, for lack of room: {_problems(hindered)}")
        return _Said(reading=Counts(good=0, bad=0), detail=f"starting: {text}")

    def _blame(self, faulty: Sequence[Instance], same: Sequence[Instance], what: str) -> _Said:
        """Bad, unless the old release's pods share it, or one node explains it."""
        text = f"{_count(faulty)} of {len(self.new)} {what}"
        if self.old and len(same) / len(self.old) >= len(faulty) / len(self.new):
            return _unknown(f"{text}; but so are {len(same)} of {len(self.old)} pods of the old release")
        nodes = {pod.node for pod in faulty}
        elsewhere = [pod for pod in self.new if pod.ready and pod.node not in nodes]
        if len(nodes) == 1 and nodes != {""} and elsewhere:
            return _unknown(f"{text}; but all on node {nodes.pop()}, while {_count(elsewhere)} elsewhere are well")
        return _bad(text)

    def _at_least_half(self, faulty: Sequence[Instance]) -> bool:
        return bool(faulty) and 2 * len(faulty) >= len(self.new)


def _age(pod: Instance, at: Instant) -> float:
    return at - pod.started if pod.started is not None else 0.0


def _bad(text: str) -> _Said:
    return _Said(reading=Counts(good=0, bad=1), detail=text)


def _unknown(text: str) -> _Said:
    return _Said(reading=Unknown(reason=text), detail=text)


def _count(pods: Sequence[Instance]) -> str:
    return "1 pod" if len(pods) == 1 else f"{len(pods)} pods"


def _problems(pods: Sequence[Instance]) -> str:
    return ", ".join(sorted({pod.problem for pod in pods if pod.problem}))
