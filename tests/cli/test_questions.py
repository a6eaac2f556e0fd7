"""`describe`, `explain` and `check`."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Running
from watchdog.ports import ControlRefused


def ask(daemon: Running) -> None:
    daemon.control.add_incident("inc-1")
    daemon.control.decision = daemon.control._decision(
        "ask",
        [
            ("breach", "pass", "failing for 40 s"),
            ("data", "ask", "nobody said whether the data allow going back"),
            ("pause", "block", "paused by alice"),
            ("certificate", "unknown", "could not be read"),
        ],
    )
    daemon.control.decision.update(asking=["data"], would="roll_back")


def test_explain_shows_every_check_with_its_reason_and_what_to_type(daemon: Running) -> None:
    ask(daemon)
    text = daemon.ok("explain", "bookstore-api")
    assert text.splitlines() == [
        "bookstore-api: ask: failing for 40 s",
        "",
        "Decision: ask (without mode and pause: roll back), at 2026-01-01 12:00:00 UTC",
        "  RESULT      CHECK         WHY",
        "  ✓ pass      breach        failing for 40 s",
        "  ? ask       data          nobody said whether the data allow going back",
        "  ✗ block     pause         paused by alice",
        "  ~ unknown   certificate   could not be read",
        "",
        "Missing to fire:",
        "  a breach: 6 more bad of 12",
        "",
        "It asks about: data",
        "Next: watchdog approve inc-1 | watchdog cancel inc-1",
    ]


def test_explain_without_an_incident_leads_on(daemon: Running) -> None:
    assert "Next: watchdog describe bookstore-api | watchdog check bookstore-api" in daemon.ok(
        "explain", "bookstore-api"
    )


def test_explain_before_any_decision_says_so(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def undecided(target: str) -> dict[str, object]:
        return {"target": target, "sentence": "watch-only", "decision": None, "missing": [], "incident": None}

    monkeypatch.setattr(daemon.control, "explain", undecided)
    assert "nothing has been decided" in daemon.ok("explain", "postgres")


def test_an_overridden_check_says_by_whom(daemon: Running) -> None:
    ask(daemon)
    daemon.control.decision["checks"][1]["overridden_by"] = "alice"
    assert "going back (overridden by alice)" in daemon.ok("explain", "bookstore-api")


def test_describe_shows_state_signals_releases_policy_and_the_road_back(daemon: Running) -> None:
    text = daemon.ok("describe", "bookstore-api")
    for line in (
        "Name:       bookstore-api",
        "State:      healthy: all signals are healthy",
        "Unit:       kubernetes bookstore/bookstore-api",
        "  health   healthy   0%         12       2s         health: 0 of 12 bad   6 more bad of 12",
        "  6          f6f6f6f6f6f6   good    -     778d   15m       bookstore:1.6   -",
        "  bake_s       30m",
        "Road back: revision 6 would come back by one patch",
        "  decision: hold",
        "    1. patch the template back to revision 6",
        "       only if resourceVersion 1234",
        '           "template": {}',
        "Next: watchdog explain bookstore-api | watchdog rollback bookstore-api --dry-run",
    ):
        assert line in text.splitlines(), line


def test_describe_marks_which_release_runs_and_which_is_good(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    releases = daemon.control._releases()
    releases[0]["label"], releases[1]["label"] = "revision 7 (b:7)", "revision 6 (b:6)"
    monkeypatch.setattr(daemon.control, "_releases", lambda: releases)
    daemon.control.rows[0].update(release="revision 7 (b:7)", good="revision 6 (b:6)")
    lines = daemon.ok("describe", "bookstore-api").splitlines()
    assert [line.split()[3] for line in lines if "bookstore:1." in line and "f" * 1 in line.split()[1][:1]] == [
        "current",
        "good",
    ]


def test_a_road_that_is_not_there_is_said(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def closed(target: str) -> dict[str, object]:
        return {"target": daemon.control.rows[0], "road_back": {"decision": None, "plan": None, "sentence": "no road"}}

    monkeypatch.setattr(daemon.control, "describe", closed)
    text = daemon.ok("describe", "bookstore-api")
    assert "Road back: no road" in text
    assert "there is no plan" in text


@pytest.mark.parametrize(
    ("healths", "code", "words"),
    [
        (("good", "good"), 0, "looks healthy"),
        (("good", "bad"), 1, "looks failing"),
        (("unknown", "unknown"), 7, "looks blind"),
        ((), 7, "looks inconclusive"),
    ],
)
def test_check_answers_with_its_exit_code_and_unknown_is_not_no(
    daemon: Running, healths: tuple[str, ...], code: int, words: str
) -> None:
    daemon.control.samples = [daemon.control._sample(f"s{n}", health) for n, health in enumerate(healths)]
    result = daemon("check", "bookstore-api")
    assert (result.exit_code, words in result.stdout) == (code, True)
    assert daemon("check", "bookstore-api", "-o", "json").exit_code == code


def test_check_shows_the_time_of_every_phase(daemon: Running) -> None:
    text = daemon.ok("check", "bookstore-api", "health")
    assert "connect 1 ms, first_byte 11 ms" in text
    assert "errors" not in text
    assert daemon.orders["check"] == {"target": "bookstore-api", "signal": "health"}


def test_a_target_with_any_name_can_be_asked_for(daemon: Running) -> None:
    daemon.control.rows[0]["name"] = "shop/ü #1?"
    assert "shop/ü #1?" in daemon.ok("explain", "shop/ü #1?")


@pytest.mark.parametrize("command", ["describe", "explain", "check", "history"])
def test_an_unknown_target_is_refused_with_what_to_type(daemon: Running, command: str) -> None:
    result = daemon(command, "bokstore")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == "error: no target is called bokstore\ntry:   watchdog status\n"


def test_a_source_that_cannot_be_asked_is_unknown(daemon: Running) -> None:
    daemon.control.refusals["describe"] = ControlRefused("the API server is away", code="unavailable")
    result = daemon("describe", "bookstore-api")
    assert (result.exit_code, result.stderr) == (7, "error: the API server is away\n")


def test_json_is_whole(daemon: Running) -> None:
    assert json.loads(daemon.ok("explain", "bookstore-api", "-o", "json"))["decision"]["checks"][0]["name"] == "breach"


def test_hostile_words_in_checks_requests_and_samples_are_harmless(daemon: Running) -> None:
    hostile = "\x1b[31m\u202eroot\x07"
    daemon.control.decision = daemon.control._decision(hostile, [(hostile, hostile, hostile)])
    daemon.control.missing = [hostile]
    daemon.control.samples = [daemon.control._sample(hostile, hostile) | {"instance": hostile, "phases": {hostile: 1}}]
    for command in ("describe", "explain", "check"):
        result = daemon(command, "bookstore-api")
        assert not {"\x1b", "\u202e", "\x07"} & set(result.output), command
