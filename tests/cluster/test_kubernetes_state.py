"""State and leadership in a real cluster: the contracts of store and lease, and a daemon that takes over from one that was killed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.controlplane import ControlPlane
from tests.cluster.watched_shop import GOOD, NAME, Shop, role
from tests.cluster.workloads import grant
from tests.stores.test_lease_contract import (  # noqa: F401 - they run here on the real thing
    test_after_release_it_is_not_held_and_another_can_take_it,
    test_before_it_is_asked_for_it_is_unknown_and_not_held,
    test_releasing_what_another_holds_takes_nothing_from_it,
    test_the_first_holds_it_and_knows_without_asking,
    test_the_second_is_told_who_holds_it_and_does_not_wait,
)
from tests.stores.test_store_contract import (  # noqa: F401 - they run here on the real thing
    test_a_created_document_reads_back_as_it_was,
    test_a_cursor_of_another_life_gives_every_key_rather_than_none,
    test_a_document_that_is_not_there_is_known_not_to_exist,
    test_a_key_that_is_not_kind_and_rest_is_refused,
    test_a_version_never_comes_again_after_delete_and_create,
    test_an_empty_cursor_means_from_now_on,
    test_changes_names_what_was_created_replaced_and_deleted_once_each_in_order,
    test_creating_twice_is_a_conflict_and_leaves_the_first,
    test_deleting_needs_the_present_version,
    test_found_empty_is_about_the_opening_and_does_not_change_later,
    test_list_gives_one_kind_in_key_order,
    test_replacing_at_the_version_read_wins_and_at_an_older_one_loses,
    test_replacing_what_is_gone_is_a_conflict,
)
from watchdog.cli.examination import state_in_cluster
from watchdog.clients.kubernetes import Connection, KubernetesClient
from watchdog.engine.clock import SystemClock
from watchdog.model import Instant, instant
from watchdog.ports import Conflict, Held, LeaseUnknown, NotHolder, StoreUnavailable
from watchdog.stores.kubernetes import MOST_BYTES, KubernetesStore
from watchdog.stores.kubernetes_lease import KubernetesLease

STATE = Path(__file__).parents[2] / "deploy" / "kubernetes" / "state" / "role.yaml"


def state_role() -> list[Manifest]:
    rules: list[Manifest] = yaml.safe_load(STATE.read_text())["rules"]
    return rules


@pytest_asyncio.fixture
async def client(control_plane: ControlPlane, admin: KubeApi, namespace: str) -> AsyncIterator[KubernetesClient]:
    """As the user of the daemon with the very Role that we ship for its state."""
    grant(admin, namespace, "watchdog", state_role())
    opened = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def store(client: KubernetesClient, namespace: str) -> AsyncIterator[KubernetesStore]:
    made = KubernetesStore(client, namespace)
    await made.open()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def contender(client: KubernetesClient, namespace: str):
    return lambda holder: KubernetesLease(client, namespace, "watchdog", holder, SystemClock())


# -- the store -----------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_two_stores_of_one_namespace_do_not_see_each_other(client: KubernetesClient, namespace: str) -> None:
    one, two = KubernetesStore(client, namespace, "one"), KubernetesStore(client, namespace, "two")
    await one.create("unit/x", {"n": 1})
    assert await two.found_empty()
    assert (await two.read("unit/x"), await two.list("unit")) == (None, [])
    await two.create("unit/x", {"n": 2})
    assert [found.document for found in await one.list("unit")] == [{"n": 1}]


@pytest.mark.asyncio
async def test_of_two_that_write_at_once_one_wins(client: KubernetesClient, namespace: str) -> None:
    store = KubernetesStore(client, namespace)
    first = await store.create("unit/x", {"n": 0})
    writes = (store.replace("unit/x", {"n": n}, first.version) for n in range(8))
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 7


@pytest.mark.asyncio
async def test_a_document_too_large_is_refused_before_it_is_sent_and_a_large_one_comes_back(store) -> None:
    large = {"text": secrets.token_hex(300_000)}
    await store.create("unit/large", large)
    assert (await store.read("unit/large")).document == large
    with pytest.raises(StoreUnavailable, match=str(MOST_BYTES)):
        await store.create("unit/larger", {"text": secrets.token_hex(1_000_000)})


@pytest.mark.asyncio
async def test_a_secret_that_somebody_has_damaged_is_said_and_is_no_empty_store(
    store, admin: KubeApi, namespace: str
) -> None:
    await store.create("pause/register", {"n": 1})
    (secret,) = admin.items(f"/api/v1/namespaces/{namespace}/secrets")
    path = f"/api/v1/namespaces/{namespace}/secrets/{secret['metadata']['name']}"
    admin.patch(path, {"metadata": {"annotations": {"store.watchdog/key": None}}})
    with pytest.raises(StoreUnavailable, match="has lost its annotation"):
        await store.list("pause")
    admin.patch(path, {"metadata": {"annotations": {"store.watchdog/key": "pause/register"}}})
    admin.patch(path, {"data": {"document": "AAAA"}})
    with pytest.raises(StoreUnavailable, match="pause/register"):
        await store.read("pause/register")
    with pytest.raises(StoreUnavailable, match="pause/register"):
        await store.list("pause")


@pytest.mark.asyncio
async def test_without_the_rights_nothing_is_known_and_nothing_is_empty(control_plane, namespace: str) -> None:
    client = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    store = KubernetesStore(client, namespace)
    for call in (store.found_empty(), store.read("unit/x"), store.create("unit/x", {})):
        with pytest.raises(StoreUnavailable, match="forbidden"):
            await call
    await client.close()


class HandClock(SystemClock):
    """Both clocks moved by hand."""

    wall = 1_767_225_600.0
    passed = 0.0

    def now(self) -> Instant:
        return instant(self.wall)

    def monotonic(self) -> float:
        return self.passed

    def pass_(self, seconds: float) -> None:
        self.wall, self.passed = self.wall + seconds, self.passed + seconds


# -- the lease -----------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_holder_that_is_gone_is_followed_after_its_time_by_our_own_clock(client, namespace: str) -> None:
    clock = HandClock()
    first = KubernetesLease(client, namespace, "watchdog", "one", clock)
    second = KubernetesLease(client, namespace, "watchdog", "two", clock)
    assert isinstance(await first.acquire(), Held)
    clock.wall += 3600.0  # its timestamps are an hour old, which says nothing: we have only begun to watch
    assert await second.acquire() == NotHolder(holder="one")
    clock.passed += 14.0
    assert await second.acquire() == NotHolder(holder="one")
    clock.passed += 2.0
    taken = await second.acquire()
    assert isinstance(taken, Held)
    assert taken.fence == 1
    assert isinstance(first.state(), LeaseUnknown)  # it knows by itself, before it asks
    assert await first.acquire() == NotHolder(holder="two")


@pytest.mark.asyncio
async def test_one_that_renews_is_never_followed(client, namespace: str) -> None:
    clock = HandClock()
    first = KubernetesLease(client, namespace, "watchdog", "one", clock)
    second = KubernetesLease(client, namespace, "watchdog", "two", clock)
    for _ in range(12):
        clock.pass_(5.0)
        assert isinstance(await first.acquire(), Held)
        assert isinstance(await second.acquire(), NotHolder)


@pytest.mark.asyncio
async def test_p10_while_the_cluster_does_not_answer_it_is_held_to_its_end_and_not_longer(
    client, namespace: str
) -> None:
    clock = HandClock()
    lease = KubernetesLease(client, namespace, "watchdog", "one", clock)
    await lease.acquire()
    lease._path = lease._path.replace(namespace, "default")  # where we may not look: no answer
    clock.pass_(10.0)
    state = await lease.acquire()
    assert isinstance(state, Held)
    assert state.remaining <= 5.0
    clock.pass_(5.0)
    assert isinstance(await lease.acquire(), LeaseUnknown)
    await lease.release()


@pytest.mark.asyncio
async def test_of_many_that_begin_at_once_one_holds(client, namespace: str) -> None:
    leases = [KubernetesLease(client, namespace, "watchdog", f"pod-{n}", SystemClock()) for n in range(6)]
    states = await asyncio.gather(*(lease.acquire() for lease in leases))
    assert sum(isinstance(state, Held) for state in states) == 1


@pytest.mark.asyncio
async def test_of_many_that_follow_at_once_one_holds(client, namespace: str) -> None:
    first = KubernetesLease(client, namespace, "watchdog", "one", SystemClock())
    await first.acquire()
    await first.release()
    leases = [KubernetesLease(client, namespace, "watchdog", f"pod-{n}", SystemClock()) for n in range(6)]
    states = await asyncio.gather(*(lease.acquire() for lease in leases))
    assert sum(isinstance(state, Held) for state in states) == 1


# -- two daemons ---------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(180)
def test_p8_a_standby_takes_over_within_20_s_of_a_kill_and_ends_the_response_with_one_write(shop: Shop) -> None:
    kubeconfig = str(shop.plane.kubeconfig(shop.user))
    shop.shared["state"] = {"kubernetes": {"namespace": shop.namespace, "kubeconfig": kubeconfig, "lease": "10s"}}
    first = shop.open(rules=[*role(), *state_role()], target={"countdown": "8s"})
    second = shop.prepare(first.content() | shop.shared, "standby")
    second.start()
    shop.release("bookstore:2.0-err100")
    shop.wait_stage("countdown")
    first.kill()
    killed = time.monotonic()
    shop.started.remove(first)
    shop.wait_closed("recovered", within=90)
    assert (shop.image(), shop.writes(NAME)) == (GOOD, ["patch deployments/bookstore"])
    assert time.monotonic() - killed < 60
    leader = shop.admin.get(f"/apis/coordination.k8s.io/v1/namespaces/{shop.namespace}/leases/watchdog")
    assert leader["spec"]["leaseTransitions"] >= 1
    assert shop.watchdog.target(NAME)["state"]


def test_p2_a_pause_typed_to_the_standby_binds_the_one_that_acts(shop: Shop) -> None:
    kubeconfig = str(shop.plane.kubeconfig(shop.user))
    shop.shared["state"] = {"kubernetes": {"namespace": shop.namespace, "kubeconfig": kubeconfig}}
    first = shop.open(rules=[*role(), *state_role()])
    second = shop.prepare(first.content() | shop.shared, "standby")
    second.start()
    typed = second.type("pause", "--for", "10m", "--reason", "maintenance")
    assert typed.code == 0, typed.err
    shop.release("bookstore:2.0-err100")
    shop.wait_held("pause")
    assert shop.writes(NAME) == []
    refused = second.type("rollback", NAME, "--reason", "by hand")
    assert refused.code == 3
    assert "held by" in refused.out + refused.err


@pytest.mark.asyncio
async def test_doctor_names_each_right_that_is_missing_for_the_state(
    control_plane, admin: KubeApi, namespace: str
) -> None:
    client = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    (line,) = await state_in_cluster(client, namespace, "watchdog")
    assert line.ok is False
    assert "may not: get secrets, list secrets, create secrets" in line.sentence
    grant(admin, namespace, "watchdog", state_role())
    (line,) = await state_in_cluster(client, namespace, "watchdog")
    assert (line.ok, line.sentence) == (True, f"Secrets and the Lease watchdog in {namespace} can be kept")
    await client.close()
