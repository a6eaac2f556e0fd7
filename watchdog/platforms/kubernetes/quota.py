"""Quota: whether the namespace leaves room for the pods that a rolling update adds before it removes any.

Neighbours: `preflight`. Pure. A rollout that may remove pods first gets on without extra room, so only one that may not is
blocked by a full quota.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from watchdog.model import Finding, JsonObject

_QUANTITY = re.compile(r"(?P<number>[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?P<suffix>[numkMGTPE]i?|Ki|)")
_SUFFIX: Mapping[str, Fraction] = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}


def quantity(text: Any) -> Fraction | None:
    """A quantity of the API (``250m``, ``1Gi``) as a number; None when it is none."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None or match["suffix"] not in _SUFFIX:
        return None
    return Fraction(match["number"]) * _SUFFIX[match["suffix"]]


def surge(workload: JsonObject) -> tuple[int, int]:
    """Pods that a Deployment's rolling update may add, and may remove first; (0, 1) for the kinds that replace."""
    spec = workload.get("spec") or {}
    if "strategy" not in spec or (spec["strategy"] or {}).get("type") == "Recreate":
        return 0, 1
    rolling = spec["strategy"].get("rollingUpdate") or {}
    replicas = int(spec.get("replicas", 1))
    return (
        _share(rolling.get("maxSurge", "25%"), replicas, up=True),
        _share(rolling.get("maxUnavailable", "25%"), replicas, up=False),
    )


def headroom(workload: JsonObject, template: JsonObject, quotas: Sequence[JsonObject]) -> tuple[Finding, ...]:
    """One finding for each quota entry that has less room than one extra pod needs."""
    more, fewer = surge(workload)
    if more == 0:
        return ()
    needs = dict(_needs(template))
    found = []
    for quota in quotas:
        status = quota.get("status") or {}
        for key, hard in (status.get("hard") or {}).items():
            need, limit = needs.get(key), quantity(hard)
            used = quantity((status.get("used") or {}).get(key, "0"))
            if need is None or limit is None or used is None or limit - used >= need:
                continue
            found.append(
                Finding(
                    name="quota",
                    sentence=f"quota {quota['metadata']['name']} leaves no room for one more pod ({key}: {hard} in all)",
                    blocks=fewer == 0,
                )
            )
    return tuple(found)


def _needs(template: JsonObject) -> Iterator[tuple[str, Fraction]]:
    yield "pods", Fraction(1)
    yield "count/pods", Fraction(1)
    containers = (template.get("spec") or {}).get("containers") or []
    for part in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            asked = [((entry.get("resources") or {}).get(part) or {}).get(resource, "0") for entry in containers]
            total = sum((quantity(value) or Fraction(0) for value in asked), Fraction(0))
            yield f"{part}.{resource}", total
            if part == "requests":
                yield resource, total


def _share(value: Any, of: int, *, up: bool) -> int:
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    exact = of * float(text[:-1]) / 100
    return math.ceil(exact) if up else math.floor(exact)
