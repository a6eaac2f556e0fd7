"""A source that hangs, drips, floods or refuses: nobody else waits, and nobody is told anything secret."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import threading
import time

import pytest
import trustme
from aiohttp import web

from tests.signals.prometheus.world import SCRAPE_S, counts, reason, world
from watchdog.ports import PollContext
from watchdog.signals.prometheus import Access, Limit, PrometheusSignal, PrometheusSource
from watchdog.signals.prometheus.answer import NoAnswer
from watchdog.signals.prometheus.source import SLOTS
from watchdog.testing.clock import WorldClock
from watchdog.testing.prometheus import FakePrometheus

pytestmark = pytest.mark.asyncio
OK = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}})


def dripping(seconds):
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "10000"})
        await response.prepare(request)
        for _ in range(int(seconds / 0.02)):
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    return drip


async def settled():
    """Threads of sources have ended."""
    for _ in range(200):
        if not any(thread.name.startswith("prometheus-") for thread in threading.enumerate()):
            return
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, '{"status":"error","error":"parse error: unexpected )"}', "application/json", "refused the query (400): parse error"),
        (422, '{"status":"error","error":"query timed out"}', "application/json", "refused the query (422): query timed out"),
        (401, "", "text/plain", "does not let us ask (401)"),
        (403, "{}", "application/json", "does not let us ask (403)"),
        (429, "slow down", "text/plain", "asked too often (429)"),
        (500, "<html>boom", "text/html", "answered 500"),
        (503, '{"status":"error","error":"TSDB not ready"}', "application/json", "answered 503: TSDB not ready"),
        (404, "nothing", "text/plain", "answered 404"),
        (200, "<html>please log in</html>", "text/html", "no JSON: perhaps a login page"),
        (200, "", "application/json", "no JSON"),
        (200, '{"status":"error","error":"odd"}', "application/json", "refused the query: odd"),
        (200, "[]", "application/json", "no result"),
        (204, "", "application/json", "answered 204"),
    ],
)  # fmt: skip
async def test_every_refusal_is_unknown_with_its_reason(status, body, kind, words):
    async with world() as shop:
        shop.server.answer(status, body, kind)
        assert words in reason(await shop.poll(shop.signal()))


async def test_a_redirect_is_not_followed_so_that_nothing_that_is_configured_reaches_another_address():
    async with FakePrometheus() as other, world(headers=(("X-Scope-OrgID", "canary"),)) as shop:
        shop.server.answer(302, "", Location=f"{other.url}/api/v1/query")
        assert "redirects to another address" in reason(await shop.poll(shop.signal()))
        assert other.headers == []


async def test_a_server_that_is_not_there_is_unknown_at_once():
    clock = WorldClock()
    source = PrometheusSource("main", Access(url="http://127.0.0.1:9"), clock)
    signal = PrometheusSignal("errors", Limit("x", above=1), source, clock, every_s=SCRAPE_S)
    began = time.monotonic()
    assert reason(list(await signal.poll(PollContext()))) == "main cannot be reached"
    assert time.monotonic() - began < 1.0
    await source.close()


@pytest.mark.parametrize("trouble", ["hang", "drip"])
async def test_a_hanging_or_dripping_server_costs_its_askers_their_deadline_and_nobody_else_anything(trouble):
    async with world(timeout_s=0.3) as shop, world() as other:
        if trouble == "hang":
            shop.server.hang()
        else:
            shop.server.trouble = dripping(3.0)
        ticks = 0

        async def beside() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        task = asyncio.create_task(beside())
        began = time.monotonic()
        asked = [shop.signal(Limit(f"x{n}", above=1)) for n in range(3 * SLOTS)]
        hung = asyncio.gather(*(shop.poll(signal) for signal in asked))
        assert counts(await other.poll(other.signal()))
        assert time.monotonic() - began < 0.25
        reasons = [reason(found) for found in await hung]
        assert all("0.3 s" in words or "in time" in words for words in reasons), reasons
        assert time.monotonic() - began < 0.3 + 0.4
        assert ticks > 10
        assert shop.source.queries <= 2 * SLOTS
        task.cancel()
        shop.server.trouble = None
        await settled()


async def test_a_source_that_hung_is_asked_again_when_it_answers():
    async with world(timeout_s=0.2) as shop:
        shop.server.hang()
        signal = shop.signal()
        assert "within 0.2 s" in reason(await shop.poll(signal))
        shop.server.trouble = None
        await settled()
        shop.serve()
        assert counts(await shop.poll(signal))


async def test_an_answer_that_is_too_large_is_unknown_and_says_what_helps():
    async with world(most_bytes=1000) as shop:
        shop.server.answer(200, " " * 5000)
        assert "ask fewer series, or a recording rule" in reason(await shop.poll(shop.signal()))


async def test_a_hundred_targets_that_ask_the_same_ask_once():
    async with world() as shop:
        signals = [shop.signal() for _ in range(100)]
        found = await asyncio.gather(*(shop.poll(signal) for signal in signals))
        assert all(counts(samples) for samples in found)
        assert shop.source.queries == 2
        await shop.poll(shop.signal())
        assert shop.source.queries == 2
        shop.serve()
        await shop.poll(signals[0])
        assert shop.source.queries == 4


async def test_an_asker_that_is_cancelled_takes_nothing_from_another_of_the_same_query():
    async with world() as shop:
        first, second = (asyncio.create_task(shop.poll(shop.signal())) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert counts(await second)
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_token_is_read_anew_for_each_query_and_never_shown(tmp_path):
    token = tmp_path / "token"
    token.write_text("first-token\n")
    async with world(token_file=str(token), headers=(("X-Scope-OrgID", "shop"),)) as shop:
        await shop.poll(shop.signal())
        token.write_text("second-token")
        shop.serve()
        await shop.poll(shop.signal())
        assert [seen["Authorization"] for seen in shop.server.headers] == ["Bearer first-token"] * 2 + [
            "Bearer second-token"
        ] * 2
        assert {seen["X-Scope-OrgID"] for seen in shop.server.headers} == {"shop"}
        token.unlink()
        shop.serve()
        said = reason(await shop.poll(shop.signal()))
        assert "token file cannot be read" in said and 'token"' not in said


async def test_basic_authentication_and_no_netrc_of_the_user(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password stolen\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with world(user="reader", password="of many books") as shop:
        await shop.poll(shop.signal())
        assert {seen["Authorization"] for seen in shop.server.headers} == {"Basic cmVhZGVyOm9mIG1hbnkgYm9va3M="}
    async with world() as shop:
        await shop.poll(shop.signal())
        assert not any("Authorization" in seen for seen in shop.server.headers)


async def test_secrets_stand_in_no_representation():
    access = Access(url="http://x", user="reader", password="hunter2", headers=(("X-Key", "hunter3"),))
    assert "hunter" not in repr(access)


async def test_tls_with_an_own_authority_and_a_client_certificate(tmp_path):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = authority.issue_cert("watchdog@shop.test")
    ours.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=OK, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    clock = WorldClock()

    async def said(**access: object) -> str:
        source = PrometheusSource("main", Access(url=url, **access), clock)  # type: ignore[arg-type]
        signal = PrometheusSignal("errors", Limit("x", above=1), source, clock, every_s=SCRAPE_S)
        found = reason(list(await signal.poll(PollContext())))
        await source.close()
        return found

    try:
        good = {"ca_file": str(tmp_path / "ca.pem"), "cert_file": str(tmp_path / "own.pem")}
        assert "matches nothing" in await said(**good)
        assert "certificate is not trusted" in await said(cert_file=good["cert_file"])
        assert "cannot" in await said(ca_file=good["ca_file"]) or "certificate" in await said(ca_file=good["ca_file"])
    finally:
        await settled()
        await runner.cleanup()


EXIT = """
import asyncio, sys
from watchdog.engine.clock import SystemClock
from watchdog.signals.prometheus import Access, PrometheusSource
from watchdog.signals.prometheus.answer import NoAnswer

async def main():
    source = PrometheusSource("main", Access(url=sys.argv[1], timeout_s=0.2), SystemClock())
    try:
        await source.ask("x", source.moment())
    except NoAnswer as error:
        print(error)

asyncio.run(main())
"""


async def test_a_server_that_hangs_never_holds_the_exit_of_the_process():
    async with FakePrometheus() as server:
        server.trouble = dripping(30.0)
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", EXIT, server.url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err
        assert b"within 0.2 s" in out
        assert time.monotonic() - began < 10.0


async def test_a_refused_question_is_an_exception_of_its_own():
    async with world() as shop:
        with pytest.raises(NoAnswer):
            await shop.source.ask("rate(", shop.source.moment())
