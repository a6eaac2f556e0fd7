"""Verdicts: what the judgement says about a signal and about a target.

Role: the currency between `judgement`, `engine`, `safety` and every face. Guarantees: four values; only `FAILING` may
lead towards a rollback.
"""

from __future__ import annotations

from enum import StrEnum

from watchdog.model.record import Instant, record


class Health(StrEnum):
    """The four values of a verdict."""

    HEALTHY = "healthy"
    FAILING = "failing"
    INCONCLUSIVE = "inconclusive"  # no traffic, too few events, still within the rule's time
    BLIND = "blind"  # the source is broken: never bad, never good


@record
class SignalVerdict:
    """What one rule says about one signal now.

    `sentence` says value, limit, samples and age of the data; `missing` what is still missing to fire (empty when it
    fires). `progress` runs from 0 (nothing against the release) to 1 (fires); it never rises on good samples.
    `since` is when it began to fire, `first_bad` the event time of the first bad sample of the run that counts.
    """

    signal: str
    health: Health
    sentence: str
    missing: str = ""
    progress: float = 0.0
    value: float | None = None
    limit: float | None = None
    events: int = 0
    data_at: Instant | None = None
    first_bad: Instant | None = None
    since: Instant | None = None
    blind_since: Instant | None = None
    late_s: float = 0.0
    """How old data is when it comes, seconds: a source that is minutes late is not blind for it."""
    bad_run: int = 0
    """Bad polls in a row up to the newest known one: two make the target suspicious."""
    recovered: bool = False
    """The rule's own condition for recovery holds on fresh, known, good data. Not the opposite of failing."""


@record
class TargetVerdict:
    """All signals of a target at one moment. `health` is failing when any rule fires, blind when every signal is blind."""

    target: str
    at: Instant
    health: Health
    sentence: str
    signals: tuple[SignalVerdict, ...] = ()
    first_bad: Instant | None = None
    suspicious: bool = False
    """Something counts against the target, though nothing fires yet: evidence capture may begin."""
    recovered: bool = False
    """Every signal satisfies its own rule for recovery (hysteresis): only this ends a countdown unaided."""


@record
class Breach:
    """A target's verdict is failing with enough evidence."""

    target: str
    at: Instant
    first_bad: Instant
    signals: tuple[str, ...]
    sentence: str
