"""The objects of the fake: kept with uid, resourceVersion, generation and managedFields, as the API server keeps them.

Neighbours: `server` serves them, `controllers` acts on them.
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """Where an object lives."""

    group_version: str
    resource: str
    namespace: str
    name: str


class Lost(Exception):
    """The object is not at the version, or not the one, that the request names."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event: ``ADDED``, ``MODIFIED`` or ``DELETED``, and the object as it was left."""

    version: int
    kind: str
    key: Key
    manifest: Manifest


class _Kept(dict[Key, Manifest]):
    """Objects by key; whoever adds, replaces or removes one leaves a `Change`."""

    def __init__(self, objects: Objects) -> None:
        super().__init__()
        self._objects = objects

    def __setitem__(self, key: Key, manifest: Manifest) -> None:
        kind = "MODIFIED" if key in self else "ADDED"
        super().__setitem__(key, manifest)
        self._objects.changes.append(Change(self._objects.version, kind, key, manifest))

    def __delitem__(self, key: Key) -> None:
        manifest = copy.deepcopy(self[key])
        super().__delitem__(key)
        self._objects.version += 1
        manifest["metadata"]["resourceVersion"] = str(self._objects.version)
        self._objects.changes.append(Change(self._objects.version, "DELETED", key, manifest))


@dataclass
class Objects:
    """All objects by key. `now` gives the API's timestamp of this moment."""

    now: Callable[[], str]
    version: int = 100
    changes: list[Change] = field(default_factory=list)
    """Everything that happened, oldest first: what watches tell."""
    kept: dict[Key, Manifest] = field(init=False)

    def __post_init__(self) -> None:
        self.kept = _Kept(self)

    def put(
        self, key: Key, manifest: Mapping[str, Any], manager: str = "kubectl", operation: str = "Update"
    ) -> Manifest:
        """Create or replace: raises the version, and the generation when the spec changed."""
        fresh: Manifest = copy.deepcopy(dict(manifest))
        old = self.kept.get(key)
        metadata = fresh.setdefault("metadata", {})
        metadata["name"] = key.name
        if key.namespace:
            metadata["namespace"] = key.namespace
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        if old is None:
            metadata.setdefault("uid", str(uuid.uuid4()))
            metadata.setdefault("creationTimestamp", self.now())
            metadata["generation"] = 1
        else:
            for stays in ("uid", "creationTimestamp"):
                metadata[stays] = old["metadata"][stays]
            changed = old.get("spec") != fresh.get("spec")
            metadata["generation"] = old["metadata"].get("generation", 1) + changed
        if _template(old) != _template(fresh) and manager:
            metadata["managedFields"] = self._written(metadata.get("managedFields") or [], manager, operation)
        self.kept[key] = fresh
        return fresh

    def edit(self, key: Key, change: Callable[[Manifest], None], manager: str = "") -> Manifest:
        """Change an object in place, as somebody else would."""
        fresh = copy.deepcopy(self.kept[key])
        change(fresh)
        return self.put(key, fresh, manager)

    def demand(self, key: Key, *, version: str = "", uid: str = "") -> Manifest:
        """The object, if it is at that version and is that one. Raises KeyError, Lost."""
        there = self.kept[key]
        metadata = there["metadata"]
        if (version and version != metadata["resourceVersion"]) or (uid and uid != metadata["uid"]):
            raise Lost(f"{key.resource} {key.name!r}: the object has been modified; please apply your changes again")
        return there

    def of(self, group_version: str, resource: str, namespace: str = "") -> Iterator[tuple[Key, Manifest]]:
        """All objects of a resource, in order of creation."""
        for key, manifest in list(self.kept.items()):
            if (key.group_version, key.resource) == (group_version, resource) and namespace in ("", key.namespace):
                yield key, manifest

    def owned(self, resource: str, owner: Manifest, group_version: str = "apps/v1") -> list[tuple[Key, Manifest]]:
        """Objects that `owner` controls."""
        uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
        return [
            (key, manifest)
            for key, manifest in self.of(group_version, resource, namespace)
            if any(entry["uid"] == uid for entry in manifest["metadata"].get("ownerReferences", []))
        ]

    def _written(self, entries: list[Manifest], manager: str, operation: str) -> list[Manifest]:
        me = (manager, operation, "")
        others = [e for e in entries if (e["manager"], e["operation"], e.get("subresource", "")) != me]
        mine = {
            "manager": manager,
            "operation": operation,
            "apiVersion": "apps/v1",
            "time": self.now(),
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:template": {}}},
        }
        return [*others, mine]


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a label selector of a query matches."""
    terms = re.findall(r"[^,(]+(?:\([^)]*\))?", selector)
    return all(_term(term.strip(), labels) for term in terms if term.strip())


def _term(term: str, labels: Mapping[str, str]) -> bool:
    match = re.fullmatch(r"(\S+) (in|notin) \(([^)]*)\)", term)
    if match:
        inside = labels.get(match[1]) in match[3].split(",")
        return inside == (match[2] == "in")
    if term.startswith("!"):
        return term[1:] not in labels
    key, equals, value = term.partition("=")
    return labels.get(key) == value.lstrip("=") if equals else key in labels


def _template(manifest: Manifest | None) -> Any:
    return ((manifest or {}).get("spec") or {}).get("template")
