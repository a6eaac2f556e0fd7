"""`--server` with a token, and `watchdog token`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from tests.cli.conftest import Running
from watchdog.cli.main import cli
from watchdog.web.tokens import Tokens


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A daemon's address as seen from afar: it answers the status to one token."""
    seen: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization", "")))
            good = self.headers.get("Authorization") == "Bearer wd_ann_secret"
            body = b'{"pauses": [], "at": "2026-01-01T12:00:00Z"}' if good else b'{"detail": "a valid token is needed"}'
            self.send_response(200 if good else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    listening = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}", seen
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_daemon_over_the_network_is_asked_with_the_token_of_a_file(nobody: Running, server, tmp_path: Path) -> None:
    url, seen = server
    (tmp_path / "token").write_text("wd_ann_secret\n")
    result = nobody("pauses", "--server", url, "--token-file", str(tmp_path / "token"))
    assert result.exit_code == 0
    assert seen == [("/api/v1/pauses", "Bearer wd_ann_secret")]


def test_environment_variables_do_the_same(nobody: Running, server, tmp_path: Path, monkeypatch) -> None:
    url, seen = server
    (tmp_path / "token").write_text("wd_ann_secret")
    monkeypatch.setenv("WATCHDOG_SERVER", url)
    monkeypatch.setenv("WATCHDOG_TOKEN_FILE", str(tmp_path / "token"))
    assert nobody("pauses").exit_code == 0
    assert len(seen) == 1


def test_a_wrong_token_is_refused_and_a_wrong_address_is_unreachable(nobody: Running, server, tmp_path: Path) -> None:
    url, _ = server
    (tmp_path / "token").write_text("wd_ann_guess")
    more = ("--token-file", str(tmp_path / "token"))
    result = nobody("pauses", "--server", url, *more)
    assert (result.exit_code, "a valid token is needed" in result.stderr) == (3, True)
    result = nobody("pauses", "--server", "http://127.0.0.1:1", *more)
    assert (result.exit_code, "no daemon answers on http://127.0.0.1:1" in result.stderr) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--server", "watchdog.example"), "an address such as"),
        (("--server", "http://watchdog.example"), "a token is needed"),
        (("--server", "http://watchdog.example", "--socket", "/x"), "one of them"),
        (("--server", "http://watchdog.example", "--token-file", "/nonexistent"), "No such file"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(nobody: Running, arguments: tuple[str, ...], says: str) -> None:
    result = nobody("pauses", *arguments)
    assert (result.exit_code, says in result.stderr) == (2, True), result.stderr


@pytest.mark.asyncio
async def test_the_line_of_a_fresh_token_lets_a_daemon_know_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        cli, ["token", "ci", "--scope", "read", "--scope", "pause", "--target", "a: b"], prog_name="watchdog"
    )
    assert result.exit_code == 0
    path = tmp_path / "tokens.yaml"
    path.write_text(result.stderr)
    assert yaml.safe_load(result.stderr)[0]["name"] == "ci"
    tokens = Tokens(path)
    found = await tokens.find(result.stdout.strip())
    assert found is not None
    assert (found.name, found.scopes, found.targets) == ("ci", {"read", "pause"}, {"a: b"})
    assert await tokens.find(result.stdout.strip() + "x") is None
    tokens.close()


def test_a_name_that_does_not_fit_is_refused() -> None:
    assert CliRunner().invoke(cli, ["token", "a b"], prog_name="watchdog").exit_code == 2
