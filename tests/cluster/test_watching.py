"""Being told of changes by a real API server, and doing without it."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.controlplane import ControlPlane
from tests.cluster.watched_shop import GOOD, NAME, PODS, Shop, role
from tests.cluster.workloads import Kubectl, apply, deployment, grant, pods_of, wait_rolled_out
from tests.contracts.test_watching_contract import until_known, until_unknown
from watchdog.clients.kubernetes import Connection, KubernetesClient, Watches
from watchdog.engine.clock import SystemClock
from watchdog.platforms.kubernetes import KubernetesPlatform, KubernetesTarget


class Real:
    """One Deployment of two pods; a `Watched` of the contract."""

    def __init__(self, client: KubernetesClient, kubectl: Kubectl, admin: KubeApi, namespace: str) -> None:
        self.kubectl, self.admin, self.namespace = kubectl, admin, namespace
        self.clock = SystemClock()
        self.watches = Watches(client, self.clock)
        config = KubernetesTarget(target=NAME, namespace=namespace, kind="deployment", name=NAME)
        self.platform = KubernetesPlatform.open(client, config, self.clock, self.watches)

    async def change(self) -> None:
        await asyncio.to_thread(self.kubectl, "set", "image", f"deployment/{NAME}", f"{NAME}=bookstore:2.0")

    async def lose_an_instance(self) -> None:
        name = pods_of(self.admin, self.namespace, NAME)[0]["metadata"]["name"]
        await asyncio.to_thread(self.kubectl, "delete", "pod", name, "--wait=false")

    def cut(self) -> None:
        self.admin.delete(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.namespace}/rolebindings/watchdog")


@pytest_asyncio.fixture
async def watched(control_plane: ControlPlane, kubectl: Kubectl, admin: KubeApi, namespace: str) -> AsyncIterator[Real]:
    grant(admin, namespace, "watchdog", role())
    apply(kubectl, deployment(replicas=2))
    wait_rolled_out(kubectl)
    client = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    made = Real(client, kubectl, admin, namespace)
    yield made
    await made.watches.close()
    await client.close()


@pytest.mark.asyncio
async def test_at_rest_it_is_known_that_nothing_changes(watched: Real) -> None:
    since = await until_known(watched)
    await asyncio.sleep(2.0)
    assert watched.platform.unchanged(since)


@pytest.mark.asyncio
async def test_a_release_and_a_lost_pod_are_noticed_and_known_again_afterwards(watched: Real) -> None:
    since = await until_known(watched)
    await watched.change()
    await until_unknown(watched, since)
    since = await until_known(watched)
    await watched.lose_an_instance()
    await until_unknown(watched, since)


@pytest.mark.asyncio
async def test_another_workload_of_the_namespace_is_none_of_its_business(watched: Real) -> None:
    since = await until_known(watched)
    await asyncio.to_thread(apply, watched.kubectl, deployment("other", replicas=1))
    await asyncio.to_thread(wait_rolled_out, watched.kubectl, "deployment/other")
    assert watched.platform.unchanged(since)


def without_watch() -> list[Manifest]:
    """Our Role, and nobody tells of changes."""
    rules = copy.deepcopy(role())
    for rule in rules:
        rule["verbs"] = [verb for verb in rule["verbs"] if verb != "watch"]
    return rules


def test_without_the_right_to_watch_it_reads_as_ever_and_a_bad_release_goes_back(shop: Shop) -> None:
    shop.open({"pods": PODS}, rules=without_watch())
    shop.release("bookstore:2.0-err100")
    shop.wait_closed("recovered")
    assert (shop.image(), shop.writes()) == (GOOD, [f"patch deployments/{NAME}"])
    answers = {
        event["responseStatus"]["code"]
        for event in shop.plane.audit_events(user=shop.user, namespace=shop.namespace)
        if event["verb"] == "watch"
    }
    assert answers == {403}


def test_the_daemon_at_rest_asks_nothing_and_sees_a_release_within_seconds(shop: Shop) -> None:
    shop.defaults["bake_time"] = "8s"
    daemon = shop.open({"pods": PODS})
    daemon.wait(lambda: set(daemon.grades(NAME).values()) <= {"good", "assumed_good"}, "rest", within=30)
    daemon.wait(lambda: reads_within(shop, 3.0) == 0, "three seconds without a read", within=30, every=3.1)
    shop.release("bookstore:3.0")
    daemon.wait(lambda: daemon.grades(NAME).get("bookstore:3.0"), "the release", within=5)


def reads_within(shop: Shop, seconds: float) -> int:
    """How often the workload was read in the last seconds."""
    now = datetime.now(UTC)
    events = shop.plane.audit_events(user=shop.user, namespace=shop.namespace)
    return sum(
        event["verb"] == "get"
        and (now - datetime.fromisoformat(event["requestReceivedTimestamp"])).total_seconds() < seconds
        for event in events
    )
