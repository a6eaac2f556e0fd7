"""What users and probes felt, in numbers, as far as the kept samples tell.

Role: pure; read by `report`. Guarantees: unknown samples count neither as good nor as bad and are shown; numbers come
from the samples between first bad one and end only. Not guaranteed: that a probe's failure was felt by a user - signals
are listed one by one, and nothing is added up over them.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.model import Counts, Incident, Instant, Sample, Unknown, record


@record
class Felt:
    """One signal in the time of the incident. `first` and `last` bound its bad samples, None without any."""

    signal: str
    bad: int
    events: int
    unknown: int
    first: Instant | None = None
    last: Instant | None = None

    @property
    def sentence(self) -> str:
        """One line for people."""
        if not self.events:
            return f"{self.signal}: nothing was measured" + (
                f"; samples unknown: {self.unknown}" if self.unknown else ""
            )
        share = 100 * self.bad / self.events
        line = f"{self.signal}: {self.bad} of {self.events} failed ({share:.1f} %)"
        if self.first is not None and self.last is not None:
            line += f" within {self.last - self.first:.0f} s"
        return line + (f"; samples unknown: {self.unknown}" if self.unknown else "")


def felt(incident: Incident, samples: Sequence[Sample]) -> tuple[Felt, ...]:
    """One line a signal that counts events, the worst first. Empty when no sample of that time was kept."""
    begin = incident.first_bad if incident.first_bad is not None else incident.opened_at
    end = incident.closed_at if incident.closed_at is not None else Instant(float("inf"))
    by_signal: dict[str, list[Sample]] = {}
    for sample in samples:
        if begin <= sample.end and sample.start <= end and isinstance(sample.reading, (Counts, Unknown)):
            by_signal.setdefault(sample.signal, []).append(sample)
    rows = [_felt(signal, kept) for signal, kept in by_signal.items()]
    return tuple(sorted(rows, key=lambda row: (-row.bad, row.signal)))


def _felt(signal: str, samples: Sequence[Sample]) -> Felt:
    counts = [(sample, sample.reading) for sample in samples if isinstance(sample.reading, Counts)]
    bad = [sample for sample, reading in counts if reading.bad]
    return Felt(
        signal=signal,
        bad=sum(reading.bad for _, reading in counts),
        events=sum(reading.events for _, reading in counts),
        unknown=len(samples) - len(counts),
        first=min((sample.start for sample in bad), default=None),
        last=max((sample.end for sample in bad), default=None),
    )
