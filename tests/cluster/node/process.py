"""The handle of the test node: starts its process, tells its addresses, raises and lowers its flags."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.calls import call
from tests.cluster.controlplane import NODE_IP, ControlPlane
from tests.cluster.node.behaviour import DEPENDENCY_DOWN
from tests.cluster.programs import Program
from tests.cluster.waiting import wait_until

_ROOT = Path(__file__).parents[3]
_NAME = "test-node"
_KUBELET_PORT = 10250
_ADMIN_PORT = 10255
_INGRESS_IP = "10.77.0.2"
_INGRESS_PORT = 8080
_READY_WITHIN = 30.0


@dataclass(slots=True)
class Node:
    """A running node; made by `start`."""

    program: Program
    name: str = _NAME
    ip: str = NODE_IP

    @classmethod
    def start(cls, plane: ControlPlane) -> "Node":
        """Start it on a ready control plane, and wait until it is registered and serves."""
        config = {
            "url": plane.url,
            "token": plane.tokens[_NAME],
            "ca_file": str(plane.ca_file),
            "cert_file": str(plane.node_cert_file),
            "key_file": str(plane.node_key_file),
            "name": _NAME,
            "ip": NODE_IP,
            "kubelet_port": _KUBELET_PORT,
            "admin_port": _ADMIN_PORT,
            "ingress_ip": _INGRESS_IP,
            "ingress_port": _INGRESS_PORT,
        }
        file = plane.folder / "node.json"
        file.write_text(json.dumps(config))
        command = [sys.executable, "-m", "tests.cluster.node", "--config", str(file)]
        node = cls(Program("test node", command, plane.folder / "node.log", folder=_ROOT))
        node.program.start()
        try:
            node._wait_until_ready(plane)
        except BaseException:
            node.stop()
            raise
        return node

    def stop(self) -> None:
        """End it and with it the servers of all its pods."""
        self.program.terminate()

    def check(self) -> None:
        """AssertionError with the end of its log unless it runs."""
        if not self.program.running:
            raise AssertionError(f"the test node has ended\n{self.program.tail()}")

    def ingress_url(self, namespace: str, service: str, path: str = "/") -> str:
        """Where users reach a service."""
        return f"http://{_INGRESS_IP}:{_INGRESS_PORT}/{namespace}/{service}{path}"

    def raise_flag(self, name: str = DEPENDENCY_DOWN) -> None:
        """Make the containers that depend on it fail."""
        self._admin("PUT", f"/flags/{name}")

    def lower_flag(self, name: str = DEPENDENCY_DOWN) -> None:
        """Let the containers that depend on it work again."""
        self._admin("DELETE", f"/flags/{name}")

    @contextmanager
    def flag(self, name: str = DEPENDENCY_DOWN) -> Iterator[None]:
        """Raise a flag, and lower it at the end."""
        self.raise_flag(name)
        try:
            yield
        finally:
            self.lower_flag(name)

    def pods(self, namespace: str) -> list[dict[str, Any]]:
        """What the node itself knows of the pods of a namespace: name, uid, ip, ready."""
        found: list[dict[str, Any]] = self._admin("GET", "/pods")
        return [pod for pod in found if pod["namespace"] == namespace]

    def _admin(self, method: str, path: str) -> Any:
        answer = call(method, f"http://{NODE_IP}:{_ADMIN_PORT}{path}")
        if not answer.ok:
            raise AssertionError(f"the test node answers {answer.status}: {answer.text}")
        return answer.json()

    def _wait_until_ready(self, plane: ControlPlane) -> None:
        api = plane.api()

        def registered() -> bool:
            self.check()
            return any(node["metadata"]["name"] == _NAME for node in api.items("/api/v1/nodes"))

        wait_until(registered, "a registered node", within=_READY_WITHIN, explain=self.program.tail)
        # The node serves before it registers: what follows cannot be early.
        self._admin("GET", "/pods")
