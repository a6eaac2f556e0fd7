"""The Helm chart: what it renders, what it refuses, and its life on a real API server with the real helm.

The pods of the chart are played by processes of this machine: they get the configuration of its ConfigMap, the arguments of its
container and the token of its ServiceAccount, so that what they may do is what the chart grants. What a kubelet does beside that
(probes, volumes, the image) is not tried here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.controlplane import ControlPlane
from tests.cluster.helm import HelmProgram
from tests.cluster.test_kubernetes_objects import DEFINITIONS
from tests.cluster.waiting import wait_until
from tests.cluster.watchdog_process import WatchdogProcess
from tests.cluster.watched_shop import GOOD, NAME, PODS, QUICK, WORKLOAD, Shop, nursery
from tests.cluster.workloads import Kubectl, apply, deployment, service, wait_rolled_out
from watchdog.settings import load_text

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "chart"
RELEASE = "rollback-watchdog"
SHIPPED = {
    "role.yaml": "kubernetes/role.yaml",
    "role-pod-delete.yaml": "kubernetes/role-pod-delete.yaml",
    "role-state.yaml": "kubernetes/state/role.yaml",
    "role-objects.yaml": "kubernetes/objects/role.yaml",
    "role-helm.yaml": "helm/role.yaml",
    "pauses.yaml": "kubernetes/objects/pauses.yaml",
    "incidents.yaml": "kubernetes/objects/incidents.yaml",
}
"""A chart reads no file outside of itself: these are copies."""
TARGET = {"kubernetes": {"namespace": "shop", "deployment": "api"}, "signals": {"workload": {}}, "data": "none"}
LEAST: dict[str, Any] = {
    "image": {"repository": "registry.test/rollback-watchdog"},
    "watched": ["shop", "quiet"],
    "config": {"targets": {"api": TARGET}},
}


class Helm(HelmProgram):
    """The real helm in the chart's own namespace."""

    def values(self, values: dict[str, Any]) -> str:
        file = self.folder / "values.yaml"
        file.write_text(json.dumps(values))
        return str(file)

    def rendered(self, values: dict[str, Any]) -> list[Manifest]:
        text = self("template", RELEASE, str(CHART), "--values", self.values(values))
        return [entry for entry in yaml.safe_load_all(text) if entry]

    def refused(self, values: dict[str, Any]) -> str:
        return self("template", RELEASE, str(CHART), "--values", self.values(values), check=False)


@pytest.fixture
def own(admin: KubeApi, namespace: str) -> Iterator[str]:
    """The namespace of the watchdog itself."""
    name = f"wd-{namespace[-20:].strip('-')}"
    admin.post(
        "/api/v1/namespaces",
        {"metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    )
    yield name
    admin.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def helm(control_plane: ControlPlane, own: str, tmp_path: Path) -> Helm:
    return Helm(control_plane, own, tmp_path)


def of_kind(entries: list[Manifest], kind: str) -> list[Manifest]:
    return [entry for entry in entries if entry["kind"] == kind]


# -- what it renders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("copy", "original"), SHIPPED.items(), ids=SHIPPED)
def test_the_chart_grants_and_defines_what_the_folders_do(copy: str, original: str) -> None:
    same = (CHART / "files" / copy).read_text() == (DEPLOY / original).read_text()
    assert same, f"cp deploy/{original} deploy/chart/files/{copy}"


def test_helm_finds_nothing_to_say_about_it(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--values", helm.values(LEAST))


def test_each_watched_namespace_has_a_role_and_only_writable_ones_may_patch(helm: Helm) -> None:
    entries = helm.rendered({**LEAST, "writable": ["shop"], "helmReleases": ["shop"], "podDelete": ["shop"]})
    assert not of_kind(entries, "ClusterRole")
    granted = {
        (role["metadata"]["namespace"], role["metadata"]["name"]): role["rules"] for role in of_kind(entries, "Role")
    }
    own = helm.namespace
    assert set(granted) == {
        ("shop", RELEASE), ("quiet", RELEASE), ("shop", f"{RELEASE}-helm"), ("shop", f"{RELEASE}-pod-delete"),
        (own, f"{RELEASE}-state"), (own, f"{RELEASE}-objects"),
    }  # fmt: skip
    assert granted["shop", RELEASE] == yaml.safe_load((DEPLOY / "kubernetes/role.yaml").read_text())["rules"]
    assert granted["quiet", RELEASE][0]["verbs"] == ["get", "watch"]
    assert not any("patch" in rule["verbs"] for rule in granted["quiet", RELEASE])
    bound = {(one["metadata"]["namespace"], one["roleRef"]["name"]) for one in of_kind(entries, "RoleBinding")}
    assert bound == set(granted)
    subjects = [subject for one in of_kind(entries, "RoleBinding") for subject in one["subjects"]]
    assert all(subject == {"kind": "ServiceAccount", "name": RELEASE, "namespace": own} for subject in subjects)


def test_the_configuration_that_it_writes_is_one_that_the_daemon_takes(helm: Helm) -> None:
    (config,) = of_kind(helm.rendered(LEAST), "ConfigMap")
    settings = load_text(config["data"]["watchdog.yaml"], {}).settings
    assert settings.state.kubernetes is not None
    state = settings.state.kubernetes
    assert (state.namespace, state.name, state.objects) == (helm.namespace, RELEASE, True)
    assert set(settings.targets) == {"api"}
    (lease,) = [
        rule for role in of_kind(helm.rendered(LEAST), "Role") for rule in role["rules"] if rule.get("resourceNames")
    ]
    assert lease["resourceNames"] == [state.name]


def test_a_file_as_it_is_is_taken_with_its_comments(helm: Helm) -> None:
    text = "# ours\nmode: observe\napi: {page: {host: 0.0.0.0}}\ntargets: {web: {signals: {h: {http: 'http://web'}}}}\n"
    entries = helm.rendered({**LEAST, "configText": text})
    (config,) = of_kind(entries, "ConfigMap")
    assert "# ours" in config["data"]["watchdog.yaml"]
    settings = load_text(config["data"]["watchdog.yaml"], {}).settings
    assert (set(settings.targets), settings.state.kubernetes is not None) == ({"web"}, True)
    assert [port["name"] for port in of_kind(entries, "Service")[0]["spec"]["ports"]] == ["http", "page"]


def test_with_a_file_for_its_state_it_is_one_daemon_with_a_volume_and_no_rights_on_secrets_of_its_own(
    helm: Helm,
) -> None:
    entries = helm.rendered({**LEAST, "state": "sqlite", "replicas": 1})
    (made,) = of_kind(entries, "Deployment")
    assert made["spec"]["strategy"] == {"type": "Recreate"}
    assert of_kind(entries, "PersistentVolumeClaim")
    assert not of_kind(entries, "CustomResourceDefinition")
    assert not of_kind(entries, "PodDisruptionBudget")
    assert {role["metadata"]["namespace"] for role in of_kind(entries, "Role")} == {"shop", "quiet"}
    (config,) = of_kind(entries, "ConfigMap")
    assert load_text(config["data"]["watchdog.yaml"], {}).settings.state.sqlite_path == "/var/lib/watchdog/state.db"


def test_a_digest_wins_secrets_come_by_name_and_the_pod_is_locked_down(helm: Helm) -> None:
    digest = "sha256:" + "a" * 64
    image = {"repository": "registry.test/wd", "digest": digest, "tag": "other"}
    more = {"secretEnv": {"SLACK": {"secret": "slack", "key": "url"}}, "secretFiles": ["tokens"]}
    (made,) = of_kind(helm.rendered({**LEAST, "image": image, **more}), "Deployment")
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"registry.test/wd@{digest}"
    assert container["env"] == [{"name": "SLACK", "valueFrom": {"secretKeyRef": {"name": "slack", "key": "url"}}}]
    assert {"name": "secret-tokens", "mountPath": "/etc/watchdog-secrets/tokens", "readOnly": True} in container[
        "volumeMounts"
    ]
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("page", "ports"),
    [
        (None, {"http": 9469}),
        ({}, {"http": 9469}),
        ({"host": "0.0.0.0"}, {"http": 9469, "page": 9470}),
        ({"host": "0.0.0.0", "port": 8080}, {"http": 9469, "page": 8080}),
    ],
)
def test_a_page_that_listens_to_others_is_served(
    helm: Helm, page: dict[str, Any] | None, ports: dict[str, int]
) -> None:
    api = {"api": {"page": page}} if page is not None else {}
    entries = helm.rendered({**LEAST, "config": {**LEAST["config"], **api}, "serviceMonitor": {"enabled": True}})
    (made,) = of_kind(entries, "Service")
    assert {port["name"]: port["port"] for port in made["spec"]["ports"]} == ports
    (policy,) = of_kind(entries, "NetworkPolicy")
    assert [port["port"] for port in policy["spec"]["ingress"][0]["ports"]] == list(ports)
    assert of_kind(entries, "ServiceMonitor")


def test_only_what_a_running_daemon_does_not_take_from_its_file_makes_its_pods_anew(helm: Helm) -> None:
    def start(config: dict[str, Any]) -> str:
        (made,) = of_kind(helm.rendered({**LEAST, "config": config}), "Deployment")
        return str(made["spec"]["template"])

    first = start({"targets": {"api": TARGET}})
    assert start({"mode": "enforce", "targets": {"other": TARGET}}) == first
    assert start({"targets": {"api": TARGET}, "api": {"tokens": "/x"}}) != first


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"image": {"repository": ""}}, "there is no public image yet"),
        ({"state": "sqlite", "replicas": 2}, "one file and has one daemon"),
        ({"state": "nfs"}, "value must be one of"),
        ({"writable": ["elsewhere"]}, "elsewhere is not in `watched`"),
        ({"watched": ["Shop"]}, "does not match pattern"),
        ({"config": {"state": {"memory": True}}}, "'not' failed"),
        ({"configText": "state: {memory: true}"}, "leave `state` out"),
        ({"configText": "a: ["}, "is not YAML"),
        ({"wached": ["shop"]}, "additional properties 'wached' not allowed"),
        ({"image": {"repository": "a", "digest": "sha256:short"}}, "does not match pattern"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_with_words(helm: Helm, values: dict[str, Any], words: str) -> None:
    assert words in helm.refused({**LEAST, **values})


@pytest.mark.parametrize("state", ["kubernetes", "sqlite"])
def test_the_api_server_takes_everything_with_every_field_known_to_it(
    helm: Helm, kubectl: Kubectl, admin: KubeApi, namespace: str, state: str
) -> None:
    entries = helm.rendered(
        {**LEAST, "watched": [namespace], "state": state, "replicas": 1 if state == "sqlite" else 2}
    )
    file = helm.folder / "all.yaml"
    file.write_text(yaml.safe_dump_all(entries))
    # Those of the watched namespace say so themselves; helm puts the rest into its own.
    for entry in entries:
        entry["metadata"].setdefault("namespace", helm.namespace)
    file.write_text(yaml.safe_dump_all(entries))
    taken = [
        kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(one), "-n", there)
        for there, one in _by_namespace(entries, helm.folder)
    ]
    assert sum(text.count("(server dry run)") for text in taken) == len(entries)
    assert not any("would violate PodSecurity" in text for text in taken)


def _by_namespace(entries: list[Manifest], folder: Path) -> Iterator[tuple[str, Path]]:
    for there in sorted({entry["metadata"]["namespace"] for entry in entries}):
        file = folder / f"{there}.yaml"
        file.write_text(yaml.safe_dump_all([one for one in entries if one["metadata"]["namespace"] == there]))
        yield there, file


# -- its life ----------------------------------------------------------------------------------------------------------


def test_definitions_that_were_applied_by_hand_become_the_charts(
    helm: Helm, kubectl: Kubectl, namespace: str, admin: KubeApi
) -> None:
    for name in ("pauses", "incidents"):
        kubectl("apply", "-f", str(CHART / "files" / f"{name}.yaml"))
    values = helm.values({**LEAST, "watched": [namespace]})
    assert "cannot be imported" in helm("install", RELEASE, str(CHART), "--values", values, check=False)
    helm("install", RELEASE, str(CHART), "--values", values, "--take-ownership")
    owned = [entry["metadata"]["annotations"]["meta.helm.sh/release-namespace"] for entry in admin.items(DEFINITIONS)]
    assert set(owned) == {helm.namespace}
    helm("uninstall", RELEASE)
    without_definitions(admin)


class Pods:
    """What a kubelet would run for the chart, as processes: made anew when the pod template changes."""

    def __init__(self, shop: Shop, own: str) -> None:
        self.shop, self.own, self.admin = shop, own, shop.admin
        self.running: list[WatchdogProcess] = []
        self.count = 0

    def deployment(self) -> Manifest:
        return self.admin.get(f"/apis/apps/v1/namespaces/{self.own}/deployments/{RELEASE}")

    def start(self) -> WatchdogProcess:
        """One pod."""
        (container,) = self.deployment()["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["run", "--config", "/etc/watchdog/watchdog.yaml"]
        self.count += 1
        folder = self.shop.folder / f"pod-{self.count}"
        daemon = WatchdogProcess.prepare(folder, {}, environment=self._environment(folder))
        self.mount(daemon)
        daemon.start()
        self.running.append(daemon)
        self.shop.started.append(daemon)
        return daemon

    def mount(self, daemon: WatchdogProcess) -> None:
        """The file of the ConfigMap, as it is now."""
        config = self.admin.get(f"/api/v1/namespaces/{self.own}/configmaps/{RELEASE}")
        daemon.config.write_text(config["data"]["watchdog.yaml"])

    def _environment(self, folder: Path) -> dict[str, str]:
        folder.mkdir(parents=True)
        account = f"/api/v1/namespaces/{self.own}/serviceaccounts/{RELEASE}/token"
        token = self.admin.post(account, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
        kubeconfig = yaml.safe_load(self.shop.plane.kubeconfig("admin").read_text())
        kubeconfig["users"][0]["user"] = {"token": token["status"]["token"]}
        (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
        return {
            "KUBECONFIG": str(folder / "kubeconfig"),
            "WATCHDOG_BUNDLES": str(folder / "incidents"),
            "WATCHDOG_API__SOCKET": str(folder / "run" / "w.sock"),
            "WATCHDOG_API__METRICS__PORT": "0",
        }


def config_of(shop: Shop, *, countdown: str = "1s", young: bool = False) -> dict[str, Any]:
    address = {"namespace": shop.namespace, "deployment": NAME, "every": "500ms"}
    target = {"kubernetes": address, "signals": {"pods": PODS, "workload": WORKLOAD}, "data": "none"}
    base: dict[str, Any] = {"mode": "enforce", "first_start": "act", "log": {"format": "json"}}
    if young:
        return {**base, **nursery({NAME: target})}
    return {**base, "defaults": {**QUICK, "countdown": countdown}, "targets": {NAME: target}}


@pytest.mark.timeout(150)
def test_installed_upgraded_in_the_middle_of_a_countdown_and_uninstalled_it_acts_once_and_leaves_its_records(
    helm: Helm, shop: Shop, kubectl: Kubectl, own: str
) -> None:
    values = {"image": LEAST["image"], "watched": [shop.namespace], "config": config_of(shop, young=True)}
    apply(kubectl, deployment(), service(NAME))
    wait_rolled_out(kubectl)
    shown = helm("install", RELEASE, str(CHART), "--values", helm.values(values))
    assert f"watches 1 namespace(s): {shop.namespace}" in shown
    assert "watchdog arm" in shown
    shop.user = f"system:serviceaccount:{own}:{RELEASE}"
    pods = Pods(shop, own)
    first, second = pods.start(), pods.start()
    shop.wait_good()

    helm("upgrade", RELEASE, str(CHART), "--values", helm.values({**values, "config": config_of(shop, countdown="8s")}))
    for pod in (first, second):  # the kubelet brings the new file; nothing is restarted
        pods.mount(pod)
        pod.reload()
    shop.release("bookstore:2.0-err100")
    shop.wait_stage("countdown")
    newer = {**values, "config": config_of(shop, countdown="8s"), "image": {**LEAST["image"], "tag": "0.2.0"}}
    helm("upgrade", RELEASE, str(CHART), "--values", helm.values(newer))
    assert first.stop() == 0
    third = pods.start()
    shop.started[0] = third  # asked from now on
    incident = shop.wait_closed("recovered", within=60)
    assert incident["stage"] == "closed"
    assert (shop.image(), shop.writes()) == (GOOD, [f"patch deployments/{NAME}"])

    shown = wait_until(
        lambda: next(iter(_lines(kubectl, own, "recovered")), ""),
        "the incident by kubectl",
        within=20,
        explain=third.describe,
    )
    assert NAME in shown
    helm("rollback", RELEASE, "2")
    assert helm("history", RELEASE).count("\n") == 5

    second.stop()
    third.stop()
    helm("uninstall", RELEASE)
    for kind in (
        "deployments.apps",
        "roles",
        "rolebindings",
        "configmaps",
        "services",
        "serviceaccounts",
        "networkpolicies",
    ):
        left = kubectl("get", kind, "-n", own, "-o", "name").split()
        assert not [one for one in left if RELEASE in one], left
    assert not kubectl("get", "roles", "-n", shop.namespace, "-o", "name").strip()
    assert _lines(kubectl, own, "recovered")
    assert kubectl("get", "secrets", "-n", own, "-l", "store.watchdog/name", "-o", "name").strip()
    without_definitions(shop.admin)


@pytest.fixture(autouse=True, scope="module")
def _no_definitions_are_left(control_plane: ControlPlane) -> Iterator[None]:
    """The chart leaves its definitions, and other tests need them gone."""
    yield
    without_definitions(control_plane.api("admin"))


def without_definitions(admin: KubeApi) -> None:
    for entry in admin.items(DEFINITIONS):
        admin.delete(f"{DEFINITIONS}/{entry['metadata']['name']}")
    until = time.monotonic() + 20
    while admin.items(DEFINITIONS) and time.monotonic() < until:
        time.sleep(0.1)


def _lines(kubectl: Kubectl, namespace: str, word: str) -> list[str]:
    shown = kubectl("get", "incidents", "-n", namespace, "--no-headers", "--ignore-not-found")
    return [line for line in shown.splitlines() if word in line]
