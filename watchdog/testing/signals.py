"""A signal whose health follows the release that a fake unit runs, and the clock.

Role: public fake of `ports.Signal`. Neighbours: `watchdog.testing.platforms` holds the unit it looks at.
Guarantees: looks at the world, not at the poll's context, so it tells the truth also where the watchdog's view is stale;
an error rate is spread evenly and gives the same samples in each run. Not guaranteed: noise - there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from watchdog.model import Counts, Instant, Reading, Sample, Unknown, instant
from watchdog.ports import PollContext, Unavailable
from watchdog.testing.platforms import FakeUnit

Script = Callable[[str, Instant], Reading]
"""(fingerprint of the release that answers, now) -> what the poll reads."""


@dataclass
class Behaviour:
    """The usual script: change its fields while the test runs.

    `bad` maps a fingerprint to the share of its events that fail (1.0 = all). `blips` are spans [from, until) of UTC in
    which everything fails, whichever release runs. `events` is how many events one poll of one instance sees.
    """

    bad: dict[str, float] = field(default_factory=dict)
    blips: list[tuple[float, float]] = field(default_factory=list)
    dependency_down: bool = False
    """Everything fails, whichever release runs: the case in which a rollback would be wrong."""
    unknown: str = ""
    """While set, the source is broken: every reading is Unknown with this reason."""
    events: int = 1
    _owed: dict[str, float] = field(default_factory=dict)

    def __call__(self, release: str, now: Instant) -> Reading:
        """What one poll reads of `release` at `now`."""
        if self.unknown:
            return Unknown(reason=self.unknown)
        if self.dependency_down or any(begin <= now < end for begin, end in self.blips):
            return Counts(good=0, bad=self.events)
        return self._share(release, self.bad.get(release, 0.0))

    def _share(self, release: str, share: float) -> Counts:
        owed = self._owed.get(release, 0.0) + share * self.events
        bad = int(owed + 1e-9)
        self._owed[release] = owed - bad
        return Counts(good=self.events - bad, bad=bad)


class FakeSignal:
    """A signal over a `FakeUnit`. `script` is a `Behaviour` or any function of (release, now).

    `per_instance` gives one sample for each instance, with its release and name; otherwise one sample that speaks of the
    service: the instances take turns to answer, so a rolling update shows old and new mixed. Set `hang` to keep a poll
    from ever ending and `error` to make it raise, which no signal may: the poll loop must survive it.
    """

    def __init__(
        self,
        name: str,
        unit: FakeUnit,
        script: Script,
        *,
        counts_users: bool = False,
        per_instance: bool = False,
    ) -> None:
        """Look at `unit` through `script`."""
        self.name = name
        self.counts_users = counts_users
        self.unit = unit
        self.script = script
        self.per_instance = per_instance
        self.hang = False
        self.error: Exception | None = None
        self.polls: list[Instant] = []
        self.closed = False
        self._turn = 0
        self._last: Instant | None = None

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        """One look at the world as it is now."""
        del context  # the world is asked, not what the watchdog believes of it
        await asyncio.sleep(0)
        now = self.unit.clock.now()
        self.polls.append(now)
        if self.hang:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        start = self._last if self._last is not None and self._last < now else instant(now - 1.0)
        self._last = now
        instances = self.unit.instances()
        if self.per_instance:
            return [self._sample(start, now, entry.release or "", entry.name) for entry in instances]
        answering = instances[self._turn % len(instances)] if instances else None
        self._turn += 1
        if answering is None:
            return [self._made(start, now, Counts(good=0, bad=1), None, None)]
        return [self._made(start, now, self.script(answering.release or "", now), None, None)]

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _sample(self, start: Instant, end: Instant, release: str, instance: str) -> Sample:
        return self._made(start, end, self.script(release, end), release, instance)

    def _made(self, start: Instant, end: Instant, reading: Reading, release: str | None, name: str | None) -> Sample:
        return Sample(
            signal=self.name,
            start=start,
            end=end,
            reading=reading,
            release=release,
            instance=name,
            detail=_words(self.name, reading),
        )


def _words(name: str, reading: Reading) -> str:
    if isinstance(reading, Unknown):
        return f"{name}: {reading.reason}"
    if isinstance(reading, Counts):
        return f"{name}: {reading.bad} of {reading.events} failed"
    return f"{name}: {reading.value:g}{reading.unit}"


class RememberingSignal(FakeSignal):
    """Also a `ports.Remembering`: its source has counted `per_minute` events in each minute, `share` of them bad.

    Set `trouble` to a reason and it cannot say, or to ``hang``.
    """

    def __init__(self, name: str, unit: FakeUnit, script: Script, *, per_minute: int = 600, share: float = 0.0) -> None:
        """Remember so many events."""
        super().__init__(name, unit, script)
        self.per_minute, self.share = per_minute, share
        self.trouble = ""
        self.asked = 0

    async def minutes(self, since: Instant, until: Instant) -> Sequence[Sample]:
        """One sample for each whole minute."""
        self.asked += 1
        if self.trouble == "hang":
            await asyncio.Event().wait()
        if self.trouble:
            raise Unavailable(self.trouble)
        bad = round(self.per_minute * self.share)
        reading = Counts(good=self.per_minute - bad, bad=bad)
        first = int(since // 60) + 1
        return [
            Sample(signal=self.name, start=instant(60 * n), end=instant(60 * n + 60), reading=reading)
            for n in range(first, int(until // 60))
        ]
