"""Section `pauses`: maintenance windows that are known beforehand."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from watchdog.model import Instant
from watchdog.settings.section import Later, Section, later
from watchdog.settings.values import DAY, Duration, Moment, Text, refused


class PauseSection(Section):
    """One window. Exactly one of `until` and `for`."""

    scope: Text = Field(description="all, group/NAME or target/NAME.")
    starts: Annotated[Instant | None, Moment()] = Field(
        default=None, alias="from", description="When it begins, with UTC offset. None = as soon as it is read."
    )
    until: Annotated[Instant | None, Moment()] = Field(
        default=None, description="When it ends, with UTC offset. None = `for` says."
    )
    lasts: Annotated[float | None, Duration(least=60, most=30 * DAY)] = Field(
        default=None,
        alias="for",
        description="Seconds from `from` to its end. None = `until` says. Needs `from`: else each reload would prolong it.",
    )
    why: Text = Field(description="Reason; shown wherever the pause is.")
    who: Text = Field(default="configuration", description="Who asked for it. Default: configuration.")
    cron: Later = later("recurring windows")
    zone: Later = later("recurring windows")

    @property
    def ends(self) -> Instant:
        """The moment it ends."""
        if self.until is not None:
            return self.until
        return Instant((self.starts or 0.0) + (self.lasts or 0.0))

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if (self.until is None) == (self.lasts is None):
            raise refused("needs exactly one of `until` and `for`: a pause always ends by itself")
        if self.lasts is not None and self.starts is None:
            raise refused("`for` needs `from`", "without it each reload would prolong the pause; or write until:")
        if self.until is not None and self.starts is not None and self.until <= self.starts:
            raise refused("ends before it begins: `until` is not after `from`")
        return self
