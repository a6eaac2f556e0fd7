"""Variables lie over secret files, which lie over the file, which lies over the defaults; each keeps its name."""

from __future__ import annotations

import os

import pytest

from tests.settings.texts import SMALLEST, TWO
from watchdog.model import Mode
from watchdog.settings import ConfigurationRefused, load, load_text
from watchdog.settings.layers import _SERVICE_LINK
from watchdog.settings.root import Settings


def refusal(text, environ, **more):
    with pytest.raises(ConfigurationRefused) as refused:
        load_text(text, environ, **more)
    return refused.value.problems


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "watchdog.yaml"
    path.write_text(SMALLEST)
    return path


@pytest.fixture
def secrets(tmp_path):
    """A directory as Kubernetes mounts it: ``..data`` points at the present version, files are links through it."""
    mount = tmp_path / "secrets"
    real = mount / "..2026_03_01" / "targets" / "api" / "signals" / "health" / "http" / "headers"
    real.mkdir(parents=True)
    (real / "x-token").write_text("from-a-secret-file\n")
    (mount / "..data").symlink_to("..2026_03_01")
    (mount / "targets").symlink_to("..data/targets")
    return mount


def test_a_variable_overrides_the_file():
    loaded = load_text("mode: observe\n" + SMALLEST, {"WATCHDOG_MODE": "enforce"})
    assert loaded.settings.mode is Mode.ENFORCE


def test_a_variable_reaches_into_sections_and_leaves_their_other_keys():
    text = "defaults: {bake_time: 1h, countdown: 20s}\n" + SMALLEST
    defaults = load_text(text, {"WATCHDOG_DEFAULTS__COUNTDOWN": "5s"}).settings.defaults
    assert (defaults.bake_time, defaults.countdown) == (3600.0, 5.0)


def test_a_variable_reaches_into_a_target():
    environ = {"WATCHDOG_TARGETS__API__SIGNALS__HEALTH__EVERY": "10s", "WATCHDOG_API__METRICS__PORT": "0"}
    settings = load_text(SMALLEST, environ).settings
    assert settings.targets["api"].signals["health"].every == 10.0
    assert settings.api.metrics.tcp == 0


def test_a_variable_may_hold_a_boolean_or_a_number():
    environ = {
        "WATCHDOG_TARGETS__API__SIGNALS__HEALTH__COUNTS_USERS": "true",
        "WATCHDOG_DEFAULTS__BAKE_EVENTS": "50",
        "WATCHDOG_STATE__MEMORY": "yes",
    }
    (problem,) = refusal(SMALLEST, environ)
    assert (problem.path, problem.hint) == ("state.memory", "did you mean true?")
    del environ["WATCHDOG_STATE__MEMORY"]
    settings = load_text(SMALLEST, environ).settings
    assert settings.targets["api"].signals["health"].counts_users is True
    assert settings.defaults.bake_events == 50


def test_a_variable_may_bring_json_for_lists_and_mappings():
    environ = {
        "WATCHDOG_TARGETS__API__LINKS": '{"runbook": "http://wiki/"}',
        "WATCHDOG_NOTIFY": '{"team": {"stdout": {}}}',
    }
    settings = load_text(SMALLEST, environ).settings
    assert settings.targets["api"].links == {"runbook": "http://wiki/"}
    assert list(settings.notify) == ["team"]


def test_a_header_laid_over_the_short_form_of_http_keeps_its_url():
    environ = {"WATCHDOG_TARGETS__API__SIGNALS__HEALTH__HTTP__HEADERS__X-TOKEN": "abc"}
    http = load_text(SMALLEST, environ).settings.targets["api"].signals["health"].http
    assert http.url == "http://api/health"
    assert http.headers["x-token"].get_secret_value() == "abc"


def test_a_wrong_value_of_a_variable_names_the_variable():
    (problem,) = refusal(SMALLEST, {"WATCHDOG_DEFAULTS__BAKE_TIME": "30"})
    assert problem.file == "environment variable WATCHDOG_DEFAULTS__BAKE_TIME"
    assert (problem.line, problem.path, problem.hint) == (0, "defaults.bake_time", "did you mean 30s?")
    assert str(problem).startswith("environment variable WATCHDOG_DEFAULTS__BAKE_TIME defaults.bake_time: ")


def test_every_wrong_variable_and_the_wrong_file_are_named_at_once():
    environ = {"WATCHDOG_MODE": "on", "WATCHDOG_API__SOCKT": "/x", "WATCHDOG_NOTIFY": "team"}
    problems = refusal("countdown: 10s\n" + SMALLEST, environ)
    assert [(problem.line, problem.path) for problem in problems if problem.line] == [(1, "countdown")]
    assert {problem.file.split()[-1] for problem in problems if not problem.line} == set(environ)


def test_what_is_no_json_where_json_is_needed_is_refused_without_quoting_it():
    (problem,) = refusal(SMALLEST, {"WATCHDOG_STATE": "s3cr3t"})
    assert "expects JSON" in problem.message
    assert "s3cr3t" not in str(problem)


def test_an_unknown_variable_is_a_warning_with_a_guess():
    loaded = load_text(SMALLEST, {"WATCHDOG_MOED": "enforce"})
    (warning,) = [warning for warning in loaded.warnings if "WATCHDOG_MOED" in warning.file]
    assert warning.hint == "did you mean mode?"


@pytest.mark.parametrize(
    "name",
    [
        "WATCHDOG_PORT",
        "WATCHDOG_SERVICE_HOST",
        "WATCHDOG_SERVICE_PORT",
        "WATCHDOG_SERVICE_PORT_METRICS",
        "WATCHDOG_PORT_9469_TCP",
        "WATCHDOG_PORT_9469_TCP_PROTO",
        "WATCHDOG_API_SERVICE_HOST",
        "WATCHDOG_API_PORT_80_TCP_ADDR",
        "WATCHDOG_STATE_PORT",
        "WATCHDOG_CONFIG",
        "WATCHDOG_SECRETS_DIR",
        "PATH",
    ],
)
def test_kubernetes_service_links_and_foreign_variables_are_passed_over(name):
    quiet = load_text(SMALLEST, {})
    loaded = load_text(SMALLEST, {name: "tcp://10.0.0.1:9469"})
    assert loaded.settings == quiet.settings
    assert loaded.warnings == quiet.warnings


def test_no_key_at_the_top_collides_with_a_service_link():
    assert [name for name in Settings.model_fields if _SERVICE_LINK.fullmatch(f"WATCHDOG_{name.upper()}")] == []


def test_a_secret_file_lies_over_the_file_and_its_value_is_masked(config, secrets):
    loaded = load(config, {}, secrets_dir=secrets)
    header = loaded.settings.targets["api"].signals["health"].http.headers["x-token"]
    assert header.get_secret_value() == "from-a-secret-file"
    assert "from-a-secret-file" not in repr(loaded)


def test_the_secrets_directory_can_be_named_by_a_variable(config, secrets):
    loaded = load(config, {"WATCHDOG_SECRETS_DIR": str(secrets)})
    assert loaded.settings.targets["api"].signals["health"].http.headers


def test_a_variable_lies_over_a_secret_file(config, secrets):
    environ = {"WATCHDOG_TARGETS__API__SIGNALS__HEALTH__HTTP__HEADERS__X-TOKEN": "from-a-variable"}
    http = load(config, environ, secrets_dir=secrets).settings.targets["api"].signals["health"].http
    assert http.headers["x-token"].get_secret_value() == "from-a-variable"


def test_a_secrets_directory_that_is_not_there_is_refused(config, tmp_path):
    with pytest.raises(ConfigurationRefused, match="there is no such directory"):
        load(config, {}, secrets_dir=tmp_path / "gone")


def test_a_secret_file_that_is_no_text_is_refused_without_quoting_it(config, secrets):
    (secrets / "..data" / "mode").write_bytes(b"\xff\xfe\xfd")
    (secrets / "mode").symlink_to("..data/mode")
    with pytest.raises(ConfigurationRefused, match="a file is not UTF-8 text"):
        load(config, {}, secrets_dir=secrets)


def test_a_wrong_value_in_a_secret_file_names_the_file(config, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "mode").write_text("enforced")
    with pytest.raises(ConfigurationRefused) as refused:
        load(config, {}, secrets_dir=tmp_path / "s")
    assert [problem.file for problem in refused.value.problems] == ["secret file mode"]


def test_the_environment_of_the_process_is_not_looked_at(monkeypatch):
    monkeypatch.setitem(os.environ, "WATCHDOG_MODE", "enforce")
    assert load_text(SMALLEST, {}).settings.mode is Mode.OBSERVE


def test_a_section_that_only_variables_bring_is_blamed_on_them():
    environ = {"WATCHDOG_TARGETS__WEB__MODE": "ask"}
    (problem,) = refusal(SMALLEST, environ)
    assert problem.file == "environment variable WATCHDOG_TARGETS__WEB__MODE"
    assert (problem.path, problem.message) == ("targets.web.signals", "is missing")


def test_names_that_a_variable_takes_away_dangle():
    problems = refusal(TWO, {"TOKEN": "x", "WATCHDOG_GROUPS__SHOP__ORDER": '["api", "wbe"]'})
    assert [problem.file for problem in problems] == ["environment variable WATCHDOG_GROUPS__SHOP__ORDER"]
