"""One loop a test, none beside it."""

from __future__ import annotations

import asyncio

asyncio.set_event_loop(None)  # else pytest-asyncio makes a loop at its first look, which nobody closes
