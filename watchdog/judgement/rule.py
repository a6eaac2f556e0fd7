"""The one interface of all rules: samples in by event time, verdicts with their sentence out.

Role: what `judge` drives and what the threshold rules, and later the sequential rule, are. Neighbours: `threshold` (rules by
count), `judge` (drives them), `intake` (decides which samples a rule gets to see).
What a rule may rely on: every sample it is given ends after `Context.fresh_from`, belongs to the release now running or
to none in particular (one that `compares` gets those of the old release too), and comes from an instance that has been ready (a sample of one that has not says "no events").
Samples of one poll carry the same `end` (`intake` sees to it). What it may not rely on: order, and that a sample comes only once.
What every rule must give: a pure function of what it was given; an Unknown never moves it towards failing; `progress`
never rises on good samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

from watchdog.model import Instance, Instant, Sample, SignalVerdict, TargetVerdict, record


@record
class Context:
    """What a rule may know besides samples. `release` is the fingerprint now running; empty = unknown or none (watch-only).

    Samples whose interval ends at or before `fresh_from` do not count: start-up, our own stall, resume, reload, rollback.
    `controls` are the latest verdicts of the `control:` and `depends_on` targets.
    """

    target: str
    fresh_from: Instant
    release: str = ""
    rollout_started: Instant | None = None
    rollout_completed: Instant | None = None
    in_progress: bool = False
    wanted: int = 0
    ready: int = 0
    instances: tuple[Instance, ...] = ()
    tolerate_interruption_s: float = 30.0
    controls: tuple[TargetVerdict, ...] = ()
    baseline: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """By signal: (events, bad) of each minute of the hour before the rollout (or before the window), oldest first."""


class Rule(Protocol):
    """One rule as a value. Its state is frozen and belongs to `judge`; the rule itself remembers nothing."""

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals it covers: one for a threshold rule, several for a rule that weighs them together."""
        ...

    @property
    def compares(self) -> bool:
        """It is given the samples of the old release as well, which carry that release: it compares the two."""
        ...

    def start(self, context: Context, now: Instant) -> Any:
        """A fresh window that has seen nothing."""
        ...

    def observe(self, state: Any, samples: Sequence[Sample], context: Context, now: Instant) -> Any:
        """The state after these samples. Called at every look, also with none."""
        ...

    def verdicts(self, state: Any, context: Context, now: Instant) -> tuple[SignalVerdict, ...]:
        """One verdict for each of `signals`."""
        ...
