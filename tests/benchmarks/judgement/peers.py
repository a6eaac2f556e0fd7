"""The decision rules of others, restated from their documents and source, on the counts of the whole service.

Flagger and Argo Rollouts are made for canaries with split traffic; only how they decide is judged here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.benchmarks.judgement.families import Bins

Pair = tuple[int, int]


@dataclass
class Windowed:
    """Looks every `every_s` at the requests since the last look."""

    poll_s: float
    every_s: float
    at: float = 0.0
    events: int = 0
    bad: int = 0

    def update(self, bins: Bins) -> str:
        """One poll."""
        self.at += self.poll_s
        pair = bins.get("err") or (0, 0)
        self.events, self.bad = self.events + pair[0], self.bad + pair[1]
        if self.at % self.every_s >= self.poll_s - 1e-9 and self.every_s > self.poll_s:
            return "ok"
        fires = self.look(self.events, self.bad)
        self.events = self.bad = 0
        return "rollback" if fires else "ok"

    def look(self, events: int, bad: int) -> bool:
        """Whether this look rolls back."""
        raise AssertionError("a peer says how it looks")


@dataclass
class Flagger(Windowed):
    """`FailedChecks` is cumulative and never reset; no values is a failed check."""

    threshold: int = 5
    most: float = 0.01
    failed: int = 0

    def look(self, events: int, bad: int) -> bool:
        """A failed check more, or not."""
        self.failed += not events or bad > self.most * events
        return self.failed >= self.threshold


@dataclass
class Argo(Windowed):
    """Failed beyond `limit` in total aborts; NaN is a failure where success is a condition."""

    limit: int = 3
    most: float = 0.05
    failed: int = 0

    def look(self, events: int, bad: int) -> bool:
        """A failed measurement more, or not."""
        self.failed += not events or bad > self.most * events
        return self.failed > self.limit


@dataclass
class CloudWatch(Windowed):
    """M of the last N periods are breaching; a period without data is missing and leaves the others as they are."""

    m: int = 3
    n: int = 5
    most: float = 0.05
    periods: deque[bool] = field(default_factory=deque)

    def look(self, events: int, bad: int) -> bool:
        """One period."""
        if events:
            self.periods.append(bad > self.most * events)
            while len(self.periods) > self.n:
                self.periods.popleft()
        return sum(self.periods) >= self.m


@dataclass
class PrometheusFor:
    """`for: 2m` over the share of the last minute: any evaluation at or below the limit, or without data, starts anew."""

    poll_s: float
    for_s: float = 120.0
    window_s: float = 60.0
    most: float = 0.05
    recent: deque[Pair] = field(default_factory=deque)
    held: float | None = None
    at: float = 0.0

    def update(self, bins: Bins) -> str:
        """One evaluation a poll."""
        self.at += self.poll_s
        self.recent.append(bins.get("err") or (0, 0))
        while len(self.recent) > self.window_s / self.poll_s:
            self.recent.popleft()
        events, bad = sum(pair[0] for pair in self.recent), sum(pair[1] for pair in self.recent)
        if not events or bad <= self.most * events:
            self.held = None
            return "ok"
        self.held = self.at if self.held is None else self.held
        return "rollback" if self.at - self.held >= self.for_s else "ok"


@dataclass
class TunedMofN(CloudWatch):
    """The best that counting can do: 6 of 12 ten-second samples above 2 %, or 7 failed probes in a row."""

    probes: int = 7
    run: int = 0

    def update(self, bins: Bins) -> str:
        """One poll."""
        probe = bins.get("probe")
        if probe:
            self.run = self.run + 1 if probe[1] else 0
        said = super().update(bins)
        return "rollback" if self.run >= self.probes else said


PEERS: dict[str, Callable[[float], Windowed | PrometheusFor]] = {
    "Flagger 5 @1m (1 %)": lambda poll_s: Flagger(poll_s, 60.0, threshold=5),
    "Flagger 10 @10s (1 %)": lambda poll_s: Flagger(poll_s, 10.0, threshold=10),
    "Argo failureLimit 3 @1m (5 %)": lambda poll_s: Argo(poll_s, 60.0),
    "CloudWatch 3 of 5 @1m (5 %)": lambda poll_s: CloudWatch(poll_s, 60.0),
    "Prometheus for: 2m (5 %, [1m])": PrometheusFor,
    "M of N 6/12 @10s (2 %), 7 probes": lambda poll_s: TunedMofN(poll_s, 10.0, m=6, n=12, most=0.02),
}
