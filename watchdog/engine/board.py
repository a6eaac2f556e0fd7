"""What is known right now of every target: the running daemon's memory.

Role: `polling` and `tracking` write it, `response`, `verification` and every face read it. Neighbours: `judgement.judge`
turns samples into verdicts here, at the moment they arrive. Guarantees: nothing here is needed after a restart - the store
has what must last; samples of before a re-arming never count again, nor do those of the time in which a control or
dependency failed as well. A new release is no re-arming: what failed before its rollout must be known to have failed
before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from watchdog.judgement import ledger
from watchdog.judgement.judge import JudgementState, breach_of, judge, rearm
from watchdog.judgement.rule import Context, Rule
from watchdog.model import (
    Breach,
    Health,
    Instant,
    Sample,
    TargetPolicy,
    TargetVerdict,
    UnitRecord,
    Unknown,
    WorkloadState,
)
from watchdog.ports import Clock, EvidenceSource, HazardReader, Platform, SchemaSource, Signal

KEEP_S = 900.0
"""Samples of the last quarter hour are kept for evidence and for people."""
KEEP_SAMPLES = 6000

log = structlog.get_logger("watchdog.board")


@dataclass(frozen=True)
class WatchedSignal:
    """A signal with its rhythm. `timeout_s` is the deadline of one poll."""

    signal: Signal
    every_s: float
    timeout_s: float


@dataclass(frozen=True)
class Watch:
    """One target with all its collaborators. `platform` None = watch only: control or dependency."""

    policy: TargetPolicy
    signals: tuple[WatchedSignal, ...]
    rules: tuple[Rule, ...]
    platform: Platform | None = None
    track_every_s: float = 5.0
    evidence: tuple[EvidenceSource, ...] = ()
    hazards: tuple[HazardReader, ...] = ()
    databases: tuple[SchemaSource, ...] = ()
    """What the target's code has to understand: looked at for ``data: check``."""
    links: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = None
    """Names of the channels that hear of this target; None = all."""
    write_s: float = 10.0
    """Deadline of one write: a patch is quick, a rollback command may take minutes."""
    config: str = ""
    """Hash of this target's part of the configuration: a reload touches only targets whose hash changed."""

    @property
    def name(self) -> str:
        """The target's name."""
        return self.policy.target

    @property
    def slowest_s(self) -> float:
        """The longest poll period among its signals, seconds."""
        return max((entry.every_s for entry in self.signals), default=5.0)


@dataclass
class Seen:
    """What is known of one target now."""

    watch: Watch
    judgement: JudgementState | None = None
    verdict: TargetVerdict | None = None
    state: WorkloadState | None = None
    state_error: str = "not read yet"
    state_at: float = float("-inf")
    """Monotonic moment at which `state` was known to be so."""
    read_at: float = float("-inf")
    """Monotonic moment at which the read of `state` began."""
    record: UnitRecord | None = None
    store_error: str = ""
    """Why the record cannot be kept in the store; empty while it can."""
    fresh_from: Instant = field(default_factory=lambda: Instant(0.0))
    fresh_why: str = "start-up"
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEEP_SAMPLES))
    failing_at: float | None = None
    """Monotonic moment of the last verdict that was failing."""
    healthy_since: float | None = None
    """Monotonic moment since which every verdict was healthy."""
    breach: Breach | None = None
    """The breach of this episode that no response has taken yet."""
    in_episode: bool = False
    episodes: deque[tuple[Instant, Instant | None]] = field(default_factory=lambda: deque(maxlen=20))
    """First bad sample and end (None = not yet) of the latest episodes: their minutes form no baseline."""
    quiet_until: float = float("-inf")
    """Monotonic moment before which a failure that was there before the present release opens no new episode."""
    polls: int = 0
    late_polls: int = 0
    gone: dict[str, str] = field(default_factory=dict)
    """Signals whose loop was given up, with the reason: blind."""
    user_events: int = 0
    """User events since the last credit to the ledger."""
    credited_at: float | None = None
    baseline: tuple[UnitRecord | None, Instant, Mapping[str, tuple[tuple[int, int], ...]]] | None = None
    """Record and moment that the minutes were taken of, and the minutes by signal."""
    keepers: tuple[HazardReader, ...] = ()
    """One for each database: it answers whether that is ahead of the good release."""
    databases: dict[str, str] = field(default_factory=dict)
    """What the last look at each database found, or why it failed, in words."""
    uncounted: deque[Sample] = field(default_factory=lambda: deque(maxlen=KEEP_SAMPLES))
    """Samples that the ledger's minute counts have not seen yet."""


class Board:
    """All targets."""

    def __init__(self, clock: Clock) -> None:
        """Begin empty."""
        self._clock = clock
        self.seen: dict[str, Seen] = {}

    def put(self, watch: Watch, why: str) -> Seen:
        """Add a target, or give it a new watch after a reload: what was judged before does not count."""
        old = self.seen.get(watch.name)
        seen = Seen(watch=watch)
        if old is not None:
            seen.state, seen.state_at, seen.state_error = old.state, old.state_at, old.state_error
            seen.read_at = float("-inf")  # of another platform's watches nothing is known
            seen.record, seen.samples = old.record, old.samples
        self.seen[watch.name] = seen
        self.rearm(watch.name, why)
        return seen

    def remove(self, target: str) -> None:
        """Forget a target."""
        self.seen.pop(target, None)

    def rearm(self, target: str, why: str) -> None:
        """Begin a fresh window: samples of before now do not count (start-up, stall, resume, reload, rollback)."""
        seen = self.seen[target]
        seen.fresh_from, seen.fresh_why = self._clock.now(), why
        seen.judgement = rearm(seen.watch.rules, self.context(seen), seen.fresh_from)
        seen.verdict, seen.failing_at, seen.healthy_since = None, None, None
        seen.breach = None
        self._end_episode(seen)
        log.info("fresh window", action="rearm", target=target, reason=why)

    def rearm_all(self, why: str) -> None:
        """Re-arm every target."""
        for target in self.seen:
            self.rearm(target, why)

    def context(self, seen: Seen) -> Context:
        """What the rules may know besides samples."""
        state, policy = seen.state, seen.watch.policy
        release = seen.record.release(state.release.fingerprint) if seen.record and state else None
        others = (*policy.control, *policy.depends_on)
        verdicts = (self.seen[name].verdict for name in others if name in self.seen)
        return Context(
            target=policy.target,
            release=state.release.fingerprint if state else "",
            rollout_started=(release.started if release else None) or (state.started if state else None),
            rollout_completed=(release.completed if release else None) or (state.completed if state else None),
            in_progress=state.in_progress if state else False,
            wanted=state.wanted if state else 0,
            ready=state.ready if state else 0,
            instances=state.instances if state else (),
            fresh_from=seen.fresh_from,
            tolerate_interruption_s=policy.tolerate_interruption_s,
            controls=tuple(verdict for verdict in verdicts if verdict is not None),
            baseline=_baseline(seen, (release.started if release else None) or (state.started if state else None)),
        )

    def released(self, target: str) -> None:
        """Another release runs now. A failure that goes on from before is its own episode, once it had time to end."""
        seen = self.seen[target]
        if seen.in_episode and seen.breach is None:
            self._end_episode(seen)
            seen.quiet_until = self._clock.monotonic() + seen.watch.policy.tolerate_interruption_s

    def take(self, target: str, samples: Sequence[Sample]) -> TargetVerdict | None:
        """Judge samples that have just arrived; opens an episode when the verdict begins to fail."""
        seen = self.seen.get(target)
        if seen is None or seen.judgement is None:
            return None
        self._keep(seen, samples)
        return self._judge(seen, samples, {sample.signal for sample in samples})

    def look(self, target: str) -> None:
        """Judge anew without samples, so that silence shows also where every loop of the target hangs."""
        seen, now = self.seen[target], self._clock.now()
        gone = [
            Sample(signal=name, start=now, end=now, reading=Unknown(reason=f"its loop was given up: {why}"))
            for name, why in seen.gone.items()
        ]
        if seen.judgement is not None:
            self._judge(seen, gone, set())

    def _judge(self, seen: Seen, samples: Sequence[Sample], polled: set[str]) -> TargetVerdict:
        assert seen.judgement is not None  # noqa: S101 - both callers looked
        now = self._clock.now()
        seen.judgement, verdict = judge(seen.watch.rules, seen.judgement, samples, self.context(seen), now)
        seen.verdict = verdict
        self._follow(seen, verdict, polled)
        return verdict

    def _clear(self, recovered: str) -> None:
        """A control or dependency has recovered: what those who share it suffered meanwhile speaks against no release."""
        for name, seen in self.seen.items():
            if recovered in (*seen.watch.policy.control, *seen.watch.policy.depends_on):
                self.rearm(name, f"the end of the failure of {recovered}")

    def _keep(self, seen: Seen, samples: Sequence[Sample]) -> None:
        horizon = self._clock.now() - KEEP_S
        seen.samples.extend(samples)
        while seen.samples and seen.samples[0].end < horizon:
            seen.samples.popleft()

    def _follow(self, seen: Seen, verdict: TargetVerdict, polled: set[str]) -> None:
        """A failure counts as seen now only by a poll of a signal that fails."""
        moment = self._clock.monotonic()
        if verdict.health is Health.FAILING:
            seen.healthy_since = None
            if any(one.health is Health.FAILING and one.signal in polled for one in verdict.signals):
                seen.failing_at = moment
            if not seen.in_episode and moment >= seen.quiet_until:
                seen.in_episode, seen.breach = True, breach_of(verdict)
                seen.episodes.append((verdict.at if verdict.first_bad is None else verdict.first_bad, None))
                log.warning("breach", action="breach", target=verdict.target, sentence=verdict.sentence)
            return
        if verdict.recovered:
            if seen.in_episode:
                self._clear(verdict.target)
            seen.breach = None
            self._end_episode(seen)
        if verdict.health is not Health.HEALTHY:
            seen.healthy_since = None
        elif seen.healthy_since is None:
            seen.healthy_since = moment

    def _end_episode(self, seen: Seen) -> None:
        if seen.in_episode and seen.episodes:
            seen.episodes[-1] = (seen.episodes[-1][0], self._clock.now())
        seen.in_episode = False


def _baseline(seen: Seen, started: Instant | None) -> Mapping[str, tuple[tuple[int, int], ...]]:
    """The minutes before the rollout (before the window, where none is known) of the ledger; worked out once a record."""
    before = seen.fresh_from if started is None else started
    if seen.baseline is None or seen.baseline[0] is not seen.record or seen.baseline[1] != before:
        seen.baseline = (seen.record, before, ledger.minutes_before(seen.record, before))
    return seen.baseline[2]
