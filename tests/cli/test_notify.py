"""`notify test` and `notify preview`: whether messages arrive, and how they look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Running

KINDS = ["pending", "ask", "rolled_back", "recovered", "not_recovered", "not_acting"]
TEXT = """\
environment: production
base_url: https://watchdog.example
targets: {api: {signals: {health: {http: "http://127.0.0.1:9/health"}}}}
notify:
  here: {stdout: {}}
  chat: {slack: {webhook: {env: HOOK}}}
  cards: {teams: {webhook: {env: HOOK}}}
  oncall: {pagerduty: {routing_key: {env: KEY}}, at_least: page}
  events: {webhook: {url: "http://127.0.0.1:9/", secret: {env: KEY}}}
  post: {mail: {host: 127.0.0.1, port: 9, from: watchdog@shop.test, to: ann@shop.test}}
"""


@pytest.fixture
def path(tmp_path: Path, nobody: Running) -> str:
    nobody.environ.update({"HOOK": "http://127.0.0.1:9/canary-7f3a", "KEY": "canary-9c1b"})
    file = tmp_path / "notify.yaml"
    file.write_text(TEXT)
    return str(file)


@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_shows_what_each_channel_would_be_sent_and_no_secret(nobody: Running, path: str, kind: str) -> None:
    result = nobody("notify", "preview", "-c", path, "--kind", kind)
    assert result.exit_code == 0, result.output
    for name in (
        "here (stdout)",
        "chat (slack)",
        "cards (teams)",
        "oncall (pagerduty)",
        "events (webhook)",
        "post (mail)",
    ):
        assert f"# {name}" in result.output
    assert "bookstore-api" in result.output
    assert "canary" not in result.output


def test_one_channel_can_be_chosen_and_its_body_is_json(nobody: Running, path: str) -> None:
    result = nobody("notify", "preview", "events", "-c", path)
    event = json.loads(result.output.partition("\n")[2])
    assert event["specversion"] == "1.0"


def test_a_test_says_of_each_channel_whether_it_delivered(nobody: Running, path: str) -> None:
    result = nobody("notify", "test", "-c", path, "-o", "json")
    assert result.exit_code == 1
    answer = json.loads(result.output[result.output.index("{") :])
    found = {entry["name"]: entry["ok"] for entry in answer["channels"]}
    assert found.pop("here") is True
    assert set(found.values()) == {False}
    assert "canary" not in result.output


def test_a_channel_that_is_not_there_is_refused_by_name(nobody: Running, path: str) -> None:
    result = nobody("notify", "test", "nobody", "-c", path)
    assert result.exit_code == 3
    assert "there is no channel 'nobody'" in result.stderr
