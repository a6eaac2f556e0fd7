"""What the objects of a container app say: revisions, who serves, who is ready. Pure.

Role: interpretation shared by reading, planning and writing. Source: facts/back-ends 6 (Container Apps REST API 2024-03-01).
Guarantees: `runningState` is an open set - what is not known to be bad is judged by provisioning and health; a release is
named by its template without the suffix of its revision, so that a copy of the good revision *is* the good release. Not
guaranteed: what Azure does not say - app-scope settings (secrets, ingress, registries) are not part of any revision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from watchdog.model import Instance, Instant, JsonObject, Release, instant, record

SERVING = frozenset({"Running", "RunningAtMaxScale", "ScaledToZero", "ScaleToZero"})
BROKEN = frozenset({"Failed", "Degraded", "ActivationFailed"})
INTENT_TAG = "rollback-watchdog-intent"
SUFFIX = "wd"


@record
class Revision:
    """One revision."""

    name: str
    template: JsonObject
    active: bool
    created: Instant
    replicas: int
    weight: int
    provisioning: str
    running: str
    health: str
    trouble: str
    fqdn: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its template without the suffix."""
        return fingerprint(self.template)

    @property
    def ready(self) -> bool:
        """It can serve."""
        return (
            self.active
            and self.provisioning == "Provisioned"
            and self.health != "Unhealthy"
            and self.running not in BROKEN
            and (self.running in SERVING or self.replicas > 0)
        )

    @property
    def problem(self) -> str:
        """Why it will not serve as it is; empty when nothing is known against it."""
        if self.provisioning == "Failed" or self.running in BROKEN or self.health == "Unhealthy":
            words = f"revision {self.name} is {self.running or self.provisioning}, health {self.health or 'not told'}"
            return f"{words}: {self.trouble}" if self.trouble else words
        return ""


def fingerprint(template: JsonObject) -> str:
    """Name of a release."""
    plain = {key: value for key, value in template.items() if key != "revisionSuffix"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def revision_of(body: JsonObject) -> Revision:
    """From the API's object."""
    own = body.get("properties") or {}
    return Revision(
        name=str(body.get("name", "")),
        template=own.get("template") or {},
        active=bool(own.get("active")),
        created=moment(own.get("createdTime")) or instant(0.0),
        replicas=int(own.get("replicas") or 0),
        weight=int(own.get("trafficWeight") or 0),
        provisioning=str(own.get("provisioningState") or ""),
        running=str(own.get("runningState") or ""),
        health=str(own.get("healthState") or ""),
        trouble=" ".join(str(own.get("provisioningError") or "").split())[:200],
        fqdn=str(own.get("fqdn") or ""),
    )


@record
class App:
    """The app itself. `traffic` as it stands in its ingress."""

    id: str
    mode: str
    provisioning: str
    latest: str
    latest_ready: str
    has_ingress: bool
    traffic: tuple[JsonObject, ...]
    tags: Mapping[str, str]
    secrets: frozenset[str]
    modified_at: str
    modified_by: str
    template: JsonObject

    @property
    def single(self) -> bool:
        """One revision serves at a time."""
        return self.mode != "Multiple"


def app_of(body: JsonObject) -> App:
    """From the API's object."""
    own = body.get("properties") or {}
    configuration = own.get("configuration") or {}
    ingress = configuration.get("ingress") or {}
    system = body.get("systemData") or {}
    return App(
        id=str(body.get("id", "")),
        mode=str(configuration.get("activeRevisionsMode") or "Single"),
        provisioning=str(own.get("provisioningState") or ""),
        latest=str(own.get("latestRevisionName") or ""),
        latest_ready=str(own.get("latestReadyRevisionName") or ""),
        has_ingress=bool(ingress),
        traffic=tuple(ingress.get("traffic") or ()),
        tags={str(key): str(value) for key, value in (body.get("tags") or {}).items()},
        secrets=frozenset(str(one.get("name")) for one in configuration.get("secrets") or ()),
        modified_at=str(system.get("lastModifiedAt") or ""),
        modified_by=str(system.get("lastModifiedBy") or ""),
        template=own.get("template") or {},
    )


def weights(app: App, latest: str = "") -> dict[str, int]:
    """Share of the traffic by revision; `latestRevision` is the newest one that is ready, or `latest` where it is said."""
    newest = latest or app.latest_ready
    if app.single or not app.traffic:
        return {newest or app.latest: 100}
    found: dict[str, int] = {}
    for entry in app.traffic:
        name = newest if entry.get("latestRevision") else str(entry.get("revisionName") or "")
        if name:
            found[name] = found.get(name, 0) + int(entry.get("weight") or 0)
    return found


def current_of(app: App, revisions: Sequence[Revision]) -> Revision | None:
    """The release that users get, or are about to: the newest revision where traffic follows it, else the one with most."""
    by_name = {one.name: one for one in revisions}
    if app.single:
        return by_name.get(app.latest) or by_name.get(app.latest_ready)
    shares = weights(app, app.latest)
    served = [one for one in revisions if shares.get(one.name, 0) > 0]
    return max(served, key=lambda one: (shares[one.name], one.created), default=by_name.get(app.latest))


def release_of(one: Revision) -> Release:
    """The release of a revision, addressed by its name."""
    containers = [*(one.template.get("initContainers") or ()), *(one.template.get("containers") or ())]
    return Release(
        fingerprint=one.fingerprint,
        revision=one.name,
        address=one.name,
        images={str(entry.get("name", "")): str(entry.get("image", "")) for entry in containers},
        template=one.template,
        started=one.created,
    )


def instance_of(replica: JsonObject, release: str) -> Instance:
    """One replica."""
    own = replica.get("properties") or {}
    containers = own.get("containers") or ()
    state = str(own.get("runningState") or "")
    created = moment(own.get("createdTime"))
    ready = bool(containers) and all(bool(one.get("ready")) for one in containers)
    return Instance(
        name=str(replica.get("name", "")),
        release=release,
        ready=ready,
        ready_since=created if ready else None,
        started=created,
        restarts=sum(int(one.get("restartCount") or 0) for one in containers),
        problem="" if state in ("", "Running") else str(own.get("runningStateDetails") or state)[:120],
    )


def secret_names(template: JsonObject) -> frozenset[str]:
    """Secrets of the app that a template names."""
    containers = [*(template.get("initContainers") or ()), *(template.get("containers") or ())]
    named = {str(entry["secretRef"]) for one in containers for entry in one.get("env") or () if entry.get("secretRef")}
    volumes = template.get("volumes") or ()
    return frozenset(
        named | {str(one["secretRef"]) for v in volumes for one in v.get("secrets") or () if one.get("secretRef")}
    )


def moment(text: object) -> Instant | None:
    """Of the API's ISO 8601 text."""
    try:
        return instant(datetime.fromisoformat(str(text)).timestamp()) if text else None
    except ValueError:
        return None


def suffix_of(intent: str) -> str:
    """A new revision's suffix that finds the intent again: lower-case, begins with a letter, no ``--``."""
    return SUFFIX + hashlib.sha256(intent.encode()).hexdigest()[:10]
