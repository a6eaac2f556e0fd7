"""Logging of the daemon: one event a line, on standard error, without secrets.

Role: configures structlog and the standard library's root logger for `watchdog run` and `watchdog demo`. Neighbours:
`redaction`. Guarantees: every line passes the redactor; `action` is the stable key, the sentence may change.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from watchdog.redaction import Redactor

Processor = Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(form: str, level: str, redactor: Redactor, stream: TextIO | None = None) -> None:
    """Set up logging once. `form` is ``json`` or ``console``."""
    out = stream if stream is not None else sys.stderr
    last: Any = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=out.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redacting(redactor),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=out, level=max(LEVELS[level], LEVELS["warning"]), format="%(message)s", force=True)


def redacting(redactor: Redactor) -> Processor:
    """A processor that redacts every text of an event."""

    def process(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = redactor.text(value)[0]
        return event

    return process
