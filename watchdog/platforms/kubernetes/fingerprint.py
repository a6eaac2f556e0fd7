"""Fingerprints: when two pod templates are the same release.

Neighbours: `history` names releases by it, `writer` compares it right before the write. Pure. Guarantees: what
controllers, `kubectl rollout restart` and older API servers add to a template does not change its fingerprint; every
other byte of it does. Not guaranteed: anything about what a tag points to - see `digests` in the pods.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from watchdog.model import JsonObject

DOMAIN = "rollback-watchdog.dev"
"""Prefix of our annotations."""
HASH_LABELS = (
    "pod-template-hash",
    "controller-revision-hash",
    "rollouts-pod-template-hash",
    "pod-template-generation",
)
"""Labels that controllers put into the template they keep."""
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def template_of(workload: JsonObject) -> JsonObject:
    """The raw pod template of a Deployment, ReplicaSet, StatefulSet or DaemonSet."""
    template: JsonObject = (workload.get("spec") or {}).get("template") or {}
    return template


def canonical(template: JsonObject, ignore: Collection[str] = ()) -> Mapping[str, Any]:
    """The template without what says nothing about the release. `ignore` names more annotations to leave out."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if key != "creationTimestamp"}
    _leave_out(metadata, "labels", HASH_LABELS)
    _leave_out(metadata, "annotations", (RESTARTED_AT, *ignore))
    rest = {key: value for key, value in template.items() if key not in ("metadata", "$patch")}
    return {**rest, "metadata": metadata} if metadata else rest


def fingerprint(template: JsonObject, ignore: Collection[str] = ()) -> str:
    """SHA-256 of the canonical template, in hexadecimal."""
    return _digest(canonical(template, ignore))


def exact(template: JsonObject) -> str:
    """SHA-256 of the template as the controllers compare it: a restart alone makes it another one."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if key != "creationTimestamp"}
    _leave_out(metadata, "labels", HASH_LABELS)
    _leave_out(metadata, "annotations", ())
    return _digest({**template, "metadata": metadata, "$patch": None})


def images_of(template: JsonObject) -> Mapping[str, str]:
    """Container name to image, init containers included."""
    return {
        str(container.get("name", "")): str(container.get("image", ""))
        for kind in ("initContainers", "containers")
        for container in _list(template, kind)
    }


def claims_of(template: JsonObject) -> Mapping[str, str]:
    """What the template itself says about its release: ``migration``, ``no-rollback``.

    Only the template speaks for a release: annotations of the Deployment are copied on by the controller and outlive it.
    An empty value is a claim too: what it means is not decided here.
    """
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    named = {word: annotations.get(f"{DOMAIN}/{word}") for word in ("migration", "no-rollback")}
    return {word: str(value) for word, value in named.items() if value is not None}


def _list(template: JsonObject, kind: str) -> list[JsonObject]:
    return list((template.get("spec") or {}).get(kind) or [])


def _leave_out(metadata: dict[str, Any], part: str, names: Collection[str]) -> None:
    """Without the names; an empty map is as good as none, else a restart would leave a trace."""
    kept = {key: value for key, value in (metadata.pop(part, None) or {}).items() if key not in names}
    if kept:
        metadata[part] = kept


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
