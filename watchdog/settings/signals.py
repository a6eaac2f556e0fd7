"""Section `signals` of a target: the sources of evidence, each under a name of its own.

A signal says of which kind it is by the key it holds (``http:``, ``workload:``). One that is *named* `workload` and says
no kind is the workload signal: ``signals: {workload: {}}``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from watchdog.settings.azure import AppInsightsSection
from watchdog.settings.database import DatabaseSection
from watchdog.settings.http_check import HttpSection
from watchdog.settings.prometheus import PrometheusSection
from watchdog.settings.rules import Rule
from watchdog.settings.scrape import ScrapeSection
from watchdog.settings.section import Later, Section, later
from watchdog.settings.values import Duration, Factor, Flag, Rate

DEFAULT_EVERY = 5.0
DEFAULT_TIMEOUT = 3.0
_KINDS = ("http", "workload", "prometheus", "app_insights", "database", "scrape", "alerts")


class WorkloadSection(Section):
    """What Kubernetes says of the target's pods and rollout: crash loops, image pulls, progress deadline, restarts."""


class SignalSection(Section):
    """One source of evidence. Exactly one kind."""

    http: HttpSection | None = Field(
        default=None, description="A request from outside, or its URL. None = another kind of signal."
    )
    workload: WorkloadSection | None = Field(
        default=None, description="The state of the target's pods in Kubernetes. None = another kind of signal."
    )
    prometheus: PrometheusSection | None = Field(
        default=None, description="A question to a Prometheus server. None = another kind of signal."
    )
    app_insights: AppInsightsSection | None = Field(
        default=None, description="Requests as Application Insights has them. None = another kind of signal."
    )
    database: DatabaseSection | None = Field(
        default=None,
        description="A database: on a target without platform whether it answers, on others what the code has to understand "
        "of it (`data: check`). None = another kind of signal.",
    )
    scrape: ScrapeSection | None = Field(
        default=None,
        description="Counters, histograms or values on each instance's own metrics page. None = another kind of signal.",
    )
    alerts: Later = later("Alertmanager alerts as signals")

    every: Annotated[float | None, Duration(least=0.1, most=3600)] = Field(
        default=None,
        description="Seconds between two polls. None = 5 s: an outage is told from a blip within a minute, for the price "
        "of a few requests a minute; of Prometheus its scrape interval (15 s where nobody says it), 60 s for expressions; of Application Insights 60 s.",
    )
    rule: Rule | None = Field(
        default=None,
        description="When the samples count as failing, by counting. None = they are weighed with the target's other signals "
        "as evidence against the release (docs/judgement.md); of `workload`, which says states, 6 of the last 12 are bad.",
    )
    counts_users: Annotated[bool | None, Flag()] = Field(
        default=None,
        description="true = its events are requests of users, so they count towards `bake_events`. None = true for counters "
        "of requests, false for a probe, which asks for itself.",
    )
    tolerate_error_rate: Annotated[float | None, Rate()] = Field(
        default=None, description="Of this signal alone. None = as the target."
    )
    unacceptable_error_rate: Annotated[float | None, Rate()] = Field(
        default=None, description="Of this signal alone. None = as the target."
    )
    times_worse: Annotated[float | None, Factor()] = Field(
        default=None, description="Of this signal alone. None = as the target."
    )


def with_kind(name: Any, body: Any) -> Any:
    """The body of a signal with its kind said: a signal named `workload` without a kind is the workload signal."""
    if name == "workload" and isinstance(body, dict) and not any(kind in body for kind in _KINDS):
        return {**body, "workload": {}}
    return body
