"""Pauses and incidents as objects of a real cluster: the contract, what the definitions refuse, and what people type.

Mutations tried, each fails here: a definition that is missing read as "no pauses"; a pause that cannot be understood left out; `show`
without its look at what is shown; the rule `an intent is never rewritten` taken out.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from tests.cluster.api import KubeApi, Manifest, Refused
from tests.cluster.controlplane import ControlPlane
from tests.cluster.test_kubernetes_state import state_role
from tests.cluster.watched_shop import NAME, Shop, role
from tests.cluster.workloads import Kubectl, grant
from tests.contracts.test_objects_contract import (
    NOW,
    World,
    incident,
    intent,
    test_a_list_that_is_refused_is_unavailable_and_never_empty,
    test_a_pause_object_is_listed_with_its_scope_end_and_name,
    test_an_incident_is_shown_from_its_opening_to_its_end_and_never_goes_back,
    test_an_incident_that_opens_again_is_shown_open,
    test_telling_an_object_that_is_gone_changes_nothing,
    test_what_is_told_stands_on_the_object_and_telling_it_again_changes_nothing,
    test_whatever_a_target_is_called_its_incident_can_be_shown,
)
from watchdog.clients.kubernetes import Connection, KubernetesClient
from watchdog.model import Instant, Stage, instant, iso
from watchdog.redaction import Redactor
from watchdog.safety.pausing import MAXIMUM_S
from watchdog.stores.kubernetes_objects import API, KubernetesIncidents, KubernetesPauses

__all__ = [
    "test_a_list_that_is_refused_is_unavailable_and_never_empty",
    "test_a_pause_object_is_listed_with_its_scope_end_and_name",
    "test_an_incident_is_shown_from_its_opening_to_its_end_and_never_goes_back",
    "test_an_incident_that_opens_again_is_shown_open",
    "test_telling_an_object_that_is_gone_changes_nothing",
    "test_what_is_told_stands_on_the_object_and_telling_it_again_changes_nothing",
    "test_whatever_a_target_is_called_its_incident_can_be_shown",
]
OBJECTS = Path(__file__).parents[2] / "deploy" / "kubernetes" / "objects"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def objects_role() -> list[Manifest]:
    rules: list[Manifest] = yaml.safe_load((OBJECTS / "role.yaml").read_text())["rules"]
    return rules


def established(admin: KubeApi, name: str) -> bool:
    conditions = admin.get(f"{DEFINITIONS}/{name}").get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@pytest.fixture(scope="module")
def definitions(control_plane: ControlPlane) -> Iterator[None]:
    """The definitions that we ship, served by the API server."""
    admin, names = control_plane.api("admin"), []
    for file in ("pauses.yaml", "incidents.yaml"):
        shipped = yaml.safe_load((OBJECTS / file).read_text())
        admin.post(DEFINITIONS, shipped)
        names.append(shipped["metadata"]["name"])
    until = time.monotonic() + 20
    while not all(established(admin, name) for name in names) and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1.0)  # served a moment after it is said
    yield
    for name in names:
        admin.delete(f"{DEFINITIONS}/{name}")
    until = time.monotonic() + 20
    while admin.items(DEFINITIONS) and time.monotonic() < until:
        time.sleep(0.1)


def pause(name: str, scope: str, until: Instant, /, **spec: object) -> Manifest:
    body = {"scope": scope, "reason": "maintenance", "until": iso(until)} | spec
    return {"apiVersion": API, "kind": "Pause", "metadata": {"name": name}, "spec": body}


@pytest_asyncio.fixture
async def client(control_plane: ControlPlane, admin: KubeApi, namespace: str) -> AsyncIterator[KubernetesClient]:
    """As the user of the daemon with the very Role that we ship for it."""
    grant(admin, namespace, "watchdog", objects_role())
    opened = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    yield opened
    await opened.close()


@pytest.fixture
def pauses_path(namespace: str) -> str:
    return f"/apis/{API}/namespaces/{namespace}/pauses"


@pytest_asyncio.fixture
async def world(definitions: None, client: KubernetesClient, admin: KubeApi, namespace: str, pauses_path: str) -> World:
    incidents = KubernetesIncidents(client, namespace, lambda text: Redactor(("hunter2-secret",)).text(text)[0])

    async def apply(name: str, scope: str, until: Instant) -> None:
        admin.post(pauses_path, pause(name, scope, until))

    async def delete(name: str) -> None:
        admin.delete(f"{pauses_path}/{name}")

    async def spoil() -> None:
        admin.delete(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/watchdog")
        time.sleep(0.5)  # the authorizer's own watch

    return World(KubernetesPauses(client, namespace), incidents, apply, delete, spoil)


# -- what the adapter knows ----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_pause_that_asks_for_too_long_ends_after_the_longest_time(world: World) -> None:
    await world.apply("long", "all", instant(NOW + 90 * 86_400))
    (found,) = await world.pauses.list()
    assert found.until == found.since + MAXIMUM_S


@pytest.mark.asyncio
async def test_a_pause_made_anew_under_its_name_is_another_one_and_is_not_told_what_was_meant_for_the_first(
    world: World, admin: KubeApi, pauses_path: str
) -> None:
    await world.apply("maintenance", "all", instant(NOW + 600))
    (first,) = await world.pauses.list()
    await world.delete("maintenance")
    await world.apply("maintenance", "target/api", instant(NOW + 600))
    await world.pauses.tell(first)
    assert "status" not in admin.get(f"{pauses_path}/maintenance")
    (second,) = await world.pauses.list()
    assert second.id != first.id


@pytest.mark.asyncio
async def test_no_secret_is_shown(world: World, admin: KubeApi, namespace: str) -> None:
    shown = incident(Stage.OPENED, 0, headline="failing with hunter2-secret")
    await world.incidents.show(shown)
    path = f"/apis/{API}/namespaces/{namespace}/incidents/{shown.id}"
    assert "hunter2-secret" not in json.dumps(admin.get(path))
    assert admin.get(path)["status"]["headline"].startswith("failing with ")


# -- what the definitions refuse -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "  "}, "reason"),
        ({"reason": None}, "reason"),
        ({"until": None}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"scope": "everything"}, "scope"),
        ({"scope": "platform/nomad"}, "scope"),
        ({"scope": None}, "scope"),
    ],
)
def test_a_pause_without_reason_end_or_a_known_scope_is_refused_when_it_is_applied(
    definitions: None, admin: KubeApi, pauses_path: str, spoilt: Manifest, why: str
) -> None:
    with pytest.raises(Refused, match=why):
        admin.post(pauses_path, pause("maintenance", "all", instant(NOW + 600), **spoilt))


@pytest.mark.parametrize("scope", ["selector/team=payments,tier=web", "platform/container_app", "group/shop-1.x"])
def test_every_kind_of_scope_is_taken(definitions: None, admin: KubeApi, pauses_path: str, scope: str) -> None:
    admin.post(pauses_path, pause("maintenance", scope, instant(NOW + 600)))


def test_the_scope_of_a_pause_does_not_change_and_its_end_may(
    definitions: None, admin: KubeApi, pauses_path: str
) -> None:
    admin.post(pauses_path, pause("maintenance", "target/api", instant(NOW + 600)))
    with pytest.raises(Refused, match="does not change"):
        admin.patch(f"{pauses_path}/maintenance", {"spec": {"scope": "target/web"}})
    admin.patch(f"{pauses_path}/maintenance", {"spec": {"until": iso(instant(NOW + 900))}})


@pytest.mark.asyncio
async def test_an_intent_is_never_rewritten_nor_taken_away(world: World, admin: KubeApi, namespace: str) -> None:
    shown = incident(Stage.ISSUED, 2, intents=(intent("issued"),))
    await world.incidents.show(shown)
    path = f"/apis/{API}/namespaces/{namespace}/incidents/{shown.id}"
    (there,) = admin.get(path)["status"]["intents"]
    for changed in ([{**there, "to": "f9"}], [{**there, "outcome": "unknown"}], []):
        with pytest.raises(Refused, match="never"):
            admin.patch(f"{path}/status", {"status": {"intents": changed}})
    with pytest.raises(Refused, match="does not change"):
        admin.patch(path, {"spec": {"target": "web"}})


# -- what people type ----------------------------------------------------------------------------------------------------


def watched(shop: Shop) -> None:
    kubeconfig = str(shop.plane.kubeconfig(shop.user))
    state = {"namespace": shop.namespace, "kubeconfig": kubeconfig, "objects": True}
    shop.shared["state"] = {"kubernetes": state}
    shop.open(rules=[*role(), *state_role(), *objects_role()])


def applied(shop: Shop, manifest: Manifest, tmp_path: Path) -> None:
    file = tmp_path / "pause.yaml"
    file.write_text(yaml.safe_dump(manifest))
    shop.kubectl("apply", "-f", str(file))


def column(kubectl: Kubectl, path: str, *what: str) -> str:
    return kubectl("get", *what, "-o", f"jsonpath={{{path}}}").strip()


@pytest.mark.usefixtures("definitions")
@pytest.mark.timeout(180)
def test_kubectl_apply_pauses_kubectl_delete_resumes_and_kubectl_get_shows_the_incident(
    shop: Shop, tmp_path: Path
) -> None:
    watched(shop)
    until = instant((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    applied(shop, pause("maintenance", f"target/{NAME}", until, who="ann"), tmp_path)
    limit = time.monotonic() + 20
    while not column(shop.kubectl, ".status.appliedAt", "pause", "maintenance") and time.monotonic() < limit:
        time.sleep(0.2)
    assert column(shop.kubectl, ".status.state", "pause", "maintenance") == "Active"
    shop.release("bookstore:2.0-err100")
    shop.wait_held("pause")
    assert shop.writes(NAME) == []
    table = shop.kubectl("get", "pauses")
    assert "ann" in table and "Active" in table and "maintenance" in table
    shop.kubectl("delete", "pause", "maintenance")
    limit = time.monotonic() + 60
    while not any(one["reason"] == "recovered" for one in shop.watchdog.get("incidents")["incidents"]):
        assert time.monotonic() < limit, shop.watchdog.describe()
        time.sleep(0.2)
    assert shop.writes(NAME) == [f"patch deployments/{NAME}"]
    limit = time.monotonic() + 10
    while "recovered" not in shop.kubectl("get", "incidents") and time.monotonic() < limit:
        time.sleep(0.2)
    table = shop.kubectl("get", "incidents")
    assert NAME in table and "closed" in table and "recovered" in table, table
    (there,) = json.loads(shop.kubectl("get", "wdi", "-o", "json"))["items"]
    assert [one["outcome"] for one in there["status"]["intents"]][-1] == "issued"
    assert any("every signal healthy" in line for line in there["status"]["journal"])


@pytest.mark.usefixtures("definitions")
def test_without_the_definition_after_the_start_nothing_is_written(shop: Shop) -> None:
    watched(shop)
    shop.admin.delete(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.namespace}/rolebindings/watchdog")
    grant_without_pauses = [
        rule for rule in [*role(), *state_role(), *objects_role()] if "pauses" not in rule["resources"]
    ]
    shop.admin.delete(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.namespace}/roles/watchdog")
    grant(shop.admin, shop.namespace, "watchdog", grant_without_pauses)
    shop.release("bookstore:2.0-err100")
    limit = time.monotonic() + 20
    headline = ""
    while "pauses" not in headline and time.monotonic() < limit:
        headline = str(shop.watchdog.get("status")["headline"])
        time.sleep(0.2)
    assert headline.startswith("PAUSED") and "forbidden" in headline
    time.sleep(5)
    assert shop.writes(NAME) == []
