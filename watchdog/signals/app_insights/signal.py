"""A signal from Application Insights: minutes of requests, given out when no more of them comes.

Role: implements `ports.Signal` (and `ports.Remembering`) over one `Workspace`. Guarantees: a minute is given out once, when it
is older than the measured lateness and two reads in a row agree on it, or after ten minutes anyway; a minute without rows is
"no events" while other roles report, and unknown when nobody does; every trouble of the source is an Unknown with its
reason. Not guaranteed: speed - Application Insights is minutes late; probes and Prometheus are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from watchdog.model import Counts, Instant, Sample, Unknown, WorkloadState, instant
from watchdog.ports import Clock, PollContext, Unavailable
from watchdog.signals.app_insights.workspace import (
    DEADLINE_S,
    LOOK_BACK_S,
    MINUTE_S,
    MOST_LATE_S,
    Cell,
    Question,
    Reading,
    Workspace,
)
from watchdog.signals.releases import release_of_version

Owner = tuple[str | None, str | None]
"""(instance, release)."""

SILENT_S = 300.0
"""Nobody in the workspace reports for so long beyond its lateness: it is not that there is no traffic."""


class AppInsightsSignal:
    """One role of one workspace."""

    def __init__(
        self, name: str, question: Question, workspace: Workspace, clock: Clock, *, counts_users: bool = True
    ) -> None:
        """Ask along with everybody else who asks `workspace`."""
        self.name, self.counts_users = name, counts_users
        self.question, self.workspace = question, workspace
        self._clock = clock
        self._hasty = False
        """Give the newest minute out at once: nobody judges by it."""
        self._given: float | None = None
        self._before: dict[float, tuple[int, int]] = {}
        workspace.register(question)

    def apart(self) -> AppInsightsSignal:
        """The same question, of which nothing was given out yet: for a person's look at the newest minute."""
        other = AppInsightsSignal(self.name, self.question, self.workspace, self._clock, counts_users=self.counts_users)
        other._hasty = True
        return other

    @property
    def deadline_s(self) -> float:
        """Two queries, at the most."""
        return 2 * DEADLINE_S + 1.0

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        """The minutes that have become complete."""
        try:
            reading = await self.workspace.read()
        except Unavailable as error:
            return [self._unknown(str(error))]
        if self._nobody_reports(reading):
            since = "for an hour" if reading.newest is None else f"since {(reading.at - reading.newest) / 60:.0f} min"
            return [self._unknown(f"no telemetry of any role {since}")]
        cells = reading.cells.get(self.question.role, ())
        return self._minutes(cells, reading, context.state)

    async def minutes(self, since: Instant, until: Instant) -> Sequence[Sample]:
        """What the service reported before we looked. Raises Unavailable."""
        until = min(until, instant(self._clock.now() - MOST_LATE_S))
        cells = await self.workspace.minutes(self.question.role, since, until)
        by_minute = _by_minute(cells)
        whole = [start for start in sorted(by_minute) if start >= since and start + MINUTE_S <= until]
        return [self._sample(start, *self._sum(by_minute[start]), (None, None)) for start in whole]

    async def close(self) -> None:
        """Nothing of its own to close."""

    def _minutes(self, cells: Sequence[Cell], reading: Reading, state: WorkloadState | None) -> list[Sample]:
        by_minute = _by_minute(cells)
        totals = {start: self._sum(found) for start, found in by_minute.items()}
        if self._hasty:
            newest = math.floor((reading.at - reading.late_s) / MINUTE_S - 1) * MINUTE_S
            return self._of_minute(newest, by_minute.get(newest, ()), state)
        begin = (
            self._given if self._given is not None else math.floor((reading.at - LOOK_BACK_S / 3) / MINUTE_S) * MINUTE_S
        )
        samples: list[Sample] = []
        while begin + MINUTE_S <= reading.at - reading.late_s:
            agreed = begin in self._before and self._before[begin] == totals.get(begin, (0, 0))
            if not agreed and begin + MINUTE_S > reading.at - MOST_LATE_S:
                break
            samples += self._of_minute(begin, by_minute.get(begin, ()), state)
            begin += MINUTE_S
        self._given = begin
        ahead = math.floor((reading.at - begin) / MINUTE_S) + 1
        self._before = {begin + n * MINUTE_S: totals.get(begin + n * MINUTE_S, (0, 0)) for n in range(ahead)}
        return samples

    def _of_minute(self, start: float, cells: Sequence[Cell], state: WorkloadState | None) -> list[Sample]:
        if not cells:
            return [self._sample(start, 0, 0, (None, None))]
        grouped: dict[Owner, list[Cell]] = {}
        for cell in cells:
            grouped.setdefault(_owner(cell, state), []).append(cell)
        return [self._sample(start, *self._sum(found), owner) for owner, found in grouped.items()]

    def _sum(self, cells: Iterable[Cell]) -> tuple[int, int]:
        limit = self.question.slow_ms
        found = [(cell.total, cell.bad if limit is None else cell.slow.get(limit, 0)) for cell in cells]
        return sum(total for total, _ in found), sum(bad for _, bad in found)

    def _nobody_reports(self, reading: Reading) -> bool:
        newest = [cell.start for cells in reading.cells.values() for cell in cells]
        latest = max([*newest, reading.newest or 0.0])
        return reading.at - latest > reading.late_s + SILENT_S

    def _sample(self, start: float, events: int, bad: int, owner: Owner) -> Sample:
        word = "bad" if self.question.slow_ms is None else "slow"
        instance, release = owner
        return Sample(
            signal=self.name,
            start=instant(start),
            end=instant(start + MINUTE_S),
            reading=Counts(good=max(0, events - bad), bad=min(bad, events)),
            release=release,
            instance=instance,
            detail=f"{bad} {word} of {events} requests of {self.question.role} in a minute",
        )

    def _unknown(self, reason: str) -> Sample:
        now = self._clock.now()
        return Sample(signal=self.name, start=now, end=now, reading=Unknown(reason=reason))


def _by_minute(cells: Iterable[Cell]) -> dict[float, list[Cell]]:
    found: dict[float, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.start, []).append(cell)
    return found


def _owner(cell: Cell, state: WorkloadState | None) -> Owner:
    """By the instance where it is known (a pod or replica), else by the version the service reports, else the whole of it."""
    known = next((one for one in state.instances if one.name == cell.instance), None) if state else None
    if known is not None:
        return known.name, known.release
    return None, release_of_version(cell.version, state)
