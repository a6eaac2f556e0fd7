"""A channel that keeps what it was given, and fails or hangs when told to.

Role: `RecordingChannel` is the `ports.Channel` of tests. Guarantees: `delivered` holds only what was accepted;
`attempts` holds every try.
"""

from __future__ import annotations

import asyncio

from watchdog.model import Incident, Notice
from watchdog.ports import DeliveryFailed


class RecordingChannel:
    """A channel with a memory and three faults: `failures` (next n), `permanent`, `hang`."""

    def __init__(self, name: str = "recording") -> None:
        """An open channel without faults."""
        self.name = name
        self.failures = 0
        """The next n deliveries raise DeliveryFailed."""
        self.retry_after: float | None = None
        """Seconds that a failure names, as a service would in ``Retry-After``."""
        self.permanent = False
        """Every delivery fails for good."""
        self.attempts: list[Notice] = []
        self.delivered: list[tuple[Notice, Incident | None]] = []
        self.closed = False
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def hang(self) -> bool:
        """While true, every delivery waits until it is switched off or the sender gives up."""
        return not self._flowing.is_set()

    @hang.setter
    def hang(self, on: bool) -> None:
        if on:
            self._flowing.clear()
        else:
            self._flowing.set()

    @property
    def keys(self) -> list[str]:
        """Keys of the delivered notices, in order."""
        return [notice.key for notice, _ in self.delivered]

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Keep it, or do what the faults say. Raises DeliveryFailed."""
        self.attempts.append(notice)
        await self._flowing.wait()
        if self.closed:
            raise DeliveryFailed("the channel is closed", permanent=True)
        if self.permanent:
            raise DeliveryFailed("the service will never take this (switched by the test)", permanent=True)
        if self.failures > 0:
            self.failures -= 1
            raise DeliveryFailed("the service failed (switched by the test)", retry_after=self.retry_after)
        self.delivered.append((notice, incident))

    async def close(self) -> None:
        """Take nothing any more."""
        self.closed = True
