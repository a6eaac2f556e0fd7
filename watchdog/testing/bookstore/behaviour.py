"""What a release does, read from the suffixes of its name.

========== ==========================================================================
``-errN``  N % of the answers under /api/ are 500; /health stays 200
``-crash`` the process exits `CRASH_AFTER_S` after its start
``-blipN`` everything under /api/ fails for N s, `BLIP_AFTER_S` after the start, once
``-slow``  everything under /api/ takes `SLOW_S` longer
``-unready`` /health is 503: the instance never gets traffic
========== ==========================================================================

A name without suffix is a good release. Suffixes can be combined: ``2.0-slow-err5``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CRASH_AFTER_S = 2.0
BLIP_AFTER_S = 3.0
SLOW_S = 0.6
_PERCENT = 100.0
_NAME = re.compile(r"\w[\w.]{0,40}")
_SUFFIX = re.compile(r"(err|blip)(\d{1,3})|crash|slow|unready")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the API of one release does wrong. All zero: nothing."""

    error_share: float = 0.0
    crash_after_s: float = 0.0
    blip_s: float = 0.0
    slow_s: float = 0.0
    unready: bool = False


def behaviour_of(release: str) -> Behaviour:
    """Read the name. Raises ValueError for a suffix that means nothing, so that a typing error is no good release."""
    name, *suffixes = release.split("-")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{release!r} is no name of a release")
    told: dict[str, float] = {}
    for suffix in suffixes:
        match = _SUFFIX.fullmatch(suffix)
        if match is None:
            raise ValueError(f"{release!r}: the suffix {suffix!r} means nothing (errN, crash, blipN, slow, unready)")
        told[match[1] or suffix] = float(match[2] or 1)
    if told.get("err", 0.0) > _PERCENT:
        raise ValueError(f"{release!r}: more than 100 % cannot fail")
    return Behaviour(
        error_share=told.get("err", 0.0) / _PERCENT,
        crash_after_s=CRASH_AFTER_S if "crash" in told else 0.0,
        blip_s=told.get("blip", 0.0),
        slow_s=SLOW_S if "slow" in told else 0.0,
        unready="unready" in told,
    )
