"""The daemon on a real API server, where a rollback would be wrong: the audit log shows that nothing was changed."""

from __future__ import annotations

from tests.cluster.watched_shop import EVERY, GOOD, NAME, PODS, Shop, kinds_of
from tests.cluster.workloads import deployment, wait_rolled_out

BAD = "bookstore:2.0-err100"


def test_a_blip_that_is_tolerated_leads_to_nothing_and_the_release_earns_its_grade(shop: Shop) -> None:
    by_default = {"http": PODS["http"], "every": EVERY}
    daemon = shop.open({"pods": by_default}, target={"tolerate_interruption": "9s", "bake_time": "15s"})
    shop.release("bookstore:2.0-blip5")
    shop.wait_state("suspect")
    shop.wait_good(image="bookstore:2.0-blip5")
    assert (daemon.incidents(), shop.requests(), shop.image()) == ([], [], "bookstore:2.0-blip5")


def test_recovery_during_the_countdown_ends_it(shop: Shop) -> None:
    shop.open({"pods": PODS}, target={"countdown": "30s"})
    shop.release("bookstore:2.0-blip5")
    shop.wait_stage("countdown")
    incident = shop.wait_closed("recovered_unaided")
    assert "intent" not in kinds_of(incident)
    assert (shop.requests(), shop.image()) == ([], "bookstore:2.0-blip5")


def test_an_outage_that_the_control_suffers_too_is_not_the_fault_of_the_release(shop: Shop) -> None:
    shops = [deployment(image="bookstore:1.0-dep"), deployment("authors", "bookstore:1.0-dep")]
    shop.open({"pods": PODS}, workloads=shops, target={"control": "authors"})
    shop.release("bookstore:2.0-dep")
    wait_rolled_out(shop.kubectl)
    with shop.node.flag():
        incident = shop.wait_held("blame")
        assert "authors" in next(c["sentence"] for c in incident["decision"]["checks"] if c["name"] == "blame")
    shop.wait_closed("recovered_unaided")
    assert (shop.requests(), shop.image()) == ([], "bookstore:2.0-dep")


def test_p1_observe_says_what_it_would_have_done_and_does_nothing(shop: Shop) -> None:
    shop.open({"pods": PODS}, mode="observe")
    shop.release(BAD)
    incident = shop.wait_closed("would_have")
    assert incident["good"]["images"] == {NAME: GOOD}
    assert (shop.requests(), shop.image()) == ([], BAD)


def test_p2_a_pause_keeps_it_from_acting_and_its_end_begins_a_fresh_window(shop: Shop) -> None:
    daemon = shop.open({"pods": PODS})
    daemon.order("pause", "--scope", "target/bookstore", "--for", "10m", "--reason", "moving the database")
    shop.release(BAD)
    paused = shop.wait_closed("would_have")
    assert (shop.requests(), shop.image()) == ([], BAD)
    daemon.order("resume", "target/bookstore")
    incident = shop.wait_closed("recovered", reopened=1)
    breach = [entry for entry in incident["entries"] if entry["kind"] == "breach"]
    assert breach[-1]["at"] > paused["closed_at"]
    assert (shop.image(), shop.writes()) == (GOOD, ["patch deployments/bookstore"])


def test_p7_a_newer_release_between_decision_and_write_is_never_overwritten(shop: Shop) -> None:
    shop.open({"pods": PODS}, target={"countdown": "5s"})
    shop.release(BAD)
    shop.wait_stage("countdown")
    shop.release("bookstore:3.0")
    incident = shop.wait_closed("superseded")
    assert "intent" not in kinds_of(incident)
    wait_rolled_out(shop.kubectl)
    assert (shop.requests(), shop.image()) == ([], "bookstore:3.0")


def test_a_drill_goes_all_the_way_to_the_dry_run_and_changes_nothing(shop: Shop) -> None:
    daemon = shop.open({"pods": PODS})
    shop.release("bookstore:1.1")
    wait_rolled_out(shop.kubectl)
    daemon.wait(lambda: "bookstore:1.1" in daemon.grades(NAME), "the release is known", within=20.0)
    typed = daemon.type("drill", NAME)
    print(typed.out, typed.err)
    assert typed.code == 0, typed.out + typed.err
    assert f"DRILL of {NAME}: every part that could be tried works" in typed.out
    assert "dry run" in typed.out
    assert (shop.requests(), shop.image(), daemon.incidents()) == ([], "bookstore:1.1", [])
    assert len(shop.dry_runs()) == 1
    bundle = next((daemon.folder / "incidents").glob("drill-*"))
    assert "DRILL" in (bundle / "report.md").read_text()
