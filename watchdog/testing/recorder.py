"""A recorder that keeps evidence and reports in memory, and is slow or broken when told to.

Role: the `ports.Recorder` of tests. Guarantees: `captured` and `reported` hold every call in order; a capture never takes
longer than its box.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from watchdog.model import Evidence, EvidenceFile, Incident, Sample
from watchdog.ports import Clock, EvidenceSource


class FakeRecorder:
    """A recorder by hand. `takes_s` is how long a capture takes; `broken` makes it raise, which the engine must survive."""

    def __init__(self, clock: Clock) -> None:
        """Keep time by `clock`."""
        self._clock = clock
        self.takes_s = 0.0
        self.broken = False
        self.captured: list[Incident] = []
        self.reported: list[Incident] = []
        self.tidied: list[frozenset[str]] = []

    async def capture(
        self, incident: Incident, sources: Sequence[EvidenceSource], samples: Sequence[Sample], box_s: float
    ) -> Evidence:
        """Pretended files, as the real one names them; what the box cuts off is named missing."""
        del sources
        started = self._clock.now()
        self.captured.append(incident)
        if self.broken:
            raise OSError("the disk is gone")
        await asyncio.sleep(min(self.takes_s, box_s))
        taken = self._clock.now()
        cut = ("the rest: the time box ended",) if self.takes_s > box_s else ()
        names = ["samples.jsonl", *(["decision.json"] if incident.decision is not None else [])]
        files = tuple(
            EvidenceFile(path=f"{incident.id}/{name}", size=len(samples), sha256="0" * 64, taken_at=taken)
            for name in names
        )
        return Evidence(started=started, finished=taken, files=files, missing=cut)

    async def report(self, incident: Incident, samples: Sequence[Sample]) -> None:
        """Remember that a report was written."""
        del samples
        self.reported.append(incident)

    async def tidy(self, open_incidents: Collection[str]) -> None:
        """Remember which incidents had to stay."""
        self.tidied.append(frozenset(open_incidents))
