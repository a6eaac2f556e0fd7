"""`watchdog status`: what a person sees first."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.cli.conftest import Running
from watchdog.testing.control import signal_row, target_row


def test_one_screen_says_whether_it_may_act_and_how_every_target_is(daemon: Running) -> None:
    daemon.control.rows[0] = target_row(
        "bookstore-api",
        state="suspect",
        sentence="errors: 3 of 12 bad",
        streak="50%",
        release="revision 8 (bookstore:1.8)",
        since="2026-01-01T11:48:00Z",
        signals=[signal_row("health"), signal_row("errors", health="inconclusive")],
    )
    daemon.control.rows[1]["since"] = None
    assert daemon.ok("status").splitlines() == [
        "ARMED   (cycle 12)",
        "",
        "NAME            STATE     SIGNALS                          EVIDENCE     AGE   RELEASE                      LAST GOOD                    BAKE",
        "bookstore-api   suspect   errors inconclusive, 1 healthy   50%          12m   revision 8 (bookstore:1.8)   revision 7 (bookstore:1.7)   passed",
        "bookstore-web   healthy   2 healthy                        healthy 12   -     revision 7 (bookstore:1.7)   revision 7 (bookstore:1.7)   passed",
        "",
        "bookstore-api: errors: 3 of 12 bad",
    ]


def test_wide_adds_mode_group_platform_and_incident(daemon: Running) -> None:
    daemon.control.add_incident("inc-1")
    text = daemon.ok("status", "-o", "wide")
    assert "MODE      GROUP       PLATFORM     INCIDENT" in text
    assert "enforce   bookstore   kubernetes   inc-1" in text
    assert "[watchdog incidents inc-1]" in text


def test_names_alone_feed_a_loop_of_the_shell(daemon: Running) -> None:
    assert daemon.ok("status", "-o", "name") == "bookstore-api\nbookstore-web\n"


def test_without_headers_there_is_nothing_but_rows(daemon: Running) -> None:
    daemon.control.rows[0]["state"] = "failing"
    text = daemon.ok("status", "--no-headers")
    assert [line.split()[0] for line in text.splitlines()] == ["bookstore-api", "bookstore-web"]


def test_json_and_yaml_are_the_answer_of_the_api(daemon: Running) -> None:
    expected = json.loads(json.dumps(daemon.control.status()))
    assert json.loads(daemon.ok("status", "-o", "json")) == expected
    assert yaml.safe_load(daemon.ok("status", "-o", "yaml")) == expected


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("config", {"error": "config.yaml:3:1: unknown key", "loaded_at": "2026-01-01T11:00:00Z"}, "config.yaml:3:1"),
        (
            "config",
            {"error": "x", "loaded_at": "2026-01-01T11:00:00Z"},
            "read at 2026-01-01 11:00:00 UTC is still running",
        ),
        ("store", {"ok": False, "sentence": "disk full"}, "! store: disk full: nothing is rolled back"),
        ("store", {}, "! store:"),
        ("outbox", {"depth": 3, "last_error": "502"}, "! 3 notices are owed; last error: 502"),
    ],
)
def test_trouble_of_the_daemon_itself_stands_above_the_table(
    daemon: Running, attribute: str, value: object, words: str
) -> None:
    setattr(daemon.control, attribute, value)
    text = daemon.ok("status")
    assert words in text
    assert text.index(words) < text.index("NAME")


def test_a_pause_is_on_the_screen_with_who_until_and_why(daemon: Running) -> None:
    daemon.ok("pause", "--for", "1h", "--reason", "database move", "--scope", "target/bookstore-api")
    text = daemon.ok("status")
    assert text.startswith("PAUSED by")
    assert "! paused: target/bookstore-api until 2026-01-01 13:00:00 UTC by" in text
    assert "(database move)" in text


def test_no_target_is_said_and_is_no_empty_table(daemon: Running) -> None:
    daemon.control.rows = []
    assert "no target is configured" in daemon.ok("status")


def test_hostile_names_and_sentences_cannot_touch_the_terminal(daemon: Running) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07\u202epod\r\nfake row"
    daemon.control.rows[0] = target_row(
        hostile, state="failing", sentence=hostile, release=hostile, signals=[signal_row(hostile, health="blind")]
    )
    daemon.control.headline = hostile
    for form in ("text", "wide", "name", "json", "yaml"):
        text = daemon.ok("status", "-o", form)
        assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text), form
    assert len(daemon.ok("status", "--no-headers").splitlines()) == 2, "a name made a row of its own"


def test_a_daemon_of_another_version_with_fewer_keys_is_still_shown(
    daemon: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon.control, "status", lambda: {"headline": "ARMED", "targets": [{"name": "api"}]})
    text = daemon.ok("status", "-o", "wide")
    assert "api" in text
    assert "ARMED" in text


def test_watching_is_for_eyes_only(daemon: Running) -> None:
    result = daemon("status", "-w", "-o", "json")
    assert (result.exit_code, "--watch shows text" in result.stderr) == (2, True)
