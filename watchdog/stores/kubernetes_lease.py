"""Leadership in a cluster: one Lease object, its holder acts.

Role: `ports.Lease` over coordination.k8s.io. Neighbours: the engine renews it, reads its state before each write, and ends the daemon when it
is lost. Source: facts/back-ends 10 and the election of client-go. Guarantees: whether another's lease has ended is judged by *our*
monotonic clock since its record last changed, never by its timestamps; our own counts from *before* the renewal was sent, so
that it has ended here before it ends for others; every change is conditional on the version that was read; a renewal that
got no answer is not a renewal. Not guaranteed: that a process which stood still does not write late - that is what the
preconditions of each write are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchdog.clients.kubernetes import (
    MERGE_PATCH,
    ConflictLost,
    KubernetesClient,
    KubernetesError,
    NotFound,
    api_path,
)
from watchdog.model import JsonObject, iso, record
from watchdog.ports import Clock, Held, LeaseState, LeaseUnknown, NotHolder, Unavailable

DURATION_S = 15.0
CALL_S = 4.0
"""Longest call: several fit into a lease."""


@record
class Watched:
    """Another's record as last seen to change, and when that was on our monotonic clock."""

    mark: tuple[str, str, int]
    at: float


class KubernetesLease:
    """The Lease `name` in `namespace`. `holder` is unique to this process: pod name and something random."""

    def __init__(
        self,
        client: KubernetesClient,
        namespace: str,
        name: str,
        holder: str,
        clock: Clock,
        *,
        duration_s: float = DURATION_S,
    ) -> None:
        """A lease that is not asked for yet; the client is closed by its owner."""
        self._client, self._clock = client, clock
        self._folder = api_path("coordination.k8s.io/v1", "leases", namespace)
        self._path = api_path("coordination.k8s.io/v1", "leases", namespace, name)
        self._name, self._holder, self._duration_s = name, holder, duration_s
        self._known: LeaseState = LeaseUnknown(reason="not asked for yet")
        self._until = float("-inf")
        """Monotonic end of what we hold."""
        self._fence = 0
        self._other: Watched | None = None

    async def acquire(self) -> LeaseState:
        """Renew it, or take it when nobody holds it. What cannot be found out changes nothing that is known for longer."""
        began = self._clock.monotonic()
        try:
            self._known = await self._tried(began)
        except (KubernetesError, Unavailable) as error:
            if not isinstance(self.state(), Held):
                self._known = LeaseUnknown(reason=f"lease {self._name}: {error}")
        return self.state()

    def state(self) -> LeaseState:
        """What is known now. A lease that could not be renewed in time is not known to be ours any more."""
        if not isinstance(self._known, Held):
            return self._known
        left = self._until - self._clock.monotonic()
        if left <= 0:
            return LeaseUnknown(reason=f"lease {self._name}: not renewed for {self._duration_s:g} s")
        return Held(remaining=left, fence=self._fence)

    async def release(self) -> None:
        """Let the next one in at once. Releasing what is not ours does nothing; nothing is raised."""
        ours, self._known = isinstance(self._known, Held), NotHolder(holder="")
        if not ours:
            return
        try:
            lease = await self._client.get(self._path, timeout_s=CALL_S)
            if (lease.get("spec") or {}).get("holderIdentity") == self._holder:
                await self._change(lease, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except (KubernetesError, Unavailable):
            return  # it ends by itself

    async def _tried(self, began: float) -> LeaseState:
        try:
            lease = await self._client.get(self._path, timeout_s=CALL_S)
        except NotFound:
            return await self._made(began)
        spec: Mapping[str, Any] = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if holder == self._holder:
            return await self._taken(lease, began, {})
        if holder and not self._has_ended(lease, spec):
            return NotHolder(holder=holder)
        transitions = int(spec.get("leaseTransitions") or 0) + 1
        return await self._taken(lease, began, {"acquireTime": self._now(), "leaseTransitions": transitions})

    async def _made(self, began: float) -> LeaseState:
        spec = {**self._spec(), "acquireTime": self._now(), "leaseTransitions": 0}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name},
            "spec": spec,
        }
        try:
            lease = await self._client.create(self._folder, body, timeout_s=CALL_S)
        except ConflictLost:
            return NotHolder(holder="somebody who was faster")
        return self._ours(lease, began)

    async def _taken(self, lease: JsonObject, began: float, more: Mapping[str, Any]) -> LeaseState:
        try:
            changed = await self._change(lease, {**self._spec(), **more})
        except ConflictLost:
            return NotHolder(holder="somebody who was faster")
        except NotFound:
            return LeaseUnknown(reason=f"lease {self._name} was removed while it was taken")
        return self._ours(changed, began)

    def _ours(self, lease: JsonObject, began: float) -> Held:
        self._other = None
        self._until = began + self._duration_s
        self._fence = int(lease["spec"].get("leaseTransitions") or 0)
        return Held(remaining=self._duration_s, fence=self._fence)

    def _has_ended(self, lease: JsonObject, spec: Mapping[str, Any]) -> bool:
        """Whether the other's record has not changed for as long as it was good for, as far as we have watched."""
        mark = (str(lease["metadata"]["uid"]), str(spec.get("renewTime")), int(spec.get("leaseTransitions") or 0))
        now = self._clock.monotonic()
        if self._other is None or self._other.mark != mark:
            self._other = Watched(mark=mark, at=now)
        return now - self._other.at >= float(spec.get("leaseDurationSeconds") or self._duration_s)

    def _spec(self) -> dict[str, Any]:
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": int(self._duration_s),
            "renewTime": self._now(),
        }

    async def _change(self, lease: JsonObject, spec: Mapping[str, Any]) -> JsonObject:
        metadata = {"resourceVersion": lease["metadata"]["resourceVersion"], "uid": lease["metadata"]["uid"]}
        body = {"metadata": metadata, "spec": dict(spec)}
        return await self._client.patch(self._path, body, content_type=MERGE_PATCH, timeout_s=CALL_S)

    def _now(self) -> str:
        """A MicroTime, for people who look: nobody of ours decides by it."""
        return iso(self._clock.now())
