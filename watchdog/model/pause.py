"""Pauses: scope, who, why, until. They suppress acting, never watching or recording.

Role: kept in the store's register (`engine.pauses`), matched by `safety.pausing`. Guarantees: a pause always ends by
itself; one that cannot be read means paused (promise P3).
"""

from __future__ import annotations

from watchdog.model.record import Instant, record


@record
class Pause:
    """One pause. `scope` is ``all``, ``group/x`` or ``target/x``."""

    id: str
    scope: str
    who: str
    why: str
    since: Instant
    until: Instant
    applied_at: Instant | None = None
    ended_at: Instant | None = None
    ended_by: str = ""
    suppressed: int = 0
    """How many acts it kept from happening: told at its end."""


@record
class PauseRegister:
    """Every pause, under one key with an explicit version: a missing register is not "no pauses" once one was made."""

    pauses: tuple[Pause, ...] = ()
