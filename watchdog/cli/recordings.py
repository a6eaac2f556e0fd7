"""Samples that were recorded, and those that a source remembers: what `watchdog replay` judges.

Role: from a CSV file, or from sources that know their past, to `model.Sample`. Neighbours: `cli.replaying` judges them. Guarantees: a file
that cannot be understood names its lines; a count is never guessed, and the interval of a row is the rhythm of its signal, so a
gap stays a gap. Columns: ``time,signal,good,bad`` and, where old and new run side by side, ``release``.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from watchdog.judgement.replaying import Rollout
from watchdog.model import Counts, Instant, Sample, instant

COLUMNS = ("time", "signal", "good", "bad")
MOST_PROBLEMS = 10


class NoRecording(ValueError):
    """A file that is none; the message has one problem a line."""


def read(path: Path, usual_s: Mapping[str, float]) -> list[Sample]:
    """The samples of a CSV file in the order of their ends; `usual_s` = seconds between two samples where too few tell.

    Raises NoRecording, OSError.
    """
    problems: list[str] = []
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise NoRecording(
                f"{path}:1: the first line has to name the columns {', '.join(COLUMNS)}; it lacks {missing[0]}"
            )
        found = list(_samples(rows, path, problems))
    if problems:
        raise NoRecording("\n".join(problems[:MOST_PROBLEMS]))
    if not found:
        raise NoRecording(f"{path}: there is no row")
    return with_intervals(found, usual_s)


def _samples(rows: csv.DictReader[str], path: Path, problems: list[str]) -> Iterator[Sample]:
    for row in rows:
        try:
            yield _sample(row)
        except ValueError as error:
            problems.append(f"{path}:{rows.line_num}: {error}")
            if len(problems) >= MOST_PROBLEMS:
                return


def _sample(row: Mapping[str, str | None]) -> Sample:
    at = _moment(row["time"] or "")
    good, bad = _count("good", row["good"]), _count("bad", row["bad"])
    name = (row["signal"] or "").strip()
    if not name:
        raise ValueError("`signal` is empty")
    return Sample(
        signal=name,
        start=at,
        end=at,
        reading=Counts(good=good, bad=bad),
        release=(row.get("release") or "").strip() or None,
    )


def _moment(text: str) -> Instant:
    """Seconds since the epoch, or ISO 8601 with an offset. Raises ValueError."""
    text = text.strip()
    try:
        return instant(float(text))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"time {text!r} is neither ISO 8601 nor seconds since the epoch") from None
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no offset from UTC: write {text}Z or {text}+01:00")
    return instant(moment.astimezone(UTC).timestamp())


def _count(name: str, text: str | None) -> int:
    try:
        count = float(text or "")
    except ValueError:
        raise ValueError(f"{name} {text!r} is no number") from None
    if not (count >= 0 and count == int(count)):
        raise ValueError(f"{name} {text!r} is no count of events")
    return int(count)


def with_intervals(samples: Iterable[Sample], usual_s: Mapping[str, float]) -> list[Sample]:
    """Each sample over the rhythm of its signal, in the order of their ends."""
    ordered = sorted(samples, key=lambda sample: sample.end)
    rhythms = {name: rhythm([one for one in ordered if one.signal == name]) for name in {one.signal for one in ordered}}
    return [
        replace(one, start=instant(one.end - (rhythms[one.signal] or usual_s.get(one.signal, 60.0)))) for one in ordered
    ]


def rhythm(samples: Iterable[Sample]) -> float | None:
    """Seconds between two samples of one signal: the middle one of all gaps, None where there is no second."""
    ends = sorted({sample.end for sample in samples})
    return statistics.median(after - before for before, after in pairwise(ends)) if len(ends) > 1 else None


def rollouts_of(samples: Iterable[Sample]) -> list[Rollout]:
    """Each release with the moment of its first sample. The one that was there from the beginning is no rollout."""
    first: dict[str, Instant] = {}
    for sample in samples:
        if sample.release is not None and (sample.release not in first or sample.start < first[sample.release]):
            first[sample.release] = sample.start
    begun = sorted(first.items(), key=lambda pair: pair[1])
    return [Rollout(release=name, began=at) for name, at in begun[1:]]
