"""`approve`, `cancel`, `stop`, `rollback` and `arm`."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Callable

import pytest

from tests.cli.conftest import Running
from watchdog.ports import ControlRefused

ME = getpass.getuser()


def test_a_person_says_yes_or_no_to_an_incident(daemon: Running) -> None:
    daemon.control.add_incident("inc-1")
    assert daemon.ok("approve", "inc-1", "--reason", "looked at it", "--as", "Ann") == f"approved by {ME} as Ann\n"
    assert daemon.ok("cancel", "inc") == f"cancelled by {ME}\n"
    assert daemon.orders["approve"] == {"incident": "inc-1", "who": f"{ME} as Ann", "why": "looked at it"}
    assert daemon.orders["cancel"]["why"] == ""


def test_stop_needs_no_words_and_says_what_it_ended_and_what_it_could_not(
    daemon: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.control.add_incident("inc-1", stage="countdown")
    text = daemon.ok("stop")
    assert "cancelled: inc-1" in text
    assert "applied in cycle 12 at 12:00:00" in text
    assert text.endswith("to act again: watchdog resume\n")

    async def late(who: str, why: str) -> dict[str, object]:
        return {"applied": True, "cycle": 3, "cancelled": [], "running": ["inc-2"], "sentence": "paused"}

    monkeypatch.setattr(daemon.control, "stop", late)
    assert "already written, being verified: inc-2" in daemon.ok("stop")


def test_a_rollback_by_hand_says_its_plan_and_where_to_look(daemon: Running) -> None:
    text = daemon.ok("rollback", "bookstore-api", "--reason", "users complain")
    assert "rolling back to revision 6" in text
    assert "1. patch the template back to revision 6" in text
    assert "Next: watchdog incidents inc-7 | watchdog status -w" in text
    assert daemon.orders["rollback"]["dry_run"] is False


def test_a_dry_run_shows_every_check_and_the_exact_request_and_changes_nothing(daemon: Running) -> None:
    text = daemon.ok("rollback", "bookstore-api", "--dry-run", "--to", "f6")
    assert text.startswith("dry run: ")
    assert "✓ pass   leadership   we hold the lock" in text
    assert '"template": {}' in text
    assert "Nothing was changed. Next: watchdog rollback bookstore-api" in text
    assert daemon.orders["rollback"] == {
        "target": "bookstore-api", "to": "f6", "dry_run": True, "why": "", "who": ME, "overrides": [],
    }  # fmt: skip


def test_a_rollback_the_gate_does_not_let_through_is_refused_with_the_checks(daemon: Running) -> None:
    daemon.control.accept = False
    result = daemon("rollback", "bookstore-api")
    assert result.exit_code == 3
    assert "✗ block   leadership" in result.stdout
    assert result.stderr == "error: refused: the gate holds: leadership\ntry:   watchdog explain bookstore-api\n"
    assert daemon("rollback", "bookstore-api", "-o", "json").exit_code == 3


def test_checks_are_overridden_by_name_and_with_a_reason_only(daemon: Running) -> None:
    daemon.ok("rollback", "bookstore-api", "--override", "bake", "--override", "budget", "--reason", "I know")
    assert daemon.orders["rollback"]["overrides"] == ["bake", "budget"]
    daemon.control.calls.clear()
    result = daemon("rollback", "bookstore-api", "--override", "bake")
    assert (result.exit_code, daemon.control.calls) == (2, [])
    assert result.stderr.endswith("try:   watchdog rollback --help\n")


def test_arming_one_or_all(daemon: Running) -> None:
    assert daemon.ok("arm") == "armed: bookstore-api, bookstore-web\n"
    assert daemon.ok("arm", "bookstore-web") == "armed: bookstore-web\n"


@pytest.mark.parametrize(
    "args", [("approve", "x"), ("cancel", "x"), ("stop",), ("rollback", "bookstore-api"), ("arm",)]
)
def test_an_order_that_is_not_acknowledged_is_pending_and_never_shown_as_done(
    serve: Callable[..., Running], args: tuple[str, ...]
) -> None:
    daemon = serve(acknowledged_within_s=0.02)
    daemon.control.held[args[0]] = asyncio.Event()
    result = daemon(*args)
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr.startswith("pending: ")
    assert result.stderr.endswith("try:   watchdog status\n")
    result = daemon(*args, "-o", "json")
    assert (result.exit_code, json.loads(result.stdout)["pending"]) == (6, True)


@pytest.mark.parametrize(("code", "exit_code"), [("refused", 3), ("conflict", 3), ("not_found", 3), ("unavailable", 7)])
def test_a_refused_order_ends_with_the_next_command(daemon: Running, code: str, exit_code: int) -> None:
    daemon.control.refusals["stop"] = ControlRefused("no\x1b[2J", code=code, next_command="watchdog doctor")
    result = daemon("stop")
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert result.stderr == "error: no\\x1b[2J\ntry:   watchdog doctor\n"


def test_a_name_that_could_forge_a_line_is_a_usage_error(daemon: Running) -> None:
    result = daemon("stop", "--as", "x\ny")
    assert (result.exit_code, daemon.control.calls) == (2, [])
