"""`gate` and `wait`: what a pipeline asks, told by exit codes."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Running
from watchdog.cli.main import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "pipelines.md"


@pytest.fixture
def ledger(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The ledger that the daemon tells, to be changed by a test: release 7 runs and is new, 6 is good."""
    found: dict[str, Any] = {
        "at": "2026-01-01T12:00:00Z",
        "target": "bookstore-api",
        "current": "f7f7f7f7f7f7f7f7",
        "good": "f6f6f6f6f6f6f6f6",
        "releases": daemon.control._releases(),
        "acts": [],
    }

    async def history(target: str) -> dict[str, Any]:
        return found

    monkeypatch.setattr(daemon.control, "history", history)
    return found


def wait(daemon: Running, *more: str, then: Any = None, seconds: int = 60) -> Any:
    """`wait`, whose sleep does `then` (once a look) instead of waiting so many seconds."""
    looks = iter(then or [])

    def sleep(_seconds: float) -> None:
        step = next(looks, None)
        if step is not None:
            step()
        terminal.moment = terminal.now() + timedelta(seconds=seconds)
        terminal.now = lambda: terminal.moment

    terminal = daemon.terminal(sleep=sleep)
    return daemon("wait", "bookstore-api", "--timeout", "5m", *more, terminal=terminal)


def test_it_waits_until_the_release_is_good(daemon: Running, ledger: dict[str, Any]) -> None:
    def graded() -> None:
        ledger["releases"][0]["grade"] = "good"

    result = wait(daemon, then=[None, graded])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "good: it is good")
    assert "passed" in result.stderr  # how far the bake is, while it waits


@pytest.mark.parametrize("how", ["condemned", "act"])
def test_a_release_that_was_rolled_back_ends_it_at_once_with_one(daemon: Running, ledger: dict[str, Any], how) -> None:
    def bad() -> None:
        if how == "condemned":
            ledger["releases"][0] |= {"grade": "condemned", "note": "errors 31 % of 480"}
        else:
            ledger["acts"] = [act("2026-01-01T12:00:01Z")]
        ledger["current"] = "f6f6f6f6f6f6f6f6"

    result = wait(daemon, then=[bad])
    assert result.exit_code == 1
    assert ("errors 31 % of 480" if how == "condemned" else "rolled back") in result.stdout


def act(at: str) -> dict[str, str]:
    return {"at": at, "from_release": "f7f7f7f7f7f7f7f7", "to_release": "f6f6f6f6f6f6f6f6"}


def test_a_rollback_of_an_earlier_try_says_nothing_of_the_present_one(daemon: Running, ledger: dict[str, Any]) -> None:
    ledger["acts"] = [act("2023-01-01T00:00:00Z")]
    ledger["releases"][0]["grade"] = "good"
    assert wait(daemon).exit_code == 0


def test_what_runs_is_not_believed_before_a_release_of_a_moment_ago_would_be_known(
    daemon: Running, ledger: dict[str, Any]
) -> None:
    """Right after `kubectl set image` the daemon still knows the good release before it: that is no green light."""
    ledger["releases"][0]["grade"] = "good"

    def seen() -> None:
        ledger["releases"].insert(0, daemon.control._release("f8f8f8f8f8f8f8f8", "8", "new"))
        ledger["current"] = "f8f8f8f8f8f8f8f8"

    result = wait(daemon, then=[seen], seconds=5)
    assert (result.exit_code, "undecided" in result.stdout) == (2, True)


def test_a_known_good_release_that_is_not_back_yet_is_waited_for(daemon: Running, ledger: dict[str, Any]) -> None:
    def back() -> None:
        ledger["current"] = "f6f6f6f6f6f6f6f6"

    result = wait(daemon, "--release", "bookstore:1.6", then=[None, None, back])
    assert result.exit_code == 0
    assert "another release runs still" in result.stderr


def test_another_release_in_between_is_undecided(daemon: Running, ledger: dict[str, Any]) -> None:
    def newer() -> None:
        ledger["releases"].insert(0, daemon.control._release("f8f8f8f8f8f8f8f8", "8", "new"))
        ledger["current"] = "f8f8f8f8f8f8f8f8"

    result = wait(daemon, then=[newer])
    assert (result.exit_code, "another release runs now" in result.stdout) == (2, True)


def test_time_over_is_undecided_and_blind_when_nothing_could_be_seen(daemon: Running, ledger: dict[str, Any]) -> None:
    assert wait(daemon).exit_code == 2
    daemon.control.rows[0]["state"] = "blind"
    assert wait(daemon).exit_code == 3


def test_a_daemon_that_is_away_is_waited_for(daemon: Running, ledger: dict[str, Any], tmp_path: Path) -> None:
    hidden = tmp_path / "w.sock"

    def back() -> None:
        hidden.rename(daemon.path)
        ledger["releases"][0]["grade"] = "good"

    daemon.path.rename(hidden)
    result = wait(daemon, then=[None, back])
    assert (result.exit_code, "the daemon cannot be asked" in result.stderr) == (0, True)


def test_with_no_daemon_at_all_it_ends_blind(nobody: Running) -> None:
    assert wait(nobody).exit_code == 3


def test_a_release_that_is_still_to_come_is_waited_for_by_its_image(daemon: Running, ledger: dict[str, Any]) -> None:
    def deployed() -> None:
        ledger["releases"].insert(0, daemon.control._release("f8f8f8f8f8f8f8f8", "8", "good"))
        ledger["current"] = "f8f8f8f8f8f8f8f8"

    result = wait(daemon, "--release", "bookstore:1.8", then=[None, deployed])
    assert (result.exit_code, "bookstore:1.8 has not been seen yet" in result.stderr) == (0, True)


def test_verified_is_rolled_out_and_healthy_without_the_whole_bake(daemon: Running, ledger: dict[str, Any]) -> None:
    assert wait(daemon, "--for", "verified").exit_code == 0
    daemon.control.rows[0]["state"] = "suspect"
    assert wait(daemon, "--for", "verified").exit_code == 2


def test_an_unknown_target_is_refused_and_a_duration_without_unit_too(daemon: Running) -> None:
    assert daemon("wait", "nobody").exit_code == 3
    assert daemon("wait", "bookstore-api", "--timeout", "5").exit_code == 2


def test_json_carries_verdict_and_release(daemon: Running, ledger: dict[str, Any]) -> None:
    ledger["releases"][0]["grade"] = "assumed_good"
    answer = json.loads(wait(daemon, "-o", "json").stdout)
    assert (answer["verdict"], answer["release"]) == ("good", "f7f7f7f7f7f7f7f7")


def test_the_gate_is_open_when_nothing_speaks_against_it(daemon: Running) -> None:
    assert daemon.ok("gate", "bookstore-api", "--image", "bookstore:1.8") == "yes\n"


@pytest.mark.parametrize(
    ("image", "digests", "no"),
    [
        ("bookstore:1.7", {}, True),
        ("bookstore:1.8", {}, False),
        ("bookstore:1.9@sha256:aa", {"api": "sha256:aa"}, True),
        ("bookstore:1.7@sha256:bb", {"api": "sha256:aa"}, False),
        ("bookstore:1.7@sha256:bb", {}, True),
    ],
)
def test_the_gate_is_closed_for_a_condemned_image_under_whatever_tag(
    daemon: Running, ledger: dict[str, Any], image: str, digests: dict[str, str], no
) -> None:
    ledger["releases"][0] |= {"grade": "condemned", "note": "errors 31 %", "digests": digests}
    result = daemon("gate", "bookstore-api", "--image", image)
    assert (result.exit_code, f"{image} is condemned: errors 31 %" in result.stdout) == (
        (1, True) if no else (0, False)
    )


def test_the_gate_is_closed_by_an_open_incident_and_by_a_pause_that_covers_it(daemon: Running) -> None:
    daemon.control.add_incident("inc-1")
    daemon.ok("pause", "--scope", "group/bookstore", "--for", "1h", "--reason", "database maintenance")
    result = daemon("gate", "bookstore-api")
    assert result.exit_code == 1
    assert "incident inc-1 is open" in result.stdout
    assert "database maintenance" in result.stdout
    daemon.control.rows[1]["group"] = "other"
    assert daemon("gate", "bookstore-web").exit_code == 0


def test_with_its_store_away_the_gate_does_not_know(daemon: Running) -> None:
    daemon.control.store = {"ok": False, "sentence": "disk full"}
    result = daemon("gate", "bookstore-api")
    assert (result.exit_code, result.stdout) == (7, "")


def test_every_snippet_of_the_how_to_page_is_yaml_and_its_commands_are_there() -> None:
    text = PAGE.read_text()
    snippets = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 3
    for snippet in snippets:
        assert yaml.safe_load(snippet)
        used = set(re.findall(r"-- watchdog (\w+)", snippet))
        assert used == {"gate", "wait"} <= set(COMMANDS)
