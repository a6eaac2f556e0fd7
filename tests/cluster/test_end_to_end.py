"""The daemon as people run it, against a real API server: a bad release of a real workload goes back, once."""

from __future__ import annotations

import json

from tests.cluster.users import users_of
from tests.cluster.watched_shop import EVERY, GOOD, NAME, PODS, WORKLOAD, Shop, kinds_of, report_of
from tests.cluster.workloads import apply, daemon_set, deployment, rollout_history, stateful_set, wait_rolled_out

JOURNAL = ["first_bad", "breach", "decision", "countdown", "evidence", "intent", "issued", "confirmed"]
"""The lines that no rollback is without, in their order."""


def test_errors_that_users_see_bring_the_good_release_back_once_and_leave_a_record(shop: Shop) -> None:
    url = shop.node.ingress_url(shop.namespace, NAME, "/api/books")
    rule = {"above": "10%", "for": "4s", "min_events": 8}
    daemon = shop.open({"users": {"http": url, "every": EVERY, "rule": rule}, "workload": WORKLOAD})
    with users_of(url) as answers:
        shop.release("bookstore:2.0-err30")
        incident = shop.wait_closed("recovered")
        answers.clear()
        shop.wait_good(image=GOOD)
    assert {answer.status for answer in answers} == {200}
    assert (shop.image(), shop.running(), shop.writes()) == (GOOD, {GOOD}, ["patch deployments/bookstore"])
    assert [kind for kind in kinds_of(incident) if kind in JOURNAL and kind != "decision"] == [
        kind for kind in JOURNAL if kind != "decision"
    ]
    assert rollout_history(shop.kubectl) == {2: "release bookstore:2.0-err30", 3: f"release {GOOD}"}
    report, text, files = report_of(daemon, incident)
    print(json.dumps(report, indent=1)[:6000])
    print(text)
    print({path: len(content) for path, content in files.items()})
    assert 0
