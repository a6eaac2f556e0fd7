"""Section `pauses`: maintenance windows that are known beforehand."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from watchdog.model import Instant
from watchdog.safety.recurring import Recurring, refusal
from watchdog.settings.section import Section
from watchdog.settings.values import DAY, Duration, Moment, Text, refused

LONGEST_AGAIN_S = 7 * DAY

LOOKED_AT_FROM = Instant(1_767_225_600.0)
"""2026-01-01: a rule is refused or not whatever the day it is read on."""


class PauseSection(Section):
    """One window. It comes once (`from` and `until` or `for`), or again and again (`cron`, `zone` and `for`)."""

    scope: Text = Field(description="all, group/NAME, target/NAME, selector/KEY=VALUE or platform/KIND.")
    starts: Annotated[Instant | None, Moment()] = Field(
        default=None, alias="from", description="When it begins, with UTC offset. None = as soon as it is read."
    )
    until: Annotated[Instant | None, Moment()] = Field(
        default=None, description="When it ends, with UTC offset. None = `for` says."
    )
    lasts: Annotated[float | None, Duration(least=60, most=30 * DAY)] = Field(
        default=None,
        alias="for",
        description="Seconds it lasts, at most 30 d, or 7 d with `cron`. None = `until` says. Needs `from` or `cron`: else each "
        "reload would prolong it.",
    )
    why: Text = Field(description="Reason; shown wherever the pause is.")
    who: Text = Field(default="configuration", description="Who asked for it. Default: configuration.")
    cron: Text | None = Field(
        default=None,
        description="When each one begins: minute, hour, day of month, month, day of week, as in crontab(5), in `zone`. "
        "None = the window comes once.",
    )
    zone: Text | None = Field(
        default=None, description="IANA time zone of `cron`, like Europe/Berlin or UTC. None = there is no `cron`."
    )

    @property
    def ends(self) -> Instant:
        """The moment it ends."""
        if self.until is not None:
            return self.until
        return Instant((self.starts or 0.0) + (self.lasts or 0.0))

    def recurring(self, window_id: str) -> Recurring:
        """The window that comes again. Raises ValueError for a zone that is none."""
        return Recurring(
            id=window_id,
            scope=self.scope,
            who=self.who,
            why=self.why,
            cron=self.cron or "",
            zone=_zone(self.zone or ""),
            lasts_s=self.lasts or 0.0,
        )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.cron is not None:
            return self._again(self.cron)
        if self.zone is not None:
            raise refused("`zone` needs `cron`", "moments carry their offset: from: 2026-03-01T02:00:00+01:00")
        if (self.until is None) == (self.lasts is None):
            raise refused("needs exactly one of `until` and `for`: a pause always ends by itself")
        if self.lasts is not None and self.starts is None:
            raise refused("`for` needs `from`", "without it each reload would prolong the pause; or write until:")
        if self.until is not None and self.starts is not None and self.until <= self.starts:
            raise refused("ends before it begins: `until` is not after `from`")
        return self

    def _again(self, cron: str) -> Self:
        example = 'cron: "0 2 * * SUN", zone: Europe/Berlin, for: 2h'
        if self.starts is not None or self.until is not None:
            raise refused("`cron` goes with neither `from` nor `until`", f"it comes again and again: {example}")
        if self.lasts is None or self.zone is None:
            missing = "`for`" if self.lasts is None else "`zone`"
            raise refused(f"`cron` needs {missing}", example)
        if self.lasts > LONGEST_AGAIN_S:
            raise refused("a window with `cron` lasts at most 7 d")
        try:
            window = self.recurring("")
        except ValueError:
            raise refused(
                f"there is no time zone {self.zone!r}", "IANA names: Europe/Berlin, America/New_York, UTC"
            ) from None
        why_not = refusal(window, LOOKED_AT_FROM)
        if why_not:
            raise refused(f"cron {cron!r}: {why_not}" if cron not in why_not else why_not, example)
        return self


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC  # needs no database
    try:
        return ZoneInfo(name)
    except (OSError, LookupError) as error:  # a folder of the database, and no such name
        raise ValueError(str(error)) from error
