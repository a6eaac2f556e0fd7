"""A database that says what it was told to say, late, or not at all.

Role: the `ports.SchemaSource` of tests. Neighbours: `engine.databases` looks. Guarantees: a fault stays until it is taken away.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

from watchdog.model import Schema
from watchdog.ports import Unavailable


class FakeDatabase:
    """A database called `name` in which migrations are run. Faults: `unreachable`, `hang`."""

    def __init__(self, name: str, *migrations: str) -> None:
        """With these migrations applied."""
        self.name = name
        self.migrations = list(migrations)
        self.half_done = ""
        self.unreadable: tuple[str, ...] = ()
        self.events: set[str] = set()
        """Types of the newest events of its event store."""
        self.unreachable = ""
        """While set, every look raises Unavailable with this reason."""
        self.hang = False
        """While true, a look that begins never comes back."""
        self.looks = 0
        self.closed = False

    def migrate(self, name: str) -> None:
        """A migration that makes a table of its name."""
        self.migrations.append(name)

    async def read(self) -> Schema:
        """See `ports.SchemaSource`."""
        self.looks += 1
        await asyncio.sleep(0)
        if self.hang:
            await asyncio.Event().wait()
        if self.unreachable:
            raise Unavailable(self.unreachable)
        return replace(
            schema_of(*self.migrations),
            half_done=self.half_done,
            unreadable=self.unreadable,
            events=tuple(sorted(self.events)),
        )

    async def close(self) -> None:
        """See `ports.SchemaSource`."""
        self.closed = True


def schema_of(*migrations: str) -> Schema:
    """The schema after these migrations, each of which makes a table of its name."""
    return Schema(
        digest=hashlib.sha256("\0".join(migrations).encode()).hexdigest(),
        objects={f"table public.{name}": "1" for name in migrations},
        migrations=tuple(f"fake: {name}" for name in migrations),
        applied=len(migrations),
    )
