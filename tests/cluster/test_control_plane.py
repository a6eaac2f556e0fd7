"""The control plane, the node and the helpers do what the other tests rely on, on the real thing."""

import pytest

from tests.cluster.api import KubeApi, Manifest, Refused
from tests.cluster.controlplane import ControlPlane
from tests.cluster.node.process import Node
from tests.cluster.users import ask, users_of, wait_served
from tests.cluster.waiting import wait_until
from tests.cluster.workloads import (
    Kubectl,
    KubectlFailed,
    apply,
    daemon_set,
    deployment,
    describe_pods,
    grant,
    pods_of,
    rollout_history,
    service,
    set_image,
    stateful_set,
    wait_for_waiting,
    wait_rolled_out,
)

DEPLOYMENT = "/apis/apps/v1/namespaces/{}/deployments/bookstore"


def conditions(manifest: Manifest) -> dict[str, Manifest]:
    """The conditions of an object by type."""
    return {condition["type"]: condition for condition in manifest["status"].get("conditions", [])}


def test_rolling_update_completes_and_no_user_sees_an_error(
    node: Node, namespace: str, admin: KubeApi, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(), service())
    wait_rolled_out(kubectl)
    url = wait_served(node, namespace)
    with users_of(url) as answers:
        set_image(kubectl, "bookstore:2.0")
        wait_rolled_out(kubectl)
        wait_until(lambda: '"version": "2.0"' in answers[-1].text, "an answer of the new version", within=10)
    assert {answer.status for answer in answers} == {200}
    assert any('"version": "1.0"' in answer.text for answer in answers)
    wait_until(lambda: len(pods_of(admin, namespace)) == 2, "the old pods to go", within=10)
    assert list(rollout_history(kubectl)) == [1, 2]


def test_crash_loop_restarts_with_growing_back_off_and_keeps_the_previous_logs(
    namespace: str, admin: KubeApi, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(image="bookstore:2.0-crash1", replicas=1))
    pod = wait_for_waiting(admin, namespace, "CrashLoopBackOff", restarts=1)
    status = pod["status"]["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert not status["ready"]
    logs = kubectl("logs", "--previous", "--tail=1", pod["metadata"]["name"])
    assert logs == "FATAL Error: the process ends with code 1\n"
    assert "BackOff" in {
        event["reason"] for event in admin.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector="type=Warning")
    }


def test_failing_readiness_holds_the_rollout_until_its_deadline_and_undo_brings_it_back(
    node: Node, namespace: str, admin: KubeApi, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(progressDeadlineSeconds=4), service())
    wait_rolled_out(kubectl)
    set_image(kubectl, "bookstore:2.0-unready")

    def gave_up() -> bool:
        progressing = conditions(admin.get(DEPLOYMENT.format(namespace)))["Progressing"]
        return (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")

    wait_until(gave_up, "the rollout to give up", within=20, explain=lambda: describe_pods(admin, namespace))
    with pytest.raises(KubectlFailed, match="exceeded its progress deadline"):
        wait_rolled_out(kubectl)
    held = pods_of(admin, namespace, image="bookstore:2.0-unready")
    assert [conditions(pod)["Ready"]["status"] for pod in held] == ["False"]
    assert admin.get(DEPLOYMENT.format(namespace))["status"]["availableReplicas"] == 2
    assert ask(wait_served(node, namespace)).json()["version"] == "1.0"

    kubectl("rollout", "undo", "deployment/bookstore")
    wait_rolled_out(kubectl)
    assert {pod["spec"]["containers"][0]["image"] for pod in pods_of(admin, namespace)} == {"bookstore:1.0"}
    assert list(rollout_history(kubectl)) == [2, 3]


def test_stateful_set_and_daemon_set_roll_too(namespace: str, admin: KubeApi, kubectl: Kubectl) -> None:
    apply(kubectl, stateful_set("store"), service("store", clusterIP="None"), daemon_set("agent"))
    for workload in ("statefulset/store", "daemonset/agent"):
        wait_rolled_out(kubectl, workload)
        set_image(kubectl, "bookstore:2.0", workload)
    for workload in ("statefulset/store", "daemonset/agent"):
        wait_rolled_out(kubectl, workload)
        assert list(rollout_history(kubectl, workload)) == [1, 2]
    assert len(pods_of(admin, namespace, "store", image="bookstore:2.0")) == 2
    assert len(pods_of(admin, namespace, "agent", image="bookstore:2.0")) == 1


def test_audit_log_tells_who_wrote_and_who_was_refused(
    control_plane: ControlPlane, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(replicas=0))
    path = DEPLOYMENT.format(namespace)
    change = {"metadata": {"annotations": {"example.com/mark": "yes"}}}
    grant(
        control_plane.api(),
        namespace,
        "watchdog",
        [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}],
    )

    def granted() -> bool:
        try:
            return bool(control_plane.api("watchdog").get(path))
        except Refused:
            return False

    wait_until(granted, "the role to be in force", within=10)
    control_plane.api("watchdog").patch(path, change)
    with pytest.raises(Refused, match="403"):
        control_plane.api("watchdog-limited").patch(path, change)

    def patches(user: str) -> list[Manifest]:
        return [
            event for event in control_plane.audit_events(user=user, namespace=namespace) if event["verb"] == "patch"
        ]

    done = wait_until(lambda: patches("watchdog"), "the change in the audit log", within=5)
    assert [event["responseStatus"]["code"] for event in done] == [200]
    assert done[0]["requestObject"] == change
    refused = wait_until(lambda: patches("watchdog-limited"), "the refusal in the audit log", within=5)
    assert [event["responseStatus"]["code"] for event in refused] == [403]


def test_api_server_comes_back_from_a_kill_with_its_data_while_pods_go_on_serving(
    control_plane: ControlPlane, node: Node, namespace: str, admin: KubeApi, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(replicas=1), service())
    wait_rolled_out(kubectl)
    url = wait_served(node, namespace)
    before = admin.get(DEPLOYMENT.format(namespace))
    with control_plane.api_server_killed():
        assert not admin.ready()
        assert ask(url).ok
    after = admin.get(DEPLOYMENT.format(namespace))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    set_image(kubectl, "bookstore:2.0")
    wait_rolled_out(kubectl)
    assert [event["verb"] for event in control_plane.audit_events(user="admin", namespace=namespace)].count(
        "patch"
    ) >= 1


def test_frozen_api_server_answers_nobody_and_goes_on_when_thawed(
    control_plane: ControlPlane, admin: KubeApi, kubectl: Kubectl
) -> None:
    with control_plane.api_server_frozen(), pytest.raises(KubectlFailed, match="no end within"):
        kubectl("get", "pods", within=2)
    assert admin.ready()
    apply(kubectl, deployment(replicas=1))
    wait_rolled_out(kubectl)
