"""Every log line of a test is kept, and one that says "this is a bug" fails it (after Patroni's log scan)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import LogCapture


class Log(LogCapture):
    """What was logged. `bugs_expected` for the tests of supervision itself."""

    bugs_expected = False

    def actions(self, action: str) -> list[dict[str, object]]:
        return [dict(entry) for entry in self.entries if entry.get("action") == action]


@pytest.fixture(autouse=True)
def log() -> Iterator[Log]:
    log = Log()
    before = structlog.get_config()
    structlog.configure(processors=[log])
    yield log
    structlog.configure(**before)
    bugs = [entry for entry in log.entries if "this is a bug" in str(entry["event"])]
    assert log.bugs_expected or not bugs, bugs
