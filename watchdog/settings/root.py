"""The whole configuration. Names at the top are never `port` or `service_...`: Kubernetes sets such variables.

`Settings` is what everybody reads. `EnvironmentSettings` is the same language as pydantic-settings reads it from
``WATCHDOG_SECTION__KEY`` variables and from a directory of secrets; `settings.layers` uses it for nothing else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from watchdog.model import Mode
from watchdog.settings.azure import AzureSection
from watchdog.settings.database import PostgresSection
from watchdog.settings.defaults import DefaultsSection
from watchdog.settings.faces import ApiSection, LogSection
from watchdog.settings.groups import GroupSection
from watchdog.settings.notify import ChannelSection
from watchdog.settings.pauses import PauseSection
from watchdog.settings.prometheus import PrometheusSourceSection
from watchdog.settings.section import Later, Section, later
from watchdog.settings.state import StateSection
from watchdog.settings.targets import Names, TargetSection
from watchdog.settings.values import AbsolutePath, Duration, Name, Text, Url

ENV_PREFIX = "WATCHDOG_"
ENV_DELIMITER = "__"


class FirstStart(StrEnum):
    """What an empty store means under `enforce`."""

    OBSERVE = "observe"
    ACT = "act"


class Settings(Section):
    """The configuration file."""

    mode: Mode = Field(
        default=Mode.OBSERVE,
        description="observe = say what would be done, ask = wait for approval, enforce = act. The strictest of global, "
        "group and target counts. Default observe: trust is earned.",
    )
    environment: Text | None = Field(
        default=None, description="Name of the environment, shown in notices (production). None = not shown."
    )
    base_url: Url | None = Field(
        default=None,
        description="Address under which people open the page: links in messages lead there. None = no links.",
    )
    state: StateSection = Field(default_factory=StateSection, description="Where state is kept.")
    first_start: FirstStart = Field(
        default=FirstStart.OBSERVE,
        description="What an empty store means under `enforce`: observe = wait for `watchdog arm`, act = begin at once. "
        "Default observe: somebody may have lost the pauses and the condemned list.",
    )
    api: ApiSection = Field(default_factory=ApiSection, description="How commands and dashboards reach the daemon.")
    bundles: AbsolutePath = Field(
        default="/var/lib/watchdog/incidents", description="Absolute path of the directory of incident bundles."
    )
    keep_bundles: Annotated[float, Duration(least=86_400, most=366 * 86_400)] = Field(
        default=90 * 86_400.0,
        description="How long bundles of closed incidents stay. Default 90 d; sooner, the oldest first, when less than a fifth of "
        "1 GiB is free. Never one of an open incident.",
    )
    log: LogSection = Field(default_factory=LogSection, description="The log on standard error.")
    defaults: DefaultsSection = Field(
        default_factory=DefaultsSection, description="What holds for every target that does not say otherwise."
    )
    targets: dict[Name, TargetSection] = Field(description="The workloads by name; at least one.", min_length=1)
    groups: dict[Name, GroupSection] = Field(default_factory=dict, description="Targets that go back together.")
    reference: Names = Field(
        default=(),
        description="Watch-only targets that have nothing to do with any release (another site, the gateway): while more "
        "than half of those that can be told fail, it is rather us, and nothing is rolled back. None named = not checked.",
    )
    pauses: tuple[PauseSection, ...] = Field(default=(), description="Maintenance windows known beforehand.")
    notify: dict[Name, ChannelSection] = Field(
        default_factory=dict, description="Channels by name. None given = notices are only in the log and the incident."
    )
    prometheus: dict[Name, PrometheusSourceSection] = Field(
        default_factory=dict, description="Prometheus servers by name, for signals of the kind `prometheus`."
    )
    postgres: dict[Name, PostgresSection] = Field(
        default_factory=dict, description="PostgreSQL databases by name, for signals of the kind `database`."
    )
    azure: dict[Name, AzureSection] = Field(
        default_factory=dict, description="Log-ins to Azure by name, for signals of the kind `app_insights`."
    )
    profiles: Later = later("profiles")


class EnvironmentSettings(Settings, BaseSettings):
    """The same language, as a layer that is read from variables and secret files."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, extra="forbid", hide_input_in_errors=True
    )
