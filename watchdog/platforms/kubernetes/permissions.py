"""Permissions: what this platform needs to be allowed, each with its reason.

Neighbours: ``watchdog doctor`` shows them, ``deploy/kubernetes/role.yaml`` grants exactly these. Guarantees: asked of the
API server itself (SelfSubjectAccessReview), so the answer is true whatever grants it; what could not be asked is unknown.
"""

from __future__ import annotations

import asyncio

from watchdog.clients.kubernetes import KubernetesClient
from watchdog.model import Finding, record
from watchdog.platforms.kubernetes.reading import Reader
from watchdog.ports import Unavailable


@record
class Permission:
    """One right in the target's namespace. `needed` False: without it one feature is off, which `why` names."""

    verb: str
    group: str
    resource: str
    why: str
    needed: bool = True
    subresource: str = ""
    name: str = ""

    @property
    def words(self) -> str:
        """``patch deployments.apps/web``."""
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        kind = f"{resource}.{self.group}" if self.group else resource
        return f"{self.verb} {kind}" + (f" {self.name}" if self.name else "")


def required(reader: Reader) -> tuple[Permission, ...]:
    """Everything that is used for this target."""
    kind, name = reader.kind, reader.config.name
    found = [
        Permission(verb="get", group="apps", resource=kind.resource, name=name, why="read the workload"),
        Permission(verb="patch", group="apps", resource=kind.resource, name=name, why="put the good template back"),
        Permission(verb="list", group="apps", resource=kind.revisions_resource, why="read the release history"),
        Permission(verb="list", group="", resource="pods", why="judge pods, tell the releases apart"),
        *(
            Permission(
                verb="watch",
                group=group,
                resource=resource,
                needed=False,
                why="be told of changes; else it is read again and again",
            )
            for group, resource in (("apps", kind.resource), ("apps", kind.revisions_resource), ("", "pods"))
        ),
        Permission(
            verb="get",
            group="",
            resource="pods",
            subresource="log",
            needed=False,
            why="keep logs of bad pods as evidence",
        ),
        Permission(verb="list", group="", resource="events", needed=False, why="keep warnings as evidence"),
    ]
    for resource in ("configmaps", "secrets", "persistentvolumeclaims", "serviceaccounts"):
        why = "see (by metadata alone) that what the good release names still exists; else each one is unknown"
        found.append(Permission(verb="get", group="", resource=resource, needed=False, why=why))
    why = "see that the namespace has room for the rollback's extra pods"
    found.append(Permission(verb="list", group="", resource="resourcequotas", needed=False, why=why))
    why = "see that an autoscaler has left enough pods for the load that comes back"
    group = "autoscaling"
    found.append(Permission(verb="list", group=group, resource="horizontalpodautoscalers", needed=False, why=why))
    why = "tell a live Helm release from left-over annotations; else the annotations count"
    found.append(Permission(verb="list", group="", resource="secrets", needed=False, why=why))
    if reader.config.allow_pod_delete:
        found.append(Permission(verb="delete", group="", resource="pods", why="free a stuck StatefulSet"))
    return tuple(found)


async def check(client: KubernetesClient, namespace: str, permissions: tuple[Permission, ...]) -> tuple[Finding, ...]:
    """One finding for each right that is missing or could not be asked for; none when all is granted."""
    found = await asyncio.gather(*(_check(client, namespace, permission) for permission in permissions))
    return tuple(finding for finding in found if finding is not None)


async def _check(client: KubernetesClient, namespace: str, permission: Permission) -> Finding | None:
    try:
        allowed = await client.may(
            permission.verb,
            permission.group,
            permission.resource,
            namespace,
            permission.name,
            subresource=permission.subresource,
        )
    except Unavailable as error:
        sentence = f"whether we may {permission.words} in {namespace} is unknown: {error}"
        return Finding(name=permission.words, sentence=sentence, unknown=True)
    if allowed:
        return None
    sentence = f"not allowed to {permission.words} in {namespace}: needed to {permission.why}"
    return Finding(name=permission.words, sentence=sentence, blocks=permission.needed)
