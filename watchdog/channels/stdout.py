"""Notices on standard output: the channel that is always there, and the last resort when others fail.

Role: `ports.Channel` on a text stream. Neighbours: the outbox sender calls it and bounds it; the composition root gives
it the stream. Guarantees: one clear line and an indented body, or one JSON object a line; control characters of foreign
text cannot move the cursor or forge a line; a reader that stopped reading costs deliveries, never the event loop.
Not guaranteed: that somebody reads. A write that hangs in the kernel keeps its thread until the reader goes on.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TextIO

from watchdog.model import Incident, Notice, iso
from watchdog.ports import DeliveryFailed


class StdoutChannel:
    """Writes each notice to `stream`, as text for people or, with `json_lines`, as one JSON object a line."""

    def __init__(self, stream: TextIO, *, name: str = "stdout", json_lines: bool = False) -> None:
        """A channel on an open text stream, which stays the caller's."""
        self.name = name
        self._stream = stream
        self._json = json_lines
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"watchdog-{name}")
        self._writing: Future[None] | None = None
        self._closed = False

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Write and flush. Raises DeliveryFailed, at once when an earlier notice is still stuck in the stream."""
        if self._closed:
            raise DeliveryFailed("the channel is closed", permanent=True)
        if self._writing is not None and not self._writing.done():
            raise DeliveryFailed("the reader of the output does not read: an earlier notice is still being written")
        text = as_json(notice, incident) if self._json else as_text(notice, incident)
        self._writing = self._pool.submit(self._write, text)
        try:
            await asyncio.wrap_future(self._writing)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise DeliveryFailed(f"the output cannot be written: {error}") from error

    async def close(self) -> None:
        """Write nothing more; the stream stays open."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def as_text(notice: Notice, incident: Incident | None) -> str:
    """``<when> PAGE <target>: <headline>``, then the body, two spaces in; ends with a newline."""
    about = "" if incident is None else f" {_plain(incident.target)} [{_plain(incident.id)}]"
    lines = [f"{iso(notice.owed_at)} {_plain(notice.severity).upper()}{about}: {_plain(notice.headline)}"]
    lines += [f"  {_plain(line)}" for line in notice.body.splitlines()]
    return "\n".join(lines) + "\n"


def as_json(notice: Notice, incident: Incident | None) -> str:
    """One line of JSON with stable keys; `incident` and `target` are null for a notice outside incidents."""
    body = {
        "at": iso(notice.owed_at),
        "notice": notice.key,
        "kind": notice.kind,
        "severity": notice.severity,
        "headline": notice.headline,
        "body": notice.body,
        "incident": None if incident is None else incident.id,
        "target": None if incident is None else incident.target,
    }
    return json.dumps(body, ensure_ascii=True) + "\n"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
