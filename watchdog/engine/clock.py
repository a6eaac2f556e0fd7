"""The real clock.

Role: the one place that reads the machine's time. Neighbours: `watchdog.testing.clock` is its public fake.
Guarantees: `monotonic` is the running loop's time, so that virtual time of tests and real time are the same code.
"""

from __future__ import annotations

import asyncio
import time

from watchdog.model import Instant, instant


class SystemClock:
    """A `ports.Clock` over the machine's clocks."""

    def now(self) -> Instant:
        """UTC now."""
        return instant(time.time())  # noqa: TID251 - this is the injected clock

    def monotonic(self) -> float:
        """The running loop's monotonic seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait; 0 or less yields once."""
        await asyncio.sleep(max(0.0, seconds))
