"""Helm on a real API server, with the real helm: the contract of every platform, and what only Helm does."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.controlplane import ControlPlane
from tests.cluster.helm import HelmProgram
from tests.cluster.node.process import Node
from tests.cluster.watched_shop import GOOD, NAME, WORKLOAD, Shop, nursery
from tests.cluster.workloads import deployment, grant, wait_rolled_out
from tests.platforms.contract import PlatformContract, bad_release, execute, intent_of
from watchdog.clients.kubernetes import Connection, KubernetesClient
from watchdog.engine.clock import SystemClock
from watchdog.model import Issue, Owner, Progress, Resolution
from watchdog.platforms.helm import HelmPlatform, HelmTarget, HelmWriter
from watchdog.platforms.kubernetes import KubernetesPlatform, KubernetesTarget
from watchdog.safety.permits import PermitOffice

RELEASE = "shop"
IMAGES = {"one": "bookstore:1.0", "two": "bookstore:2.0", "three": "bookstore:3.0"}
DEPLOY = Path(__file__).parents[2] / "deploy"


def rules() -> list[Manifest]:
    """The rules of the Roles that we ship."""
    found: list[Manifest] = []
    for path in ("kubernetes/role.yaml", "helm/role.yaml"):
        found += yaml.safe_load((DEPLOY / path).read_text())["rules"]
    return found


class Helm(HelmProgram):
    """The real helm, as `admin` in the namespace of the test, and a chart of one Deployment."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        super().__init__(plane, namespace, folder)
        self.chart = folder / "chart"
        (self.chart / "templates").mkdir(parents=True, exist_ok=True)
        (self.chart / "Chart.yaml").write_text("apiVersion: v2\nname: bookstore\nversion: 0.1.0\nappVersion: '1'\n")
        self.write("deployment", deployment(image="IMAGE", minReadySeconds=2))

    def write(self, name: str, manifest: Manifest) -> None:
        text = json.dumps(manifest).replace("IMAGE", "{{ .Values.image }}")
        (self.chart / "templates" / f"{name}.yaml").write_text(text)

    def upgrade(self, image: str, *more: str, check: bool = True) -> str:
        return self("upgrade", "--install", RELEASE, str(self.chart), "--set", f"image={image}", *more, check=check)

    def history(self) -> list[tuple[int, str]]:
        return [(one["revision"], one["status"]) for one in json.loads(self("history", RELEASE, "-o", "json"))]


class Rig:
    """The release, read and written by the user `watchdog` with the rights that we ship; an `Outside` of the contract."""

    keeps_intents = True

    def __init__(self, client: KubernetesClient, helm: Helm, plane: ControlPlane) -> None:
        self.client, self.helm, self.plane = client, helm, plane
        self.clock, self.office = SystemClock(), PermitOffice(b"sixteen secret b")
        self.config = HelmTarget(
            target=NAME,
            namespace=helm.namespace,
            release=RELEASE,
            program=str(helm.program),
            kubeconfig=str(plane.kubeconfig("watchdog")),
            timeout_s=30.0,
        )
        self.use(self.config)

    def use(self, config: HelmTarget) -> None:
        self.platform = HelmPlatform(self.client, config, self.clock)
        self.writer = HelmWriter(self.client, config, self.clock, self.office)

    async def deploy(self, name: str) -> None:
        await asyncio.to_thread(self.helm.upgrade, IMAGES.get(name, name))

    async def settle(self) -> None:
        async with asyncio.timeout(40):
            while not (await self.platform.read_state()).complete:
                await asyncio.sleep(0.2)

    async def cut(self) -> None:
        nowhere = self.helm.folder / "nowhere.yaml"
        text = Path(self.config.kubeconfig).read_text()
        (server,) = {entry["cluster"]["server"] for entry in yaml.safe_load(text)["clusters"]}
        nowhere.write_text(text.replace(server, "https://127.0.0.1:9"))
        self.dead = await KubernetesClient.open(Connection(kubeconfig=str(nowhere)))
        self.platform._records.client = self.dead

    async def close(self) -> None:
        await self.client.close()
        if hasattr(self, "dead"):
            await self.dead.close()


@pytest_asyncio.fixture
async def rig(control_plane: ControlPlane, node: Node, admin: KubeApi, namespace: str, tmp_path: Path):
    grant(admin, namespace, "watchdog", rules())
    client = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    made = Rig(client, Helm(control_plane, namespace, tmp_path), control_plane)
    await made.deploy("one")
    await made.settle()
    yield made
    await made.close()


class TestHelmPlatform(PlatformContract):
    @pytest_asyncio.fixture
    async def outside(self, rig: Rig):
        yield rig


@pytest.mark.asyncio
async def test_a_rollback_is_helms_own_record_with_our_mark_and_prunes_nothing(rig: Rig) -> None:
    _, _, plan = await bad_release(rig)
    argv = plan.steps[0].request["argv"]
    assert argv[1:4] == ["rollback", RELEASE, "1"]
    await execute(rig, intent_of(plan))
    assert rig.helm.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    assert "watchdog i-1" in rig.helm("history", RELEASE)
    assert "bookstore:1.0" in rig.helm("get", "manifest", RELEASE)


@pytest.mark.asyncio
async def test_the_plain_platform_refuses_what_helm_owns_and_this_one_does_not_mind(rig: Rig) -> None:
    plain = KubernetesPlatform.open(
        rig.client, KubernetesTarget(target=NAME, namespace=rig.helm.namespace, kind="Deployment", name=NAME), rig.clock
    )
    assert (await plain.detect_owner()).owner is Owner.HELM
    found = await rig.platform.detect_owner()
    assert found.owner is Owner.NOBODY, found.sentence


@pytest.mark.asyncio
async def test_a_reconciler_that_claims_a_workload_keeps_helm_from_running(rig: Rig, admin: KubeApi) -> None:
    labels = {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "flux"}
    path = f"/apis/apps/v1/namespaces/{rig.helm.namespace}/deployments/{NAME}"
    admin.patch(path, {"metadata": {"labels": labels}}, "application/merge-patch+json")
    assert (await rig.platform.detect_owner()).owner is Owner.GITOPS


@pytest.mark.asyncio
async def test_a_failed_upgrade_is_the_release_that_runs_and_can_be_left(rig: Rig) -> None:
    good = (await rig.platform.read_state()).release
    await asyncio.to_thread(rig.helm.upgrade, "bookstore:2.0-unready", "--wait", "--timeout", "4s", check=False)
    state = await rig.platform.read_state()
    assert rig.helm.history()[-1] == (2, "failed")
    assert "helm gave revision 2 up" in state.stuck
    assert state.release.fingerprint != good.fingerprint
    assert [one.fingerprint for one in await rig.platform.history()] == [good.fingerprint]
    intent = intent_of(await rig.platform.plan(state, good, "incident-1"))
    assert (await execute(rig, intent)).issue is Issue.ISSUED
    await rig.settle()
    assert (await rig.platform.confirm(intent)).progress is Progress.OBSERVED


@pytest.mark.asyncio
async def test_helm_killed_midway_is_found_by_reading_and_cured_by_the_same_rollback(rig: Rig) -> None:
    _, _, plan = await bad_release(rig)
    intent = intent_of(plan)
    killed = subprocess.Popen(
        [rig.helm.program, *plan.steps[0].request["argv"][1:], "--description", f"watchdog {intent.id}"],
        env={**os.environ, "NO_PROXY": "*"},
    )
    path = f"/api/v1/namespaces/{rig.helm.namespace}/secrets/sh.helm.release.v1.{RELEASE}.v3"
    admin = rig.plane.api("admin")
    for _ in range(2000):
        try:
            admin.get(path)
            break
        except Exception:  # noqa: BLE001 - not there yet
            await asyncio.sleep(0.001)
    killed.kill()
    killed.wait()
    status = rig.helm.history()[-1][1]
    rig.use(replace(rig.config, timeout_s=-60.0))  # as if its time were over
    resolved = await rig.platform.resolve(intent)
    rig.use(rig.config)
    if status == "pending-rollback":
        assert await rig.platform.resolve(intent) is Resolution.UNKNOWN
        assert resolved is Resolution.NOT_ISSUED
        again = intent_of(plan, number=2)
        assert (await execute(rig, again)).issue is Issue.ISSUED
        await rig.settle()
        assert await rig.platform.resolve(again) is Resolution.ISSUED
        assert (await rig.platform.confirm(again)).progress is Progress.OBSERVED
    else:  # helm was faster than the kill
        assert resolved is Resolution.ISSUED


@pytest.mark.asyncio
async def test_what_holds_data_is_never_deleted_along(rig: Rig) -> None:
    good = (await rig.platform.read_state()).release
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "books"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }  # fmt: skip
    rig.helm.write("claim", claim)
    await rig.deploy("two")
    await rig.settle()
    findings = await rig.platform.preflight(good)
    assert any(one.blocks and "PersistentVolumeClaim books" in one.sentence for one in findings)
    with pytest.raises(ValueError, match="would delete PersistentVolumeClaim books"):
        await rig.platform.plan(await rig.platform.read_state(), good, "incident-1")
    claim["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    rig.helm.write("claim", claim)
    await rig.deploy("three")
    await rig.settle()
    assert not [one for one in await rig.platform.preflight(good) if one.blocks]


@pytest.mark.asyncio
async def test_hooks_and_lost_objects_are_said_before_anything_is_run(rig: Rig) -> None:
    hook: dict[str, Any] = {
        "apiVersion": "v1", "kind": "ConfigMap", "data": {},
        "metadata": {"name": "migrate", "annotations": {"helm.sh/hook": "pre-rollback,post-rollback"}},
    }  # fmt: skip
    rig.helm.write("hook", hook)
    await rig.deploy("two")
    await rig.settle()
    good = (await rig.platform.read_state()).release
    rig.helm.write("extra", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}, "data": {}})
    await rig.deploy("three")
    await rig.settle()
    plan = await rig.platform.plan(await rig.platform.read_state(), good, "incident-1")
    assert any("ConfigMap extra" in warning for warning in plan.warnings)
    assert any("pre-rollback migrate" in warning for warning in plan.warnings)


@pytest.mark.asyncio
async def test_another_helm_and_no_helm_at_all_are_refused_by_name(rig: Rig, tmp_path: Path) -> None:
    _, state, plan = await bad_release(rig)
    old = tmp_path / "helm3"
    old.write_text("#!/bin/sh\necho v3.18.0\n")
    old.chmod(0o755)
    for program, words in ((str(old), "helm is v3.18.0, and 4 is needed"), ("/nowhere/helm", "cannot be started")):
        rig.use(replace(rig.config, program=program))
        outcome = await execute(rig, intent_of(await rig.platform.plan(state, (await rig.platform.history())[1], "i")))
        assert outcome.issue is Issue.REFUSED
        assert words in outcome.sentence
    rig.use(rig.config)
    assert await rig.platform.resolve(intent_of(plan)) is Resolution.NOT_ISSUED


@pytest.mark.asyncio
async def test_doctor_is_told_which_right_is_missing_and_whether_there_is_a_helm(
    rig: Rig, admin: KubeApi, namespace: str
) -> None:
    assert await rig.platform.check_permissions() == ()
    weaker = [{**rule, "verbs": [verb for verb in rule["verbs"] if verb != "create"]} for rule in rules()]
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/watchdog"
    admin.patch(path, {"rules": weaker}, "application/merge-patch+json")
    rig.use(replace(rig.config, program="/nowhere/helm"))

    async def told() -> list[str]:
        return [finding.sentence for finding in await rig.platform.check_permissions()]

    async with asyncio.timeout(10):
        while not any("create secrets" in line for line in await told()):  # authorisation is cached for a moment
            await asyncio.sleep(0.5)
    assert any("helm cannot be run" in line for line in await told())


@pytest.mark.asyncio
async def test_values_travel_into_no_evidence(rig: Rig) -> None:
    await asyncio.to_thread(rig.helm.upgrade, "bookstore:2.0", "--set", "password=canary-5e1f")
    await rig.settle()
    state = await rig.platform.read_state()
    records = await rig.platform._records.newest_first()
    assert "canary-5e1f" not in repr(records) + repr(state)


def test_a_bad_helm_release_goes_back_once_by_helm_itself(
    shop: Shop, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    helm = Helm(control_plane, namespace, tmp_path)
    grant(shop.admin, namespace, shop.user, rules())
    helm.upgrade(GOOD)
    address = {
        "namespace": namespace,
        "release": RELEASE,
        "program": str(helm.program),
        "kubeconfig": str(control_plane.kubeconfig(shop.user)),
        "every": shop.every,
        "timeout": "30s",
    }
    targets = {NAME: {"helm": address, "signals": {"workload": WORKLOAD}, "data": "none"}}
    daemon = shop.prepare(nursery(targets))
    daemon.launch()
    wait_rolled_out(shop.kubectl)
    daemon.wait_started()
    shop.wait_good(NAME)
    daemon.configure(shop.complete({"targets": targets}))
    daemon.reload()
    daemon.arm()
    helm.upgrade("bookstore:2.0-crash1")
    incident = shop.wait_closed("recovered")
    assert incident["good"]["images"] == {NAME: GOOD}
    assert helm.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    assert (shop.image(), shop.running()) == (GOOD, {GOOD})
