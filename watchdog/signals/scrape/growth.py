"""What the counters of one instance grew by between two looks, or why nobody can say.

Role: keeps the last look at one instance. Neighbours: `signal` has one `Watched` an instance. Pure. Guarantees: a series that is born between
two looks counts from zero (the first burst of errors is not lost); a process that was started between two looks counts from
zero; an instance seen for the first time counts from its next look on, unless it came between two looks at the workload a short while ago; a series that
is absent for a while and comes back counts from where it was; counters that go back without a restart, and pages of several processes behind one address, count nothing, and nothing follows from them until
`TRUST_LOOKS` looks in a row have only grown.
Not guaranteed: that a restart is seen where the page names no start of its process and its counters have already passed where
they were; fewer events are then counted than there were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from watchdog.signals.scrape.page import MOST_SERIES, NoAnswer, Page
from watchdog.signals.scrape.questions import Growth

TRUST_LOOKS = 10
GAP_S, GAP_LOOKS = 60.0, 4.0
"""Looks further apart than both begin anew: nobody judges a release by what happened somewhere in a long time."""
SAME_S = 1.0
"""Starts of a process that differ by no more are the same."""
SKEW_S = 5.0


@dataclass
class Watched:
    """One instance of one release at one address. `appeared` = UTC seconds of the look before it was there; None = it always was."""

    appeared: float | None = None
    at: float = 0.0
    page: Page | None = None
    restarts: int = 0
    doubts: int = 0

    def look(self, page: Page, at: float, restarts: int, *, gap_s: float) -> tuple[Growth, float] | None:
        """(What each series grew by, since when); None at the first look. Raises NoAnswer."""
        for key, value in page.series.items():
            if not math.isfinite(value) or value < 0:
                raise NoAnswer(f"{key[0]} is {value}, which no counter is")
        before, since, more = self.page, self.at, restarts > self.restarts
        self.page, self.at, self.restarts = page, at, restarts
        if before is None:
            young = self.appeared is not None and at - self.appeared <= gap_s
            return (page.series, self.appeared or at) if young else None
        if at - since > gap_s:
            raise NoAnswer(f"it was not read for {at - since:.0f} s: counting begins anew")
        if self._trusted(before, page, since, restarted=more):
            return page.series, since
        self.page = _with_absent(page, before)
        return {key: value - before.series.get(key, 0.0) for key, value in page.series.items()}, since

    def _trusted(self, before: Page, page: Page, since: float, *, restarted: bool) -> bool:
        """Whether the process is a fresh one. Raises NoAnswer when two looks cannot be compared."""
        back = any(page.series.get(key, value) < value for key, value in before.series.items())
        fresh, flaw = False, ""
        if before.born is not None and page.born is not None and abs(page.born - before.born) > SAME_S:
            fresh = page.born >= since - SKEW_S
            flaw = "" if fresh else "several processes answer there in turn"
        elif back:
            fresh = restarted
            flaw = "" if fresh else "its counters went back without a restart: perhaps several processes answer there"
        if flaw:
            self.doubts = TRUST_LOOKS
            raise NoAnswer(flaw)
        if restarted:
            self.doubts = 0  # the workload tells of the restart later than the page: it was no other process
        if self.doubts:
            self.doubts -= 1
            raise NoAnswer("its counters went back before: they are believed again after a while")
        return fresh


def _with_absent(page: Page, before: Page) -> Page:
    """The page, with the last values of series that are not on it now: they may come back."""
    absent = {key: value for key, value in before.series.items() if key not in page.series}
    if not absent or len(absent) + len(page.series) > 2 * MOST_SERIES:
        return page
    return Page(series={**absent, **page.series}, born=page.born)
