"""The whole story through the real process: a bad release of a real service is rolled back once, and the report lies there."""

from __future__ import annotations

import json

import pytest

from tests.cluster.watchdog_process import WatchdogProcess
from tests.run.conftest import Start, earned, metric, watching
from tests.run.shop import Shop

pytestmark = pytest.mark.timeout(240)


def told(daemon: WatchdogProcess) -> set[str]:
    """Kinds of the notices that the channel on standard output has written."""
    lines = [json.loads(line) for line in daemon.log().splitlines() if line.startswith("{")]
    return {line["kind"] for line in lines if "notice" in line}


def test_a_bad_release_is_noticed_rolled_back_once_verified_and_reported(start: Start, shop: Shop) -> None:
    daemon = start(watching(shop))
    earned(daemon, shop)
    shop.deploy("bad")
    daemon.wait(lambda: shop.release == "three", "the rollback", within=90)
    (incident,) = daemon.wait(
        lambda: [one for one in daemon.incidents() if one["stage"] == "closed"], "the end of the incident", within=90
    )
    assert incident["reason"] == "recovered"
    kinds = [entry["kind"] for entry in incident["entries"]]
    assert kinds.index("evidence") < kinds.index("intent") < kinds.index("issued")
    assert kinds.count("issued") == 1
    daemon.wait(lambda: daemon.target("shop").get("state") == "healthy", "health", within=60)
    assert shop.history == ["one", "two", "three", "bad", "three"]

    bundle = daemon.folder / "incidents" / incident["id"]
    daemon.wait(lambda: (bundle / "report.json").exists() and (bundle / "report.md").exists(), "the report", within=30)
    report = json.loads((bundle / "report.json").read_text())
    assert incident["id"] in json.dumps(report)
    text = (bundle / "report.md").read_text()
    assert "bad" in text
    assert "three" in text
    assert (bundle / "samples.jsonl").exists()
    assert daemon.order("incidents", incident["id"]).out.count("rollback command set three") >= 1
    daemon.wait(
        lambda: told(daemon) >= {"pending", "rolled_back", "recovered"}, "the notices on standard output", within=30
    )
    assert metric(daemon, "watchdog_live") == 1

    assert daemon.stop() == 0
    for line in daemon.log().splitlines():
        entry = json.loads(line)
        assert entry.get("action") or entry.get("notice"), "a line without its stable key"


def test_a_release_that_was_rolled_back_is_condemned_and_deployed_again_it_is_only_told(
    start: Start, shop: Shop
) -> None:
    daemon = start(watching(shop))
    earned(daemon, shop)
    shop.deploy("bad")
    daemon.wait(lambda: [one for one in daemon.incidents() if one["stage"] == "closed"], "the rollback", within=120)
    shop.deploy("bad")
    daemon.wait(lambda: daemon.target("shop").get("state") in ("failing", "needs_human", "responding"), "it", within=60)
    daemon.wait(lambda: daemon.target("shop").get("state") in ("failing", "needs_human"), "the call", within=60)
    assert shop.history == ["one", "two", "three", "bad", "three", "bad"]


def test_everything_failing_for_a_moment_and_a_release_that_is_not_new_are_left_alone(start: Start, shop: Shop) -> None:
    daemon = start(watching(shop))
    earned(daemon, shop)
    shop.broken = True
    daemon.wait(daemon.incidents, "an incident", within=60)
    shop.broken = False
    daemon.wait(lambda: [one for one in daemon.incidents() if one["stage"] == "closed"], "its end", within=120)
    assert daemon.incidents()[0]["reason"] == "recovered_unaided"
    assert shop.history == ["one", "two", "three"]
