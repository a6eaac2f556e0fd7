"""What the builders get of `azure` and `app_insights`, and what of them does not fit together.

Role: the part of `settings.access` and `settings.crosscheck` that knows Azure. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from watchdog.model import record
from watchdog.settings.azure import AppInsightsSection, AzureSection, ContainerAppSection, Credential, Tables
from watchdog.settings.problems import Trail
from watchdog.settings.root import Settings
from watchdog.settings.wording import Finding, suggestion

USUAL_EVERY = 60.0


@record
class AzureLogin:
    """One log-in. The secret is not in repr."""

    name: str
    kind: str
    cloud: str
    tenant: str = ""
    client_id: str = ""
    secret: str = field(default="", repr=False)
    token_file: str = ""
    management: str = ""


@record
class ContainerApp:
    """One container app."""

    login: AzureLogin
    subscription: str
    resource_group: str
    app: str
    every_s: float
    ready_within_s: float


@record
class AppInsightsQuestion:
    """One role of one workspace or resource."""

    login: AzureLogin
    role: str
    workspace: str = ""
    resource: str = ""
    slow_s: float | None = None
    classic: bool = False


def login_of(settings: Settings, source: str | None) -> tuple[str, AzureSection] | None:
    """Name and section of the log-in that is meant; None when it names none that is there."""
    if source is None:
        only = list(settings.azure.items())
        return only[0] if len(only) == 1 else None
    found = settings.azure.get(source)
    return None if found is None else (source, found)


def _login(settings: Settings, source: str | None) -> AzureLogin:
    found = login_of(settings, source)
    if found is None:
        raise ValueError("the source is not configured")
    name, login = found
    return AzureLogin(
        name=name,
        kind=login.credential.value,
        cloud=login.cloud.value,
        tenant=login.tenant or "",
        client_id=login.client_id or "",
        secret=login.client_secret.get_secret_value() if login.client_secret else "",
        token_file=login.token_file or "",
        management=login.management or "",
    )


def asked_of(settings: Settings, section: AppInsightsSection) -> AppInsightsQuestion:
    """The question of one signal. Raises ValueError for a source that is not there."""
    return AppInsightsQuestion(
        login=_login(settings, section.source),
        role=section.role,
        workspace=section.workspace or "",
        resource=section.resource or "",
        slow_s=section.within,
        classic=section.tables is Tables.CLASSIC,
    )


def app_of(settings: Settings, section: ContainerAppSection) -> ContainerApp:
    """The app of one target. Raises ValueError for a source that is not there."""
    return ContainerApp(
        login=_login(settings, section.source),
        subscription=section.subscription,
        resource_group=section.resource_group,
        app=section.app,
        every_s=section.every,
        ready_within_s=section.ready_within,
    )


def logins(settings: Settings) -> Iterator[Finding]:
    """Log-ins that are not complete."""
    for name, login in settings.azure.items():
        trail: Trail = ("azure", name)
        if login.credential is Credential.CLIENT_SECRET:
            missing = [key for key in ("tenant", "client_id", "client_secret") if getattr(login, key) is None]
            if missing:
                yield Finding(trail=trail, message=f"client_secret needs {' and '.join(missing)}")
        elif login.client_secret is not None:
            yield Finding(trail=(*trail, "client_secret"), message=f"says nothing beside {login.credential.value}")


def question(settings: Settings, trail: Trail, section: AppInsightsSection) -> Iterator[Finding]:
    """One question of a signal; `trail` leads to its section."""
    yield from source(settings, trail, section.source)
    if (section.workspace is None) == (section.resource is None):
        places = tuple((*trail, key) for key in ("workspace", "resource"))
        yield Finding(trail=trail, message="needs exactly one of `workspace` and `resource`", involves=places)


def source(settings: Settings, trail: Trail, said: str | None) -> Iterator[Finding]:
    """Which log-in is meant."""
    if login_of(settings, said) is not None:
        return
    names = list(settings.azure)
    if not names:
        hint = "write azure: {prod: {credential: workload_identity}} at the top"
        yield Finding(trail=trail, message="no Azure log-in is configured", hint=hint)
    elif said is None:
        yield Finding(trail=trail, message=f"must say its `source`: {', '.join(names)} are configured")
    else:
        message = f"there is no Azure log-in {said!r}"
        yield Finding(trail=(*trail, "source"), message=message, hint=suggestion(said, names))
