"""What holds for every test: strictness that pytest does not bring by itself."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog

for _module in ("tests.platforms.contract", "tests.signals.contract"):
    pytest.register_assert_rewrite(_module)

# looptime asks the policy for a loop before a test without one; unset, the policy would make one that nobody closes.
asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on what the machine has set for us, except the flags of the tests themselves."""
    for name in list(os.environ):
        if name.startswith("WATCHDOG_") and not name.startswith("WATCHDOG_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    """Log lines of the code under test do not belong into the report; tests that look at them configure their own."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(autouse=True)
async def _no_leaked_tasks(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """A task that a test leaves behind fails the test."""
    if "asyncio" not in request.keywords:
        yield
        return
    before = asyncio.all_tasks()
    yield
    gc.collect()
    leaked = _left(before)
    for _ in range(50):  # what is ending already may end
        if not leaked:
            break
        await asyncio.sleep(0.02)
        leaked = _left(before)
    names = [task.get_name() for task in leaked]
    for task in leaked:
        task.cancel()
    await asyncio.gather(*leaked, return_exceptions=True)
    assert names == [], "tasks left running"


def _left(before: set[asyncio.Task[object]]) -> list[asyncio.Task[object]]:
    current = asyncio.current_task()
    return [task for task in asyncio.all_tasks() - before if task is not current and not task.done()]
