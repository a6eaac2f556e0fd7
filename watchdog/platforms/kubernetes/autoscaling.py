"""Autoscaling: whether the pods that are there now could carry the load that comes back (facts/hazards L).

Neighbours: `preflight`. A release that fails gets less load, and the autoscaler takes pods away; replicas are never touched
by a rollback, so the good release would start with too few. Guarantees: read only, and an autoscaler that may not be read
is said. Not guaranteed: a right guess of the load; only the Deployment's own ReplicaSets remember how many were wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from watchdog.clients.kubernetes import Forbidden, NotFound
from watchdog.model import Finding, Instant, JsonObject, Release
from watchdog.platforms.kubernetes.reading import Reader, Snapshot
from watchdog.ports import Unavailable

SHARE = 0.5
"""Fewer than this share of the pods that the good release had is a floor too small."""
FEWER = 2
"""... and at least so many fewer: 1 instead of 2 is the autoscaler at work."""
SAME_LOAD_S = 3600.0
"""Of a longer time ago the good release's number says nothing about the load of now."""


async def check_floor(reader: Reader, snapshot: Snapshot, target: Release, now: Instant) -> Sequence[Finding]:
    """A finding where an autoscaler has left far fewer pods than the good release had when it was replaced."""
    try:
        scalers = await reader.client.list(reader.in_namespace("autoscaling/v2", "horizontalpodautoscalers"))
    except NotFound:
        return ()
    except Forbidden:
        return [
            Finding(
                name="autoscaler", sentence="autoscalers may not be read: whether enough pods are left was not checked"
            )
        ]
    except Unavailable as error:
        return [Finding(name="autoscaler", sentence=f"whether enough pods are left is unknown: {error}", unknown=True)]
    return floor(snapshot, target, [one for one in scalers if _scales(one, reader)], now)


def floor(snapshot: Snapshot, target: Release, scalers: Sequence[JsonObject], now: Instant) -> tuple[Finding, ...]:
    """The same, from the autoscalers of this very workload."""
    wanted = max((one.wanted for one in snapshot.revisions if one.fingerprint == target.fingerprint), default=0)
    began = snapshot.current.created if snapshot.current else None
    lately = began is not None and now - began <= SAME_LOAD_S
    left = int((snapshot.workload.get("spec") or {}).get("replicas", 1))
    if not scalers or not lately or left >= SHARE * wanted or wanted - left < FEWER:
        return ()
    name, least = scalers[0]["metadata"]["name"], (scalers[0].get("spec") or {}).get("minReplicas", 1)
    sentence = (
        f"{target.label} had {wanted} pods when it was replaced, and autoscaler {name} has left {left} (minimum {least}): "
        f"too few for the load that comes back; raise it first: kubectl patch hpa {name} -p "
        f'\'{{"spec":{{"minReplicas":{wanted}}}}}\''
    )
    return (Finding(name="autoscaler", sentence=sentence, unknown=True),)


def _scales(scaler: JsonObject, reader: Reader) -> bool:
    aimed: Mapping[str, Any] = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
    return (aimed.get("kind"), aimed.get("name")) == (reader.kind.word, reader.config.name)
