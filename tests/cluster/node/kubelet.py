"""Binds pods to the node, runs them, reports their status and lets them go.

Guarantees: a pod's reported status catches up with its real one however often the API server refuses or does
not answer; running pods go on serving meanwhile; a pod is deleted only after its servers are closed, and only
the pod with that uid.
"""

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import aiohttp

from tests.cluster.node.container import Container, Surroundings, timestamp
from tests.cluster.node.kubernetes import PAUSE, UNREACHABLE, Api, ApiError, Manifest

_DRAIN = 0.4
"""Seconds a deleted pod goes on serving, so that EndpointSlices can drop it first."""

_GONE = (404, 409)
"""A pod that is not there any more, or another one of the same name."""


_ENDED = ("Succeeded", "Failed")
"""Phases of pods that are never run again."""

_UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
}


class Pod:
    """One pod on this node."""

    def __init__(self, manifest: Manifest, ip: str, kubelet: "Kubelet") -> None:
        metadata, spec = manifest["metadata"], manifest["spec"]
        self.namespace: str = metadata["namespace"]
        self.name: str = metadata["name"]
        self.uid: str = metadata["uid"]
        self.ip = ip
        self.path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"
        self._kubelet = kubelet
        self._changed = asyncio.Event()
        self._started = timestamp()
        self._conditions: dict[str, Manifest] = {}
        self._warned: set[str] = set()
        around = Surroundings(
            pod=f"{self.name}_{self.namespace}({self.uid})",
            ip=ip,
            restart_policy=spec.get("restartPolicy", "Always"),
            session=kubelet.session,
            flag=kubelet.flags.__contains__,
            changed=self._changed.set,
            warn=self._warn,
        )
        self.containers = {spec["name"]: Container(spec, around) for spec in spec["containers"]}

    @property
    def ready(self) -> bool:
        """Whether all its containers are."""
        return all(container.ready for container in self.containers.values())

    async def run(self) -> None:
        """Run its containers and report on them, until cancelled."""
        self._changed.set()
        async with asyncio.TaskGroup() as tasks:
            for container in self.containers.values():
                tasks.create_task(container.run())
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._report()

    async def delete(self) -> None:
        """Remove it from the API, as its own last act."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        while True:
            try:
                await self._kubelet.api.call("DELETE", self.path, body)
            except ApiError as error:
                if error.status in _GONE:
                    return
            except UNREACHABLE:
                pass
            else:
                return
            await asyncio.sleep(PAUSE)

    async def _report(self) -> None:
        # The uid makes the API server refuse a status for another pod of the same name, with 409.
        body = {"metadata": {"uid": self.uid}, "status": self._status()}
        try:
            await self._kubelet.api.patch(f"{self.path}/status", body)
        except ApiError as error:
            if error.status == 404:
                return
        except UNREACHABLE:
            pass
        else:
            return
        await asyncio.sleep(PAUSE)
        self._changed.set()

    def _status(self) -> Manifest:
        unready = [name for name, container in self.containers.items() if not container.ready]
        message = f"containers with unready status: {unready}".replace("'", "") if unready else None
        ended = self._phase() == "Succeeded"
        reason = "PodCompleted" if ended else "ContainersNotReady"
        for kind in ("Initialized", "PodScheduled"):
            self._set_condition(kind, True)
        for kind in ("ContainersReady", "Ready"):
            self._set_condition(kind, not unready, reason, message)
        return {
            "phase": self._phase(),
            "startTime": self._started,
            "hostIP": self._kubelet.ip,
            "hostIPs": [{"ip": self._kubelet.ip}],
            "podIP": self.ip,
            "podIPs": [{"ip": self.ip}],
            "conditions": list(self._conditions.values()),
            "containerStatuses": [container.status() for container in self.containers.values()],
        }

    def _phase(self) -> str:
        containers = self.containers.values()
        if all(container.ended for container in containers):
            failed = any(container.state["terminated"]["exitCode"] for container in containers)
            return "Failed" if failed else "Succeeded"
        if any("waiting" in container.state and not container.restarts for container in containers):
            return "Pending"
        return "Running"

    def _set_condition(self, kind: str, holds: bool, reason: str | None = None, message: str | None = None) -> None:
        status = str(holds)
        known = self._conditions.get(kind)
        since = known["lastTransitionTime"] if known and known["status"] == status else timestamp()
        self._conditions[kind] = {
            "type": kind,
            "status": status,
            "lastTransitionTime": since,
            # None deletes what an earlier patch set.
            "reason": None if holds else reason,
            "message": None if holds else message,
        }

    def _warn(self, reason: str, message: str) -> None:
        """Record an event, the first time that this reason occurs."""
        if reason not in self._warned:
            self._warned.add(reason)
            self._kubelet.record(self, reason, message)


class Kubelet:
    """All the pods of the node."""

    def __init__(self, api: Api, session: aiohttp.ClientSession, *, name: str, ip: str, port: int) -> None:
        self.api = api
        self.session = session
        self.ip = ip
        self.flags: set[str] = set()
        self.pods: dict[str, Pod] = {}
        self._name = name
        self._port = port
        self._binding: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._notes: set[asyncio.Task[None]] = set()
        self._addresses = _addresses()

    def find(self, namespace: str, name: str) -> Pod | None:
        """The pod of that name, if it runs here."""
        return next((pod for pod in self.pods.values() if (pod.namespace, pod.name) == (namespace, name)), None)

    async def run(self) -> None:
        """Register the node and play kubelet and scheduler for ever."""
        await self._register()
        async with asyncio.TaskGroup() as tasks:
            async for objects in self.api.follow("/api/v1/pods"):
                for uid, manifest in objects.items():
                    self._reconcile(uid, manifest, tasks)
                for uid in [uid for uid in self.pods if uid not in objects]:
                    self._stop(uid)

    def record(self, pod: Pod, reason: str, message: str) -> None:
        """Write a Warning event about a pod, in the background and at most once."""
        reference = {"kind": "Pod", "apiVersion": "v1", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
        event = {
            "metadata": {"generateName": f"{pod.name}.", "namespace": pod.namespace},
            "involvedObject": reference,
            "reason": reason,
            "message": message,
            "type": "Warning",
            "source": {"component": "kubelet", "host": self._name},
            "firstTimestamp": timestamp(),
            "lastTimestamp": timestamp(),
            "count": 1,
        }

        async def write() -> None:
            with suppress(ApiError, *UNREACHABLE):
                await self.api.call("POST", f"/api/v1/namespaces/{pod.namespace}/events", event)

        note = asyncio.create_task(write())
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    def _reconcile(self, uid: str, manifest: Manifest, tasks: asyncio.TaskGroup) -> None:
        node = manifest["spec"].get("nodeName")
        if "deletionTimestamp" in manifest["metadata"]:
            if node == self._name and uid not in self._leaving:
                self._leaving[uid] = tasks.create_task(self._let_go(uid, manifest))
        elif not node:
            if uid not in self._binding:
                self._binding[uid] = tasks.create_task(self._bind(manifest))
                self._binding[uid].add_done_callback(lambda _: self._binding.pop(uid, None))
        elif node == self._name and uid not in self._running and manifest["status"].get("phase") not in _ENDED:
            pod = self.pods[uid] = Pod(manifest, next(self._addresses), self)
            self._running[uid] = tasks.create_task(pod.run())

    async def _bind(self, manifest: Manifest) -> None:
        """Schedule a pod here, or say why not."""
        metadata = manifest["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        wanted: dict[str, str] = manifest["spec"].get("nodeSelector") or {}
        while True:
            try:
                if wanted.items() <= self._labels().items():
                    await self.api.call("POST", f"{path}/binding", self._binding_of(metadata))
                else:
                    await self.api.patch(f"{path}/status", {"status": {"conditions": [_UNSCHEDULABLE]}})
            except ApiError as error:
                if error.status in _GONE:
                    return
            except UNREACHABLE:
                pass
            else:
                return
            await asyncio.sleep(PAUSE)

    def _binding_of(self, metadata: Manifest) -> Manifest:
        target = {"apiVersion": "v1", "kind": "Node", "name": self._name}
        about = {"name": metadata["name"], "uid": metadata["uid"]}
        return {"apiVersion": "v1", "kind": "Binding", "metadata": about, "target": target}

    async def _let_go(self, uid: str, manifest: Manifest) -> None:
        """Stop a deleted pod, and then tell the API that it is gone."""
        pod = self.pods.get(uid) or Pod(manifest, "", self)
        await asyncio.sleep(_DRAIN)
        await asyncio.wait([self._stop(uid)])
        await pod.delete()
        self._leaving.pop(uid, None)

    def _stop(self, uid: str) -> asyncio.Future[None]:
        """Cancel a pod; done when its servers are closed."""
        self.pods.pop(uid, None)
        task: asyncio.Future[None] | None = self._running.pop(uid, None)
        if task is None:
            task = asyncio.get_running_loop().create_future()
            task.set_result(None)
        else:
            task.cancel()
        return task

    def _labels(self) -> Mapping[str, str]:
        return {"kubernetes.io/hostname": self._name, "kubernetes.io/os": "linux"}

    async def _register(self) -> None:
        room = {"cpu": "64", "memory": "256Gi", "pods": "500"}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the test node is ready"}
        status: dict[str, Any] = {
            "capacity": room,
            "allocatable": room,
            "addresses": [
                {"type": "InternalIP", "address": self.ip},
                {"type": "Hostname", "address": self._name},
            ],
            "conditions": [{**ready, "lastHeartbeatTime": timestamp(), "lastTransitionTime": timestamp()}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
        }
        node = {"metadata": {"name": self._name, "labels": self._labels()}, "status": status}
        while True:
            try:
                await self.api.call("POST", "/api/v1/nodes", node)
            except ApiError as error:
                if error.status == 409:
                    return
                raise
            except UNREACHABLE:
                await asyncio.sleep(PAUSE)
            else:
                return


def _addresses() -> Iterator[str]:
    """Addresses for pods, from 10.77.1.1 on; none is given again before all others were."""
    while True:
        for high, low in itertools.product(range(1, 255), range(1, 255)):
            yield f"10.77.{high}.{low}"
