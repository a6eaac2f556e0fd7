"""Section `targets`: the workloads, each with its platform, its signals and what is its own."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from watchdog.model import DataSafety, Mode
from watchdog.settings.azure import ContainerAppSection
from watchdog.settings.defaults import TargetKnobs
from watchdog.settings.platforms import CommandSection, HelmSection, KubernetesSection
from watchdog.settings.section import Later, later
from watchdog.settings.signals import SignalSection, with_kind
from watchdog.settings.values import Name, Route, Text, Url, refused


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _said(value: DataSafety) -> DataSafety:
    if value is DataSafety.NOT_SAID:
        raise refused("leave the key out to say nothing", "none, compatible and check are answers")
    return value


_ONE = {"type": "string"}
OneOrMany = WithJsonSchema({"anyOf": [_ONE, {"type": "array", "items": _ONE}]})
Names = Annotated[tuple[Name, ...], BeforeValidator(_one_or_many), OneOrMany]


class TargetSection(TargetKnobs):
    """One workload. At most one platform; none = watched only, never rolled back."""

    kubernetes: KubernetesSection | None = Field(
        default=None, description="A Deployment, StatefulSet or DaemonSet. None = another platform, or watch-only."
    )
    helm: HelmSection | None = Field(
        default=None, description="A Helm release with all its workloads. None = another platform, or watch-only."
    )
    container_app: ContainerAppSection | None = Field(
        default=None, description="An Azure Container App. None = another platform, or watch-only."
    )
    command: CommandSection | None = Field(
        default=None, description="Three programs of your own. None = another platform, or watch-only."
    )
    argo_rollouts: Later = later("Argo Rollouts")
    traffic: Later = later("traffic switches")
    back_end: Later = later("forcing the road back")
    select: Later = later("targets found by labels")
    profile: Later = later("profiles")
    requires: Later = later("members that go back together")

    mode: Mode | None = Field(
        default=None,
        description="observe, ask or enforce. None = the group's and the global mode; the strictest of the three counts.",
    )
    signals: dict[Name, SignalSection] = Field(description="Sources of evidence by name; at least one.", min_length=1)
    data: Annotated[DataSafety | None, WithJsonSchema({"enum": ["none", "compatible", "check"]})] = Field(
        default=None,
        description="May the code go back without the data? none = it has no data of its own, compatible = every release "
        "reads what the next one wrote, check = its database signal decides at the time. None = not said: the target stays at `ask` under `enforce`.",
    )
    features: dict[Route, Text] = Field(
        default_factory=dict, description="What users call the paths of this target, for notices and reports."
    )
    control: Names = Field(
        default=(),
        description="Targets that share the surroundings but not the release: what they suffer too is not its fault.",
    )
    depends_on: Names = Field(
        default=(), description="Targets this one needs: while they fail, its release is not blamed."
    )
    labels: dict[Name, Name] = Field(
        default_factory=dict,
        description="Words for pauses by selector: `team: payments` is covered by selector/team=payments.",
    )
    links: dict[Name, Url] = Field(default_factory=dict, description="Pages for people (dashboard, runbook), by name.")
    notify: Annotated[tuple[Name, ...] | None, BeforeValidator(_one_or_many), OneOrMany] = Field(
        default=None, description="Channels that hear of this target. None = all of them."
    )

    @field_validator("signals", mode="before")
    @classmethod
    def _kinds(cls, value: Any) -> Any:
        return {name: with_kind(name, body) for name, body in value.items()} if isinstance(value, dict) else value

    @field_validator("data", mode="after")
    @classmethod
    def _data(cls, value: DataSafety | None) -> DataSafety | None:
        return None if value is None else _said(value)
