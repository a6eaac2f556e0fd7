"""`config check`, `config show` and `config schema`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Running

GOOD = """\
mode: ask
targets:
  api:
    command:
      current: [/bin/api, current]
      history: [/bin/api, history]
      rollback: [/bin/api, rollback]
    data: none
    signals:
      health: {http: {url: "http://127.0.0.1:1/health", headers: {Authorization: {env: TOKEN}}}}
notify:
  team: {stdout: {}}
"""


@pytest.fixture
def good(tmp_path: Path, nobody: Running) -> Path:
    nobody.environ["TOKEN"] = "canary-7f3a"
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text("mod: ask\ntargets:\n  api:\n    signals:\n      h: {http: x, evry: 5s}\n")
    return path


def test_a_good_file_is_said_to_be_good(nobody: Running, good: Path) -> None:
    result = nobody("config", "check", str(good))
    assert (result.exit_code, result.stdout) == (0, f"{good}: valid, 1 target, mode ask\n"), result.stderr


def test_every_problem_stands_on_its_line_with_its_place(nobody: Running, bad: Path) -> None:
    result = nobody("config", "check", str(bad))
    assert (result.exit_code, result.stdout) == (5, "")
    *problems, error, advice = result.stderr.splitlines()
    assert len(problems) >= 2
    assert problems[0].startswith(f"{bad}:1:1 mod: ")
    assert all(line.startswith(f"{bad}:") for line in problems)
    assert error == f"error: the configuration was refused: {len(problems)} problems"
    assert advice == "try:   watchdog config schema"


def test_problems_are_for_programs_too(nobody: Running, bad: Path, good: Path) -> None:
    result = nobody("config", "check", str(bad), "-o", "json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["ok"]) == (5, False)
    assert answer["problems"][0]["line"] == 1
    assert set(answer["problems"][0]) == {"file", "line", "column", "path", "message", "hint"}
    answer = json.loads(nobody("config", "check", str(good), "-o", "json").stdout)
    assert (answer["ok"], answer["targets"], answer["problems"]) == (True, ["api"], [])


def test_the_file_is_found_by_option_and_by_variable(
    nobody: Running, bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nobody("config", "check", "-c", str(bad)).exit_code == 5
    monkeypatch.setenv("WATCHDOG_CONFIG", str(bad))
    assert f"{bad}:1:1" in nobody("config", "check").stderr


def test_a_missing_file_is_refused_by_name(nobody: Running, tmp_path: Path) -> None:
    result = nobody("config", "check", str(tmp_path / "none.yaml"))
    assert (result.exit_code, "none.yaml: cannot be read" in result.stderr) == (5, True)


def test_what_is_in_force_is_shown_with_defaults_and_without_secrets(nobody: Running, good: Path) -> None:
    for form in ("yaml", "json"):
        result = nobody("config", "show", str(good), "-o", form)
        shown = yaml.safe_load(result.stdout)
        assert result.exit_code == 0
        assert shown["targets"]["api"]["mode"] == "ask"
        assert "bake_time" in shown["targets"]["api"]
        assert "canary-7f3a" not in result.output


def test_showing_a_bad_file_shows_its_problems(nobody: Running, bad: Path) -> None:
    result = nobody("config", "show", str(bad))
    assert (result.exit_code, result.stdout) == (5, "")


def test_warnings_go_to_stderr_and_do_not_fail(nobody: Running, good: Path) -> None:
    good.write_text(GOOD + "state: {memory: true}\n")
    result = nobody("config", "check", str(good))
    assert result.exit_code == 0
    assert "warning: " in result.stderr
    assert "memory" not in result.stdout


def test_the_schema_is_a_json_schema(nobody: Running) -> None:
    schema = json.loads(nobody.ok("config", "schema"))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert "targets" in schema["properties"]


def test_hostile_words_in_a_file_are_harmless(nobody: Running, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J.yaml"
    path.write_text('"\\e[2J": 1\n')
    result = nobody("config", "check", str(path))
    assert (result.exit_code, "\x1b" in result.output) == (5, False)
