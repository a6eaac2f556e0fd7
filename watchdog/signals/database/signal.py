"""Whether a database answers: for a target that is only watched, as dependency or control of others.

Role: the `ports.Signal` over PostgreSQL. Neighbours: `clients.postgres`. Guarantees: one question a poll; a server that refuses, hangs,
starts or has no place left is bad; a log-in, right or name that is wrong is unknown: it says nothing about the database.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.clients.postgres import DatabaseFault, Postgres
from watchdog.model import Counts, Instant, Reading, Sample, Unknown
from watchdog.ports import Clock, PollContext

OVERTIME_S = 1.0


class DatabaseSignal:
    """One question to one database."""

    counts_users = False

    def __init__(self, name: str, database: Postgres, clock: Clock) -> None:
        """Ask `database`."""
        self.name = name
        self._database, self._clock = database, clock

    @property
    def deadline_s(self) -> float:
        """What a poll takes at most. Cut it no earlier, or a hung server becomes unknown instead of bad."""
        return self._database.access.timeout_s + OVERTIME_S

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        """One sample."""
        del context
        start, began = self._clock.now(), self._clock.monotonic()
        try:
            async with self._database.look() as ask:
                await ask("SELECT 1")
        except DatabaseFault as fault:
            reading: Reading = Counts(good=0, bad=1) if fault.theirs else Unknown(reason=str(fault))
            return [self._sample(start, reading, str(fault))]
        took_ms = 1000 * (self._clock.monotonic() - began)
        return [self._sample(start, Counts(good=1, bad=0), f"answered in {took_ms:.0f} ms")]

    async def close(self) -> None:
        """Nothing stays open between two polls."""

    def _sample(self, start: Instant, reading: Reading, detail: str) -> Sample:
        return Sample(signal=self.name, start=start, end=self._clock.now(), reading=reading, detail=detail)
