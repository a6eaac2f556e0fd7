"""What a test says to the cluster: manifests of the bookstore, and the commands that people give.

Manifests are plain dicts as the API takes them. Fields of `spec` are passed by their API names:
`deployment(image="bookstore:2.0-err30", minReadySeconds=3)`. Commands go through the real kubectl.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.waiting import wait_until

PORT = 8080
READINESS: Manifest = {
    "httpGet": {"path": "/ready", "port": PORT},
    "periodSeconds": 1,
    "timeoutSeconds": 1,
    "failureThreshold": 2,
}


class KubectlFailed(AssertionError):
    """kubectl ended with an error; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """The real kubectl, as one user in one namespace."""

    program: Path
    kubeconfig: Path
    namespace: str

    def __call__(self, *arguments: str, stdin: str | None = None, within: float = 30.0) -> str:
        """Run one command and return what it printed; KubectlFailed if it failed or took too long."""
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        # Its discovery cache must not be shared with another control plane on the same port.
        environment["KUBERC"] = "off"
        environment["KUBECACHEDIR"] = str(self.kubeconfig.parent / "kubectl-cache")
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, timeout=within, check=False, env=environment
            )
        except subprocess.TimeoutExpired as expired:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: no end within {within:g} s") from expired
        if done.returncode:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def pod_template(name: str, image: str, *, readiness: Manifest | None = READINESS, **spec: Any) -> Manifest:
    """The template of one container that listens at `PORT`."""
    container: Manifest = {"name": name, "image": image, "ports": [{"name": "http", "containerPort": PORT}]}
    if readiness is not None:
        container["readinessProbe"] = readiness
    pod = {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}
    return {"metadata": {"labels": {"app": name}}, "spec": pod}


def _workload(kind: str, name: str, image: str, readiness: Manifest | None, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name, image, readiness=readiness),
            **spec,
        },
    }


def deployment(
    name: str = "bookstore",
    image: str = "bookstore:1.0",
    *,
    replicas: int = 2,
    readiness: Manifest | None = READINESS,
    **spec: Any,
) -> Manifest:
    """A Deployment."""
    return _workload("Deployment", name, image, readiness, {"replicas": replicas, **spec})


def stateful_set(
    name: str = "bookstore",
    image: str = "bookstore:1.0",
    *,
    replicas: int = 2,
    readiness: Manifest | None = READINESS,
    **spec: Any,
) -> Manifest:
    """A StatefulSet, of the service of the same name."""
    return _workload("StatefulSet", name, image, readiness, {"replicas": replicas, "serviceName": name, **spec})


def daemon_set(
    name: str = "bookstore",
    image: str = "bookstore:1.0",
    *,
    readiness: Manifest | None = READINESS,
    **spec: Any,
) -> Manifest:
    """A DaemonSet: one pod, as there is one node."""
    return _workload("DaemonSet", name, image, readiness, spec)


def service(name: str = "bookstore", **spec: Any) -> Manifest:
    """A Service of the pods of the workload of the same name."""
    ports = [{"name": "http", "port": 80, "targetPort": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }


def apply(kubectl: Kubectl, *manifests: Manifest) -> None:
    """`kubectl apply`."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    kubectl("apply", "-f", "-", stdin=json.dumps(listed))


def set_image(kubectl: Kubectl, image: str, workload: str = "deployment/bookstore") -> None:
    """`kubectl set image` of the container named as its workload: a release."""
    kubectl("set", "image", workload, f"{workload.partition('/')[2]}={image}")


def wait_rolled_out(kubectl: Kubectl, workload: str = "deployment/bookstore", *, within: float = 30.0) -> None:
    """`kubectl rollout status`; KubectlFailed if the rollout does not complete in time."""
    kubectl("rollout", "status", workload, f"--timeout={within:g}s", within=within + 5)


def rollout_history(kubectl: Kubectl, workload: str = "deployment/bookstore") -> dict[int, str]:
    """`kubectl rollout history`: change cause by revision, oldest first."""
    rows = [line.split(maxsplit=1) for line in kubectl("rollout", "history", workload).splitlines()]
    return {int(row[0]): row[1] for row in rows if len(row) == 2 and row[0].isdigit()}


def pods_of(api: KubeApi, namespace: str, name: str = "bookstore", *, image: str | None = None) -> list[Manifest]:
    """The pods of a workload that are not being deleted, only those of one image if told."""
    pods = api.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"app={name}")
    return [
        pod
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and image in (None, pod["spec"]["containers"][0]["image"])
    ]


def wait_for_waiting(
    api: KubeApi, namespace: str, reason: str, *, restarts: int = 0, name: str = "bookstore", within: float = 20.0
) -> Manifest:
    """A pod whose container waits for this reason, after at least so many restarts."""

    def waiting() -> Manifest | None:
        for pod in pods_of(api, namespace, name):
            for container in pod["status"].get("containerStatuses", []):
                why = container["state"].get("waiting", {}).get("reason")
                if why == reason and container["restartCount"] >= restarts:
                    return pod
        return None

    what = f"a pod of {name} that waits for {reason} after {restarts} restarts"
    found = wait_until(waiting, what, within=within, explain=lambda: describe_pods(api, namespace))
    assert found is not None
    return found


def describe_pods(api: KubeApi, namespace: str) -> str:
    """One line for each pod, for the message of a failure."""
    lines = []
    for pod in api.items(f"/api/v1/namespaces/{namespace}/pods"):
        states = [
            f"{status['image']} ready={status['ready']} restarts={status['restartCount']} {status['state']}"
            for status in pod["status"].get("containerStatuses", [])
        ]
        lines.append(f"{pod['metadata']['name']} {pod['status'].get('phase')} {'; '.join(states)}")
    return "\n".join(lines)


def grant(api: KubeApi, namespace: str, user: str, rules: Sequence[Manifest]) -> None:
    """Give a user rights in one namespace, by a Role and a RoleBinding named after the user."""
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api.post(f"{base}/roles", {"metadata": {"name": user}, "rules": list(rules)})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    api.post(f"{base}/rolebindings", {"metadata": {"name": user}, "roleRef": role, "subjects": [subject]})
