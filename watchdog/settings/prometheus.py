"""Sections `prometheus`: the servers, by name, and the question that a signal asks one of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from watchdog.settings.http_check import header_name
from watchdog.settings.secret import SecretText
from watchdog.settings.section import Later, Section, later
from watchdog.settings.values import AbsolutePath, Duration, Flag, LabelName, Name, Number, Share, Text, Url, Whole


class PrometheusSourceSection(Section):
    """One server that speaks the language of Prometheus (Thanos, Mimir, VictoriaMetrics)."""

    url: Url = Field(description="Base URL; what comes before /api/v1.")
    scrape_interval: Annotated[float | None, Duration(least=1, most=3600)] = Field(
        default=None,
        description="Seconds between two scrapes of the same target. None = learned from the data, 15 s until then.",
    )
    lag: Annotated[float, Duration(least=0, most=3600)] = Field(
        default=1.0,
        description="How long data may take to arrive. Default 1 s: Prometheus has what it scraped at once; with remote "
        "write its delay.",
    )
    timeout: Annotated[float, Duration(least=0.1, most=60)] = Field(
        default=5.0, description="Seconds for one query, connection and whole answer included. Default 5 s."
    )
    token_file: AbsolutePath | None = Field(
        default=None, description="File of a bearer token, read for each query (it may rotate). None = no token."
    )
    user: Text | None = Field(default=None, description="User of basic authentication. None = none.")
    password: SecretText | None = Field(
        default=None, description="Its password: {file: /path} or {env: NAME}. None = none."
    )
    headers: dict[Annotated[str, AfterValidator(header_name)], SecretText] = Field(
        default_factory=dict, description="Headers to send, for example X-Scope-OrgID: the tenant."
    )
    ca_file: AbsolutePath | None = Field(
        default=None,
        description="PEM file of the authorities to trust. None = those that come with requests (certifi).",
    )
    cert_file: AbsolutePath | None = Field(default=None, description="PEM file of a client certificate. None = none.")
    key_file: AbsolutePath | None = Field(default=None, description="Its key. None = it stands in `cert_file`.")
    verify: Annotated[bool, Flag()] = Field(default=True, description="false = take any certificate. Default true.")
    azure: Later = later("Azure Managed Prometheus by credential")


class Preset(StrEnum):
    """Metrics that many services have."""

    HTTP_SERVER = "http_server"
    PROMETHEUS_NET = "prometheus_net"
    REQUESTS_TOTAL = "requests_total"
    ISTIO = "istio"
    LINKERD = "linkerd"
    INGRESS_NGINX = "ingress_nginx"
    TRAEFIK = "traefik"
    ENVOY = "envoy"


class PrometheusSection(Section):
    """One question: counters (`bad` or `good`, of `all`, or a `preset`), a `histogram`, or one `value`."""

    source: Name | None = Field(default=None, description="Which of `prometheus`. None = the only one.")
    preset: Preset | None = Field(
        default=None,
        description="Failed requests by the metrics of: http_server (OpenTelemetry, ASP.NET Core 8), prometheus_net, "
        "requests_total, istio, linkerd, ingress_nginx, traefik, envoy. None = `bad` and `all` say it.",
    )
    app: Text | None = Field(default=None, description="Of a preset: the service's name there. None = no preset.")
    namespace: Text | None = Field(default=None, description="Of a preset: its namespace there. None = any.")
    status_label: LabelName | None = Field(
        default=None, description="Of the preset requests_total: label of the status. None = code."
    )
    labels: dict[LabelName, Text] = Field(
        default_factory=dict, description="Of a preset: further labels that the series must have."
    )
    bad: Text | None = Field(
        default=None,
        description='Counter of bad events, as a plain selector: http_requests_total{app="x",code=~"5.."}. Or an expression '
        "that gives the number of events in the last $interval. None = `good`, a preset or a histogram.",
    )
    good: Text | None = Field(default=None, description="Counter of good events instead. None = `bad`.")
    every_: Text | None = Field(default=None, alias="all", description="Counter of all events. None = not counters.")
    histogram: Text | None = Field(
        default=None,
        description='A histogram of seconds without its suffix: http_request_duration_seconds{app="x"}. None = none.',
    )
    within: Annotated[float | None, Duration(least=0.001, most=3600)] = Field(
        default=None,
        description="Of a histogram: seconds above which a request is slow; one of its bounds, unless `quantile` is given. None = not a histogram.",
    )
    quantile: Annotated[float | None, Share()] = Field(
        default=None, description="Of a histogram: this quantile must be `within`. None = each request is counted."
    )
    min_events: Annotated[int, Whole(least=1)] = Field(
        default=20, description="Events that a quantile needs before it says anything. Default 20."
    )
    value: Text | None = Field(
        default=None, description="Selector or expression that gives one number. None = events are counted."
    )
    above: Annotated[float | None, Number()] = Field(
        default=None, description="The value is bad above this. None = `below` says it."
    )
    below: Annotated[float | None, Number()] = Field(
        default=None, description="The value is bad below this. None = `above` says it."
    )
    pod_label: LabelName = Field(
        default="pod", description="Label that names the pod, so that old and new release are told apart. Default pod."
    )
    version_label: LabelName | None = Field(
        default=None,
        description="Label that names the release instead (an image tag or revision). None = by the pods.",
    )
