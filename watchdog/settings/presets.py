"""Presets: selectors for metrics that many services have.

Role: from a preset's few words to the two selectors that a person would have typed. Pure. Sources of names and labels:
facts/back-ends 8 (Istio standard metrics, ingress-nginx, Traefik, Linkerd, Envoy statistics, OpenTelemetry semantic
conventions for HTTP, prometheus-net). Not guaranteed: that an installation did not rename labels: `labels` says more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from watchdog.settings.prometheus import Preset, PrometheusSection

SERVER_ERRORS = "5.."


@dataclass(frozen=True, slots=True)
class _Metric:
    """A counter of requests: which label says the status, and how app and namespace are named there."""

    name: str
    status: str
    errors: str
    app: str
    namespace: str
    fixed: tuple[tuple[str, str], ...] = ()


_METRICS: Mapping[Preset, _Metric] = {
    Preset.HTTP_SERVER: _Metric(
        "http_server_request_duration_seconds_count", "http_response_status_code", SERVER_ERRORS, "job", "namespace"
    ),
    Preset.PROMETHEUS_NET: _Metric("http_requests_received_total", "code", SERVER_ERRORS, "job", "namespace"),
    Preset.REQUESTS_TOTAL: _Metric("http_requests_total", "code", SERVER_ERRORS, "job", "namespace"),
    Preset.ISTIO: _Metric(
        "istio_requests_total",
        "response_code",
        "5..|0",  # 0 = the connection was reset before any answer
        "destination_workload",
        "destination_workload_namespace",
        (("reporter", "destination"),),
    ),
    Preset.LINKERD: _Metric(
        "response_total", "classification", "failure", "deployment", "namespace", (("direction", "inbound"),)
    ),
    Preset.INGRESS_NGINX: _Metric(
        "nginx_ingress_controller_requests", "status", SERVER_ERRORS, "ingress", "exported_namespace"
    ),
    Preset.TRAEFIK: _Metric("traefik_service_requests_total", "code", SERVER_ERRORS, "service", ""),
    Preset.ENVOY: _Metric("envoy_cluster_upstream_rq_xx", "envoy_response_code_class", "5", "envoy_cluster_name", ""),
}


def counters_of(section: PrometheusSection) -> tuple[str, str]:
    """(bad, all) of a section with a preset and an app."""
    assert section.preset is not None  # noqa: S101 - the callers ask for presets only
    metric = _METRICS[section.preset]
    matchers = [f'{name}="{_quoted(value)}"' for name, value in metric.fixed]
    matchers += _whose(section, metric)
    matchers += [f'{name}="{_quoted(value)}"' for name, value in section.labels.items()]
    status = section.status_label or metric.status
    every = f"{metric.name}{{{','.join(matchers)}}}"
    return f"{metric.name}{{{','.join([*matchers, f'{status}=~{chr(34)}{metric.errors}{chr(34)}'])}}}", every


def own_counters(preset: str, status_label: str = "") -> tuple[str, str]:
    """(bad, all) on a service's own page, where it has no name. Raises ValueError for a preset of somebody in front of it."""
    metric = _METRICS[Preset(preset)]
    if metric.app != "job" or metric.fixed:
        raise ValueError(f"{preset} is not counted by the service itself")
    return f'{metric.name}{{{status_label or metric.status}=~"{metric.errors}"}}', metric.name


def knows_namespace(preset: Preset) -> bool:
    """Whether its metrics name the namespace."""
    return bool(_METRICS[preset].namespace) or preset is Preset.TRAEFIK


def _whose(section: PrometheusSection, metric: _Metric) -> list[str]:
    app, namespace = _quoted(re.escape(section.app or "")), section.namespace
    if section.preset is Preset.TRAEFIK:  # service="NAMESPACE-NAME-PORT@kubernetes"
        before = _quoted(re.escape(namespace)) if namespace else "[^@]+"
        return [f'{metric.app}=~"{before}-{app}-[^-@]+@.*"']
    # OpenTelemetry's job is "NAMESPACE/NAME" where the service says its namespace.
    named = f'{metric.app}=~"(.+/)?{app}"' if metric.app == "job" else f'{metric.app}="{_quoted(section.app or "")}"'
    return [named, *([f'{metric.namespace}="{_quoted(namespace)}"'] if namespace and metric.namespace else [])]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
