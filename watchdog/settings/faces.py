"""Sections `api` and `log`: what the daemon shows, and where."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from watchdog.settings.section import Section
from watchdog.settings.values import AbsolutePath, Text, Whole


class MetricsSection(Section):
    """The TCP address of /metrics, /healthz and /readyz. Nothing there changes anything."""

    host: Text = Field(
        default="0.0.0.0",  # noqa: S104 - read-only pages; kubelet and Prometheus come from other addresses
        description="Address to listen on. Default all addresses: kubelet probes and Prometheus come from outside, and "
        "only read-only pages are served here.",
    )
    tcp: Annotated[int, Whole(least=0, most=65535)] = Field(
        default=9469, alias="port", description="TCP port; 0 = any free one (the log says which). Default 9469."
    )


class PageSection(Section):
    """The status page for browsers. Without `tokens` it reads only, and whoever reaches the address may look."""

    host: Text = Field(
        default="127.0.0.1",
        description="Address to listen on. Default 127.0.0.1: it is shown to others by what stands before it (kubectl "
        "port-forward, an ingress that ends TLS).",
    )
    tcp: Annotated[int, Whole(least=0, most=65535)] = Field(
        default=9470, alias="port", description="TCP port; 0 = any free one (the log says which). Default 9470."
    )
    login: bool = Field(
        default=False,
        description="true = the page is shown only to who has logged in with a token. Default false: looking is free where "
        "the address can be reached, ordering never is.",
    )


class ApiSection(Section):
    """How commands and dashboards reach the daemon."""

    socket: AbsolutePath = Field(
        default="/run/watchdog/watchdog.sock",
        description="Absolute path of the unix socket of the API. Its file mode (0600) is the credential, so it lies in "
        "a directory of its own.",
    )
    metrics: MetricsSection = Field(default_factory=MetricsSection, description="Where metrics and health are served.")
    page: PageSection | None = Field(
        default=None,
        description="Where the status page is served: `page: {}` for its defaults. None = no page.",
    )
    tokens: AbsolutePath | None = Field(
        default=None,
        description="Absolute path of a file of token hashes (`watchdog token` makes them). With it the API is also served "
        "on the page's address, to whoever holds a token of the right scope. None = the API is on the socket only.",
    )


class LogFormat(StrEnum):
    """Form of a log line."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least severe level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogSection(Section):
    """The log on standard error."""

    format: LogFormat = Field(
        default=LogFormat.JSON,
        description="json = one object a line; console = for eyes. Default json: logs are collected by machines.",
    )
    level: LogLevel = Field(
        default=LogLevel.INFO,
        description="Least severe level written. Default info: each decision is one line there, polls are debug.",
    )
