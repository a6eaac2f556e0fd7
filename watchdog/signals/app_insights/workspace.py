"""One workspace, asked once for all its roles.

Role: shares queries among the signals of many targets. Neighbours: `kql` writes them, `clients.azure` sends them, `signal`
concludes. Guarantees: one query at a time, whoever waits gets its answer; an answer is shared for `SHARE_S`; how late data
comes is measured each `LATENESS_S` and bounded; a throttled workspace is left alone for as long as it says. Raises
`Unavailable`. Limits of the service: 5 queries at a time, 200 per 30 s a user.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from watchdog.clients.azure import AzureLogs, Place
from watchdog.model import Instant, instant
from watchdog.ports import Clock, Unavailable
from watchdog.signals.app_insights.kql import CLASSIC, WORKSPACE, lateness, requests

SHARE_S = 25.0
LATENESS_S = 300.0
LOOK_BACK_S = 900.0
"""The last quarter of an hour is read anew each time: late rows come."""
LEAST_LATE_S, MOST_LATE_S = 120.0, 600.0
MINUTE_S = 60.0
DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Question:
    """What one signal asks: failed requests of a role, or with `slow_ms` those slower than that."""

    role: str
    slow_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One minute of one release and instance of a role."""

    start: float
    version: str
    instance: str
    total: int
    bad: int
    slow: Mapping[float, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """All cells of one read, by role; `late_s` as measured, `newest` of any role (None = no row in an hour)."""

    at: Instant
    cells: Mapping[str, tuple[Cell, ...]]
    late_s: float
    newest: Instant | None


class Workspace:
    """A workspace or resource, and everything that is asked of it."""

    def __init__(self, name: str, place: Place, logs: AzureLogs, clock: Clock, *, classic: bool = False) -> None:
        """`logs` is shared and closed by its owner."""
        self.name, self.place = name, place
        self._logs, self._clock = logs, clock
        self._schema = CLASSIC if classic else WORKSPACE
        self._questions: set[Question] = set()
        self._kept: tuple[float, Reading] | None = None
        self._failed: tuple[float, str] | None = None
        self._late: tuple[float, float, Instant | None] | None = None
        self._lock = asyncio.Lock()
        self.queries = 0

    def register(self, question: Question) -> None:
        """From now on this is asked along."""
        if question not in self._questions:
            self._questions.add(question)
            self._kept = None

    async def read(self) -> Reading:
        """The last quarter of an hour of all roles; shared. Raises Unavailable."""
        async with self._lock:
            now = self._clock.now()  # what is asked is a time of the wall, and so is how old an answer is
            if self._kept is not None and abs(now - self._kept[0]) < SHARE_S:
                return self._kept[1]
            if self._failed is not None and abs(now - self._failed[0]) < SHARE_S:
                raise Unavailable(self._failed[1])
            try:
                reading = await self._read(now)
            except Unavailable as error:
                self._failed, self._kept = (now, str(error)), None
                raise
            self._kept, self._failed = (now, reading), None
            return reading

    async def minutes(self, role: str, since: Instant, until: Instant) -> tuple[Cell, ...]:
        """Minutes of one role that are long over, for the baseline. Raises Unavailable."""
        limits = sorted({q.slow_ms for q in self._questions if q.role == role and q.slow_ms is not None})
        rows = await self._ask(requests(self._schema, [role], limits, since, until), since, until)
        return _cells(rows, limits).get(role, ())

    async def _read(self, now: Instant) -> Reading:
        late_s, newest = await self._lateness(now)
        since = instant(math.floor((now - LOOK_BACK_S) / MINUTE_S) * MINUTE_S)
        limits = sorted({q.slow_ms for q in self._questions if q.slow_ms is not None})
        kql = requests(self._schema, (q.role for q in self._questions), limits, since, now)
        return Reading(now, _cells(await self._ask(kql, since, now), limits), late_s, newest)

    async def _lateness(self, now: Instant) -> tuple[float, Instant | None]:
        if self._late is not None and abs(now - self._late[0]) < LATENESS_S:
            return self._late[1], self._late[2]
        since = instant(now - 3600.0)
        rows = await self._ask(lateness(self._schema, since, now), since, now)
        late, newest = _number(rows[0].get("late")) if rows else None, _moment(rows[0].get("newest")) if rows else None
        late_s = min(MOST_LATE_S, max(LEAST_LATE_S, late if late is not None else MOST_LATE_S))
        self._late = (now, late_s, newest)
        return late_s, newest

    async def _ask(self, kql: str, since: Instant, until: Instant) -> list[Any]:
        self.queries += 1
        return list(await self._logs.query(self.place, kql, since, until, deadline_s=DEADLINE_S))


def _cells(rows: list[Any], limits: list[float]) -> dict[str, tuple[Cell, ...]]:
    """Raises Unavailable for a row that is not what was asked for."""
    found: dict[str, list[Cell]] = {}
    for row in rows:
        start, total, bad = _moment(row.get("minute")), _number(row.get("total")), _number(row.get("bad"))
        if start is None or total is None or bad is None:
            raise Unavailable("a row of the answer is not what was asked for")
        slow = {limit: round(_number(row.get(f"slow_{n}")) or 0.0) for n, limit in enumerate(limits)}
        cell = Cell(
            start, str(row.get("version") or ""), str(row.get("instance") or ""), round(total), round(bad), slow
        )
        found.setdefault(str(row.get("role")), []).append(cell)
    return {role: tuple(sorted(cells, key=lambda one: one.start)) for role, cells in found.items()}


def _number(value: Any) -> float | None:
    """A finite number; the service sends NaN as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _moment(value: Any) -> Instant | None:
    if isinstance(value, datetime):
        return instant(value.timestamp())
    try:
        return instant(datetime.fromisoformat(str(value)).timestamp())
    except ValueError:
        return None
