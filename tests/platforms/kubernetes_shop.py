"""A shop on the fake API server, with everything that a test of the Kubernetes platform needs to act on it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, Self

from watchdog.clients.kubernetes import Connection, KubernetesClient
from watchdog.model import Decision, Instant, Intent, Outcome, Plan
from watchdog.platforms.kubernetes import KubernetesPlatform, KubernetesTarget, KubernetesWriter
from watchdog.safety.permits import PermitOffice
from watchdog.testing.clock import WorldClock
from watchdog.testing.kubernetes import FakeKubernetes

NS, NAME = "shop", "web"
DEADLINE_S = 8.0
RESOURCES = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


def template(image: str, **annotations: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"labels": {"app": NAME}}
    if annotations:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": {"containers": [{"name": "web", "image": image}]}}


def workload(image: str = "web:1", *, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": NAME, "namespace": NS, "annotations": annotations or {}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": NAME}},
            "strategy": {"type": "RollingUpdate"},
            "progressDeadlineSeconds": 600,
            "template": template(image),
            **spec,
        },
    }


class Shop:
    """One workload ``shop/web`` of a kind, the platform that reads it and the writer that changes it."""

    keeps_intents = True

    def __init__(self, path, kind: str = "Deployment", **opted: Any) -> None:
        self.clock = WorldClock()
        self.kind, self.resource = kind, RESOURCES[kind]
        self.config = KubernetesTarget(target="web", namespace=NS, kind=kind.lower(), name=NAME, **opted)
        self.office = PermitOffice(b"sixteen secret b")
        self.term = 0
        self.server = FakeKubernetes(self.clock)
        self._path = path / "kubeconfig"
        self._stack = AsyncExitStack()
        self._last = 0

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.server)
        self._path.write_text(self.server.kubeconfig())
        self.client = await KubernetesClient.open(Connection(kubeconfig=str(self._path)))
        self._stack.push_async_callback(self.client.close)
        self.connect()
        return self

    async def __aexit__(self, *problem) -> None:
        await self._stack.aclose()

    def connect(self) -> None:
        """A new process: nothing is remembered."""
        self.platform = KubernetesPlatform.open(self.client, self.config, self.clock)
        self.writer = KubernetesWriter(self.client, self.config, self.clock, self.office, lambda: self.term)

    # -- what people do ----------------------------------------------------------------------------------------------

    def begin(self, image: str = "web:1", **spec: Any) -> None:
        """Create the workload and let it be rolled out."""
        self.server.apply(self.resource, workload(image, **spec))

    def release(self, image: str, *, cause: str = "", **annotations: str) -> None:
        """A new template; the change-cause as ``kubectl annotate`` would set it with it."""

        def change(manifest: dict[str, Any]) -> None:
            manifest["spec"]["template"] = template(image, **annotations)
            if cause:
                manifest["metadata"].setdefault("annotations", {})["kubernetes.io/change-cause"] = cause

        self.edit(change)

    def edit(self, change) -> None:
        self.server.edit(self.resource, NS, NAME, change)

    def live(self) -> dict[str, Any]:
        return self.server.get(self.resource, NS, NAME)

    def pods(self) -> list[dict[str, Any]]:
        return self.server.all("pods", NS, "v1")

    def image(self) -> str:
        return self.live()["spec"]["template"]["spec"]["containers"][0]["image"]

    # -- the contract's outside --------------------------------------------------------------------------------------

    async def deploy(self, name: str) -> None:
        self.server.lagging = True
        self.release(f"web:{name}")

    async def settle(self) -> None:
        self.server.lagging = False
        self.server.settle()
        await self.platform.read_state()

    async def cut(self) -> None:
        await self.server.__aexit__(None, None, None)

    # -- what the response does --------------------------------------------------------------------------------------

    async def plan_back(self, image: str = "web:1") -> Plan:
        """The plan to the newest release in the history with that image."""
        good = await self.good(image)
        return await self.platform.plan(await self.platform.read_state(), good, "incident-1")

    async def good(self, image: str = "web:1"):
        history = await self.platform.history()
        return next(release for release in history if release.images["web"] == image)

    def intent(self, plan: Plan, step: int = 0) -> Intent:
        self._last += 1
        return Intent(
            id=f"intent-{self._last}",
            incident="incident-1",
            step=plan.steps[step],
            from_release=plan.from_release,
            to_release=plan.to_release,
            stored_at=self.clock.now(),
        )

    async def execute(self, intent: Intent):
        decision = Decision(
            at=Instant(0.0),
            target="web",
            outcome=Outcome.ROLL_BACK,
            would=Outcome.ROLL_BACK,
            checks=(),
            sentence="roll back",
            from_release=intent.from_release,
            to_release=intent.to_release,
        )
        permit = self.office.issue(decision, intent, self.clock.monotonic())
        return await self.writer.execute(intent.step, intent, permit, deadline_s=DEADLINE_S)
