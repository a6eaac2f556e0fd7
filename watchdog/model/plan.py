"""Plans, steps and intents: what would be written, and the write-ahead record of what is about to be.

Role: made by a platform, permitted by the gate, stored by the response. Guarantees: a step is one conditional write
that can be resolved by reading; an intent is stored before it and never rewritten, only given an outcome.
"""

from __future__ import annotations

from dataclasses import field

from watchdog.model.record import Instant, JsonObject, record
from watchdog.model.unit import UnitRef


@record
class Step:
    """One conditional write. `words` is for people; `request` the exact body or argv; `precondition` what must hold.

    A `courtesy` leaves the rollback whole when it is left out: it is skipped, and said, where another step would stop.
    """

    name: str
    unit: UnitRef
    words: str
    precondition: str
    request: JsonObject = field(default_factory=dict)
    courtesy: bool = False


@record
class Plan:
    """How to go from one release to another, in order."""

    unit: UnitRef
    from_release: str
    to_release: str
    steps: tuple[Step, ...]
    words: str = ""
    warnings: tuple[str, ...] = ()


@record
class Intent:
    """The write-ahead entry of one write. `outcome` is empty until it is known; `attempt` counts preconditions lost."""

    id: str
    incident: str
    step: Step
    from_release: str
    to_release: str
    stored_at: Instant
    attempt: int = 1
    outcome: str = ""
    sentence: str = ""
    settled_at: Instant | None = None

    @property
    def open(self) -> bool:
        """Not yet known what became of the write."""
        return not self.outcome
