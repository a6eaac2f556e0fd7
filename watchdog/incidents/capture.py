"""Evidence, captured before the write and within a time box.

Role: `Capture` is the sink that sources hand their parts to (`ports.EvidenceSink`); `capture` runs the sources against the
box. Neighbours: platforms give the sources, `redaction` cleans, `ports.Files` keeps; the response runs it from suspicion on.
Guarantees: nothing reaches the files unredacted; what is there when the box ends is kept and the rest is named missing;
no source and no disk can make a capture fail or last longer; doing it again overwrites the same files with newer ones
and keeps what the newer run could not get. Every cut and every loss is said in words.
Not guaranteed: completeness - evidence helps the people afterwards and never delays the rescue.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from watchdog.incidents.paths import folder, tidy
from watchdog.incidents.template_diff import as_document, template_diff
from watchdog.model import Evidence, EvidenceFile, Incident, Instant, JsonObject, Sample, record, to_document
from watchdog.ports import Clock, EvidenceSource, Files, Unavailable
from watchdog.redaction import Redactor

Content = bytes | str | JsonObject | Sequence[JsonObject]

MARGIN = 32 * 1024
"""Characters in front of a cut that are looked at and then thrown away: a secret whose beginning was cut off lies there.
More than the longest private key."""
GRACE_S = 0.5
"""How long cancelled sources may take to end."""


@record
class Caps:
    """Limits of one capture, in bytes after redaction."""

    stream: int = 256 * 1024
    incident: int = 8 * 1024 * 1024
    files: int = 400
    missing: int = 200


def bundle(incident: Incident) -> str:
    """The folder of an incident's files. A re-opened incident begins a new one inside, the first evidence stays."""
    name = folder(incident.id)
    return f"{name}/reopened-{incident.reopened}" if incident.reopened else name


class Capture:
    """A `ports.EvidenceSink`: redacts, caps, writes, and remembers what it wrote and what could not be had."""

    def __init__(self, root: str, files: Files, redactor: Redactor, clock: Clock, caps: Caps | None = None) -> None:
        """Keep parts under the folder `root` of `files`."""
        self._root = root
        self._files = files
        self._redactor = redactor
        self._clock = clock
        self._caps = caps if caps is not None else Caps()
        self._kept: dict[str, EvidenceFile] = {}
        self._sizes: dict[str, int] = {}
        self._missing: dict[str, None] = {}
        self._closed = False

    async def file(self, path: str, content: Content, note: str = "") -> None:
        """Keep one part under a relative path. Raises nothing: what cannot be kept is named missing."""
        if self._closed:
            return
        try:
            name = tidy(path)
        except ValueError as error:
            self.missing(path, str(error))
            return
        name, encoded, notes = await self._prepared(name, content)
        if not self._reserve(name, len(encoded)):
            return
        notes = [self._clean(note), *notes]
        await self._write(name, encoded, "; ".join(text for text in notes if text))

    def missing(self, what: str, why: str) -> None:
        """Name what could not be had. The same thing is named once."""
        line = f"{self._clean(what)}: {self._clean(why)}"
        if len(self._missing) < self._caps.missing and not self._closed:
            self._missing[line] = None

    def close(self) -> None:
        """Take nothing any more: a source that does not stop can change nothing."""
        self._closed = True

    def evidence(self, started: Instant, before: Evidence | None = None) -> Evidence:
        """What there is now, on top of what an earlier capture of the incident got."""
        files = {entry.path: entry for entry in before.files} if before is not None else {}
        files |= {entry.path: entry for entry in self._kept.values()}
        return Evidence(
            started=before.started if before is not None else started,
            finished=self._clock.now(),
            files=tuple(files.values()),
            missing=tuple(self._missing),
        )

    # -- one part --------------------------------------------------------------------------------------------------

    async def _prepared(self, name: str, content: Content) -> tuple[str, bytes, list[str]]:
        counts: Counter[str] = Counter()
        if isinstance(content, (bytes, str)):
            encoded, notes = await self._stream(content, counts)
        elif isinstance(content, Mapping):
            name, encoded, notes = self._object(name, content, counts)
        else:
            encoded, notes = await self._rows(name, content, counts)
        if counts:
            taken = ", ".join(f"{rule} {number}" for rule, number in sorted(counts.items()))
            notes.append(f"redacted: {taken}")
        return name, encoded, notes

    async def _stream(self, content: bytes | str, counts: Counter[str]) -> tuple[bytes, list[str]]:
        """The end of a log: the newest lines are the telling ones."""
        cap, whole = self._caps.stream, len(content)
        window = content[-(cap + MARGIN) :]
        text = window if isinstance(window, str) else window.decode(errors="replace")
        pieces = []
        for piece in self._redactor.pieces(text, counts):
            pieces.append(piece)
            await asyncio.sleep(0)  # polls go on while a long log is read
        clean = "".join(pieces)
        if whole > cap + MARGIN:
            clean = clean[MARGIN:]
        encoded = clean.encode(errors="replace")
        if whole <= cap + MARGIN and len(encoded) <= cap:
            return encoded, []
        line = encoded[-cap:].find(b"\n") + 1
        start = line if line < MARGIN else 0  # begin with a whole line, unless lines are very long
        kept = encoded[-cap:][start:].decode(errors="ignore").encode()
        unit = "characters" if isinstance(content, str) else "bytes"
        return kept, [f"cut: the last {len(kept)} of {whole} {unit}"]

    def _object(self, name: str, content: JsonObject, counts: Counter[str]) -> tuple[str, bytes, list[str]]:
        encoded = _pretty(self._redactor.json(content, counts))
        if len(encoded) <= self._caps.stream:
            return name, encoded, []
        kept = encoded[: self._caps.stream].decode(errors="ignore").encode()
        return f"{name}.cut", kept, [f"cut: the first {len(kept)} of {len(encoded)} bytes, no longer a whole object"]

    async def _rows(self, name: str, rows: Sequence[JsonObject], counts: Counter[str]) -> tuple[bytes, list[str]]:
        """Lines of JSON keep their end (they are in order of time), lists their beginning (the telling ones first)."""
        lines = name.endswith(".jsonl")
        kept: list[str] = []
        size = len("[\n]\n")
        for place in reversed(range(len(rows))) if lines else range(len(rows)):
            text = json.dumps(self._redactor.json(rows[place], counts), ensure_ascii=False, default=str)
            size += len(text.encode(errors="replace")) + len(",\n")
            if size > self._caps.stream:
                break
            kept.append(text)
            await asyncio.sleep(0)
        text = "".join(f"{line}\n" for line in reversed(kept)) if lines else "[\n" + ",\n".join(kept) + "\n]\n"
        which = "last" if lines else "first"
        notes = [f"cut: the {which} {len(kept)} of {len(rows)} entries"] if len(kept) < len(rows) else []
        return text.encode(errors="replace"), notes

    def _reserve(self, name: str, size: int) -> bool:
        spent = sum(self._sizes.values()) - self._sizes.get(name, 0)
        if spent + size > self._caps.incident:
            self.missing(name, f"the incident's {self._caps.incident} bytes are used up")
            return False
        if name not in self._sizes and len(self._sizes) >= self._caps.files:
            self.missing(name, f"the incident has {self._caps.files} files already")
            return False
        self._sizes[name] = size
        return True

    async def _write(self, name: str, encoded: bytes, note: str) -> None:
        try:
            written = await self._files.write(f"{self._root}/{name}", encoded)
        except (Unavailable, ValueError) as error:
            self._sizes.pop(name, None)
            self.missing(name, f"it could not be written: {error}")
            return
        if not self._closed:
            self._kept[name] = replace(written, note=note)

    def _clean(self, text: str) -> str:
        clean, _ = self._redactor.text(text[:2000])
        return " ".join(clean.split())[:500]


async def capture(
    sources: Sequence[EvidenceSource],
    incident: Incident,
    *,
    files: Files,
    redactor: Redactor,
    clock: Clock,
    box_s: float,
    samples: Sequence[Sample] = (),
    caps: Caps | None = None,
) -> Evidence:
    """Capture from all sources at once, at most `box_s` seconds. Never raises for a source or a disk."""
    started = clock.now()
    sink = Capture(bundle(incident), files, redactor, clock, caps)
    tasks = {
        asyncio.create_task(
            _own(sink, incident, samples, redactor), name="evidence own"
        ): "samples, decision and journal"
    }
    for source in sources:
        task = asyncio.create_task(source.gather(sink, incident), name=f"evidence {type(source).__name__}")
        tasks[task] = f"the rest of what {type(source).__name__} gathers"
    try:
        done, late = await asyncio.wait(tasks, timeout=max(0.0, box_s))
        for task in done:
            if task.cancelled() or task.exception() is not None:
                sink.missing(tasks[task], _reason(task))
        for task in late:
            sink.missing(tasks[task], f"the time box of {box_s:g} s ended")
    finally:
        sink.close()
        await _end(tasks)
    return sink.evidence(started, incident.evidence)


async def _own(sink: Capture, incident: Incident, samples: Sequence[Sample], redactor: Redactor) -> None:
    """What the watchdog itself knows: nobody has to be asked, so it is safe first."""
    await sink.file("samples.jsonl", [to_document(sample) for sample in samples], "what the signals said")
    if incident.decision is not None:
        await sink.file("decision.json", to_document(incident.decision), "every check of the gate")
    await sink.file("journal.jsonl", [to_document(entry) for entry in incident.entries], "the incident so far")
    good = incident.good
    if good is None:
        sink.missing("template_diff.json", "no last known good release is chosen yet")
    elif incident.blamed.template is None or good.template is None:
        sink.missing("template_diff.json", "the platform keeps no template of both releases")
    else:
        differences = template_diff(incident.blamed.template, good.template, redactor)
        await sink.file("template_diff.json", as_document(incident.blamed, good, differences), "bad against good")


async def _end(tasks: Mapping[asyncio.Task[None], str]) -> None:
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=GRACE_S)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # looked at, so that the loop does not complain about it later


def _reason(task: asyncio.Task[None]) -> str:
    error = None if task.cancelled() else task.exception()
    return "cancelled" if error is None else f"{type(error).__name__}: {error}"


def _pretty(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n").encode(errors="replace")
