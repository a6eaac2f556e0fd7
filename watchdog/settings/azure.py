"""Sections `azure` (log-ins, by name) and `app_insights` of a signal."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from watchdog.settings.secret import SecretText
from watchdog.settings.section import Section
from watchdog.settings.values import AbsolutePath, Duration, Name, Text, Url, refused

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ARM = re.compile(r"/subscriptions/[^/]+/resource[gG]roups/[^/]+/providers/[^/]+/[^/]+/[^/]+")


def _guid(value: str) -> str:
    if not _GUID.fullmatch(value):
        raise refused("is not the id of a workspace", "a GUID: the Workspace ID of its overview in the portal")
    return value


def _arm(value: str) -> str:
    if not _ARM.fullmatch(value):
        raise refused(
            "is not an ARM id", "/subscriptions/.../resourceGroups/.../providers/microsoft.insights/components/NAME"
        )
    return value


class Credential(StrEnum):
    """How to log in; never guessed."""

    WORKLOAD_IDENTITY = "workload_identity"
    MANAGED_IDENTITY = "managed_identity"
    CLIENT_SECRET = "client_secret"  # noqa: S105 - the name of a way, no secret
    CLI = "cli"


class Cloud(StrEnum):
    """Which Azure."""

    PUBLIC = "public"
    USGOV = "usgov"
    CHINA = "china"


class AzureSection(Section):
    """One log-in to Azure. Needs the extra `azure`."""

    credential: Credential = Field(
        description="workload_identity (AKS), managed_identity (a virtual machine or container app), client_secret, or cli "
        "(a laptop)."
    )
    tenant: Text | None = Field(default=None, description="Tenant id. None = what the credential finds itself.")
    client_id: Text | None = Field(
        default=None, description="Client id of the identity. None = what the credential finds itself."
    )
    client_secret: SecretText | None = Field(
        default=None, description="Of client_secret: {file: /path} or {env: NAME}. None = another credential."
    )
    token_file: AbsolutePath | None = Field(
        default=None, description="Of workload_identity: the federated token. None = AZURE_FEDERATED_TOKEN_FILE."
    )
    management: Url | None = Field(
        default=None, description="Address of Azure Resource Manager, of a cloud of one's own. None = the cloud's."
    )
    cloud: Cloud = Field(default=Cloud.PUBLIC, description="public, usgov or china. Default public.")


class Tables(StrEnum):
    """How tables and columns are called."""

    WORKSPACE = "workspace"
    CLASSIC = "classic"


class AppInsightsSection(Section):
    """Requests of one role, as the service reported them: failed ones, or with `within` slow ones."""

    source: Name | None = Field(default=None, description="Which of `azure`. None = the only one.")
    workspace: Annotated[str, AfterValidator(_guid)] | None = Field(
        default=None, description="Workspace ID (a GUID). None = `resource` says where."
    )
    resource: Annotated[str, AfterValidator(_arm)] | None = Field(
        default=None, description="ARM id of the component or workspace. None = `workspace` says where."
    )
    role: Text = Field(description="Cloud role name, as the service reports it (AppRoleName).")
    within: Annotated[float | None, Duration(least=0.001, most=3600)] = Field(
        default=None, description="Seconds above which a request is slow. None = failed requests are counted."
    )
    tables: Tables = Field(
        default=Tables.WORKSPACE,
        description="workspace (AppRequests) or classic (requests). Default workspace: classic components are retired.",
    )


def _app_name(value: str) -> str:
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", value):
        raise refused("is not the name of a container app", "lower-case letters, digits and '-', at most 32")
    return value


class ContainerAppSection(Section):
    """An Azure Container App, in single or multiple revision mode."""

    source: Name | None = Field(default=None, description="Which of `azure`. None = the only one.")
    subscription: Annotated[str, AfterValidator(_guid)] = Field(description="Id of the subscription (a GUID).")
    resource_group: Text = Field(description="Name of the resource group.")
    app: Annotated[str, AfterValidator(_app_name)] = Field(description="Name of the container app.")
    every: Annotated[float, Duration(least=1, most=3600)] = Field(
        default=10.0, description="Seconds between two reads. Default 10 s: Azure counts them."
    )
    ready_within: Annotated[float, Duration(least=10, most=3600)] = Field(
        default=180.0,
        description="Seconds a good revision may take to be ready again before it gets traffic. Default 3 min.",
    )
