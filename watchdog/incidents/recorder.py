"""Captures the evidence and writes the report of an incident.

Role: the real `ports.Recorder`, put together by the composition root from files, redaction and a way to print.
Neighbours: the response calls it. Guarantees: losing the place for files loses no report - it is printed instead, and the
response goes on; everything is bounded in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

import structlog

from watchdog.incidents.capture import Caps, bundle, capture
from watchdog.incidents.manifest import NAME as MANIFEST
from watchdog.incidents.manifest import manifest_of
from watchdog.incidents.paths import folder
from watchdog.incidents.people import carried_over, encoded, files_of
from watchdog.incidents.report import report_json
from watchdog.model import Evidence, EvidenceFile, Incident, JsonObject, Sample, instant, record
from watchdog.ports import Clock, EvidenceSource, Files, Unavailable
from watchdog.redaction import Redactor

log = structlog.get_logger("watchdog.incidents")

KEEP_S = 90 * 86_400.0
"""Bundles of closed incidents stay for so long, room permitting."""
READ_S = 2.0
WRITE_S = 8.0
"""Longest time for the files of one report."""


@record
class WrittenReport:
    """What became of a report. `text` is the whole Markdown when it could not be written, with `why`; else empty."""

    files: tuple[EvidenceFile, ...] = ()
    text: str = ""
    why: str = ""


class IncidentRecorder:
    """A `ports.Recorder` on `files`; `say` prints a report that could not be written."""

    def __init__(
        self,
        files: Files,
        redactor: Redactor,
        clock: Clock,
        say: Callable[[str], None],
        *,
        caps: Caps | None = None,
        version: str = "",
        keep_s: float = KEEP_S,
    ) -> None:
        """Everything is given; nothing is touched before the first call. `version` is the watchdog's own."""
        self._files = files
        self._redactor = redactor
        self._clock = clock
        self._say = say
        self._caps = caps
        self._version = version
        self._keep_s = keep_s

    async def capture(
        self, incident: Incident, sources: Sequence[EvidenceSource], samples: Sequence[Sample], box_s: float
    ) -> Evidence:
        """Everything that can be had within `box_s` seconds. Never raises for a source or a disk."""
        return await capture(
            sources,
            incident,
            files=self._files,
            redactor=self._redactor,
            clock=self._clock,
            box_s=box_s,
            samples=samples,
            caps=self._caps,
        )

    async def report(self, incident: Incident, samples: Sequence[Sample]) -> None:
        """Write report.json, report.md, report.html and the manifest, or print the report."""
        written = await write_report(
            incident,
            files=self._files,
            clock=self._clock,
            redactor=self._redactor,
            samples=samples,
            version=self._version,
        )
        if written.text:
            self._say(f"The report could not be written ({written.why}). Here it is:\n\n{written.text}")

    async def tidy(self, open_incidents: Collection[str]) -> None:
        """Let bundles go that are older than `keep_s`, and the oldest when room is short; never an open incident's."""
        keep = {folder(incident) for incident in open_incidents}
        try:
            removed = await self._files.make_room(keep, instant(self._clock.now() - self._keep_s))
        except Unavailable as error:
            log.warning("old bundles cannot be removed", action="bundles_kept", reason=str(error))
            return
        if removed:
            log.info("old bundles removed", action="bundles_removed", incidents=list(removed))

    def location(self, incident: Incident) -> str:
        """Where a person finds the report."""
        return self._files.location(report_path(incident))


def report_path(incident: Incident) -> str:
    """Relative path of the report for people."""
    return f"{bundle(incident)}/report.html"


async def write_report(
    incident: Incident,
    *,
    files: Files,
    clock: Clock,
    redactor: Redactor,
    samples: Sequence[Sample] = (),
    version: str = "",
) -> WrittenReport:
    """Write all files within `WRITE_S`. Never raises for the disk: the text comes back for the caller to print."""
    report = report_json(incident, redactor=redactor, written_at=clock.now(), samples=samples, version=version)
    report = await _with_what_people_wrote(report, incident, files)
    contents = files_of(report)
    text = contents["report.md"].decode()
    done: list[EvidenceFile] = []
    try:
        async with asyncio.timeout(WRITE_S):
            for name, content in contents.items():
                done.append(await files.write(f"{bundle(incident)}/{name}", content))
            evidence = incident.evidence.files if incident.evidence else ()
            listed = manifest_of(bundle(incident), (*evidence, *done), clock.now())
            done.append(await files.write(f"{bundle(incident)}/{MANIFEST}", encoded(listed)))
    except TimeoutError:
        return WrittenReport(files=tuple(done), text=text, why=f"no answer within {WRITE_S:g} s")
    except Unavailable as error:
        return WrittenReport(files=tuple(done), text=text, why=redactor.text(str(error))[0])
    return WrittenReport(files=tuple(done))


async def _with_what_people_wrote(report: JsonObject, incident: Incident, files: Files) -> JsonObject:
    """Nobody's words are lost when a report is written again."""
    try:
        async with asyncio.timeout(READ_S):
            return carried_over(report, await files.read(f"{bundle(incident)}/report.json"))
    except (TimeoutError, Unavailable):
        return report
