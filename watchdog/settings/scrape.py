"""Section `scrape` of a signal: the metrics page of every pod (or instance) of the target, read without any server between."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from watchdog.settings.http_check import Scheme, header_name
from watchdog.settings.secret import SecretText
from watchdog.settings.section import Section
from watchdog.settings.values import AbsolutePath, Duration, Flag, LabelName, Number, Route, Text, Whole


class OwnPreset(StrEnum):
    """Metrics that many services have on their own page."""

    HTTP_SERVER = "http_server"
    PROMETHEUS_NET = "prometheus_net"
    REQUESTS_TOTAL = "requests_total"


class ScrapeSection(Section):
    """One question to each instance's page: counters (`bad` or `good`, of `all`, or a `preset`), a `histogram`, or one `value`."""

    preset: OwnPreset | None = Field(
        default=None,
        description="Failed requests by the metrics of: http_server (OpenTelemetry, ASP.NET Core 8), prometheus_net, "
        "requests_total. None = `bad` and `all` say it.",
    )
    status_label: LabelName | None = Field(
        default=None, description="Of the preset requests_total: label of the status. None = code."
    )
    bad: Text | None = Field(
        default=None,
        description='Counter of bad events, as a plain selector: http_requests_total{code=~"5.."}. None = `good`, a preset '
        "or a histogram.",
    )
    good: Text | None = Field(default=None, description="Counter of good events instead. None = `bad`.")
    every_: Text | None = Field(default=None, alias="all", description="Counter of all events. None = not counters.")
    histogram: Text | None = Field(
        default=None, description="A classic histogram of seconds without its suffix. None = none."
    )
    within: Annotated[float | None, Duration(least=0.001, most=3600)] = Field(
        default=None,
        description="Of a histogram: seconds above which a request is slow; one of its bounds. None = not a histogram.",
    )
    value: Text | None = Field(
        default=None, description="Selector of one series of each instance. None = events are counted."
    )
    above: Annotated[float | None, Number()] = Field(
        default=None, description="The value is bad above this. None = `below` says it."
    )
    below: Annotated[float | None, Number()] = Field(
        default=None, description="The value is bad below this. None = `above` says it."
    )
    tcp: Annotated[int | None, Whole(least=1, most=65535)] = Field(
        default=None, alias="port", description="TCP port of the page. None = the port that the platform names."
    )
    path: Route = Field(default="/metrics", description='Path of the page. Default "/metrics".')
    scheme: Scheme = Field(default=Scheme.HTTP, description="http or https. Default http, as of pods in `http`.")
    timeout: Annotated[float | None, Duration(least=0.05, most=60)] = Field(
        default=None, description="Seconds for one page, shorter than `every`. None = 3 s, or 60 % of `every`."
    )
    headers: dict[Annotated[str, AfterValidator(header_name)], SecretText] = Field(
        default_factory=dict, description="Headers to send; secrets by {file: /path} or {env: NAME}."
    )
    ca_file: AbsolutePath | None = Field(
        default=None, description="PEM file of the authorities to trust. None = those of the system."
    )
    verify: Annotated[bool, Flag()] = Field(default=True, description="false = take any certificate. Default true.")
