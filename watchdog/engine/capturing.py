"""Capturing: one evidence capture at a time, begun at suspicion and handed over before the write.

Role: the response's hand on `ports.Recorder.capture`. Neighbours: `engine.response` asks it each cycle. Guarantees: a
capture that hangs beyond its box, fails or grew too old never keeps a response from going on; what is missing is said.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from watchdog.engine.board import Seen
from watchdog.model import Evidence, Incident
from watchdog.ports import Clock, Recorder

SPARE_S = 5.0
"""A capture ends by itself within its box; after so much more it is cut off."""
OLD_S = 600.0
"""Evidence older than this at the decision is captured anew."""

log = structlog.get_logger("watchdog.capturing")


def knows_the_decision(evidence: Evidence) -> bool:
    """Captured with the decision and the release to go back to, not at suspicion when there was neither."""
    return any(file.path.endswith("/decision.json") for file in evidence.files)


@dataclass
class _Running:
    """One capture: of which incident, when begun and until when at most, in monotonic seconds."""

    incident: str
    task: asyncio.Task[Evidence]
    began: float
    until: float


class Capture:
    """The capture of one target."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        """Capture with `recorder`."""
        self._recorder, self._clock = recorder, clock
        self._running: _Running | None = None

    @property
    def active(self) -> bool:
        """One runs, or is done and not yet taken."""
        return self._running is not None

    def begin(self, seen: Seen, incident: Incident) -> None:
        """Start the capture unless one of this incident runs or is done."""
        if self._running is not None and self._running.incident == incident.id:
            return
        if self._running is not None:
            self._running.task.cancel()
        box, now = seen.watch.policy.evidence_s, self._clock.monotonic()
        work = self._recorder.capture(incident, seen.watch.evidence, tuple(seen.samples), box)
        task = asyncio.create_task(work, name=f"capture {incident.id}")
        self._running = _Running(incident.id, task, now, now + box + SPARE_S)
        log.info("capturing evidence", action="capture", incident=incident.id, box_s=box)

    def take(self, seen: Seen, incident: Incident) -> Evidence | None:
        """Finished evidence of this incident, or None while it is captured; begins where nothing was begun."""
        self.begin(seen, incident)
        running, now = self._running, self._clock.monotonic()
        if running is None or (not running.task.done() and now < running.until):
            return None
        self._running = None
        if not running.task.done():
            running.task.cancel()
            return self._nothing(incident, "the capture did not end within its time box")
        if now - running.began > OLD_S:
            self.begin(seen, incident)
            return None
        return self._result(running, incident)

    async def drop(self) -> None:
        """Give up what runs."""
        running, self._running = self._running, None
        if running is not None:
            running.task.cancel()
            done, _ = await asyncio.wait([running.task], timeout=1.0)
            for task in done:
                if not task.cancelled() and task.exception() is not None:
                    log.info(
                        "a capture that nobody needs failed", action="capture_dropped", reason=str(task.exception())
                    )

    def _result(self, running: _Running, incident: Incident) -> Evidence:
        if running.task.cancelled():
            return self._nothing(incident, "cancelled")
        error = running.task.exception()
        return running.task.result() if error is None else self._nothing(incident, f"{type(error).__name__}: {error}")

    def _nothing(self, incident: Incident, why: str) -> Evidence:
        log.error("evidence was not captured", action="capture_failed", incident=incident.id, reason=why)
        now = self._clock.now()
        return Evidence(started=now, finished=now, missing=(f"everything: {why}",))
