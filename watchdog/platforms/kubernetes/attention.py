"""Attention: whether anything that a read would show has changed since a moment.

Role: lets a target that is at rest be left alone. Neighbours: `clients.kubernetes.watching` tells of changes, `platform` says what is read.
Guarantees: `unchanged` is true only when the watches of the workload's kind, of its revisions and of its pods have covered all
the time since that moment, and none told of anything that may be this workload's; what is not sure to be another's counts as its
own. Nothing is decided by it but whether to read: gate and writer always read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchdog.clients.kubernetes import Watches
from watchdog.model import JsonObject
from watchdog.platforms.kubernetes.reading import Reader
from watchdog.ports import Clock


class Attention:
    """What one workload has to know of the watches."""

    def __init__(self, reader: Reader, watches: Watches, clock: Clock) -> None:
        """Listen to `watches` from the first `attend` on."""
        self._watches, self._clock = watches, clock
        self._name, self._mine = reader.config.name, reader.in_namespace("apps/v1", reader.kind.resource)
        self._pods = reader.in_namespace("v1", "pods")
        self._paths = (self._mine, reader.in_namespace("apps/v1", reader.kind.revisions_resource), self._pods)
        self._uid = ""
        self._labels: Mapping[str, Any] = {}
        self._told_at = float("-inf")

    def attend(self) -> None:
        """Hear of changes from now on."""
        for path in self._paths:
            self._watches.listen(path, self)

    def learn(self, workload: JsonObject) -> None:
        """Which objects are its own, as a read has shown."""
        self._uid = str(workload["metadata"]["uid"])
        self._labels = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}

    def unchanged(self, since: float) -> bool:
        """Whether a read now would show what one that began at `since` (monotonic) has shown."""
        return self._told_at < since and all(self._watches.covers(path, since) for path in self._paths)

    def told(self, path: str, metadata: Mapping[str, Any] | None) -> None:
        """See `watching.Listener`."""
        if metadata is None or self._matters(path, metadata):
            self._told_at = self._clock.monotonic()

    def _matters(self, path: str, metadata: Mapping[str, Any]) -> bool:
        if path == self._mine:
            return metadata.get("name") == self._name
        if path == self._pods:
            labels = metadata.get("labels") or {}
            return all(labels.get(key) == value for key, value in self._labels.items())
        owners = [entry.get("uid") for entry in metadata.get("ownerReferences") or [] if entry.get("controller")]
        return not owners or not self._uid or self._uid in owners
