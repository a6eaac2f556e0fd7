"""Objects for people in a cluster: `kubectl apply -f pause.yaml`, `kubectl get incidents -w`.

Role: `ports.PauseObjects` and `ports.IncidentObjects` over the two definitions of `deploy/kubernetes/objects`. Neighbours: `engine.pauses` takes
the first into the register and answers on them, `engine.mirroring` shows the second. Guarantees: a list that was refused, cut
or holds something that cannot be read is Unavailable, never "no pauses" - also a definition that is missing; a status is written only on
the very version that was read; a later state of an incident is never replaced by an earlier one; no text goes out unredacted.
Not guaranteed: who made a pause - the API server's audit log knows, `spec.who` is what was written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from watchdog.clients.kubernetes import (
    MERGE_PATCH,
    ConflictLost,
    KubernetesClient,
    KubernetesError,
    NotFound,
    api_path,
)
from watchdog.model import Incident, Instant, Intent, JsonObject, Pause, instant, iso, parse_instant
from watchdog.ports import Unavailable
from watchdog.safety.pausing import MAXIMUM_S, OBJECT, parse_scope

T = TypeVar("T")

GROUP = "rollback-watchdog.dev"
API = f"{GROUP}/v1alpha1"
PAUSES, INCIDENTS = "pauses", "incidents"
TARGET = f"{GROUP}/target"
"""Label of an Incident."""
LONGEST = 500
"""Characters of one text: an object is read in a terminal."""
LONGEST_NAME = 200
STEPS = 30
"""Lines of the journal that are shown, the newest."""


class KubernetesPauses:
    """The Pause objects of `namespace`."""

    def __init__(self, client: KubernetesClient, namespace: str) -> None:
        """Nothing is asked yet; the client is closed by its owner."""
        self._client, self._namespace = client, namespace
        self._versions: dict[str, tuple[str, str, JsonObject]] = {}
        """Name, resourceVersion and status by our id, as last listed."""

    async def list(self) -> Sequence[Pause]:
        """See `ports.PauseObjects`."""
        items = await _listed(self._client, api_path(API, PAUSES, self._namespace))
        found = [(_pause(item), item) for item in items]
        self._versions = {
            pause.id: (item["metadata"]["name"], item["metadata"]["resourceVersion"], item.get("status") or {})
            for pause, item in found
        }
        return [pause for pause, _ in found]

    async def tell(self, pause: Pause) -> None:
        """See `ports.PauseObjects`."""
        known = self._versions.get(pause.id)
        if known is None:
            return
        name, version, status = known
        said = _told(pause)
        if all(status.get(key) == value for key, value in said.items()):
            return
        path = api_path(API, PAUSES, self._namespace, name, "status")
        body = {"metadata": {"resourceVersion": version}, "status": said}
        try:
            await _asked(self._client.patch(path, body, content_type=MERGE_PATCH))
        except (NotFound, ConflictLost):
            return  # it is gone or another one now: the next list tells


class KubernetesIncidents:
    """The Incident objects of `namespace`. `redact` takes secrets out of a text, `report` says where a report lies."""

    def __init__(
        self,
        client: KubernetesClient,
        namespace: str,
        redact: Callable[[str], str],
        report: Callable[[str], str] = lambda _: "",
    ) -> None:
        """Nothing is asked yet; the client is closed by its owner."""
        self._client, self._namespace, self._redact, self._report = client, namespace, redact, report

    async def shown(self) -> Mapping[str, Instant]:
        """See `ports.IncidentObjects`."""
        items = await _listed(self._client, api_path(API, INCIDENTS, self._namespace))
        return {str(item["spec"]["id"]): _moment(item) for item in items}

    async def show(self, incident: Incident) -> None:
        """See `ports.IncidentObjects`."""
        path = api_path(API, INCIDENTS, self._namespace, _name(incident.id))
        try:
            there = await self._there(path, incident)
            if _moment(there) > incident.updated_at:
                return
            body = {
                "metadata": {"resourceVersion": there["metadata"]["resourceVersion"]},
                "status": self._status(incident),
            }
            await _asked(self._client.patch(f"{path}/status", body, content_type=MERGE_PATCH))
        except (NotFound, ConflictLost) as error:
            raise Unavailable(f"{incident.id} cannot be shown now: {error}") from error

    async def _there(self, path: str, incident: Incident) -> JsonObject:
        try:
            return await _asked(self._client.get(path))
        except NotFound:
            return await _asked(self._client.create(api_path(API, INCIDENTS, self._namespace), self._whole(incident)))

    def _whole(self, incident: Incident) -> JsonObject:
        return {
            "apiVersion": API,
            "kind": "Incident",
            "metadata": {"name": _name(incident.id), "labels": {TARGET: incident.target[:63].rstrip("-_.")}},
            "spec": {
                "id": incident.id,
                "target": incident.target,
                "group": incident.group,
                "units": [f"{unit.platform}/{unit.name}" for unit in incident.units],
                "blamed": {"release": self._text(incident.blamed.label), "fingerprint": incident.blamed.fingerprint},
            },
        }

    def _status(self, incident: Incident) -> JsonObject:
        """Every field, null where there is nothing: a merge patch takes away what an earlier opening had said."""
        good, closed, breach = incident.good, incident.closed_at, incident.breach_at
        return {
            "stage": incident.stage.value,
            "reason": incident.reason.value if incident.reason else None,
            "headline": self._text(incident.headline),
            "good": None if good is None else {"release": self._text(good.label), "fingerprint": good.fingerprint},
            "mode": incident.mode.value,
            "simulated": incident.simulated,
            "manual": incident.manual,
            "needsHuman": incident.needs_human and not incident.reviewed,
            "reopened": incident.reopened,
            "openedAt": iso(incident.opened_at),
            "breachAt": None if breach is None else iso(breach),
            "updatedAt": iso(incident.updated_at),
            "closedAt": None if closed is None else iso(closed),
            "report": self._report(incident.id),
            "intents": [self._intent(one) for one in (*incident.past_intents, *incident.intents)],
            "journal": [
                f"{iso(entry.at)} {self._text(entry.sentence)}" for entry in incident.entries[-STEPS:] if entry.sentence
            ],
        }

    def _intent(self, intent: Intent) -> JsonObject:
        return {
            "id": intent.id,
            "step": self._text(intent.step.name),
            "from": intent.from_release,
            "to": intent.to_release,
            "storedAt": iso(intent.stored_at),
            "outcome": intent.outcome,
        }

    def _text(self, text: str) -> str:
        safe = self._redact(text)
        return safe if len(safe) <= LONGEST else f"{safe[: LONGEST - 3]}..."


def _name(incident: str) -> str:
    """Its id, where that is a name that an object may have; else near to it, and told apart by a digest."""
    plain = re.sub(r"[^a-z0-9-]", "-", incident.lower())
    if plain == incident and len(incident) <= LONGEST_NAME:
        return incident
    digest = hashlib.sha256(incident.encode()).hexdigest()[:8]
    return f"{plain[: LONGEST_NAME - 9].strip('-')}-{digest}"


def _pause(item: JsonObject) -> Pause:
    """The pause of an object. Raises Unavailable for one that cannot be understood: it may say "not now"."""
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    name = str(metadata["name"])
    try:
        made = parse_instant(str(metadata["creationTimestamp"]))
        applied = status.get("appliedAt")
        return Pause(
            id=f"{OBJECT}{name}-{str(metadata['uid'])[:8]}",
            scope=str(parse_scope(str(spec["scope"]))),
            who=f"{spec.get('who') or 'somebody'}, by the Pause {name}",
            why=str(spec["reason"]),
            since=made,
            until=min(parse_instant(str(spec["until"])), instant(made + MAXIMUM_S)),
            applied_at=parse_instant(str(applied)) if applied else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"the Pause {name} cannot be understood: {error}") from error


def _told(pause: Pause) -> dict[str, Any]:
    ended = pause.ended_at is not None
    return {
        "state": "Ended" if ended else "Active",
        "id": pause.id,
        "appliedAt": None if pause.applied_at is None else iso(pause.applied_at),
        "until": iso(pause.until),
        "suppressed": pause.suppressed,
    }


def _moment(item: JsonObject) -> Instant:
    """Of which moment the state is; the beginning of time for an object that has none yet."""
    text = (item.get("status") or {}).get("updatedAt")
    return parse_instant(str(text)) if text else Instant(0.0)


async def _listed(client: KubernetesClient, path: str) -> Sequence[JsonObject]:
    """All of them. A list that is not there is no empty one: nobody serves it."""
    try:
        return await _asked(client.list(path))
    except NotFound as error:
        raise Unavailable(f"{error}: is deploy/kubernetes/objects applied?") from error


async def _asked(call: Awaitable[T]) -> T:
    """A known answer passes as it is; everything else is Unavailable."""
    try:
        return await call
    except (NotFound, ConflictLost, Unavailable):
        raise
    except KubernetesError as error:
        raise Unavailable(str(error)) from error
