"""`pause`, `resume` and `pauses`."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable

import pytest

from tests.cli.conftest import NOON, Running

ME = getpass.getuser()


def test_a_pause_is_acknowledged_with_its_cycle_and_says_how_to_end_it(daemon: Running) -> None:
    text = daemon.ok("pause", "--for", "1h30m", "--reason", "database move", "--scope", "group/bookstore")
    assert text.splitlines() == [
        f"paused: group/bookstore until 2026-01-01 13:30:00 UTC by {ME} (database move)",
        "applied in cycle 12 at 12:00:00",
        "to end it: watchdog resume p1",
    ]
    assert daemon.orders["pause"]["until"] == NOON + 5400


def test_a_pause_until_a_time_of_day_is_meant_in_the_zone_of_the_person(daemon: Running) -> None:
    daemon.ok("pause", "--until", "14:00", "--reason", "x", "--as", "Ann")
    assert daemon.orders["pause"]["until"] == NOON + 7200
    assert daemon.orders["pause"]["who"] == f"{ME} as Ann"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--for", "1h"), "--reason"),
        (("--reason", "x"), "give --for or --until"),
        (("--reason", "x", "--for", "1h", "--until", "14:00"), "give --for or --until"),
        (("--reason", "x", "--for", "60"), "did you mean 60m?"),
        (("--reason", "x", "--until", "2020-01-01"), "in the past"),
        (("--reason", " ", "--for", "1h"), "why"),
    ],
)
def test_a_pause_without_end_or_reason_is_not_ordered(daemon: Running, args: tuple[str, ...], words: str) -> None:
    result = daemon("pause", *args)
    assert (result.exit_code, daemon.control.calls) == (2, [])
    assert words in result.stderr


def test_a_pause_that_is_not_yet_applied_is_pending_and_exits_non_zero(daemon: Running) -> None:
    daemon.control.acknowledge = False
    result = daemon("pause", "--for", "1h", "--reason", "x")
    assert (result.exit_code, "applied" in result.stdout) == (6, False)
    assert result.stderr.startswith("pending: ")


def test_a_pause_during_a_long_cycle_is_pending_and_then_shows_as_applied(serve: Callable[..., Running]) -> None:
    daemon = serve(acknowledged_within_s=0.02)
    daemon.control.held["pause"] = asyncio.Event()
    assert daemon("pause", "--for", "1h", "--reason", "x").exit_code == 6
    assert daemon.ok("status").startswith("ARMED")


def test_pauses_end_by_id_by_scope_and_by_default_for_all(daemon: Running) -> None:
    for scope in ("all", "all", "target/bookstore-api", "group/bookstore"):
        daemon.ok("pause", "--for", "1h", "--reason", "x", "--scope", scope)
    assert daemon.ok("resume", "p1") == "1 pause ended: applied in cycle 12 at 12:00:00\n"
    assert daemon.ok("resume").startswith("1 pause ended")
    assert daemon.ok("resume", "target/bookstore-api").startswith("1 pause ended")
    assert [line.split()[1] for line in daemon.ok("pauses", "--no-headers").splitlines()] == ["group/bookstore"]


def test_ending_what_is_not_paused_is_refused(daemon: Running) -> None:
    result = daemon("resume", "p9")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (3, "try:   watchdog pauses")


def test_the_list_shows_who_and_why_and_ended_ones_on_demand(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def some() -> dict[str, object]:
        row = {"scope": "all", "who": "ann", "why": "move", "since": "2026-01-01T11:00:00Z", "suppressed": 2}
        return {
            "pauses": [
                row | {"id": "p2", "active": True, "until": "2026-01-01T13:00:00Z", "ended_at": None},
                row
                | {"id": "p1", "active": False, "until": "2026-01-01T13:00:00Z", "ended_at": "2026-01-01T11:30:00Z"},
            ]
        }

    monkeypatch.setattr(daemon.control, "pauses", some)
    assert daemon.ok("pauses").splitlines() == [
        "ID   SCOPE   STATE    WHO   SINCE                     UNTIL                     SUPPRESSED   WHY",
        "p2   all     active   ann   2026-01-01 11:00:00 UTC   2026-01-01 13:00:00 UTC   2            move",
    ]
    assert "p1   all     ended    ann   2026-01-01 11:00:00 UTC   2026-01-01 11:30:00 UTC" in daemon.ok(
        "pauses", "--all"
    )


def test_no_pauses_is_said(daemon: Running) -> None:
    assert daemon.ok("pauses") == "no pauses\n"
