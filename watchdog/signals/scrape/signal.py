"""The `scrape` signal: counters, histograms and values of every instance's own metrics page.

Role: implements `ports.Signal`. Neighbours: `clients.http` fetches, `page` reads, `growth` compares two looks, `questions` concludes.
Guarantees: every sample carries its instance and release, so that old and new run side by side; what one look found is given
out once, over the time since the look before; a page that is not there, is cut, is not understood or cannot be compared is
unknown and never bad - `http` says whether an instance answers; at most `AT_ONCE` pages are read at a time, each cut at
`MOST_BYTES`. When some instances give no numbers the others' samples say so; when none does the poll is unknown.
Not guaranteed: that the first look says anything - counters need two; that pages of several worker processes behind
one port are understood - they are refused (facts/back-ends 8: sum them in the application, or ask Prometheus).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from watchdog.clients.http import Failure, HttpClient, Phases, Request
from watchdog.model import Counts, Instance, Sample, Unknown, instant, record
from watchdog.ports import Clock, PollContext
from watchdog.signals.http import Pods, instance_url
from watchdog.signals.scrape.growth import GAP_LOOKS, GAP_S, Watched
from watchdog.signals.scrape.page import NoAnswer, Page, page_of
from watchdog.signals.scrape.questions import Question, Within

AT_ONCE = 20
MOST_BYTES = 4 * 1024 * 1024
OVERTIME_S = 0.5
"""Time in which an exchange that has reached its timeout has surely ended."""
OK = 200
ACCEPT = "text/plain;version=0.0.4;q=1,*/*;q=0.1"

Place = tuple[str, str | None, str, int]
"""An instance that is the same process group: name, release, address, port."""


@record
class Pages:
    """Where the page of each instance is."""

    pods: Pods
    timeout_s: float = 3.0
    headers: tuple[tuple[str, str], ...] = ()
    ca_file: str = ""
    verify: bool = True


class ScrapeSignal:
    """One question to the page of every instance. `every_s` is how often it is polled."""

    def __init__(
        self,
        name: str,
        question: Question,
        pages: Pages,
        client: HttpClient,
        clock: Clock,
        *,
        every_s: float,
        counts_users: bool = False,
    ) -> None:
        """Ask through `client`, which is shared and closed by its owner."""
        self.name, self.counts_users = name, counts_users
        self.question, self.pages = question, pages
        self.phases: dict[str, Phases] = {}
        """Phases of the last exchange by instance: for a person who looks."""
        self._client, self._clock, self._every_s = client, clock, every_s
        self._watched: dict[Place, Watched] = {}
        self._looked: float | None = None
        """When the workload was looked at that the last poll saw."""

    def apart(self) -> ScrapeSignal:
        """The same question, that has seen what was seen so far: for a person's look."""
        other = ScrapeSignal(
            self.name,
            self.question,
            self.pages,
            self._client,
            self._clock,
            every_s=self._every_s,
            counts_users=self.counts_users,
        )
        other._watched = {
            place: Watched(one.appeared, one.at, one.page, one.restarts, one.doubts)
            for place, one in self._watched.items()
        }
        other._looked = self._looked
        return other

    @property
    def deadline_s(self) -> float:
        """What a poll takes at most, whatever the number of instances: late ones are unknown."""
        return self.pages.timeout_s + 1.0

    @property
    def asked(self) -> tuple[str, ...]:
        """What is looked for, for a person who looks."""
        return tuple(selector.text for selector in self.question.selectors)

    @property
    def _gap_s(self) -> float:
        return max(GAP_S, GAP_LOOKS * self._every_s)

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        """One look at every instance's page; empty at the first."""
        self.phases.clear()
        if context.state is None:
            return [self._unknown("the instances of the target are not known yet")]
        instances = [entry for entry in context.state.instances if not entry.terminating and self._port(entry)]
        places = self._take_in(instances, context.state.at)
        if not places:
            return [self._unknown("no instance has an address to be asked at")]
        looks = await self._looks(places)
        samples = [look for look in looks if isinstance(look, Sample)]
        objections = [look for look in looks if isinstance(look, _Objection)]
        if samples:
            return [_noted(sample, objections, len(looks)) for sample in samples]
        return [self._unknown(_worst(objections, len(looks)))] if objections else []

    async def close(self) -> None:
        """Nothing of its own to close."""

    # -- instances ---------------------------------------------------------------------------------------------------

    def _port(self, entry: Instance) -> int:
        return (self.pages.pods.port or entry.port or 0) if entry.address else 0

    def _take_in(self, instances: Sequence[Instance], at: float) -> dict[Place, Instance]:
        """The instances of this look; new ones are remembered with the look before, and those that have left are forgotten."""
        places = {(one.name, one.release, one.address, self._port(one)): one for one in instances}
        self._watched = {place: self._known(place) or Watched(appeared=self._looked) for place in places}
        self._looked = at
        return places

    def _known(self, place: Place) -> Watched | None:
        """What is remembered of it, also from when its release was not known yet."""
        name, _, address, port = place
        return self._watched.get(place) or self._watched.get((name, None, address, port))

    async def _looks(self, places: Mapping[Place, Instance]) -> list[Sample | _Objection | None]:
        """All instances, those that were not looked at within the timeout among the objections."""
        room = asyncio.Semaphore(AT_ONCE)
        tasks = {
            asyncio.create_task(self._look(entry, place, room), name=f"scrape {entry.name}"): entry
            for place, entry in places.items()
        }
        try:
            await asyncio.wait(tasks, timeout=self.pages.timeout_s + OVERTIME_S)
            late = f"not read within {self.pages.timeout_s:g} s"
            return [
                task.result() if task.done() else _Objection(instance=entry.name, words=late)
                for task, entry in tasks.items()
            ]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, entry: Instance, place: Place, room: asyncio.Semaphore) -> Sample | _Objection | None:
        """What one instance says; None where it was looked at for the first time."""
        watched = self._watched[place]
        try:
            async with room:
                page = await self._page(entry)
            return self._concluded(entry, watched, page)
        except NoAnswer as error:
            return _Objection(instance=entry.name, words=str(error))

    async def _page(self, entry: Instance) -> Page:
        """The page of an instance. Raises NoAnswer."""
        pages = self.pages
        answer = await self._client.exchange(
            Request(
                url=instance_url(pages.pods, entry),
                headers=(("Accept", ACCEPT), *pages.headers),
                timeout_s=pages.timeout_s,
                fresh=False,
                ca_file=pages.ca_file,
                verify=pages.verify,
                most_bytes=MOST_BYTES,
            )
        )
        self.phases[entry.name] = answer.phases
        if isinstance(answer, Failure):
            raise NoAnswer(answer.fault.words)
        if answer.status != OK:
            raise NoAnswer(f"{pages.pods.path} answers {answer.status}")
        if not answer.whole:
            raise NoAnswer(f"the page is larger than {MOST_BYTES // 1024 // 1024} MiB")
        metrics = [selector.metric for selector in self.question.selectors]
        await asyncio.sleep(0)  # pages come together: everybody else has a turn between two of them
        return page_of(answer.body, metrics, self._clock.now())

    def _concluded(self, entry: Instance, watched: Watched, page: Page) -> Sample | None:
        """Raises NoAnswer."""
        now = self._clock.now()
        if not page.of(self.question.selectors[0]):
            watched.look(page, now, entry.restarts, gap_s=self._gap_s)  # what is not there yet will count from zero
            raise NoAnswer(f"{self.question.selectors[0].text} matches nothing on the page")
        if isinstance(self.question, Within):
            reading, words = self.question.judged(page)
            return self._sample(entry, now - self._every_s, reading, f"{words} on {entry.name}")
        found = watched.look(page, now, entry.restarts, gap_s=self._gap_s)
        if found is None:
            return None
        grown, since = found
        counts = self.question.counts(page, grown)
        words = f"{counts.bad} {self.question.word} of {counts.events} events on {entry.name} in {now - since:.3g} s"
        return self._sample(entry, since, counts, words)

    # -- samples -----------------------------------------------------------------------------------------------------

    def _sample(self, entry: Instance, since: float, reading: Counts, detail: str) -> Sample:
        return Sample(
            signal=self.name,
            start=instant(since),
            end=self._clock.now(),
            reading=reading,
            release=entry.release,
            instance=entry.name,
            detail=detail,
        )

    def _unknown(self, reason: str) -> Sample:
        now = self._clock.now()
        return Sample(signal=self.name, start=now, end=now, reading=Unknown(reason=reason), detail=reason)


@record
class _Objection:
    """Why an instance gives no numbers."""

    instance: str
    words: str


def _noted(sample: Sample, objections: Sequence[_Objection], every: int) -> Sample:
    """The sample, with how many other instances said nothing."""
    return replace(sample, detail=f"{sample.detail} ({_worst(objections, every)})") if objections else sample


def _worst(objections: Sequence[_Objection], every: int) -> str:
    first = objections[0]
    where = f"{first.instance}: {first.words}"
    return where if every == 1 else f"{len(objections)} of {every} instances give no numbers, {where}"
