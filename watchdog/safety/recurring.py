"""Maintenance windows that come again: a cron rule in a time zone, and how long each one lasts.

Role: turns the configuration's recurring windows into the pauses that run or come next; from there they are pauses like any
other. Neighbours: `settings.pauses` reads and refuses them, `engine.pauses` asks on each read. Guarantees: an occurrence has the
same id and the same moments whenever it is asked for; it lasts its length in real time, also across a change of the clocks.
A fixed hour that the clocks skip begins when they have jumped, and one that comes twice begins once, as Debian's cron(8) has
it; a rule with ``*`` for minute or hour follows the clock on the wall. Not guaranteed: what a later release of the time zone
database changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, pairwise, takewhile

from cronsim import CronSim, CronSimError

from watchdog.model import Instant, Pause, instant, record
from watchdog.safety.answers import spell

FIELDS = ("minute", "hour", "day of month", "month", "day of week")

LONGEST_CLOCK_CHANGE = timedelta(hours=3)
"""More than any change of summer time: in the hour that comes twice, a local time alone does not say which one it is."""

LOOKED_AT = 2000
LOOKED_AHEAD_S = 10 * 366 * 86_400.0
"""Occurrences and seconds that `refusal` looks ahead for two that overlap: five years of a daily one."""


@record
class Recurring:
    """A window that comes again. `cron` has five fields; each occurrence lasts `lasts_s` seconds of real time."""

    id: str
    scope: str
    who: str
    why: str
    cron: str
    zone: tzinfo
    lasts_s: float


Window = Pause | Recurring
"""A maintenance window of the configuration: one that comes once, or again and again."""


def occurrences(window: Recurring, now: Instant) -> Iterator[Pause]:
    """The one that runs at `now`, if any, and all that follow. Raises CronSimError for a rule that is none."""
    lasts = timedelta(seconds=window.lasts_s)
    begin = datetime.fromtimestamp(now, UTC) - lasts - LONGEST_CLOCK_CHANGE
    last: Instant | None = None
    for at in CronSim(window.cron, begin.astimezone(window.zone)):
        since = instant(at.timestamp())
        until = instant(since + window.lasts_s)
        if until <= now or since == last:  # two skipped moments of one night both begin when the clocks have jumped
            continue
        last = since
        name = f"{window.id}-{datetime.fromtimestamp(since, UTC):%Y%m%d%H%M}"
        yield Pause(id=name, scope=window.scope, who=window.who, why=window.why, since=since, until=until)


def known(windows: Iterable[Window], now: Instant) -> tuple[Pause, ...]:
    """The pauses of the configuration: each that comes once, and of each that comes again the one that runs and the next."""
    found = ((window,) if isinstance(window, Pause) else _next(window, now) for window in windows)
    return tuple(pause for some in found for pause in some)


def _next(window: Recurring, now: Instant) -> tuple[Pause, ...]:
    upcoming = occurrences(window, now)
    first = next(upcoming, None)
    if first is None or first.since > now:
        return () if first is None else (first,)
    return (first, *islice(upcoming, 1))


def refusal(window: Recurring, now: Instant) -> str:
    """Why the rule cannot be a window: no cron rule, it never comes, or it never ends. Empty when it can."""
    if len(window.cron.split()) != len(FIELDS):
        return f"{window.cron!r} is no cron rule: five fields ({', '.join(FIELDS)})"
    try:
        upcoming = tuple(
            islice(takewhile(lambda pause: pause.since < now + LOOKED_AHEAD_S, occurrences(window, now)), LOOKED_AT)
        )
    except CronSimError as error:
        return f"{window.cron!r} is no cron rule: {error}"
    if not upcoming:
        return f"{window.cron!r} never comes"
    for before, after in pairwise(upcoming):
        if after.since <= before.until:
            begun = datetime.fromtimestamp(after.since, window.zone)
            return (
                f"it would not end: on {begun:%Y-%m-%d} the next one begins {spell(after.since - before.since)} after the one "
                f"before, which lasts {spell(window.lasts_s)}"
            )
    return ""
