"""Ownership of fields: handing back what our write took from whoever deploys by server-side apply.

Neighbours: `plans` puts the step behind the restored template, `writer` sends it, `resolving` reads what became of it. Pure.
Why: every write moves the changed fields to its manager (facts/back-ends 1.3), and the next ``kubectl apply --server-side``
- the fix - would conflict with us. Guarantees: only our own entry of managedFields goes, and only by a patch that fails when
anybody wrote in between; no field of the workload changes. Not guaranteed: that it goes through; the rollback is whole without.
"""

from __future__ import annotations

from typing import Any

from watchdog.clients.kubernetes.client import FIELD_MANAGER
from watchdog.model import JsonObject, Step, UnitRef

HAND_BACK = "hand-back-fields"


def applied_by(workload: JsonObject) -> str:
    """The manager that deploys it by server-side apply; empty when nobody does."""
    found = (str(entry.get("manager", "")) for entry in _entries(workload) if entry.get("operation") == "Apply")
    return next((name for name in found if name and name != FIELD_MANAGER), "")


def ours(workload: JsonObject) -> bool:
    """An entry of ours is there."""
    return any(_is_ours(entry) for entry in _entries(workload))


def hand_back_step(label: str, path: str, unit: UnitRef, manager: str) -> Step:
    """The step; its body is made from what is live when it is sent."""
    return Step(
        name=HAND_BACK,
        unit=unit,
        words=f"hand the fields of {label} back, so that the next server-side apply by {manager} finds no conflict",
        precondition="the good template is live and nobody wrote it since it was read",
        request={"method": "PATCH", "path": path},
        courtesy=True,
    )


def hand_back_patch(workload: JsonObject) -> list[JsonObject]:
    """The JSON patch: managedFields without our entry, at the very version that was read."""
    left = [entry for entry in workload["metadata"].get("managedFields") or [] if not _is_ours(entry)]
    return [
        {"op": "test", "path": "/metadata/uid", "value": workload["metadata"]["uid"]},
        {"op": "test", "path": "/metadata/resourceVersion", "value": workload["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/metadata/managedFields", "value": left},
    ]


def _entries(workload: JsonObject) -> list[dict[str, Any]]:
    """Those of the object itself; status and scale are others' business."""
    return [entry for entry in workload["metadata"].get("managedFields") or [] if not entry.get("subresource")]


def _is_ours(entry: dict[str, Any]) -> bool:
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Update" and not entry.get("subresource")
