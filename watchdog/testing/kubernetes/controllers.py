"""A tiny controller manager and kubelet: what Deployments, StatefulSets and DaemonSets come to, at once.

Neighbours: `server` runs `settle` after every write, unless it was told to lag. Pods become what their image's `Behaviour`
says. Small on purpose: one rolling step removes broken old pods, adds new ones within the surge, and removes old ones as
new ones become ready; OrderedReady stops at the first pod that is not ready.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from dataclasses import dataclass, field, replace
from typing import Any

from watchdog.testing.kubernetes.objects import Key, Manifest, Objects

APPS = "apps/v1"
REVISION, HISTORY = "deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history"
NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
)
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What pods with an image come to. `digest` is what the tag brings at the moment when a pod starts."""

    ready: bool = True
    restarts: int = 0
    waiting: str = ""
    last_reason: str = ""
    digest: str = ""
    scheduled: bool = True


@dataclass
class Controllers:
    """Acts on `objects` until nothing changes any more."""

    objects: Objects
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=lambda: ["node-1", "node-2", "node-3"])
    _names: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def settle(self) -> None:
        """Reconcile every workload to its fixed point."""
        kinds = {"deployments": self._deployment, "statefulsets": self._statefulset, "daemonsets": self._daemonset}
        for resource, reconcile in kinds.items():
            for key, _ in self.objects.of(APPS, resource):
                for _ in range(_ROUNDS):
                    before = self.objects.version
                    reconcile(key)
                    if self.objects.version == before:
                        break

    # -- Deployments -------------------------------------------------------------------------------------------------

    def _deployment(self, key: Key) -> None:
        deployment = self.objects.kept[key]
        if deployment["spec"].get("paused"):
            self._status(key, {"observedGeneration": deployment["metadata"]["generation"]})
            return
        new = self._replicaset(key, deployment)
        self._roll(deployment, new)
        self._deployment_status(key, new)
        self._prune(deployment, new)

    def _replicaset(self, key: Key, deployment: Manifest) -> Key:
        sets = self.objects.owned("replicasets", deployment)
        template = deployment["spec"]["template"]
        same = [rs for rs, manifest in sets if _bare(manifest["spec"]["template"]) == _bare(template)]
        top = max((int(m["metadata"]["annotations"][REVISION]) for _, m in sets), default=0)
        if not same:
            return self._new_replicaset(key, deployment, top + 1)
        there = self.objects.kept[same[0]]
        annotations = dict(there["metadata"]["annotations"])
        if int(annotations[REVISION]) < top:
            past = annotations.get(HISTORY)
            annotations[HISTORY] = f"{past},{annotations[REVISION]}" if past else annotations[REVISION]
            annotations[REVISION] = str(top + 1)
        annotations |= _copied(deployment)
        if annotations != there["metadata"]["annotations"]:
            self.objects.edit(same[0], lambda rs: rs["metadata"].update(annotations=annotations))
        return same[0]

    def _new_replicaset(self, key: Key, deployment: Manifest, revision: int) -> Key:
        mark = _hash(deployment["spec"]["template"])
        template = copy.deepcopy(deployment["spec"]["template"])
        template.setdefault("metadata", {}).setdefault("labels", {})["pod-template-hash"] = mark
        template["metadata"]["creationTimestamp"] = None
        new = Key(APPS, "replicasets", key.namespace, f"{key.name}-{mark}")
        self.objects.put(
            new,
            {
                "metadata": {
                    "labels": dict(template["metadata"]["labels"]),
                    "annotations": {**_copied(deployment), REVISION: str(revision)},
                    "ownerReferences": [_owner("Deployment", deployment)],
                },
                "spec": {"template": template},
                "status": {},
            },
            manager="",
        )
        return new

    def _prune(self, deployment: Manifest, new: Key) -> None:
        """Old empty sets beyond the limit go, oldest first."""
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        sets = self.objects.owned("replicasets", deployment)
        idle = [rs for rs, manifest in sets if rs != new and not self._pods(manifest)]
        for rs in idle[: max(0, len(idle) - limit)]:
            del self.objects.kept[rs]

    def _roll(self, deployment: Manifest, new: Key) -> None:
        wanted = deployment["spec"].get("replicas", 1)
        sets = self.objects.owned("replicasets", deployment)
        old = [pod for rs, manifest in sets if rs != new for pod in self._pods(manifest)]
        for pod in [pod for pod in old if not _is_ready(self.objects.kept[pod])]:
            del self.objects.kept[pod]
            old.remove(pod)
        there = self._pods(self.objects.kept[new])
        for _ in range(min(wanted, wanted + 1 - len(old)) - len(there)):
            self._pod(f"{new.name}-{next(self._names):05d}", "ReplicaSet", self.objects.kept[new])
        for pod in there[wanted:]:
            del self.objects.kept[pod]
        ready = sum(_is_ready(self.objects.kept[pod]) for pod in self._pods(self.objects.kept[new]))
        for pod in old[: max(0, ready + len(old) - wanted)]:
            del self.objects.kept[pod]

    def _deployment_status(self, key: Key, new: Key) -> None:
        deployment = self.objects.kept[key]
        counts: dict[str, int] = {"replicas": 0, "readyReplicas": 0, "availableReplicas": 0, "updatedReplicas": 0}
        for rs, manifest in self.objects.owned("replicasets", deployment):
            pods = [self.objects.kept[pod] for pod in self._pods(manifest)]
            ready = sum(_is_ready(pod) for pod in pods)
            self._status(rs, {"replicas": len(pods), "readyReplicas": ready})
            counts["replicas"] += len(pods)
            counts["readyReplicas"] += ready
            counts["availableReplicas"] += ready
            counts["updatedReplicas"] += len(pods) if rs == new else 0
        status = {"observedGeneration": deployment["metadata"]["generation"], **counts}
        old = deployment.get("status") or {}
        moved = any(old.get(name) != value for name, value in counts.items())
        wanted = deployment["spec"].get("replicas", 1)
        done = counts["updatedReplicas"] == counts["replicas"] == counts["availableReplicas"] == wanted
        if moved:
            # As the controller: a condition whose reason stays keeps its time, and one of a time-out stays until
            # some count moves.
            self._progressing(status, old, "NewReplicaSetAvailable" if done else "ReplicaSetUpdated")
        self._status(key, status)
        revision = self.objects.kept[new]["metadata"]["annotations"][REVISION]
        if deployment["metadata"].get("annotations", {}).get(REVISION) != revision:
            self.objects.edit(key, lambda d: d["metadata"].setdefault("annotations", {}).update({REVISION: revision}))

    def _progressing(self, status: Manifest, old: Manifest, reason: str) -> None:
        known: Manifest = next((c for c in old.get("conditions", []) if c["type"] == "Progressing"), {})
        if known.get("reason") == reason:
            return
        now = self.objects.now()
        fresh = {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": now}
        rest = [c for c in old.get("conditions", []) if c["type"] != "Progressing"]
        status["conditions"] = [*rest, {**fresh, "lastTransitionTime": now}]

    # -- StatefulSets and DaemonSets ---------------------------------------------------------------------------------

    def _controllerrevision(self, key: Key, workload: Manifest, kind: str) -> tuple[Key, str]:
        template = workload["spec"]["template"]
        kept = self.objects.owned("controllerrevisions", workload)
        top = max((manifest["revision"] for _, manifest in kept), default=0)
        for there, manifest in kept:
            held = {name: value for name, value in manifest["data"]["spec"]["template"].items() if name != "$patch"}
            if _bare(held) == _bare(template):
                if manifest["revision"] < top:
                    self.objects.edit(there, lambda cr: cr.update(revision=top + 1))
                return there, _hash(template)
        mark = _hash(template)
        new = Key(APPS, "controllerrevisions", key.namespace, f"{key.name}-{mark}")
        label = "controller.kubernetes.io/hash" if kind == "StatefulSet" else "controller-revision-hash"
        metadata: Manifest = {
            "labels": {**template["metadata"]["labels"], label: mark},
            "ownerReferences": [_owner(kind, workload)],
        }
        if kind == "DaemonSet":
            metadata["annotations"] = _copied(workload)
        held = {**copy.deepcopy(template), "$patch": "replace"}
        body = {"metadata": metadata, "revision": top + 1, "data": {"spec": {"template": held}}}
        self.objects.put(new, body, manager="")
        return new, mark

    def _statefulset(self, key: Key) -> None:
        workload = self.objects.kept[key]
        update, _ = self._controllerrevision(key, workload, "StatefulSet")
        spec, status = workload["spec"], dict(workload.get("status") or {})
        wanted = spec.get("replicas", 1)
        partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition", 0)
        current = status.get("currentRevision") or update.name
        self._status(
            key,
            {
                "observedGeneration": workload["metadata"]["generation"],
                "currentRevision": current,
                "updateRevision": update.name,
            },
        )
        ordered = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        if self._walk(key, update.name, current, wanted, partition, ordered=ordered):
            self._update_one(key, update.name, wanted, partition)
        self._statefulset_status(key, update.name, wanted)

    def _walk(self, key: Key, update: str, current: str, wanted: int, partition: int, *, ordered: bool) -> bool:
        """Upward: make what is missing; stop at the first pod that is not ready."""
        workload = self.objects.kept[key]
        for ordinal in range(wanted):
            pod = Key("v1", "pods", key.namespace, f"{key.name}-{ordinal}")
            if pod not in self.objects.kept:
                revision = update if ordinal >= partition else current
                self._revision_pod(pod.name, "StatefulSet", workload, revision, revision)
            if ordered and not _is_ready(self.objects.kept[pod]):
                return False
        return True

    def _update_one(self, key: Key, update: str, wanted: int, partition: int) -> None:
        for ordinal in range(wanted - 1, partition - 1, -1):
            pod = Key("v1", "pods", key.namespace, f"{key.name}-{ordinal}")
            there = self.objects.kept[pod]
            if there["metadata"]["labels"]["controller-revision-hash"] != update:
                del self.objects.kept[pod]
                self.objects.version += 1
                return
            if not _is_ready(there):
                return

    def _statefulset_status(self, key: Key, update: str, wanted: int) -> None:
        pods = [self.objects.kept[pod] for pod in self._pods(self.objects.kept[key])]
        updated = sum(pod["metadata"]["labels"]["controller-revision-hash"] == update for pod in pods)
        ready = sum(_is_ready(pod) for pod in pods)
        status: Manifest = {
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": updated,
        }
        if updated == ready == wanted:
            status["currentRevision"] = update
        self._status(key, status)

    def _daemonset(self, key: Key) -> None:
        workload = self.objects.kept[key]
        update, mark = self._controllerrevision(key, workload, "DaemonSet")
        for node in self.nodes:
            there = [pod for pod in self._pods(workload) if self.objects.kept[pod]["spec"]["nodeName"] == node]
            stale = [
                pod for pod in there if self.objects.kept[pod]["metadata"]["labels"]["controller-revision-hash"] != mark
            ]
            unwell = any(not _is_ready(self.objects.kept[pod]) for pod in self._pods(workload) if pod not in stale)
            for pod in stale:
                # One node at a time; a pod that is not ready goes at once.
                if not unwell or not _is_ready(self.objects.kept[pod]):
                    del self.objects.kept[pod]
                    there.remove(pod)
            if not there:
                name = f"{key.name}-{next(self._names):05d}"
                self._revision_pod(name, "DaemonSet", workload, update.name, mark, node=node)
        pods = [self.objects.kept[pod] for pod in self._pods(workload)]
        ready = sum(_is_ready(pod) for pod in pods)
        updated = sum(pod["metadata"]["labels"]["controller-revision-hash"] == mark for pod in pods)
        self._status(
            key,
            {
                "observedGeneration": workload["metadata"]["generation"],
                "desiredNumberScheduled": len(self.nodes),
                "currentNumberScheduled": len(pods),
                "updatedNumberScheduled": updated,
                "numberAvailable": ready,
                "numberReady": ready,
            },
        )

    # -- pods --------------------------------------------------------------------------------------------------------

    def _pods(self, owner: Manifest) -> list[Key]:
        return [pod for pod, _ in self.objects.owned("pods", owner, "v1")]

    def _revision_pod(self, name: str, kind: str, workload: Manifest, revision: str, mark: str, node: str = "") -> None:
        kept = self.objects.kept[Key(APPS, "controllerrevisions", workload["metadata"]["namespace"], revision)]
        template = {key: value for key, value in kept["data"]["spec"]["template"].items() if key != "$patch"}
        owner = {**workload, "spec": {"template": template}}
        self._pod(name, kind, owner, labels={"controller-revision-hash": mark}, node=node)

    def _pod(self, name: str, kind: str, owner: Manifest, labels: dict[str, str] | None = None, node: str = "") -> None:
        template = owner["spec"]["template"]
        key = Key("v1", "pods", owner["metadata"]["namespace"], name)
        place = node or self.nodes[next(self._names) % len(self.nodes)]
        manifest = {
            "metadata": {
                "labels": {**template["metadata"].get("labels", {}), **(labels or {})},
                "ownerReferences": [_owner(kind, owner)],
            },
            "spec": {**copy.deepcopy(template["spec"]), "nodeName": place},
        }
        manifest["status"] = self._pod_status(manifest["spec"])
        self.objects.put(key, manifest, manager="")

    def _pod_status(self, spec: Manifest) -> Manifest:
        now = self.objects.now()
        statuses = [self._container(container) for container in spec["containers"]]
        behaviours = [self.behaviours.get(container["image"], Behaviour()) for container in spec["containers"]]
        ready, placed = all(entry["ready"] for entry in statuses), all(each.scheduled for each in behaviours)
        scheduled: Manifest = {"type": "PodScheduled", "status": str(placed), "lastTransitionTime": now}
        if not placed:
            scheduled["reason"] = "Unschedulable"
            spec.pop("nodeName", None)
        conditions = [scheduled, {"type": "Ready", "status": str(ready and placed), "lastTransitionTime": now}]
        return {
            "phase": "Running" if placed else "Pending",
            "startTime": now,
            "podIP": f"10.77.0.{next(self._names) % 250 + 1}",
            "conditions": conditions,
            "containerStatuses": statuses if placed else [],
        }

    def _container(self, container: Manifest) -> Manifest:
        image = container["image"]
        behaviour = self.behaviours.get(image, Behaviour())
        digest = behaviour.digest or f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
        last = {"terminated": {"reason": behaviour.last_reason, "exitCode": 1, "finishedAt": self.objects.now()}}
        state = (
            {"waiting": {"reason": behaviour.waiting}}
            if behaviour.waiting
            else {"running": {"startedAt": self.objects.now()}}
        )
        return {
            "name": container["name"],
            "image": image,
            "imageID": f"docker.io/library/{image.partition(':')[0]}@{digest}" if digest != "none" else image,
            "ready": behaviour.ready and behaviour.scheduled and not behaviour.waiting,
            "restartCount": behaviour.restarts,
            "state": state,
            "lastState": last if behaviour.last_reason else {},
        }

    def _status(self, key: Key, status: dict[str, Any]) -> None:
        old = self.objects.kept[key].get("status") or {}
        if any(old.get(name) != value for name, value in status.items()):
            self.objects.edit(key, lambda manifest: manifest.update(status={**old, **status}))


def behaving(behaviour: Behaviour | None, **changes: Any) -> Behaviour:
    """A behaviour with some fields changed."""
    return replace(behaviour or Behaviour(), **changes)


def _is_ready(pod: Manifest) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])


def _bare(template: Manifest) -> str:
    bare = copy.deepcopy(template)
    metadata = bare.get("metadata", {})
    metadata.pop("creationTimestamp", None)
    metadata.get("labels", {}).pop("pod-template-hash", None)
    return json.dumps(bare, sort_keys=True)


def _hash(template: Manifest) -> str:
    return hashlib.sha256(_bare(template).encode()).hexdigest()[:10]


def _copied(workload: Manifest) -> dict[str, str]:
    annotations = workload["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key not in NOT_COPIED}


def _owner(kind: str, owner: Manifest) -> Manifest:
    metadata = owner["metadata"]
    return {"kind": kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True}
