"""What the state store means for the real process: refused when it cannot be trusted, kept over kill -9, wary when empty."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.watchdog_process import WatchdogProcess
from tests.run.conftest import Start, earned, grade, watching
from tests.run.shop import Shop

pytestmark = pytest.mark.timeout(240)

Prepare = Callable[..., WatchdogProcess]


def refusal(daemon: WatchdogProcess) -> str:
    """Start it and wait until it has ended by itself with the exit code of a refusal; what it said."""
    daemon.launch()
    daemon.wait(lambda: not daemon.program.running, "its refusal", within=60)
    assert daemon.program.code == 3, daemon.log()
    assert "Traceback" not in daemon.log()
    assert not daemon.socket.exists()
    return daemon.log()


def newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA application_id = 1464094535")
        db.execute("PRAGMA user_version = 99")
        db.execute("CREATE TABLE later (x)")
    db.close()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(b"this is no database, but long enough to be one\n" * 200), "damaged"),
        (newer, "newer watchdog"),
        (foreign, "another program"),
    ],
    ids=["damaged", "newer", "foreign"],
)
def test_a_state_file_that_cannot_be_trusted_is_refused_with_what_to_do_and_left_as_it_is(
    prepare: Prepare, shop: Shop, damage: Callable[[Path], None], says: str
) -> None:
    daemon = prepare(watching(shop))
    path = daemon.folder / "state.db"
    damage(path)
    before = path.read_bytes()
    said = refusal(daemon)
    assert says in said
    assert str(path) in said
    assert path.read_bytes() == before


@pytest.mark.parametrize("path", ["/proc/watchdog/state.db", "/dev/null/state.db"])
def test_a_place_where_no_state_can_be_kept_is_refused_by_name(prepare: Prepare, shop: Shop, path: str) -> None:
    said = refusal(prepare(watching(shop, state={"sqlite": path})))
    assert path in said
    assert "try:" in said


def test_a_store_that_cannot_be_opened_yet_keeps_nobody_from_watching_and_is_tried_again(
    prepare: Prepare, shop: Shop
) -> None:
    daemon = prepare(watching(shop))
    in_the_way = daemon.folder / "state.db"
    in_the_way.mkdir()
    daemon.launch()
    daemon.wait(lambda: daemon.target("shop").get("state") == "healthy", "health of the shop", within=60)
    assert "the store cannot be used" in daemon.log()
    assert "unable to open" in daemon.status()["headline"]
    in_the_way.rmdir()
    daemon.wait(lambda: daemon.status()["headline"] == "ARMED", "the headline", within=60)
    assert in_the_way.is_file()


def test_a_store_found_empty_only_observes_until_it_is_armed_and_then_acts(start: Start, shop: Shop) -> None:
    daemon = start(watching(shop, first_start="observe"))
    daemon.wait(lambda: daemon.status()["headline"].startswith("OBSERVE"), "the headline", within=60)
    assert "watchdog arm" in daemon.status()["headline"]
    assert "watchdog arm" in daemon.log()
    earned(daemon, shop)
    shop.deploy("bad")
    daemon.wait(lambda: [one for one in daemon.incidents() if one["stage"] == "closed"], "the record", within=90)
    assert daemon.incidents()[0]["reason"] == "would_have"
    assert shop.release == "bad"

    shop.deploy("two")
    daemon.wait(lambda: daemon.target("shop").get("state") == "healthy", "health", within=60)
    daemon.order("arm")
    daemon.wait(lambda: daemon.status()["headline"] == "ARMED", "the headline", within=30)
    daemon.wait(lambda: grade(daemon, "two") == "good", "the soak of two", within=90)
    shop.deploy("down")
    daemon.wait(lambda: shop.release == "two", "the rollback", within=90)
    assert shop.history[-2:] == ["down", "two"]


def test_kill_nine_keeps_pauses_grades_and_arming(start: Start, shop: Shop) -> None:
    daemon = start(watching(shop))
    earned(daemon, shop)
    daemon.order("pause", "--for", "1h", "--reason", "database move")
    paused = daemon.status()["pauses"]
    daemon.kill()
    assert daemon.socket.exists()
    daemon.start()
    daemon.wait(lambda: daemon.target("shop").get("release") == "revision three", "a look at the shop", within=60)
    assert daemon.status()["headline"].startswith("PAUSED by")
    assert [one["id"] for one in daemon.status()["pauses"]] == [one["id"] for one in paused]
    assert grade(daemon, "three") == "good"
    shop.deploy("bad")
    daemon.wait(lambda: [one for one in daemon.incidents() if one["stage"] == "closed"], "the record", within=90)
    assert daemon.incidents()[0]["reason"] == "would_have"
    assert shop.history == ["one", "two", "three", "bad"]


def test_a_state_file_that_is_taken_away_stops_acting_and_is_said(start: Start, shop: Shop) -> None:
    daemon = start(watching(shop))
    earned(daemon, shop)
    (daemon.folder / "state.db").unlink()
    shop.deploy("bad")
    daemon.wait(lambda: not daemon.status()["store"]["ok"], "the trouble", within=90)
    assert daemon.status()["headline"].startswith("PAUSED: the store cannot be used")
    asked = shop.asked["/books"]
    daemon.wait(lambda: shop.asked["/books"] > asked + 5, "polls that go on", within=60)
    assert shop.release == "bad"
