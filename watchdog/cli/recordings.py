"""Samples that were recorded, and those that a source remembers: what `watchdog replay` judges.

Role: from a CSV file, from an incident's bundle, or from sources that know their past, to `model.Sample`. Neighbours: `cli.replaying` judges them. Guarantees: a file
that cannot be understood names its lines; a count is never guessed, and the interval of a row is the rhythm of its signal, so a
gap stays a gap. Columns: ``time,signal,good,bad`` and, where old and new run side by side, ``release``.
"""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from watchdog.judgement.replaying import Rollout
from watchdog.model import Counts, Instant, Sample, from_document, instant

COLUMNS = ("time", "signal", "good", "bad")
MOST_PROBLEMS = 10

ONE_POLL_S = 5.0
"""Answers of several instances within less than this, each once, are answers to one poll."""


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


def read_bundle(path: Path) -> list[Sample]:
    """The samples that an incident's bundle holds: `path` is its folder or its ``samples.jsonl``.

    Answers of several instances to one poll become one sample of their release: which instances were ready then is not
    known any more. Raises NoRecording, OSError.
    """
    path = path / "samples.jsonl" if path.is_dir() else path
    found: list[Sample] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(from_document(Sample, json.loads(line)))
        except ValueError as error:
            raise NoRecording(f"{path}:{number}: {error}") from None
    if not found:
        raise NoRecording(f"{path}: there is no sample")
    return _as_polls(sorted(found, key=lambda sample: sample.end))


def _as_polls(samples: Iterable[Sample]) -> list[Sample]:
    polls: list[Sample] = []
    asked: dict[tuple[str, str | None], tuple[int, set[str]]] = {}
    for sample in samples:
        key, name = (sample.signal, sample.release), sample.instance
        place, names = asked.get(key, (-1, set()))
        before = polls[place] if place >= 0 else None
        together = (
            before is not None and name is not None and name not in names and sample.end - before.start < ONE_POLL_S
        )
        if (
            before is not None
            and together
            and isinstance(sample.reading, Counts)
            and isinstance(before.reading, Counts)
        ):
            counts = Counts(good=before.reading.good + sample.reading.good, bad=before.reading.bad + sample.reading.bad)
            polls[place] = replace(before, end=sample.end, reading=counts)
            names.add(name or "")
            continue
        asked[key] = (len(polls), {name or ""})
        polls.append(replace(sample, instance=None))
    return sorted(polls, key=lambda sample: sample.end)


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
