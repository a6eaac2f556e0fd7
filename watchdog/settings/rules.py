"""Section `rule` of a signal: when its samples count as failing.

Three shapes, told apart by their keys: ``{above, for, min_events, recover_below}``, ``{consecutive, recover}`` and
``{failed, of}``. Absent: counts are weighed with the target's other signals as evidence; a signal that gives states is counted, 6
of the last 12, and never before the tolerated interruption is over. A rule that is written down stands for itself.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from watchdog.settings.section import Section
from watchdog.settings.values import Duration, Rate, Whole

DEFAULT_FAILED, DEFAULT_OF = 6, 12
SHAPES = "{above: 5%, for: 60s}, {consecutive: 3} or {failed: 6, of: 12}"


class AboveRule(Section):
    """Failing when the share of bad events has been above a limit for a while."""

    above: Annotated[float, Rate()] = Field(description="Share of bad events above which the signal is failing.")
    window: Annotated[float, Duration(least=1, most=86_400)] = Field(
        alias="for", description="Seconds for which the share must have been above; at least two polls."
    )
    min_events: Annotated[int | None, Whole(least=1)] = Field(
        default=None,
        description="Events that a share needs before it says anything; found within `for`. None = 20, or as many polls as "
        "fit into `for` when that is fewer: below 20 a single bad event is more than 5 %.",
    )
    recover_below: Annotated[float | None, Rate()] = Field(
        default=None,
        description="Share below which the signal is healthy again. None = half of `above`, so that a share that hovers "
        "at the limit does not flap.",
    )


class ConsecutiveRule(Section):
    """Failing after so many bad samples in a row."""

    consecutive: Annotated[int, Whole(least=1, most=1000)] = Field(description="Bad samples in a row that fire.")
    recover: Annotated[int | None, Whole(least=1, most=1000)] = Field(
        default=None,
        description="Good samples in a row that end it. None = twice `consecutive`: the up phase of a crash loop must not "
        "look like recovery.",
    )


class ShareRule(Section):
    """Failing when `failed` of the last `of` samples were bad."""

    failed: Annotated[int, Whole(least=1, most=1000)] = Field(description="Bad samples among the last `of` that fire.")
    of: Annotated[int, Whole(least=1, most=1000)] = Field(description="How many of the last samples are looked at.")


NO_RULE = "no_rule"
"""Type of the error for what has none of the shapes."""
ABOVE, CONSECUTIVE, SHARE = "<above>", "<consecutive>", "<failed>"


def _shape(value: Any) -> str | None:
    for tag, kind, keys in (
        (ABOVE, AboveRule, ("above",)),
        (CONSECUTIVE, ConsecutiveRule, ("consecutive",)),
        (SHARE, ShareRule, ("failed", "of")),
    ):
        if isinstance(value, kind) or (isinstance(value, dict) and any(key in value for key in keys)):
            return tag
    return None


Rule = Annotated[
    Annotated[AboveRule, Tag(ABOVE)] | Annotated[ConsecutiveRule, Tag(CONSECUTIVE)] | Annotated[ShareRule, Tag(SHARE)],
    Discriminator(_shape, custom_error_type=NO_RULE, custom_error_message="is no rule"),
]
"""Type of `rule`."""
