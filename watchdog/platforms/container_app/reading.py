"""Reading: the app, its revisions, and the replicas of those that run.

Role: the only place that asks Azure about an app. Guarantees: app and revisions of one look; what cannot be read raises
`Unavailable`, also when the app does not exist.
"""

from __future__ import annotations

import asyncio

from watchdog.clients.azure_arm import Arm, arm_path
from watchdog.model import Instance, UnitRef, record
from watchdog.platforms.container_app.revisions import App, Revision, app_of, instance_of, revision_of

VERSION = "2024-03-01"
MOST_LOOKED_AT = 4
"""Active revisions whose replicas are listed, those with traffic and the newest first."""


@record
class ContainerAppTarget:
    """Which app a target names."""

    target: str
    subscription: str
    resource_group: str
    app: str
    write_s: float = 180.0
    """How long a good revision may take to become ready again."""

    @property
    def path(self) -> str:
        """Its path in Azure Resource Manager."""
        group = ("subscriptions", self.subscription, "resourceGroups", self.resource_group)
        return arm_path(*group, "providers", "Microsoft.App", "containerApps", self.app)


@record
class Seen:
    """One look."""

    app: App
    revisions: tuple[Revision, ...]

    def named(self, name: str) -> Revision | None:
        """The revision of that name."""
        return next((one for one in self.revisions if one.name == name), None)


class Reader:
    """Reads one app."""

    def __init__(self, arm: Arm, config: ContainerAppTarget) -> None:
        """Nothing is asked yet."""
        self.arm, self.config = arm, config

    async def look(self) -> Seen:
        """App and revisions. Raises Missing, Unavailable."""
        path = self.config.path
        app, revisions = await asyncio.gather(self.arm.get(path, VERSION), self.arm.list(f"{path}/revisions", VERSION))
        found = sorted((revision_of(body) for body in revisions), key=lambda one: (one.created, one.name), reverse=True)
        return Seen(app=app_of(app), revisions=tuple(found))

    async def replicas(self, revisions: tuple[Revision, ...]) -> tuple[Instance, ...]:
        """Replicas of active revisions. Raises Unavailable."""
        running = [one for one in revisions if one.active][:MOST_LOOKED_AT]
        listed = await asyncio.gather(*(self._of(one) for one in running))
        return tuple(instance for group in listed for instance in group)

    async def _of(self, revision: Revision) -> list[Instance]:
        path = f"{self.config.path}/revisions/{revision.name}/replicas"
        return [instance_of(body, revision.fingerprint) for body in await self.arm.list(path, VERSION)]

    def unit(self) -> UnitRef:
        """The unit of rollback: its ARM id, which Azure compares without case."""
        config = self.config
        return UnitRef(
            target=config.target,
            platform="container_app",
            uid=config.path.lower(),
            name=f"{config.resource_group}/{config.app}",
        )
