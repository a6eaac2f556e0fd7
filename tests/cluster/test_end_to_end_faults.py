"""The daemon, the API server and the clock in trouble: never a second write, never a wrong one, and the same end.

With WATCHDOG_TEST_LONG=1 the outages last as long as the promises say, and more seeds are killed.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.cluster.slow_admission import slow_admission
from tests.cluster.waiting import wait_until
from tests.cluster.watched_shop import GOOD, NAME, PODS, WORKLOAD, Shop, kinds_of, report_of, without_patch

BAD = "bookstore:2.0-err100"
ONCE = ["patch deployments/bookstore"]
LONG = bool(os.environ.get("WATCHDOG_TEST_LONG"))
OUTAGE_S = 65.0 if LONG else 12.0
SEEDS = range(12 if LONG else 3)
STALL_S = 14.0
"""Longer than the ten seconds and the timeout after which a daemon knows that it stood still."""

STAGES = ("opened", "countdown", "captured", "intended", "issued", "verifying", "closed")
"""A response that goes through comes this way."""

limit = pytest.mark.timeout(240 if LONG else 90)


def test_without_the_right_to_patch_doctor_says_so_and_the_daemon_calls_a_person(shop: Shop) -> None:
    daemon = shop.open({"pods": PODS}, rules=without_patch())
    doctor = daemon.doctor()
    assert doctor.code == 1
    failing = [line for line in doctor.json()["findings"] if line["ok"] is False]
    assert [line["sentence"] for line in failing if "patch deployments" in line["sentence"]]
    shop.release(BAD)
    incident = shop.wait_closed("refused")
    assert incident["needs_human"]
    refused = shop.requests(rehearsals=True)
    assert (shop.writes(), {event["responseStatus"]["code"] for event in refused}) == ([], {403})
    polls = daemon.target(NAME)["polls"]
    daemon.wait(lambda: daemon.target(NAME)["polls"] > polls, "the next poll", within=5)
    assert shop.image() == BAD


@limit
@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_an_api_server_that_goes_away_in_the_middle_of_a_response(shop: Shop, fault: str) -> None:
    daemon = shop.open({"pods": PODS, "workload": WORKLOAD}, target={"countdown": "2s"})
    shop.release(BAD)
    shop.wait_stage("countdown")
    outage = shop.plane.api_server_frozen if fault == "frozen" else shop.plane.api_server_killed
    with outage():
        until = time.monotonic() + OUTAGE_S
        daemon.wait(lambda: "cannot be read" in daemon.target(NAME)["sentence"], "word of the outage", within=OUTAGE_S)
        time.sleep(max(0.0, until - time.monotonic()))
        assert (daemon.status()["headline"], shop.writes()) == ("ARMED", [])
    shop.fresh_controllers()
    incident = shop.wait_closed("recovered", within=60)
    assert (shop.image(), shop.writes()) == (GOOD, ONCE)
    assert kinds_of(incident).count("issued") == 1


@limit
def test_an_outage_of_the_api_server_is_survived_and_the_next_bad_release_goes_back(shop: Shop) -> None:
    daemon = shop.open({"workload": WORKLOAD})
    with shop.plane.api_server_killed():
        time.sleep(OUTAGE_S + 10 if LONG else OUTAGE_S / 2)
        if LONG:
            shop.wait_state("blind")
        assert daemon.incidents() == []
    shop.fresh_controllers()
    daemon.wait(lambda: "cannot be read" not in daemon.target(NAME)["sentence"], "sight again", within=20)
    shop.release("bookstore:2.0-crash1")
    shop.wait_closed("recovered")
    assert (shop.image(), shop.writes()) == (GOOD, ONCE)


@limit
@pytest.mark.parametrize("seed", SEEDS)
def test_p8_killed_again_and_again_during_a_response_it_still_writes_once(shop: Shop, seed: int) -> None:
    """P8, the real process: SIGKILL soon after it has come so far, started again each time."""
    chance = random.Random(seed)
    daemon = shop.open({"pods": PODS})
    shop.release(BAD)
    for stage in ("opened", "countdown", "issued", "verifying"):
        shop.wait_stage(*STAGES[STAGES.index(stage) :])
        time.sleep(chance.uniform(0.0, 1.2))
        daemon.kill()
        daemon.start()
    incident = shop.wait_closed("recovered")
    assert (shop.image(), shop.writes()) == (GOOD, ONCE)
    assert kinds_of(incident).count("issued") == 1
    report, _, _ = report_of(daemon, incident)
    assert report["state"]["reason"] == "recovered"


@limit
@pytest.mark.parametrize("answered", [False, True])
def test_p9_killed_between_the_write_and_its_answer_it_reads_what_became_of_it(shop: Shop, answered: bool) -> None:
    """P8 at its narrowest: the API server has the request, and the daemon dies before or just after it is stored."""
    daemon = shop.open({"pods": PODS})
    with slow_admission(shop.admin, shop.namespace, shop.folder, delay=10) as admission:
        shop.release(BAD)
        assert admission.asked.wait(20), daemon.describe()
        shop.wait_stage("intended")
        if answered:
            admission.let_go()
            wait_until(lambda: shop.image() == GOOD, "the write to be stored", within=5, every=0.0)
        daemon.kill()
        admission.let_go()
        daemon.start()
        incident = shop.wait_closed("recovered")
    assert (shop.image(), shop.writes()) == (GOOD, ONCE)
    assert kinds_of(incident).count("intent") == 1 + kinds_of(incident).count("not_written")
    assert not (answered and "not_written" in kinds_of(incident))


@limit
def test_p23_sigterm_lets_a_write_that_was_sent_come_back_and_the_next_start_ends_it(shop: Shop) -> None:
    """P23: the answer is awaited and recorded within the grace period; nothing is written anew."""
    daemon = shop.open({"pods": PODS})
    with slow_admission(shop.admin, shop.namespace, shop.folder, delay=3) as admission:
        shop.release(BAD)
        assert admission.asked.wait(20), daemon.describe()
        shop.wait_stage("intended")
        assert daemon.stop(within=25) == 0
    assert (shop.image(), shop.writes()) == (GOOD, ONCE)
    daemon.start()
    assert "issued" in kinds_of(shop.wait_stage("issued", "verifying", "closed"))
    shop.wait_closed("recovered")
    assert shop.writes() == ONCE


@limit
def test_p23_after_sigterm_there_is_no_new_act_until_the_next_start(shop: Shop) -> None:
    daemon = shop.open({"pods": PODS}, target={"countdown": "2s"})
    shop.release(BAD)
    shop.wait_stage("countdown")
    assert daemon.stop(within=10) == 0
    assert (shop.image(), shop.requests()) == (BAD, [])
    daemon.start()
    shop.wait_closed("recovered")
    assert (shop.image(), shop.writes()) == (GOOD, ONCE)


@limit
def test_p13_a_daemon_that_stood_still_does_not_act_on_what_it_saw_before(shop: Shop) -> None:
    """P13: everything was ready to be written, and by the time it wakes up the trouble is over."""
    daemon = shop.open({"pods": PODS}, target={"countdown": "3s"})
    shop.release("bookstore:2.0-dep")
    with shop.node.flag():
        shop.wait_stage("countdown")
        daemon.freeze()
        time.sleep(STALL_S)
    daemon.thaw()
    shop.wait_closed("recovered_unaided")
    assert "our own stall" in daemon.log()
    assert (shop.image(), shop.requests()) == ("bookstore:2.0-dep", [])


@limit
def test_p6_of_two_daemons_on_one_store_one_acts_and_the_other_takes_over(shop: Shop) -> None:
    first = shop.open({"pods": PODS})
    second = shop.prepare(first.content() | {"state": {"sqlite": str(first.folder / "state.db")}}, folder="second")
    second.start()
    held = second.wait(lambda: second.status()["headline"], "the word of the second", within=5)
    assert held.startswith("NOT HOLDER")
    assert f"pid {first.program.pid}" in held
    shop.release(BAD)
    incident = shop.wait_closed("recovered")
    assert (shop.image(), shop.writes(), kinds_of(incident).count("issued")) == (GOOD, ONCE, 1)
    first.kill()
    second.wait(lambda: second.status()["headline"] == "ARMED", "the second to take over", within=10)
    shop.release("bookstore:2.1-err100")
    second.wait(lambda: shop.image() == GOOD, "the rollback by the second", within=20)
    assert shop.writes() == ONCE * 2
