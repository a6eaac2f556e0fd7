"""The node carries out what the tags of images say, as the API and the users see it."""

from collections import Counter

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.node.process import Node
from tests.cluster.users import ask, wait_served
from tests.cluster.waiting import wait_until
from tests.cluster.workloads import (
    PORT,
    Kubectl,
    apply,
    deployment,
    pod_template,
    pods_of,
    service,
    wait_for_waiting,
    wait_rolled_out,
)


def test_a_share_of_errors_is_met_exactly_and_counted_in_the_metrics(
    node: Node, namespace: str, admin: KubeApi, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(image="bookstore:2.0-err30", replicas=1), service())
    wait_rolled_out(kubectl)
    wait_served(node, namespace, path="/health")
    books = node.ingress_url(namespace, "bookstore", "/api/books")
    assert Counter(ask(books).status for _ in range(100)) == {200: 70, 500: 30}
    assert {ask(node.ingress_url(namespace, "bookstore", "/health")).status for _ in range(10)} == {200}
    (pod,) = pods_of(admin, namespace)
    metrics = ask(f"http://{pod['status']['podIP']}:{PORT}/metrics").text
    assert 'http_requests_total{code="500",path="/api/books"} 30\n' in metrics
    assert 'http_request_duration_seconds_count{path="/api/books"} 100\n' in metrics


def test_a_dependency_that_is_down_fails_those_who_need_it_and_no_others(
    node: Node, namespace: str, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(image="bookstore:1.0-dep", replicas=1), service())
    apply(kubectl, deployment("authors", replicas=1), service("authors"))
    wait_rolled_out(kubectl)
    wait_rolled_out(kubectl, "deployment/authors")
    needs, does_not = wait_served(node, namespace), wait_served(node, namespace, "authors")
    with node.flag():
        assert (ask(needs).status, ask(does_not).status) == (503, 200)
    assert ask(needs).status == 200


def test_an_image_that_cannot_be_pulled_waits_and_is_never_served(
    node: Node, namespace: str, admin: KubeApi, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(image="bookstore:2.0-pull", replicas=1), service())
    pod = wait_for_waiting(admin, namespace, "ImagePullBackOff")
    assert pod["status"]["phase"] == "Pending"
    assert ask(node.ingress_url(namespace, "bookstore")).status in (404, 503)


def test_a_container_out_of_memory_says_so_in_its_last_state(namespace: str, admin: KubeApi, kubectl: Kubectl) -> None:
    apply(kubectl, deployment(image="bookstore:2.0-oom1", replicas=1))
    pod = wait_for_waiting(admin, namespace, "CrashLoopBackOff")
    ended = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_an_unknown_option_shows_in_the_status_of_the_pod(namespace: str, admin: KubeApi, kubectl: Kubectl) -> None:
    apply(kubectl, deployment(image="bookstore:2.0-expode", replicas=1))
    pod = wait_for_waiting(admin, namespace, "InvalidImageName")
    assert "no behaviour 'expode'" in pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]


def test_errors_of_the_first_seconds_stop_by_themselves(node: Node, namespace: str, kubectl: Kubectl) -> None:
    apply(kubectl, deployment(image="bookstore:2.0-blip3", replicas=1), service())
    wait_rolled_out(kubectl)
    wait_served(node, namespace, path="/health")
    url = node.ingress_url(namespace, "bookstore", "/api/books")
    assert ask(url).status == 500
    wait_until(lambda: ask(url).ok, "the end of the errors", within=5)


def test_a_pod_that_is_slow_to_become_ready_is_not_served_before(
    node: Node, namespace: str, admin: KubeApi, kubectl: Kubectl
) -> None:
    apply(kubectl, deployment(image="bookstore:2.0-slowready2", replicas=1), service())
    wait_until(lambda: node.pods(namespace), "a running pod", within=10)
    url = node.ingress_url(namespace, "bookstore", "/api/books")
    assert ask(url).status in (404, 503)
    wait_rolled_out(kubectl)
    assert wait_served(node, namespace) == url


def test_a_job_whose_container_is_done_is_complete(namespace: str, admin: KubeApi, kubectl: Kubectl) -> None:
    template = pod_template("load", "bookstore:1.0-done1", restartPolicy="Never")
    job: Manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "load"},
        "spec": {"template": template},
    }
    apply(kubectl, job)
    kubectl("wait", "--for=condition=Complete", "job/load", "--timeout=20s")
    (pod,) = pods_of(admin, namespace, "load")
    assert pod["status"]["phase"] == "Succeeded"


def test_a_pod_that_no_node_suits_stays_unscheduled(namespace: str, admin: KubeApi, kubectl: Kubectl) -> None:
    template = pod_template("bookstore", "bookstore:1.0", nodeSelector={"disk": "fast"})
    apply(kubectl, deployment(replicas=1, template=template))

    def refused() -> bool:
        return any(
            condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
            for pod in pods_of(admin, namespace)
            for condition in pod["status"].get("conditions", [])
        )

    wait_until(refused, "a pod that cannot be scheduled", within=10)
