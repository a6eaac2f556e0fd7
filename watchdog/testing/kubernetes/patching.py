"""Patches as the API server applies them: strategic merge, merge and JSON patch.

Neighbours: `server`. Pure. Strategic merge knows the lists that matter in a workload (merged by key); every other list is
replaced, as the API does for atomic ones.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "conditions": "type",
}


class TestFailed(ValueError):
    """A `test` of a JSON patch did not hold."""

    __test__ = False


def strategic(target: Any, patch: Mapping[str, Any]) -> Any:
    """`target` with the strategic merge patch applied."""
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = strategic(merged.get(key), value)
        elif isinstance(value, list) and key in MERGE_KEYS and isinstance(merged.get(key), list):
            merged[key] = _by_key(merged[key], value, MERGE_KEYS[key])
        elif not key.startswith("$"):
            merged[key] = copy.deepcopy(value)
    return merged


def merge(target: Any, patch: Any) -> Any:
    """`target` with the JSON merge patch applied."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: list[dict[str, Any]]) -> Any:
    """`target` with the JSON patch applied. Raises TestFailed, or KeyError for a path that is not there."""
    result = copy.deepcopy(target)
    for operation in operations:
        parent, key = _locate(result, operation["path"])
        verb = operation["op"]
        if verb == "test":
            if parent[key] != operation["value"]:
                raise TestFailed(f"testing value {operation['path']} failed: test failed")
        elif verb == "remove":
            del parent[key]
        elif verb == "replace":
            parent[key]
            parent[key] = operation["value"]
        elif isinstance(parent, list):
            parent.insert(len(parent) if key == "-" else key, operation["value"])
        else:
            parent[key] = operation["value"]
    return result


def _locate(root: Any, path: str) -> tuple[Any, Any]:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    node = root
    for part in parts[:-1]:
        node = node[int(part)] if isinstance(node, list) else node[part]
    last = parts[-1]
    return node, int(last) if isinstance(node, list) and last != "-" else last


def _by_key(old: list[Any], new: list[Any], key: str) -> list[Any]:
    merged = [dict(entry) for entry in old]
    for entry in new:
        there = next((place for place, known in enumerate(merged) if known.get(key) == entry.get(key)), None)
        if entry.get("$patch") == "delete":
            merged = [known for known in merged if known.get(key) != entry.get(key)]
        elif there is None:
            merged.append(copy.deepcopy(entry))
        else:
            merged[there] = strategic(merged[there], entry)
    return merged
