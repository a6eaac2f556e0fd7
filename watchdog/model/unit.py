"""The unit of rollback, and everything that is remembered about it in one document.

Role: identity of what may be written to (`UnitRef`), and `UnitRecord`: ledger, condemned list, budget, armed state.
Neighbours: `judgement.ledger` changes it (pure), `engine.tracking` stores it under ``unit/<key>``.
Guarantees: budget, lock, condemned list, ledger and incident are kept per unit.
"""

from __future__ import annotations

from watchdog.model.record import Instant, record
from watchdog.model.release import Release


@record
class UnitRef:
    """What goes back: a Deployment, a StatefulSet, a command pair. `uid` is the platform's own lasting id."""

    target: str
    platform: str
    uid: str
    name: str

    @property
    def key(self) -> str:
        """Store key: one document a unit."""
        return f"unit/{self.platform}/{self.uid}"


@record
class Act:
    """One rollback that was really issued: what the budget counts."""

    at: Instant
    incident: str
    from_release: str
    to_release: str


@record
class MinuteCount:
    """Good and bad events of one minute of one signal: the baseline that survives a restart."""

    minute: Instant
    signal: str
    good: int
    bad: int


@record
class UnitRecord:
    """All that is remembered about one unit. `current` is the fingerprint seen last."""

    unit: UnitRef
    releases: tuple[Release, ...] = ()
    current: str = ""
    acts: tuple[Act, ...] = ()
    minutes: tuple[MinuteCount, ...] = ()
    first_seen: Instant | None = None
    armed: bool = False
    """False after a first start on an empty store: `enforce` waits for ``watchdog arm``."""
    armed_by: str = ""
    cancelled: tuple[str, ...] = ()
    """Fingerprints for which a person said no: no automatic act until a person clears them."""
    fought: tuple[str, ...] = ()
    """Condemned fingerprints that somebody re-applied after our rollback: said once."""

    def release(self, fingerprint: str) -> Release | None:
        """The ledger's entry of that fingerprint, None when it was never seen."""
        return next((entry for entry in self.releases if entry.fingerprint == fingerprint), None)
