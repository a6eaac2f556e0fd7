"""Samples: what one poll of one signal says, and about which interval, release and instance.

Role: the only currency between `signals` and `judgement`. Guarantees: three-valued - an `Unknown` carries its reason and
is never bad and never good. Not guaranteed: that samples arrive in order of their event time.
"""

from __future__ import annotations

from watchdog.model.record import Instant, record


@record
class Counts:
    """Events of the interval: a probe is one event, a request counter brings many."""

    good: int
    bad: int

    @property
    def events(self) -> int:
        """All events, good and bad."""
        return self.good + self.bad


@record
class Value:
    """A measured value, in `unit` (``s``, ``bytes``, ``ratio``; empty for a plain number)."""

    value: float
    unit: str = ""


@record
class Unknown:
    """The source could not tell. `reason` is one short sentence; it pages after its own limit, never rolls back."""

    reason: str


Reading = Counts | Value | Unknown


@record
class Sample:
    """One reading of one signal over the interval (start, end] of event time.

    `release` is the fingerprint of the release that answered, where the source can tell old from new; `instance` the pod
    or process. `detail` is what a person wants to see: ``GET /health: 500 in 12 ms``.
    """

    signal: str
    start: Instant
    end: Instant
    reading: Reading
    release: str | None = None
    instance: str | None = None
    detail: str = ""
