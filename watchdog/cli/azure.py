"""From the configuration to what asks Azure: signals of Application Insights, and container apps.

Role: the composition root's part for Azure; imported only when something needs it. Guarantees: one log-in and one workspace for
all signals that ask it, so that they ask together.
"""

from __future__ import annotations

from typing import Any

from watchdog.clients.azure import AzureLogs, Login, Place
from watchdog.clients.azure_arm import Arm
from watchdog.platforms.container_app import ContainerAppPlatform, ContainerAppTarget, ContainerAppWriter
from watchdog.ports import Clock
from watchdog.safety.permits import PermitOffice
from watchdog.settings.access import ConfiguredSignal
from watchdog.settings.azure_access import AppInsightsQuestion, AzureLogin, ContainerApp
from watchdog.signals.app_insights import AppInsightsSignal, Question, Workspace


class Azure:
    """Log-ins and workspaces, shared; closed with the process."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is asked yet."""
        self._clock = clock
        self._logins: dict[AzureLogin, AzureLogs] = {}
        self._arms: dict[AzureLogin, Arm] = {}
        self._workspaces: dict[tuple[Any, ...], Workspace] = {}

    def signal_of(self, entry: ConfiguredSignal, asked: AppInsightsQuestion) -> AppInsightsSignal:
        """The signal of one entry."""
        slow_ms = None if asked.slow_s is None else asked.slow_s * 1000
        question = Question(asked.role, slow_ms)
        workspace = self._workspace(asked)
        return AppInsightsSignal(entry.name, question, workspace, self._clock, counts_users=entry.counts_users)

    def platform_of(
        self, target: str, app: ContainerApp, office: PermitOffice
    ) -> tuple[ContainerAppPlatform, ContainerAppWriter]:
        """Both halves of one container app."""
        login = app.login
        arm = self._arms.setdefault(login, Arm(login.name, _login(login), endpoint=login.management))
        config = ContainerAppTarget(
            target=target,
            subscription=app.subscription,
            resource_group=app.resource_group,
            app=app.app,
            write_s=app.ready_within_s,
        )
        return ContainerAppPlatform(arm, config, self._clock), ContainerAppWriter(arm, config, self._clock, office)

    async def close(self) -> None:
        """Close all log-ins."""
        for logs in self._logins.values():
            await logs.close()
        for arm in self._arms.values():
            await arm.close()

    def _workspace(self, asked: AppInsightsQuestion) -> Workspace:
        key = (asked.login, asked.workspace, asked.resource, asked.classic)
        if key not in self._workspaces:
            login = asked.login
            logs = self._logins.setdefault(login, AzureLogs(login.name, _login(login)))
            place = Place(workspace=asked.workspace, resource=asked.resource)
            self._workspaces[key] = Workspace(login.name, place, logs, self._clock, classic=asked.classic)
        return self._workspaces[key]


def _login(login: AzureLogin) -> Login:
    return Login(
        kind=login.kind,
        cloud=login.cloud,
        tenant=login.tenant,
        client_id=login.client_id,
        secret=login.secret,
        token_file=login.token_file,
    )
