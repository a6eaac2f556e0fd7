"""What the composition root makes of a configuration, and of its next content."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from watchdog.channels.stdout import StdoutChannel
from watchdog.cli.composition import Assembly, assemble, known_secrets
from watchdog.ports import StoreDamaged
from watchdog.settings import ConfigurationRefused, load_text

pytestmark = pytest.mark.asyncio

PROGRAMS = {"current": ["/bin/current"], "history": ["/bin/history"], "rollback": ["/bin/rollback"]}


def body(place: Path, **more: Any) -> dict[str, Any]:
    headers = {"Authorization": {"file": str(place / "header")}, "X-Trace": {"env": "TRACE"}, "Accept": "text/plain"}
    return {
        "state": {"sqlite": str(place / "state.db")},
        "bundles": str(place / "incidents"),
        "api": {"socket": str(place / "w.sock"), "metrics": {"host": "127.0.0.1", "port": 0}},
        "reference": ["gateway"],
        "targets": {
            "shop": {
                "command": {**PROGRAMS, "environment": {"APP_HOME": "/srv/application"}},
                "data": "none",
                "signals": {"books": {"http": {"url": "http://127.0.0.1:9/books", "headers": headers}}},
            },
            "gateway": {"signals": {"door": {"http": "http://127.0.0.1:9/"}}},
        },
        "notify": {"team": {"stdout": {}}},
        **more,
    }


def write(place: Path, **more: Any) -> Path:
    path = place / "watchdog.yaml"
    path.write_text(json.dumps(body(place, **more)))
    return path


@pytest_asyncio.fixture
async def assembly(tmp_path: Path) -> AsyncIterator[Assembly]:
    (tmp_path / "header").write_text("first-header")
    made = await assemble(write(tmp_path), {"TRACE": "trace-value"})
    yield made
    await made.close()


async def test_it_builds_what_the_configuration_says(assembly: Assembly) -> None:
    setup = assembly.daemon.setup
    assert [watch.name for watch in setup.watches] == ["shop", "gateway"]
    assert set(setup.writers) == {"shop"}
    assert setup.reference == ("gateway",)
    assert list(setup.channels) == ["team"]


async def test_only_what_is_secret_is_called_secret(assembly: Assembly) -> None:
    assert set(known_secrets(assembly.configuration.loaded)) == {"first-header", "trace-value"}
    clean, _ = assembly.configuration.redactor.text("first-header trace-value text/plain /srv/application")
    assert "first-header" not in clean
    assert "trace-value" not in clean
    assert "text/plain /srv/application" in clean


async def test_a_new_secret_is_hidden_as_soon_as_it_was_read_and_the_old_one_stays_hidden(
    assembly: Assembly, tmp_path: Path
) -> None:
    assert not assembly.configuration.changed
    (tmp_path / "header").write_text("second-header")
    assert assembly.configuration.changed
    assert await assembly.configuration.rebuild() is not None
    assert not assembly.configuration.changed
    clean, _ = assembly.configuration.redactor.text("first-header and second-header")
    assert "-header" not in clean


async def test_a_refused_content_is_not_tried_again_until_it_changes(assembly: Assembly, tmp_path: Path) -> None:
    good = assembly.configuration.path.read_text()
    assembly.configuration.path.write_text("targets: {shop: {}}\n")
    assert assembly.configuration.changed
    with pytest.raises(ConfigurationRefused):
        await assembly.configuration.rebuild()
    assert not assembly.configuration.changed
    assembly.configuration.path.write_text(good)
    assert assembly.configuration.changed
    assert await assembly.configuration.rebuild() is None, "what is in force is in force"
    assert not assembly.configuration.changed


async def test_files_that_only_the_new_content_names_are_watched_from_then_on(
    assembly: Assembly, tmp_path: Path
) -> None:
    (tmp_path / "other").write_text("other-header")
    changed = body(tmp_path)
    headers = changed["targets"]["shop"]["signals"]["books"]["http"]["headers"]
    headers["Authorization"] = {"file": str(tmp_path / "other")}
    assembly.configuration.path.write_text(json.dumps(changed))
    assert await assembly.configuration.rebuild() is not None
    (tmp_path / "header").write_text("nobody reads this any more")
    assert not assembly.configuration.changed
    (tmp_path / "other").write_text("rotated-header")
    assert assembly.configuration.changed


@pytest.mark.parametrize(("form", "json_lines"), [("json", True), ("console", False)])
async def test_notices_on_standard_output_have_the_form_of_the_log(tmp_path: Path, form: str, json_lines: bool) -> None:
    (tmp_path / "header").write_text("x-header")
    made = await assemble(write(tmp_path, log={"format": form}), {"TRACE": "trace-value"})
    channel = made.daemon.setup.channels["team"]
    assert isinstance(channel, StdoutChannel)
    assert channel._json is json_lines
    await made.close()


async def test_what_cannot_be_built_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "header").write_text("x-header")
    (tmp_path / "state.db").write_bytes(b"no database at all, only a text\n" * 100)
    with pytest.raises(StoreDamaged):
        await assemble(write(tmp_path), {"TRACE": "trace-value"})


async def test_every_secret_of_the_configuration_is_known_wherever_it_stands() -> None:
    text = """
prometheus: {main: {url: "http://p", user: u, password: {env: A}, headers: {X-Scope-OrgID: {env: B}}}}
postgres: {books: {host: h, database: d, user: u, password: typed-password}}
azure: {x: {credential: client_secret, tenant: t, client_id: c, client_secret: {env: C}}}
notify: {s: {slack: {webhook: {env: D}}}, w: {webhook: {url: "http://x/", secret: {env: E}}}}
targets: {api: {signals: {h: {http: {url: "http://a/", headers: {Accept: text, Authorization: {env: F}}}}}}}
"""
    loaded = load_text(text, {name: f"value-of-{name}" for name in "ABCDEF"})
    assert set(known_secrets(loaded)) == {*(f"value-of-{name}" for name in "ABCDEF"), "typed-password"}
