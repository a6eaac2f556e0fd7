"""Preflight: whether a release that once ran can still run.

Neighbours: `platform.preflight`. Guarantees: every object that the target's template names and does not call optional is
asked for by its metadata alone - no Secret's value ever travels; 403 and no answer are unknown, never fine. Not
guaranteed: that the image is still in its registry, or that a key within a ConfigMap still exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchdog.clients.kubernetes import NotFound
from watchdog.clients.kubernetes.client import METADATA_ONLY
from watchdog.model import Finding, Instant, JsonObject, Release, record
from watchdog.platforms.kubernetes.autoscaling import check_floor
from watchdog.platforms.kubernetes.fingerprint import template_of
from watchdog.platforms.kubernetes.pods import container_statuses, digest_of
from watchdog.platforms.kubernetes.quota import headroom
from watchdog.platforms.kubernetes.reading import Reader, Snapshot
from watchdog.ports import Unavailable

AT_ONCE = 5
"""Requests at the same time: a template with fifty references must not look like an attack."""


@record
class Reference:
    """One object that a template names. `resource` in the API's plural."""

    resource: str
    name: str


_WORDS = {
    "configmaps": "ConfigMap",
    "secrets": "Secret",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "serviceaccounts": "ServiceAccount",
}


async def check_target(reader: Reader, snapshot: Snapshot, target: Release, now: Instant) -> tuple[Finding, ...]:
    """Everything that can be seen against going back to `target`. Raises Unavailable only for the live workload."""
    if target.template is None:
        return (Finding(name="template", sentence=f"no template of {target.label} is known any more", blocks=True),)
    slots = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*(_exists(reader, entry, slots) for entry in references_of(target.template)))
    return (
        *(finding for finding in found if finding is not None),
        *_layout(snapshot, target),
        *_pushed_again(snapshot, target),
        *await _quota(reader, snapshot, target),
        *await check_floor(reader, snapshot, target, now),
    )


def references_of(template: JsonObject) -> tuple[Reference, ...]:
    """What the template names and cannot do without, each once, in order."""
    spec = template.get("spec") or {}
    found = [*_of_volumes(spec), *_of_containers(spec)]
    found += [
        Reference(resource="secrets", name=str(e["name"])) for e in spec.get("imagePullSecrets") or [] if e.get("name")
    ]
    account = spec.get("serviceAccountName")
    if account:
        found.append(Reference(resource="serviceaccounts", name=str(account)))
    return tuple(dict.fromkeys(found))


def claims_used(template: JsonObject) -> frozenset[str]:
    """Names of the PersistentVolumeClaims that the template mounts."""
    found = references_of(template)
    return frozenset(entry.name for entry in found if entry.resource == "persistentvolumeclaims")


def _of_volumes(spec: Mapping[str, Any]) -> Iterator[Reference]:
    for volume in spec.get("volumes") or []:
        sources = [volume, *((volume.get("projected") or {}).get("sources") or [])]
        for source in sources:
            yield from _named("configmaps", source.get("configMap"), "name")
            # A volume says secretName, a projected source says name.
            yield from _named("secrets", source.get("secret"), "secretName")
            yield from _named("secrets", source.get("secret"), "name")
            yield from _named("persistentvolumeclaims", source.get("persistentVolumeClaim"), "claimName")


def _of_containers(spec: Mapping[str, Any]) -> Iterator[Reference]:
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or []:
            for source in container.get("envFrom") or []:
                yield from _named("configmaps", source.get("configMapRef"), "name")
                yield from _named("secrets", source.get("secretRef"), "name")
            for entry in container.get("env") or []:
                value = entry.get("valueFrom") or {}
                yield from _named("configmaps", value.get("configMapKeyRef"), "name")
                yield from _named("secrets", value.get("secretKeyRef"), "name")


def _named(resource: str, source: Any, key: str) -> Iterator[Reference]:
    if isinstance(source, Mapping) and source.get(key) and not source.get("optional"):
        yield Reference(resource=resource, name=str(source[key]))


async def _exists(reader: Reader, reference: Reference, slots: asyncio.Semaphore) -> Finding | None:
    word = f"{_WORDS[reference.resource]} {reference.name}"
    path = reader.in_namespace("v1", reference.resource, reference.name)
    try:
        async with slots:
            await reader.client.get(path, accept=METADATA_ONLY)
    except NotFound:
        return Finding(
            name=reference.resource, sentence=f"{word}, which the release needs, does not exist", blocks=True
        )
    except Unavailable as error:
        return Finding(name=reference.resource, sentence=f"whether {word} exists is unknown: {error}", unknown=True)
    return None


def _layout(snapshot: Snapshot, target: Release) -> Iterator[Finding]:
    """A release from before a change of volumes or labels is too far away to be put back unseen."""
    assert target.template is not None  # noqa: S101 - the caller has seen to it
    live = template_of(snapshot.workload)
    gone, new = claims_used(live), claims_used(target.template)
    if gone != new:
        names = ", ".join(sorted(gone ^ new))
        yield Finding(name="volumes", sentence=f"the two releases mount different volume claims ({names})", blocks=True)
    selector = ((snapshot.workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    labels = (target.template.get("metadata") or {}).get("labels") or {}
    missing = sorted(key for key, value in selector.items() if labels.get(key) != value)
    if missing:
        yield Finding(
            name="selector",
            sentence=f"the release's labels do not match the selector ({', '.join(missing)})",
            blocks=True,
        )


def _pushed_again(snapshot: Snapshot, target: Release) -> Iterator[Finding]:
    """The target's image names, and the digests that ran then, against what those names bring today."""
    today: dict[str, set[str]] = {}
    for pod in snapshot.pods:
        images = {entry.get("name"): entry.get("image") for entry in (pod.get("spec") or {}).get("containers") or []}
        for status in container_statuses(pod):
            digest, image = digest_of(status), images.get(status.get("name"))
            if digest and image:
                today.setdefault(str(image), set()).add(digest)
    for name, digest in sorted(target.digests.items()):
        image = str(target.images.get(name, ""))
        others = today.get(image, set()) - {digest}
        if others and "@" not in image:
            yield Finding(name="image", sentence=pushed_again(name, image, str(digest), min(others)), blocks=True)


def pushed_again(container: str, image: str, then: str, now: str) -> str:
    """The sentence for a tag that was pushed again: no template brings the old image back, only its digest does."""
    repository = image.rpartition(":")[0] if ":" in image.rpartition("/")[2] else image
    return (
        f"the tag {image} was pushed again: it ran {then[:19]} when it was good and brings {now[:19]} today; "
        f"going back needs the digest: kubectl set image ... {container}={repository}@{then}"
    )


async def _quota(reader: Reader, snapshot: Snapshot, target: Release) -> Sequence[Finding]:
    try:
        quotas = await reader.client.list(reader.in_namespace("v1", "resourcequotas"))
    except Unavailable as error:
        return [Finding(name="quota", sentence=f"whether a quota leaves room is unknown: {error}", unknown=True)]
    assert target.template is not None  # noqa: S101 - the caller has seen to it
    return headroom(snapshot.workload, target.template, quotas)
