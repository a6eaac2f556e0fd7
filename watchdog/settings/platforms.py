"""Sections `kubernetes` and `command` of a target: what may be rolled back, and how."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from watchdog.settings.secret import SecretText
from watchdog.settings.section import Section
from watchdog.settings.values import AbsolutePath, Duration, Flag, KubernetesName, Text, refused

Argv = Annotated[tuple[Text, ...], Field(min_length=1)]


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise refused("is not the name of an environment variable")
    return name


class KubernetesSection(Section):
    """A plain workload. Exactly one of `deployment`, `statefulset`, `daemonset`."""

    namespace: KubernetesName = Field(description="Namespace of the workload; always said, never guessed.")
    deployment: KubernetesName | None = Field(default=None, description="Name of a Deployment. None = another kind.")
    statefulset: KubernetesName | None = Field(default=None, description="Name of a StatefulSet. None = another kind.")
    daemonset: KubernetesName | None = Field(default=None, description="Name of a DaemonSet. None = another kind.")
    context: Text | None = Field(
        default=None, description="Context of the kubeconfig. None = its current one, or the cluster we run in."
    )
    kubeconfig: AbsolutePath | None = Field(
        default=None,
        description="Absolute path of a kubeconfig. None = the service account of the pod, else KUBECONFIG or ~/.kube/config.",
    )
    every: Annotated[float, Duration(least=0.1, most=3600)] = Field(
        default=5.0, description="Seconds between two reads of the workload. Default 5 s, as the polls."
    )
    ignore_annotations: tuple[Text, ...] = Field(
        default=(),
        description="Annotations of the pod template that say nothing about the release (a restart stamp of your own).",
    )
    allow_pod_delete: Annotated[bool, Flag()] = Field(
        default=False,
        description="true = a StatefulSet that is stuck on a broken pod may have that pod deleted. Default false: deleting "
        "is more than putting a template back.",
    )
    allow_recreate: Annotated[bool, Flag()] = Field(
        default=False,
        description="true = a Deployment with strategy Recreate may be rolled back without asking. Default false: all its "
        "pods stop before the first old one starts.",
    )


class CommandSection(Section):
    """Three programs that read and change something else; argument lists, no shell."""

    current: Argv = Field(description='Prints {"release", "in_progress", "complete"} as JSON.')
    history: Argv = Field(description='Prints [{"release", "at"}, ...] as JSON, newest first.')
    rollback: Argv = Field(
        description="Is called with FROM TO INTENT added. Exit 0 = issued, 3 = precondition failed, else unknown."
    )
    every: Annotated[float, Duration(least=0.1, most=3600)] = Field(
        default=5.0, description="Seconds between two runs of `current`. Default 5 s, as the polls."
    )
    timeout: Annotated[float, Duration(least=0.1, most=3600)] = Field(
        default=5.0, description="Seconds for one run of `current` or `history`. Default 5 s; a hung program is killed."
    )
    rollback_timeout: Annotated[float, Duration(least=0.1, most=3600)] = Field(
        default=120.0,
        description="Seconds for one run of `rollback`. Default 2 min; then it is killed, and `current` tells what came of it.",
    )
    directory: AbsolutePath | None = Field(
        default=None, description="Absolute path of the directory they run in. None = the daemon's own."
    )
    environment: dict[Annotated[str, AfterValidator(_variable)], SecretText] = Field(
        default_factory=dict,
        description="Variables they get besides PATH, HOME and LANG; a value is text, {file: /path} or {env: NAME}. "
        "Secrets only by file or env.",
    )


class HelmSection(Section):
    """A Helm release: everything its chart deploys goes back together, by the real helm (4)."""

    namespace: KubernetesName = Field(description="Namespace of the release; always said, never guessed.")
    release: KubernetesName = Field(description="Name of the release.")
    program: Text = Field(default="helm", description="The helm program, on PATH or with its path. Default helm.")
    context: Text | None = Field(
        default=None, description="Context of the kubeconfig. None = its current one, or the cluster we run in."
    )
    kubeconfig: AbsolutePath | None = Field(
        default=None,
        description="Absolute path of a kubeconfig. None = the service account of the pod, else KUBECONFIG or ~/.kube/config.",
    )
    every: Annotated[float, Duration(least=0.1, most=3600)] = Field(
        default=5.0, description="Seconds between two reads of the release. Default 5 s, as the polls."
    )
    timeout: Annotated[float, Duration(least=5, most=3600)] = Field(
        default=120.0, description="Seconds a rollback may take, hooks included. Default 2 min."
    )
