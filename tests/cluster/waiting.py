"""Bounded waits: what was waited for, how long, and what was seen last, if it does not come."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(
    look: Callable[[], Found],
    what: str,
    *,
    within: float,
    every: float = 0.2,
    explain: Callable[[], str] | None = None,
) -> Found:
    """Look until what is seen is true, and return it; AssertionError when `within` seconds have passed.

    `explain` is asked only for the message of the failure. An exception of `look` is not caught: a look that
    may meet a server that is away says so by returning something false.
    """
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= deadline:
            because = f"\n{explain()}" if explain else ""
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {seen!r}{because}")
        time.sleep(every)
