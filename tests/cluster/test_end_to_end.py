"""The daemon as people run it, against a real API server: a bad release of a real workload goes back, once."""

from __future__ import annotations

import pytest

from tests.cluster.users import users_of
from tests.cluster.watched_shop import EVERY, GOOD, NAME, PODS, WORKLOAD, Shop, kinds_of, report_of
from tests.cluster.workloads import PORT, daemon_set, deployment, rollout_history, stateful_set, wait_rolled_out

JOURNAL = [
    "first_bad", "breach", "countdown", "evidence", "rehearsed", "intent", "issued", "confirmed", "closed_recovered",
]  # fmt: skip
"""The lines that no rollback is without, in their order."""


def test_errors_that_users_see_bring_the_good_release_back_once_and_leave_a_record(shop: Shop) -> None:
    url = shop.node.ingress_url(shop.namespace, NAME, "/api/books")
    rule = {"above": "10%", "for": "4s", "min_events": 8}
    daemon = shop.open({"users": {"http": url, "every": EVERY, "rule": rule}, "workload": WORKLOAD})
    with users_of(url) as answers:
        shop.release("bookstore:2.0-err30")
        incident = shop.wait_closed("recovered")
    assert 500 in {answer.status for answer in answers}
    assert {answer.status for answer in answers[-20:]} == {200}
    assert (shop.image(), shop.running(), shop.writes()) == (GOOD, {GOOD}, ["patch deployments/bookstore"])
    # Evidence is captured once more with the decision, whenever that comes to its end.
    assert list(dict.fromkeys(kind for kind in kinds_of(incident) if kind in JOURNAL)) == JOURNAL
    assert rollout_history(shop.kubectl) == {2: "release bookstore:2.0-err30", 3: f"release {GOOD}"}
    grades = daemon.grades(NAME)
    assert grades.pop("bookstore:2.0-err30") == "condemned"
    assert grades in ({GOOD: "assumed_good"}, {GOOD: "good"})  # the latter when it was watched through its bake before


def test_errors_that_the_pods_count_on_their_own_metrics_pages_bring_the_good_release_back(shop: Shop) -> None:
    requests = 'http_requests_total{path=~"/api/.*"%s}'
    question = {"all": requests % "", "bad": requests % ',code=~"5.."', "port": PORT}
    rule = {"above": "10%", "for": "4s", "min_events": 8}
    shop.open({"errors": {"scrape": question, "every": EVERY, "rule": rule}, "workload": WORKLOAD})
    with users_of(shop.node.ingress_url(shop.namespace, NAME, "/api/books")):
        shop.release("bookstore:2.0-err30")
        incident = shop.wait_closed("recovered")
    assert "errors: " in incident["headline"]
    assert (shop.image(), shop.running(), shop.writes()) == (GOOD, {GOOD}, ["patch deployments/bookstore"])


def test_the_record_holds_what_died_with_the_bad_pods(shop: Shop) -> None:
    daemon = shop.open({"workload": WORKLOAD}, target={"countdown": "2s"})
    shop.release("bookstore:2.0-crash1")
    incident = shop.wait_closed("recovered")
    report, text, files = report_of(daemon, incident)
    assert any("FATAL Error" in content for path, content in files.items() if path.endswith(".previous.log"))
    assert "BackOff" in files["objects/events.json"]
    assert "bookstore:2.0-crash1" in files["objects/workload.json"]
    assert "bookstore:1.0 → bookstore:2.0-crash1" in text
    assert report["state"]["reason"] == "recovered"
    assert "bookstore:2.0-crash1" in files["template_diff.json"]
    assert [part["name"] for part in report["durations"]][:4] == ["notice", "evidence", "decide", "write"]
    captured = max(file["taken_at"] for file in report["evidence"]["files"])
    assert captured < next(entry["at"] for entry in incident["entries"] if entry["kind"] == "intent")


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("bookstore:2.0-crash1", "CrashLoopBackOff"),
        ("bookstore:2.0-unready", "ProgressDeadlineExceeded"),
        ("bookstore:2.0-pull", "cannot start"),
    ],
)
def test_a_release_whose_pods_do_not_live_goes_back(shop: Shop, image: str, words: str) -> None:
    shop.open({"workload": WORKLOAD}, workloads=[deployment(progressDeadlineSeconds=4)])
    shop.release(image)
    incident = shop.wait_closed("recovered")
    assert words in incident["headline"]
    wait_rolled_out(shop.kubectl)
    assert (shop.image(), shop.running(), shop.writes()) == (GOOD, {GOOD}, ["patch deployments/bookstore"])


def test_a_restart_is_no_release_and_the_way_back_leads_to_the_good_image(shop: Shop) -> None:
    daemon = shop.open(target={"countdown": "3s"})
    shop.kubectl("rollout", "restart", "deployment/bookstore")
    wait_rolled_out(shop.kubectl)
    shop.release("bookstore:2.0-err100")
    shop.wait_stage("countdown")
    shop.kubectl("rollout", "restart", "deployment/bookstore")
    incident = shop.wait_closed("recovered")
    assert incident["good"]["images"] == {NAME: GOOD}
    assert (shop.image(), shop.running(), shop.writes()) == (GOOD, {GOOD}, ["patch deployments/bookstore"])
    assert set(daemon.grades(NAME)) == {GOOD, "bookstore:2.0-err100"}


def test_a_stateful_set_and_a_daemon_set_go_back_as_well(shop: Shop) -> None:
    shop.open({"pods": PODS}, workloads=[stateful_set("store"), daemon_set("agent")])
    shop.release("bookstore:2.0-err100", "statefulset/store")
    shop.release("bookstore:2.0-err100", "daemonset/agent")
    for kind, name in (("statefulsets", "store"), ("daemonsets", "agent")):
        shop.wait_closed("recovered", name)
        assert (shop.image(kind, name), shop.running(name)) == (GOOD, {GOOD})
        assert shop.writes(name) == [f"patch {kind}/{name}"]
    assert rollout_history(shop.kubectl, "statefulset/store") == {
        2: "release bookstore:2.0-err100",
        3: f"release {GOOD}",
    }
