"""Plain streams for tests: a healthy hour, and polls that fail where a trace says so."""

from __future__ import annotations

import random
from typing import Any

from watchdog.testing.judging import Engine, engine

POLL = 5.0


def quiet_hour(rps: float = 10.0, poll_s: float = POLL) -> dict[str, list[tuple[int, int]]]:
    """An hour without a failure."""
    count, each = round(3600 / poll_s), round(rps * poll_s)
    return {"probe": [(1, 0)] * count, "err": [(each, 0)] * count, "slow": [(each, 0)] * count}


def poll(requests: int, share: float = 0.0, *, probe: float | None = None) -> dict[str, Any]:
    """One poll in which this share of everything is bad."""
    bad = round(requests * share)
    down = share > 0.5 if probe is None else bool(probe)
    return {"probe": (1, int(down)), "err": (requests, bad), "slow": (requests, bad)}


def new_engine(rps: float = 10.0, poll_s: float = POLL) -> Engine:
    """The judgement after a quiet hour."""
    return engine(quiet_hour(rps, poll_s), poll_s)


def fires_at(judge: Any, polls: list[dict[str, Any]]) -> int | None:
    """Number of polls until it rolls back, None when it does not."""
    for number, bins in enumerate(polls, start=1):
        if judge.update(bins) == "rollback":
            return number
    return None


def drawn(rng: random.Random, events: int, share: float) -> tuple[int, int]:
    """Events of which each fails independently."""
    return events, sum(rng.random() < share for _ in range(events))
