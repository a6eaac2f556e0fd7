"""What an operator decided about a target, as plain numbers.

Role: made by `settings` from the configuration file, read by `judgement`, `safety` and `engine`. Guarantees: frozen; a
response keeps the policy it began with, except that `observe`, pauses and removal bind at once.
All durations are seconds.
"""

from __future__ import annotations

from enum import StrEnum

from watchdog.model.decision import Mode
from watchdog.model.record import record


class DataSafety(StrEnum):
    """May the code go back without the data? Not said = the target stays at `ask` even in `enforce`."""

    NONE = "none"  # the target has no data of its own
    COMPATIBLE = "compatible"  # every release can read what the next one wrote
    CHECK = "check"  # a database signal decides
    NOT_SAID = "not_said"


@record
class Budget:
    """How many rollbacks at most. One per bad release always; these are the wider windows."""

    per_target: int = 2
    per_target_window_s: float = 86_400.0
    fleet: int = 3
    fleet_window_s: float = 600.0


@record
class TargetPolicy:
    """Effective settings of one target, after profiles, defaults, group and global mode were applied."""

    target: str
    group: str = ""
    platform: str = ""
    """Kind of the platform (``kubernetes``, ``helm`` ...), empty for a target that is only watched."""
    labels: tuple[str, ...] = ()
    """As ``key=value``: what pauses by selector go by."""
    mode: Mode = Mode.OBSERVE
    """The strictest of global, group and target."""
    bake_s: float = 1800.0
    bake_events: int = 1000
    """User events that bake needs where something counts them."""
    bake_at_most_s: float = 43_200.0
    tolerate_interruption_s: float = 30.0
    countdown_s: float = 10.0
    evidence_s: float = 15.0
    ask_timeout_s: float = 600.0
    ask_then: str = "hold"
    data: DataSafety = DataSafety.NOT_SAID
    outside_bake: str = "note"
    control: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    watch_only: bool = False
    """No platform: never rolled back; serves as control or dependency."""
    good_back: int = 2
    """Without asking, back by at most this many good releases ..."""
    good_age_s: float = 7 * 86_400.0
    """... and to one graded good at most this long ago."""
    verify_within_s: float = 600.0
    confirm_within_s: float = 900.0
    blind_after_s: float = 300.0
    """How long a signal may be blind before a person is told."""
    allow_pod_delete: bool = False
    allow_recreate: bool = False
    first_start: str = "observe"
    """What an empty store means under `enforce`: ``observe`` until armed, or ``act``."""
    budget: Budget = Budget()

    @property
    def verify_s(self) -> float:
        """All signals must be healthy for this long after a rollback: twice the tolerated interruption."""
        return 2 * self.tolerate_interruption_s
