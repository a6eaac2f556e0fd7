"""Section `defaults`, and the same knobs on a target, where None means "as in `defaults`".

The two classes hold the same names; a test holds them together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from watchdog.settings.section import Section
from watchdog.settings.units import Allowance
from watchdog.settings.values import DAY, Duration, Factor, Per, Rate, Whole

Bake = Duration(least=1, most=7 * DAY)
Tolerance = Duration(least=0.1, most=3600)
Pause = Duration(most=3600)
Wait = Duration(least=1, most=DAY)


class AskThen(StrEnum):
    """What an unanswered question leads to. Nothing but holding: silence is no approval."""

    HOLD = "hold"


class OutsideBake(StrEnum):
    """What a breach outside bake time leads to."""

    NOTE = "note"
    PAGE = "page"


class AskSection(Section):
    """How long a person may take."""

    timeout: Annotated[float, Wait] = Field(
        default=600.0, description="Seconds until the next contact is called. Default 10 min."
    )
    then: AskThen = Field(default=AskThen.HOLD, description="What happens then. Default and only value: hold.")


class BudgetSection(Section):
    """At most so many rollbacks; one per bad release and one in flight per group always."""

    per_target: Annotated[Allowance, Per()] = Field(
        default=Allowance(count=2, window_s=DAY),
        description="Of one target. Default 2 per 24 h: a third one means that rolling back is not the cure.",
    )
    fleet: Annotated[Allowance, Per()] = Field(
        default=Allowance(count=3, window_s=600.0),
        description="Over all targets. Default 3 per 10 min: many at once is a common cause, not many bad releases.",
    )


class TargetBudgetSection(Section):
    """The part of the budget that is a target's own."""

    per_target: Annotated[Allowance | None, Per()] = Field(default=None, description="None = as in `defaults`.")


class DefaultsSection(Section):
    """What holds for every target that does not say otherwise."""

    bake_time: Annotated[float, Bake] = Field(
        default=1800.0,
        description="Watched seconds after a rollout during which the release is under suspicion; paused and blind time "
        "does not count. Default 30 min: most bad releases show within it.",
    )
    bake_events: Annotated[int, Whole(least=0)] = Field(
        default=1000,
        description="User events that baking also needs, where something counts them. Default 1000; 0 = time alone.",
    )
    bake_at_most: Annotated[float, Bake] = Field(
        default=43_200.0, description="Seconds after which baking ends in any case. Default 12 h: quiet nights end too."
    )
    tolerate_interruption: Annotated[float, Tolerance] = Field(
        default=30.0,
        description="Seconds of outage that never lead to a rollback. Default 30 s: pods are replaced and links flap for "
        "that long without any release.",
    )
    countdown: Annotated[float, Pause] = Field(
        default=10.0,
        description="Seconds between decision and write in which recovery or a person cancels. Default 10 s; 0s = none.",
    )
    evidence: Annotated[float, Duration(most=300)] = Field(
        default=15.0,
        description="Seconds at most for capturing evidence before the write; begun at suspicion, runs during the "
        "countdown. Default 15 s: logs of pods die with the pods.",
    )
    ask: AskSection = Field(default_factory=AskSection, description="How long a person may take to answer.")
    outside_bake: OutsideBake = Field(
        default=OutsideBake.NOTE,
        description="Breach of a release that has passed its bake: note = one message, page = wake somebody. Default note.",
    )
    budget: BudgetSection = Field(default_factory=BudgetSection, description="At most so many rollbacks.")
    good_back: Annotated[int, Whole(least=1, most=100)] = Field(
        default=2,
        description="Without asking, back by at most so many good releases. Default 2: further back, data has moved on.",
    )
    good_age: Annotated[float, Duration(least=60)] = Field(
        default=7 * DAY, description="Without asking, back to a release graded good at most so long ago. Default 7 d."
    )
    verify_within: Annotated[float, Wait] = Field(
        default=600.0,
        description="Seconds after a rollback was observed in which all signals must have been healthy for twice "
        "`tolerate_interruption`. Default 10 min; else a person is called.",
    )
    confirm_within: Annotated[float, Wait] = Field(
        default=900.0,
        description="Seconds in which the platform must have rolled out what was issued. Default 15 min: slow pulls.",
    )
    blind_after: Annotated[float, Duration(least=1, most=DAY)] = Field(
        default=300.0, description="Seconds a signal may say nothing before a person is told. Default 5 min."
    )
    tolerate_error_rate: Annotated[float, Rate()] = Field(
        default=0.005,
        description="Share of failed requests that is never a reason to roll back (6 times as much of probes, 4 times of slow "
        "requests). Default 0.5%: every service has its noise.",
    )
    unacceptable_error_rate: Annotated[float, Rate()] = Field(
        default=0.05,
        description="Share of failed requests that always is a reason unless it was so before (4 times as much of probes, "
        "twice of slow requests). Default 5%.",
    )
    times_worse: Annotated[float, Factor()] = Field(
        default=3.0,
        description="Between the two: a reason when it is worse than so many times the hour before the rollout. Default 3.",
    )
    max_interruptions: Annotated[Allowance, Per()] = Field(
        default=Allowance(count=3, window_s=600.0),
        description="So many separate interruptions are borne in that time; the next one is a reason. Default 3 per 10m: a "
        "slow crash loop shows by them.",
    )
    false_alarm_bound: Annotated[float, Rate()] = Field(
        default=0.01,
        description="Chance, over one watch, of a rollback of a release that is exactly as bad as tolerated. Default 1%, "
        "nominal: healthy releases are measured far below it.",
    )


class TargetKnobs(Section):
    """The same knobs on one target. None = as in `defaults`."""

    bake_time: Annotated[float | None, Bake] = Field(default=None, description="None = as in `defaults`.")
    bake_events: Annotated[int | None, Whole(least=0)] = Field(default=None, description="None = as in `defaults`.")
    bake_at_most: Annotated[float | None, Bake] = Field(default=None, description="None = as in `defaults`.")
    tolerate_interruption: Annotated[float | None, Tolerance] = Field(
        default=None, description="None = as in `defaults`."
    )
    countdown: Annotated[float | None, Pause] = Field(default=None, description="None = as in `defaults`.")
    evidence: Annotated[float | None, Duration(most=300)] = Field(default=None, description="None = as in `defaults`.")
    ask: AskSection | None = Field(default=None, description="None = as in `defaults`.")
    outside_bake: OutsideBake | None = Field(default=None, description="None = as in `defaults`.")
    budget: TargetBudgetSection | None = Field(default=None, description="None = as in `defaults`.")
    good_back: Annotated[int | None, Whole(least=1, most=100)] = Field(
        default=None, description="None = as in `defaults`."
    )
    good_age: Annotated[float | None, Duration(least=60)] = Field(default=None, description="None = as in `defaults`.")
    verify_within: Annotated[float | None, Wait] = Field(default=None, description="None = as in `defaults`.")
    confirm_within: Annotated[float | None, Wait] = Field(default=None, description="None = as in `defaults`.")
    blind_after: Annotated[float | None, Duration(least=1, most=DAY)] = Field(
        default=None, description="None = as in `defaults`."
    )
    tolerate_error_rate: Annotated[float | None, Rate()] = Field(default=None, description="None = as in `defaults`.")
    unacceptable_error_rate: Annotated[float | None, Rate()] = Field(
        default=None, description="None = as in `defaults`."
    )
    times_worse: Annotated[float | None, Factor()] = Field(default=None, description="None = as in `defaults`.")
    max_interruptions: Annotated[Allowance | None, Per()] = Field(default=None, description="None = as in `defaults`.")
    false_alarm_bound: Annotated[float | None, Rate()] = Field(default=None, description="None = as in `defaults`.")
