"""The API over TCP: nothing without a token of the right scope, whatever is tried."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from watchdog.testing.clock import WorldClock
from watchdog.testing.control import FakeControl
from watchdog.web.api import PREFIX, ROUTES
from watchdog.web.failures import FAILURES
from watchdog.web.server import Faces
from watchdog.web.tokens import SCOPES, Tokens, TokensRefused, make_token

pytestmark = pytest.mark.asyncio


@dataclass
class Network:
    """A daemon on TCP, its file of tokens, and one token a name."""

    control: FakeControl
    clock: WorldClock
    faces: Faces
    session: aiohttp.ClientSession
    file: Path
    tokens: dict[str, str]

    def allow(self, name: str, *scopes: str, targets: tuple[str, ...] = ()) -> str:
        self.tokens[name], hashed = make_token(name)
        entries = yaml.safe_load(self.file.read_text()) if self.file.exists() else []
        entries = [entry for entry in entries if entry["name"] != name]
        entry = {"name": name, "hash": hashed, "scopes": list(scopes), "targets": list(targets)}
        self.file.write_text(yaml.safe_dump([*entries, entry]))
        return self.tokens[name]

    async def ask(self, method: str, path: str, who: str | None = None, body: Any = None) -> tuple[int, Any]:
        headers = {} if who is None else {"Authorization": f"Bearer {self.tokens.get(who, who)}"}
        url = f"http://127.0.0.1:{self.faces.page_port}{PREFIX}{path}"
        async with self.session.request(method, url, headers=headers, json=body) as reply:
            text = await reply.text()
            return reply.status, json.loads(text) if "json" in reply.content_type else text


@pytest_asyncio.fixture
async def network(short_directory: Path, tmp_path: Path) -> AsyncIterator[Network]:
    clock = WorldClock()
    control = FakeControl(clock.now)
    control.add_incident("inc-1")
    found = Network(control, clock, None, None, tmp_path / "tokens.yaml", {})  # type: ignore[arg-type]
    found.allow("reader", "read")
    found.faces = Faces(
        control=control,
        clock=clock,
        socket_path=short_directory / "w.sock",
        host="127.0.0.1",
        port=0,
        page=("127.0.0.1", 0),
        tokens=found.file,
    )
    await found.faces.start()
    async with aiohttp.ClientSession() as found.session:
        yield found
    await found.faces.stop()


def filled(path: str) -> str:
    names = {"target": "bookstore-api", "incident": "inc-1", "pause": "p1", "fingerprint": "f7", "verb": "clear"}
    return re.sub(r"{(\w+)(:[^}]*)?}", lambda part: names[part[1]], path)


async def test_p19_no_route_answers_without_a_valid_token_or_below_its_scope(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchdog.web.failures.FAILURES", 1000)
    for scope in SCOPES:
        network.allow(f"only-{scope}", scope)
    for route in ROUTES:
        assert (await network.ask(route.method, filled(route.path)))[0] == 401, route
        assert (await network.ask(route.method, filled(route.path), "wd_reader_wrong"))[0] == 401, route
        for scope in SCOPES:
            status, body = await network.ask(route.method, filled(route.path), f"only-{scope}")
            refused = status == 403 and "lacks the scope" in body["detail"]
            assert refused == (scope != route.scope), (route, scope, status, body)
    changed = [name for name, _ in network.control.calls if name in ("pause", "stop", "rollback", "approve", "arm")]
    assert "arm" in changed


async def test_p19_who_orders_is_the_token_whatever_the_request_says(network: Network) -> None:
    network.allow("ann", "pause")
    status, body = await network.ask("POST", "/pauses", "ann", {"why": "move", "for_s": 60, "as": "root"})
    assert (status, body["pause"]["who"]) == (200, "ann as root")


async def test_a_token_for_some_targets_orders_for_no_other_and_not_for_everything(network: Network) -> None:
    network.allow("team", *SCOPES, targets=("bookstore-api",))
    assert (await network.ask("POST", "/targets/bookstore-api/rollback", "team", {"dry_run": True}))[0] == 200
    assert (await network.ask("POST", "/incidents/inc-1/approve", "team", {}))[0] == 200
    for path in ("/targets/bookstore-web/rollback", "/stop", "/arm", "/reload"):
        status, body = await network.ask("POST", path, "team", {})
        assert (status, "is not for" in body["detail"]) == (403, True), path
    network.control.add_incident("inc-2", target="bookstore-web")
    assert (await network.ask("POST", "/incidents/inc-2/cancel", "team", {}))[0] == 403


async def test_the_file_is_read_anew_and_a_token_taken_out_is_worth_nothing_at_once(network: Network) -> None:
    assert (await network.ask("GET", "/status", "reader"))[0] == 200
    network.allow("late", "read")
    assert (await network.ask("GET", "/status", "late"))[0] == 200
    network.file.write_text(
        yaml.safe_dump([entry for entry in yaml.safe_load(network.file.read_text()) if entry["name"] == "late"])
    )
    assert (await network.ask("GET", "/status", "reader"))[0] == 401
    assert (await network.ask("GET", "/status", "late"))[0] == 200


@pytest.mark.parametrize("content", ["[", "hello", "- {name: x}", ""])
async def test_a_file_that_cannot_be_understood_lets_nobody_in_until_it_can(network: Network, content: str) -> None:
    good = network.file.read_text()
    assert (await network.ask("GET", "/status", "reader"))[0] == 200
    network.file.write_text(content)
    assert (await network.ask("GET", "/status", "reader"))[0] == 401
    network.file.write_text(good)
    assert (await network.ask("GET", "/status", "reader"))[0] == 200


async def test_failures_of_one_address_are_limited_for_a_while_also_with_a_good_token(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchdog.web.failures.WITHIN_S", 2.0)
    for _ in range(FAILURES):
        assert (await network.ask("GET", "/status", "wd_reader_guess"))[0] == 401
    assert (await network.ask("GET", "/status", "reader"))[0] == 429
    await asyncio.sleep(2.1)
    assert (await network.ask("GET", "/status", "reader"))[0] == 200


async def test_p19_neither_file_nor_log_nor_answer_holds_a_token(
    network: Network, capfd: pytest.CaptureFixture[str]
) -> None:
    token = network.tokens["reader"]
    _, body = await network.ask("GET", "/status", "reader")
    await network.ask("GET", "/status", token[:-2])
    said = "".join(capfd.readouterr())
    for text in (network.file.read_text(), str(body), said, repr(network.faces)):
        assert token not in text
        assert token.split("_", 2)[2][:20] not in text


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"name": "a b"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"targets": "all"}, "targets"),
        ({"hash": "plain"}, "hash"),
        ({"hash": "scrypt:AA==:AA=="}, "hash"),
        ({"more": 1}, "expected"),
    ],
)
async def test_a_wrong_entry_is_refused_by_its_number(tmp_path: Path, entry: dict[str, Any], says: str) -> None:
    whole = {"name": "ci", "hash": make_token("ci")[1], "scopes": ["read"]} | entry
    path = tmp_path / "tokens.yaml"
    path.write_text(yaml.safe_dump([whole]))
    with pytest.raises(TokensRefused, match=rf"entry 1: .*{says}"):
        Tokens(path)


async def test_p19_without_tokens_there_is_no_api_on_tcp(page_only: Faces) -> None:
    async with aiohttp.ClientSession() as session:
        for route in ROUTES:
            url = f"http://127.0.0.1:{page_only.page_port}{PREFIX}{filled(route.path)}"
            async with session.request(route.method, url) as reply:
                assert reply.status == 404, route


@pytest_asyncio.fixture
async def page_only(short_directory: Path) -> AsyncIterator[Faces]:
    clock = WorldClock()
    faces = Faces(
        control=FakeControl(clock.now),
        clock=clock,
        socket_path=short_directory / "w.sock",
        host="127.0.0.1",
        port=0,
        page=("127.0.0.1", 0),
    )
    await faces.start()
    yield faces
    await faces.stop()
