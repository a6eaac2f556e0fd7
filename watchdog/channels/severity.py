"""A channel that hears only of what is severe enough.

Role: wraps any channel. Guarantees: what is below is taken as delivered, so the outbox never waits for it; what ends an
incident passes when anything of the incident could have passed, so that nobody is left with an open alarm.
"""

from __future__ import annotations

from watchdog.model import Incident, Notice
from watchdog.ports import Channel

ORDER = ("info", "warn", "page")


class AtLeast:
    """Passes notices of at least `severity` to `channel`."""

    def __init__(self, channel: Channel, severity: str) -> None:
        """`severity` is info, warn or page. Raises ValueError for another word."""
        self.name = channel.name
        self._channel = channel
        self._least = ORDER.index(severity)

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Deliver, or leave out. Raises DeliveryFailed."""
        if self._rank(notice) >= self._least or self._ends_what_was_told(incident):
            await self._channel.deliver(notice, incident)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    def _rank(self, notice: Notice) -> int:
        return ORDER.index(notice.severity) if notice.severity in ORDER else len(ORDER)

    def _ends_what_was_told(self, incident: Incident | None) -> bool:
        if incident is None or incident.open:
            return False
        return any(self._rank(told) >= self._least for told in incident.notices)
