"""The one port that changes something outside.

Role: the writing half of a platform. Neighbours: implemented in `platforms`, called by `engine.response` alone; nothing
else may import this module (import-linter). Guarantees every implementation must give: the permit is checked before
anything is sent; one call sends at most one conditional write and never retries an unclear reply.
"""

from __future__ import annotations

from typing import Protocol

from watchdog.model import Intent, Permit, Step, StepOutcome


class PlatformWriter(Protocol):
    """The writing half. Only `engine.response` may import it; every write demands the gate's permit."""

    async def execute(self, step: Step, intent: Intent, permit: Permit, *, deadline_s: float) -> StepOutcome:
        """One conditional write, shorter than `deadline_s`. Raises PermitRefused; never retries an unclear reply."""
        ...

    async def rehearse(self, step: Step, *, deadline_s: float) -> StepOutcome:
        """The same request as a dry run of the outside, where it has one: changes nothing."""
        ...
