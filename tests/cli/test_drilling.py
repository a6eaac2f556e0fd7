"""`drill`: what a person reads of a breach that did not happen."""

from __future__ import annotations

import getpass

import pytest

from tests.cli.conftest import Running


def test_each_part_is_shown_with_its_time_and_what_the_gate_would_object_to(daemon: Running) -> None:
    text = daemon.ok("drill", "bookstore-api", "--as", "Ann")
    assert text.startswith("DRILL of bookstore-api: every part that could be tried works")
    assert "0.02 s" in text
    assert "What the gate would object to:" in text
    assert daemon.orders["drill"] == {"target": "bookstore-api", "who": f"{getpass.getuser()} as Ann", "tell": True}


def test_quiet_sends_no_message(daemon: Running) -> None:
    daemon.ok("drill", "bookstore-api", "--quiet")
    assert daemon.orders["drill"]["tell"] is False


def test_a_part_that_fails_makes_the_exit_code_one(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(target: str, who: str, *, tell: bool) -> dict[str, object]:
        part = {"name": "message to pager", "took_s": 8.0, "ok": False, "sentence": "no answer within 8 s"}
        return {"target": target, "parts": [part], "ok": False, "sentence": "DRILL: failed: message to pager"}

    monkeypatch.setattr(daemon.control, "drill", failing)
    result = daemon("drill", "bookstore-api")
    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    assert "no answer within 8 s" in result.stdout


def test_a_target_that_nobody_knows_is_said(daemon: Running) -> None:
    result = daemon("drill", "nothing")
    assert result.exit_code == 3
    assert "nothing" in result.stderr
