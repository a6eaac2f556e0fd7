"""Secrets are named by where they lie; their values never show."""

from __future__ import annotations

import json

import pytest

from watchdog.settings import ConfigurationRefused, configured, effective, load_text

VALUE = "Bearer 4f9d-very-secret"


def text(header):
    return f'targets: {{api: {{signals: {{health: {{http: {{url: "http://api", headers: {header}}}}}}}}}}}\n'


def http_of(loaded):
    return loaded.settings.targets["api"].signals["health"].http


def test_a_secret_from_a_file_is_read_without_its_line_end(tmp_path):
    (tmp_path / "token").write_text(VALUE + "\n")
    loaded = load_text(text(f"{{Authorization: {{file: {tmp_path / 'token'}}}}}"), {})
    assert http_of(loaded).headers["Authorization"].get_secret_value() == VALUE
    assert tmp_path / "token" in loaded.files


def test_a_secret_from_a_variable_is_read():
    loaded = load_text(text("{Authorization: {env: API_TOKEN}}"), {"API_TOKEN": VALUE})
    assert http_of(loaded).headers["Authorization"].get_secret_value() == VALUE


def test_the_value_reaches_who_sends_it_and_shows_nowhere_else():
    loaded = load_text(text("{Authorization: {env: API_TOKEN}}"), {"API_TOKEN": VALUE})
    (target,) = configured(loaded.settings)
    assert target.signals[0].http.headers == (("Authorization", VALUE),)
    for shown in (repr(target), repr(loaded), str(loaded.settings), loaded.settings.model_dump_json()):
        assert VALUE not in shown
    shown = effective(loaded.settings)
    assert VALUE not in json.dumps(shown)
    assert shown["targets"]["api"]["signals"]["health"]["http"]["headers"] == {"Authorization": {"env": "API_TOKEN"}}


def test_a_value_that_a_variable_lays_over_is_masked_in_show():
    environ = {"WATCHDOG_TARGETS__API__SIGNALS__HEALTH__HTTP__HEADERS": json.dumps({"Authorization": VALUE})}
    shown = effective(load_text(text("{}"), environ).settings)
    assert shown["targets"]["api"]["signals"]["health"]["http"]["headers"] == {"Authorization": "**********"}


@pytest.mark.parametrize(
    "name", ["Authorization", "X-Api-Key", "Cookie", "x-token", "X-Secret", "Signature", "Proxy-Authorization"]
)
def test_text_under_a_name_that_sounds_like_a_secret_is_refused_unread(name):
    with pytest.raises(ConfigurationRefused) as refused:
        load_text(text(f'{{{name}: "{VALUE}"}}'), {})
    assert "may not stand in the file" in str(refused.value)
    assert VALUE not in str(refused.value)


def test_a_number_under_such_a_name_is_not_quoted_either():
    with pytest.raises(ConfigurationRefused) as refused:
        load_text(text("{Authorization: 48151623}"), {})
    assert "48151623" not in str(refused.value)


def test_text_under_a_harmless_name_is_taken():
    assert http_of(load_text(text("{Accept: text/html}"), {})).headers["Accept"].get_secret_value() == "text/html"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a\nb", "control characters or several lines"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * 70_000, "larger than 64 KiB"),
    ],
)
def test_a_secret_file_that_cannot_be_a_header_is_refused(tmp_path, content, reason):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigurationRefused, match=reason):
        load_text(text(f"{{X-Token: {{file: {tmp_path / 'token'}}}}}"), {})


def test_a_secret_that_is_a_directory_is_refused(tmp_path):
    with pytest.raises(ConfigurationRefused, match="it is not a regular file"):
        load_text(text(f"{{X-Token: {{file: {tmp_path}}}}}"), {})


@pytest.mark.parametrize(
    "header", ["{file: relative}", "{file: 5}", "{env: 5}", "{file: /a, env: B}", "{}", "[a]", "{vault: x}"]
)
def test_other_forms_of_a_secret_are_refused(header):
    with pytest.raises(ConfigurationRefused):
        load_text(text(f"{{X-Token: {header}}}"), {})


def test_a_commands_variables_may_be_secrets_too():
    programs = "current: [a], history: [b], rollback: [c], environment: {API_TOKEN: {env: T}, STAGE: prod}"
    document = f'targets: {{api: {{command: {{{programs}}}, signals: {{health: {{http: "http://api"}}}}}}}}\n'
    loaded = load_text(document, {"T": VALUE})
    (target,) = configured(loaded.settings)
    assert target.platform.environment == (("API_TOKEN", VALUE), ("STAGE", "prod"))
    assert VALUE not in repr(target)
    assert VALUE not in json.dumps(effective(loaded.settings))
