"""What the evidence rule says to people: never a bare percentage, always what was seen and what is missing.

Role: sentences for verdicts. Neighbours: `rule`. Guarantees: evidence is called a share *of the evidence needed*, so that
nobody reads it as a probability that the release is bad.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchdog.judgement.evidence.baseline import Pair
from watchdog.judgement.wording import count, duration, percent

LEAST_SHOWN = 0.005
"""Below half a percent nothing is said of evidence."""


def said(signal: str, counts: Pair, tolerated: float) -> str:
    """``errors 5.2 % of 480 (tolerated 0.5 %)``."""
    events, bad = counts
    seen = f"{signal} {percent(bad / events)} of {events}" if events else f"{signal} no events"
    return f"{seen} (tolerated {percent(tolerated)})"


def weighed(shown: float, more_s: float | None, held: str) -> str:
    """``62 % of the evidence needed, about 18 s more at this rate``."""
    if shown < LEAST_SHOWN:
        return "nothing counts against the release"
    words = f"{100 * shown:.0f} % of the evidence needed"
    if held:
        return f"{words}, held: {held}"
    return f"{words}, not growing now" if more_s is None else f"{words}, about {duration(more_s)} more at this rate"


def seconds_more(trend: Sequence[tuple[float, float]], need: float) -> float | None:
    """Seconds until `need` at the pace of the (event time, log evidence) in `trend`; None when it does not grow."""
    if len(trend) < 2:  # noqa: PLR2004 - a pace needs two points
        return None
    (first_at, first), (last_at, last) = trend[0], trend[-1]
    if last <= first or last_at <= first_at:
        return None
    return max(0.0, (need - last) * (last_at - first_at) / (last - first))


def readings(number: int) -> str:
    """``3 readings in a row were bad``."""
    return f"{count(number, 'reading')} in a row {'was' if number == 1 else 'were'} bad"
