"""The Kubernetes platform on a real API server and real controllers: the oracles that a fake could get wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from tests.cluster.api import STRATEGIC_MERGE_PATCH, KubeApi, Manifest, Refused
from tests.cluster.controlplane import ControlPlane
from tests.cluster.node.process import Node
from tests.cluster.waiting import wait_until
from tests.cluster.workloads import (
    Kubectl,
    apply,
    daemon_set,
    deployment,
    grant,
    pods_of,
    rollout_history,
    set_image,
    stateful_set,
    wait_for_waiting,
    wait_rolled_out,
)
from tests.platforms.contract import Sink
from watchdog.clients.kubernetes import Connection, KubernetesClient
from watchdog.engine.clock import SystemClock
from watchdog.model import (
    Counts,
    Decision,
    Incident,
    Instant,
    Intent,
    Issue,
    Mode,
    Outcome,
    Owner,
    Plan,
    Progress,
    Reading,
    Release,
    Resolution,
    Stage,
    Step,
    StepOutcome,
)
from watchdog.platforms.kubernetes import KubernetesPlatform, KubernetesTarget, KubernetesWriter
from watchdog.ports import PollContext
from watchdog.safety.permits import PermitOffice
from watchdog.signals.workload import WorkloadSignal

NAME = "bookstore"
CAUSE = "kubernetes.io/change-cause"
ROLES = Path(__file__).parents[2] / "deploy" / "kubernetes"


def rules_of(name: str) -> list[Manifest]:
    """The rules of a Role that we ship."""
    return list(yaml.safe_load((ROLES / name).read_text())["rules"])


class Rig:
    """One workload of the namespace, read and written by the user `watchdog` with the rights that we ship."""

    def __init__(self, client: KubernetesClient, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.clock = SystemClock()
        self.office = PermitOffice(b"sixteen secret b")
        self.use("deployment")

    def use(self, kind: str, **opted: Any) -> None:
        config = KubernetesTarget(target=NAME, namespace=self.namespace, kind=kind, name=NAME, **opted)
        self.platform = KubernetesPlatform.open(self.client, config, self.clock)
        self.writer = KubernetesWriter(self.client, config, self.clock, self.office)

    async def good(self, image: str = "bookstore:1.0") -> Release:
        return next(r for r in await self.platform.history() if r.images[NAME] == image)

    async def plan(self, good: Release | None = None) -> Plan:
        return await self.platform.plan(await self.platform.read_state(), good or await self.good(), "incident-1")

    def intent(self, plan: Plan, step: int = 0, name: str = "intent-1") -> Intent:
        return Intent(
            id=name,
            incident="incident-1",
            step=plan.steps[step],
            from_release=plan.from_release,
            to_release=plan.to_release,
            stored_at=self.clock.now(),
        )

    async def execute(self, intent: Intent):
        decision = Decision(
            at=Instant(0.0),
            target=NAME,
            outcome=Outcome.ROLL_BACK,
            would=Outcome.ROLL_BACK,
            checks=(),
            sentence="roll back",
            from_release=intent.from_release,
            to_release=intent.to_release,
        )
        permit = self.office.issue(decision, intent, self.clock.monotonic())
        return await self.writer.execute(intent.step, intent, permit, deadline_s=8.0)

    async def issued(self, intent: Intent) -> None:
        """Write it. Controllers write status at any moment: a version lost to them is no news, and nothing was written."""
        await self._without_interference(lambda: self.execute(intent))

    async def rehearsed(self, step: Step) -> None:
        """The dry run, likewise."""
        await self._without_interference(lambda: self.writer.rehearse(step, deadline_s=8.0))

    async def _without_interference(self, attempt: Callable[[], Awaitable[StepOutcome]]) -> None:
        for _ in range(6):
            outcome = await attempt()
            if outcome.issue is Issue.ISSUED:
                return
            assert (outcome.issue, "between our read and" in outcome.sentence) == (Issue.PRECONDITION_FAILED, True), (
                outcome
            )
        raise AssertionError(outcome.sentence)

    async def confirmed(self, intent: Intent, within: float = 40.0) -> None:
        async def looked() -> bool:
            self.last = await self.platform.confirm(intent)
            assert self.last.progress in (Progress.PENDING, Progress.OBSERVED), self.last.sentence
            return self.last.progress is Progress.OBSERVED

        await until(looked, within)


async def until(look: Callable[[], Awaitable[bool]], within: float) -> None:
    async with asyncio.timeout(within):
        while not await look():
            await asyncio.sleep(0.2)


@pytest_asyncio.fixture
async def rig(control_plane: ControlPlane, node: Node, admin: KubeApi, namespace: str):
    grant(admin, namespace, "watchdog", rules_of("role.yaml"))
    client = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    yield Rig(client, namespace)
    await client.close()


def writes(control_plane: ControlPlane, namespace: str) -> list[Manifest]:
    """What the API server says that we changed, dry runs and questions left out."""
    return [
        event
        for event in control_plane.audit_events(user="watchdog", namespace=namespace)
        if event["verb"] in ("patch", "create", "update", "delete") and "dryRun" not in event["requestURI"]
    ]


@pytest.mark.asyncio
async def test_oracle_1_the_good_template_comes_back_in_one_write_and_the_history_reads_as_a_person_expects(
    rig: Rig, control_plane: ControlPlane, admin: KubeApi, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment())
    kubectl("annotate", f"deployment/{NAME}", f"{CAUSE}=release 1")
    wait_rolled_out(kubectl)
    set_image(kubectl, "bookstore:2.0-sick")
    kubectl("annotate", "--overwrite", f"deployment/{NAME}", f"{CAUSE}=release 2")
    wait_rolled_out(kubectl)
    kubectl("rollout", "restart", f"deployment/{NAME}")
    wait_rolled_out(kubectl)
    kubectl("annotate", f"deployment/{NAME}", "team=books")
    kubectl("scale", f"deployment/{NAME}", "--replicas=3")
    wait_rolled_out(kubectl)
    history = await rig.platform.history()
    assert [release.images[NAME] for release in history] == ["bookstore:2.0-sick", "bookstore:1.0"]
    state = await rig.platform.read_state()
    assert (state.complete, state.in_progress) == (True, False)
    assert sum(not pod.terminating for pod in state.instances) == 3
    assert state.release.fingerprint == history[0].fingerprint
    plan = await rig.plan()
    await rig.rehearsed(plan.steps[0])
    assert writes(control_plane, namespace) == []
    intent = rig.intent(plan)
    await rig.issued(intent)
    await rig.confirmed(intent)
    assert await rig.platform.resolve(intent) is Resolution.ISSUED
    (event,) = writes(control_plane, namespace)
    assert (event["verb"], event["objectRef"]["resource"], event["responseStatus"]["code"]) == (
        "patch",
        "deployments",
        200,
    )
    assert event["userAgent"] == "rollback-watchdog"
    live = admin.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}")
    assert live["spec"]["replicas"] == 3
    assert live["metadata"]["annotations"]["team"] == "books"
    assert live["metadata"]["annotations"]["rollback-watchdog.dev/rollback-id"] == "intent-1"
    assert "watchdog" in {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert rollout_history(kubectl) == {2: "release 2", 3: "release 2", 4: "release 1"}
    assert len(admin.items(f"/apis/apps/v1/namespaces/{namespace}/replicasets")) == 3, "the old ReplicaSet is re-used"


@pytest.mark.asyncio
async def test_oracle_2_a_release_between_read_and_write_is_never_overwritten(
    rig: Rig, control_plane: ControlPlane, namespace: str, kubectl: Kubectl, admin: KubeApi
) -> None:
    apply(kubectl, deployment())
    wait_rolled_out(kubectl)
    set_image(kubectl, "bookstore:2.0")
    wait_rolled_out(kubectl)
    intent = rig.intent(await rig.plan())
    set_image(kubectl, "bookstore:3.0")
    outcome = await rig.execute(intent)
    assert outcome.issue is Issue.PRECONDITION_FAILED
    assert writes(control_plane, namespace) == []
    assert await rig.platform.resolve(intent) is Resolution.OVERTAKEN
    # The version of a read that is no longer true is refused by the API server itself.
    path, body = str(intent.step.request["path"]), dict(intent.step.request["body"])
    with pytest.raises(Refused, match="409"):
        admin.patch(path, body, STRATEGIC_MERGE_PATCH)


@pytest.mark.asyncio
async def test_oracle_4_a_release_that_timed_out_is_stuck_and_going_back_from_it_is_not(
    rig: Rig, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(progressDeadlineSeconds=5))
    wait_rolled_out(kubectl)
    await rig.platform.read_state()
    set_image(kubectl, "bookstore:2.0-unready")
    seen = await rig.platform.read_state()
    assert seen.in_progress

    async def gave_up() -> bool:
        return bool((await rig.platform.read_state()).stuck)

    await until(gave_up, 20)
    intent = rig.intent(await rig.plan())
    await rig.issued(intent)
    await rig.confirmed(intent)
    state = await rig.platform.read_state()
    assert (state.complete, state.stuck, state.in_progress) == (True, "", False)


@pytest.mark.asyncio
async def test_oracle_7_a_stuck_stateful_set_needs_the_opt_in_and_is_freed_by_one_delete(
    rig: Rig, control_plane: ControlPlane, admin: KubeApi, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, stateful_set(replicas=3))
    wait_rolled_out(kubectl, f"statefulset/{NAME}")
    rig.use("statefulset")
    assert (await rig.platform.read_state()).complete
    set_image(kubectl, "bookstore:2.0-unready", f"statefulset/{NAME}")
    wait_until(lambda: pods_of(admin, namespace, image="bookstore:2.0-unready"), "a broken pod", within=20)
    with pytest.raises(ValueError, match="allow_pod_delete"):
        await rig.plan()
    _also(admin, namespace, rules_of("role-pod-delete.yaml"))
    rig.use("statefulset", allow_pod_delete=True)
    plan = await rig.plan()
    assert [step.name for step in plan.steps] == ["restore-template", f"replace-pod-{NAME}-2"]
    kept = {pod["metadata"]["uid"] for pod in pods_of(admin, namespace, image="bookstore:1.0")}
    assert len(kept) == 2
    await rig.issued(rig.intent(plan))
    last = rig.intent(plan, 1, "intent-2")

    async def deleted() -> bool:
        outcome = await rig.execute(last)
        assert outcome.issue in (Issue.ISSUED, Issue.UNKNOWN), outcome.sentence
        return outcome.issue is Issue.ISSUED

    await until(deleted, 20)
    await rig.confirmed(last)
    patch, delete = writes(control_plane, namespace)
    assert (patch["verb"], delete["verb"]) == ("patch", "delete")
    assert delete["requestObject"]["preconditions"]["uid"] == plan.steps[1].request["uid"]
    assert kept < {pod["metadata"]["uid"] for pod in pods_of(admin, namespace)}


def _also(admin: KubeApi, namespace: str, rules: list[Manifest]) -> None:
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    role = admin.get(f"{base}/roles/watchdog")
    admin.patch(f"{base}/roles/watchdog", {"rules": [*role["rules"], *rules]})


@pytest.mark.asyncio
async def test_oracle_7_when_every_pod_is_broken_the_lowest_must_go_first(
    rig: Rig, admin: KubeApi, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, stateful_set(replicas=2, podManagementPolicy="OrderedReady"))
    wait_rolled_out(kubectl, f"statefulset/{NAME}")
    set_image(kubectl, "bookstore:2.0", f"statefulset/{NAME}")
    wait_rolled_out(kubectl, f"statefulset/{NAME}")
    _also(admin, namespace, rules_of("role-pod-delete.yaml"))
    rig.use("statefulset", allow_pod_delete=True)
    good = await rig.good()
    set_image(kubectl, "bookstore:3.0-unready", f"statefulset/{NAME}")
    kubectl("delete", "pod", f"{NAME}-0", f"{NAME}-1")
    wait_until(lambda: pods_of(admin, namespace, image="bookstore:3.0-unready"), "a broken pod", within=20)
    plan = await rig.plan(good)
    assert plan.steps[1].name == f"replace-pod-{NAME}-0"
    await rig.issued(rig.intent(plan))
    number = 0

    async def all_done() -> bool:
        nonlocal number
        for step in range(1, len(plan.steps)):
            number += 1
            await rig.execute(rig.intent(plan, step, f"again-{number}"))
        return (await rig.platform.read_state()).complete

    await until(all_done, 40)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods_of(admin, namespace)} == {"bookstore:1.0"}


@pytest.mark.asyncio
async def test_a_daemon_set_goes_back_from_a_broken_release_by_itself(
    rig: Rig, admin: KubeApi, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, daemon_set())
    wait_rolled_out(kubectl, f"daemonset/{NAME}")
    rig.use("daemonset")
    before = await rig.platform.read_state()
    assert (before.complete, before.instances[0].release) == (True, before.release.fingerprint)
    set_image(kubectl, "bookstore:2.0-crash1", f"daemonset/{NAME}")
    wait_for_waiting(admin, namespace, "CrashLoopBackOff")
    during = await rig.platform.read_state()
    assert (during.in_progress, during.instances[0].release) == (True, during.release.fingerprint)
    intent = rig.intent(await rig.plan())
    await rig.issued(intent)
    await rig.confirmed(intent)
    after = await rig.platform.read_state()
    assert after.release.fingerprint == before.release.fingerprint
    assert [release.images[NAME] for release in await rig.platform.history()] == [
        "bookstore:1.0",
        "bookstore:2.0-crash1",
    ]


@pytest.mark.asyncio
async def test_a_rolling_update_tells_old_pods_from_new_and_since_when_it_runs(rig: Rig, kubectl: Kubectl) -> None:
    apply(kubectl, deployment())
    wait_rolled_out(kubectl)
    old = await rig.platform.read_state()
    assert old.release.digests[NAME].startswith("sha256:")
    set_image(kubectl, "bookstore:2.0-unready")

    async def both() -> bool:
        state = await rig.platform.read_state()
        return {pod.release for pod in state.instances} == {old.release.fingerprint, state.release.fingerprint}

    await until(both, 15)
    state = await rig.platform.read_state()
    assert (state.in_progress, state.complete) == (True, False)
    assert all(pod.ready == (pod.release == old.release.fingerprint) for pod in state.instances)
    assert state.started is not None
    assert old.at - 5 <= state.started <= state.at + 1
    assert state.actor == "kubectl-set"
    assert state.instances[0].address.startswith("10.77.")
    assert state.instances[0].port == 8080


@pytest.mark.asyncio
async def test_scaling_is_no_release_and_a_pod_that_crashes_later_neither(
    rig: Rig, admin: KubeApi, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(image="bookstore:1.0-slowready2", replicas=1))
    wait_rolled_out(kubectl)
    first = await rig.platform.read_state()
    kubectl("scale", f"deployment/{NAME}", "--replicas=3")
    scaling = await rig.platform.read_state()
    assert (scaling.complete, scaling.in_progress) == (False, False)
    assert scaling.release.fingerprint == first.release.fingerprint
    assert scaling.started == first.started


@pytest.mark.asyncio
async def test_the_workload_signal_blames_a_crash_loop_and_not_the_start_of_a_rolling_update(
    rig: Rig, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment())
    wait_rolled_out(kubectl)
    signal = WorkloadSignal("workload", rig.clock)
    readings: list[Reading] = []

    async def look() -> Reading:
        await asyncio.sleep(0.1)
        state = await rig.platform.read_state()
        (sample,) = await signal.poll(PollContext(state=state, release_started=state.started))
        readings.append(sample.reading)
        return sample.reading

    good, bad = Counts(good=1, bad=0), Counts(good=0, bad=1)
    assert await look() == good
    set_image(kubectl, "bookstore:2.0-slowready2")

    async def rolled_out() -> bool:
        await look()
        return (await rig.platform.read_state()).complete

    await until(rolled_out, 20)
    assert bad not in readings
    set_image(kubectl, "bookstore:3.0-crash1")

    async def blamed() -> bool:
        return await look() == bad

    await until(blamed, 30)


@pytest.mark.asyncio
async def test_evidence_holds_the_previous_logs_of_a_crashing_pod_and_names_what_is_missing(
    rig: Rig, admin: KubeApi, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(replicas=1))
    wait_rolled_out(kubectl)
    set_image(kubectl, "bookstore:2.0-crash1")
    pod = wait_for_waiting(admin, namespace, "CrashLoopBackOff", restarts=1)["metadata"]["name"]
    state = await rig.platform.read_state()
    sink = Sink()
    incident = Incident(
        id="i",
        units=(state.unit,),
        target=NAME,
        group="",
        blamed=state.release,
        stage=Stage.OPENED,
        mode=Mode.ENFORCE,
        opened_at=state.at,
        updated_at=state.at,
    )
    await rig.platform.gather(sink, incident)
    assert b"FATAL Error" in sink.files[f"logs/{pod}/{NAME}.previous.log"]
    assert {"objects/pods.json", "objects/workload.json", "objects/revisions.json", "objects/events.json"} <= set(
        sink.files
    )
    assert json.dumps(sink.files["objects/events.json"]).count("BackOff")
    assert "CPU and memory of the pods" in {what for what, _ in sink.missed}


@pytest.mark.asyncio
async def test_the_role_that_we_ship_is_enough_and_what_is_missing_without_it_is_told(
    rig: Rig, control_plane: ControlPlane, admin: KubeApi, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment())
    assert await rig.platform.check_permissions() == ()
    assert (await rig.platform.detect_owner()).owner is Owner.NOBODY
    admin.delete(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/watchdog")
    grant(
        admin, namespace, "watchdog-limited", [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}]
    )
    client = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog-limited"))))
    limited = Rig(client, namespace)
    blocking = [finding.name for finding in await limited.platform.check_permissions() if finding.blocks]
    await client.close()
    assert blocking == [f"patch deployments.apps {NAME}", "list replicasets.apps", "list pods"]


@pytest.mark.asyncio
async def test_a_missing_config_map_is_found_before_the_write(rig: Rig, kubectl: Kubectl) -> None:
    manifest = deployment(replicas=1)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}]
    kubectl("create", "configmap", "settings", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "keys", "--from-literal=a=b")
    apply(kubectl, manifest)
    wait_rolled_out(kubectl)
    set_image(kubectl, "bookstore:2.0")
    good = await rig.good()
    assert await rig.platform.preflight(good) == ()
    kubectl("delete", "configmap", "settings")
    (finding,) = await rig.platform.preflight(good)
    assert (finding.blocks, finding.sentence) == (True, "ConfigMap settings, which the release needs, does not exist")


def apply_server_side(kubectl: Kubectl, image: str) -> str:
    """As a pipeline of people does that owns its fields. Raises what kubectl says of a conflict."""
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return kubectl("apply", "--server-side", "--field-manager=ci", "-f", "-", stdin=json.dumps(manifest))


@pytest.mark.asyncio
async def test_after_a_rollback_the_next_server_side_apply_of_the_fix_finds_no_conflict(
    rig: Rig, admin: KubeApi, namespace: str, kubectl: Kubectl
) -> None:
    apply_server_side(kubectl, "bookstore:1.0")
    wait_rolled_out(kubectl)
    apply_server_side(kubectl, "bookstore:2.0-sick")
    wait_rolled_out(kubectl)
    plan = await rig.plan()
    await rig.issued(rig.intent(plan))
    with pytest.raises(AssertionError, match='conflict with "watchdog"'):
        apply_server_side(kubectl, "bookstore:3.0")
    handed = rig.intent(plan, step=1, name="intent-2")
    await rig.rehearsed(handed.step)
    await rig.issued(handed)
    assert await rig.platform.resolve(handed) is Resolution.ISSUED
    await rig.confirmed(handed)
    live = admin.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{NAME}")
    assert {entry["manager"] for entry in live["metadata"]["managedFields"]} >= {"ci"}
    assert live["metadata"]["annotations"]["rollback-watchdog.dev/rollback-id"] == "intent-1"
    apply_server_side(kubectl, "bookstore:3.0")
    wait_rolled_out(kubectl)
