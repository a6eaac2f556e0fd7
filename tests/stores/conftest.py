"""No event loop stands beside those of the tests."""

import asyncio

asyncio.set_event_loop(None)  # else the plugins make a loop at their first look, which nobody closes
