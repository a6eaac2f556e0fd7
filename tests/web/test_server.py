"""The faces as a whole: what is on TCP, who hangs, and how they stop."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import aiohttp
import pytest

from tests.web.conftest import Served, served_on
from watchdog.model import instant
from watchdog.testing.clock import WorldClock
from watchdog.testing.control import FakeControl
from watchdog.web import server
from watchdog.web.api import PREFIX, ROUTES
from watchdog.web.server import Faces, PortRefused, probes
from watchdog.web.socketfile import SocketRefused


async def tcp_get(served: Served, path: str, method: str = "GET") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://127.0.0.1:{served.faces.tcp_port}{path}") as reply,
    ):
        return reply.status, await reply.text()


def test_the_tcp_application_has_three_readable_routes_and_nothing_else() -> None:
    application = probes(FakeControl(lambda: instant(0)))
    table = {(route.method, route.resource.canonical) for route in application.router.routes() if route.resource}
    assert table == {("GET", "/metrics"), ("GET", "/healthz"), ("GET", "/readyz")}
    assert len(application.router.routes()) == 3


@pytest.mark.asyncio
async def test_no_route_of_the_api_exists_on_tcp(served: Served) -> None:
    for route in ROUTES:
        path = PREFIX + route.path.replace("{verb:condemn|clear}", "clear").replace("{", "").replace("}", "")
        for method in {route.method, "GET", "POST", "DELETE", "PUT", "PATCH"}:
            assert (await tcp_get(served, path, method))[0] == 404, f"{method} {path}"
    for path in ("/metrics", "/healthz", "/readyz"):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert (await tcp_get(served, path, method))[0] == 405, f"{method} {path}"
    assert served.control.calls == []


@pytest.mark.asyncio
async def test_liveness_follows_the_engine_and_not_the_web_server_paused_or_not(served: Served) -> None:
    assert (await tcp_get(served, "/healthz"))[0] == 200
    await served.post("/pauses", {"why": "maintenance", "for_s": 60})
    assert (await tcp_get(served, "/healthz"))[0] == 200
    served.control.live = False
    status, text = await tcp_get(served, "/healthz")
    assert status == 503
    assert "stood still for 61 s" in text


@pytest.mark.asyncio
async def test_a_restarted_loop_alone_does_not_end_liveness(served: Served) -> None:
    served.control.loops = [{"name": "poll web/health", "last_s": 400.0, "limit_s": 30.0, "state": "blind"}]
    assert (await tcp_get(served, "/healthz"))[0] == 200


@pytest.mark.asyncio
async def test_readiness_is_another_question_than_liveness(served: Served) -> None:
    served.control.ready = False
    assert (await tcp_get(served, "/readyz"))[0] == 503
    assert (await tcp_get(served, "/healthz"))[0] == 200


@pytest.mark.asyncio
@pytest.mark.parametrize("odd", [None, "yes", 1])
async def test_an_answer_that_is_not_plainly_true_is_not_live(
    served: Served, monkeypatch: pytest.MonkeyPatch, odd: object
) -> None:
    monkeypatch.setattr(served.control, "health", lambda: {"live": odd})
    assert (await tcp_get(served, "/healthz"))[0] == 503


@pytest.mark.asyncio
async def test_the_socket_file_has_mode_0600_and_is_gone_after_the_end(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    async with served_on(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.asyncio
async def test_a_second_daemon_on_the_same_socket_is_refused_and_the_first_goes_on(served: Served) -> None:
    second = Faces(
        control=FakeControl(served.clock.now), clock=served.clock, socket_path=served.path, host="127.0.0.1", port=0
    )
    with pytest.raises(SocketRefused, match="already listening"):
        await second.start()
    assert second.tcp_port == 0
    assert (await served.get("/status"))[0] == 200


@pytest.mark.asyncio
async def test_a_taken_tcp_port_is_named_and_leaves_no_socket_file(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        clock = WorldClock()
        faces = Faces(control=FakeControl(clock.now), clock=clock, socket_path=path, host="127.0.0.1", port=port)
        with pytest.raises(PortRefused, match=f"cannot listen on 127.0.0.1:{port}"):
            await faces.start()
    assert not path.exists()


@pytest.mark.asyncio
@pytest.mark.parametrize("words", [b"", b"GET /api/v1/sta"])
async def test_a_silent_or_dripping_client_is_dropped_and_others_are_served(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch, words: bytes
) -> None:
    monkeypatch.setattr(server, "SILENT_S", 0.05)
    async with served_on(short_directory / "w.sock") as served:
        reader, writer = await asyncio.open_unix_connection(str(served.path))
        for byte in words:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await served.get("/status"))[0] == 200
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


@pytest.mark.asyncio
async def test_stopping_waits_for_an_order_that_runs_and_does_not_wait_for_ever(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_S", 0.05)
    cancelled = asyncio.Event()
    async with served_on(short_directory / "w.sock", acknowledged_within_s=0.01) as served:

        async def hang(who: str, target: str | None) -> dict[str, object]:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return {}

        served.control.arm = hang
        assert (await served.post("/arm", {}))[0] == 202
        assert not cancelled.is_set()
    assert cancelled.is_set()
