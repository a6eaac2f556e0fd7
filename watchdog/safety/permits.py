"""Permits: the gate's leave for exactly one write, which nothing else can make.

Role: `PermitOffice.issue` is called by the response right after the gate passed; every `PlatformWriter` calls
`PermitOffice.check` before it sends anything. Guarantees: a permit that was not issued by this office, is older than
`LIFETIME_S`, or names another unit, release, step or incident is refused. Not guaranteed: anything after the process
ended - a permit is never stored.
"""

from __future__ import annotations

import hashlib
import hmac

from watchdog.model import Decision, Intent, Outcome, Permit, Step

LIFETIME_S = 5.0
"""Seconds between the gate's pass and the write at most (decisions.md section 1)."""

ROUNDING_S = 1e-6
"""``(a + 5.0) - a`` is not always 5.0."""


class PermitOffice:
    """Signs and checks permits with a secret that lives as long as the process."""

    def __init__(self, secret: bytes) -> None:
        """Take at least 16 random bytes from the composition root. Raises ValueError for fewer."""
        if len(secret) < 16:  # noqa: PLR2004 - 128 bits
            raise ValueError("a permit office needs at least 16 secret bytes")
        self._secret = secret

    def issue(self, decision: Decision, intent: Intent, monotonic: float) -> Permit:
        """A permit for the intent's step, if and only if the decision is to roll back. Raises ValueError otherwise."""
        if decision.outcome is not Outcome.ROLL_BACK:
            raise ValueError(f"no permit: the gate said {decision.outcome.value}")
        if (decision.from_release, decision.to_release) != (intent.from_release, intent.to_release):
            raise ValueError("no permit: the intent is about other releases than the decision")
        expires = monotonic + LIFETIME_S
        return Permit(
            unit=intent.step.unit.key,
            from_release=intent.from_release,
            to_release=intent.to_release,
            step=intent.step.name,
            incident=intent.incident,
            expires=expires,
            nonce=self._sign(intent.step, intent, expires),
        )

    def check(self, permit: Permit, step: Step, intent: Intent, monotonic: float) -> str:
        """Why the permit does not cover this write; empty when it does."""
        if not hmac.compare_digest(permit.nonce, self._sign(step, intent, permit.expires)):
            return "the permit was not issued by the gate for this step and incident"
        expected = (step.unit.key, intent.from_release, intent.to_release, step.name, intent.incident)
        if (permit.unit, permit.from_release, permit.to_release, permit.step, permit.incident) != expected:
            return "the permit names another unit, release, step or incident"
        if not 0 <= permit.expires - monotonic <= LIFETIME_S + ROUNDING_S:
            return "the permit has expired"
        return ""

    def _sign(self, step: Step, intent: Intent, expires: float) -> str:
        words = (
            step.unit.key,
            step.name,
            intent.id,
            intent.incident,
            intent.from_release,
            intent.to_release,
            repr(expires),
        )
        return hmac.new(self._secret, "\x1f".join(words).encode(), hashlib.sha256).hexdigest()
