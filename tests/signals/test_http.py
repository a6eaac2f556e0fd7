"""What the http signal says of targets that answer, and of how they were asked."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest
import trustme

from watchdog.clients.http import HttpClient
from watchdog.model import Counts, Instance, Instant, Release, UnitRef, Unknown, WorkloadState
from watchdog.ports import PollContext
from watchdog.signals.http import Connection, HttpCheck, HttpSignal, Pods
from watchdog.testing.clock import WorldClock
from watchdog.testing.servers import FAULTS, FaultServer

GOOD = Counts(good=1, bad=0)
BAD = Counts(good=0, bad=1)


@contextlib.asynccontextmanager
async def asking(clock=None):
    clock = clock or WorldClock()
    client = HttpClient(clock)
    try:
        yield lambda **check: HttpSignal("health", HttpCheck(**check), client, clock)
    finally:
        await client.close()


async def one(signal, context=None):
    (sample,) = await signal.poll(context or PollContext())
    return sample


def state(*instances: Instance) -> WorkloadState:
    unit = UnitRef(target="api", platform="fake", uid="u", name="api")
    return WorkloadState(
        unit=unit,
        at=Instant(0),
        release=Release(fingerprint="new"),
        version="1",
        complete=False,
        in_progress=True,
        instances=instances,
    )


@pytest.mark.asyncio
async def test_an_answer_in_the_status_set_is_one_good_event_over_the_time_it_took():
    async with FaultServer() as server, asking() as signal:
        sample = await one(signal(url=server.url("ok")))
    assert sample.reading == GOOD
    assert sample.signal == "health"
    assert sample.start < sample.end
    assert sample.detail.startswith("GET /ok: 200 in ")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "ranges", "expected"),
    [
        (500, ((200, 299),), BAD),
        (404, ((200, 299),), BAD),
        (404, ((200, 299), (404, 404)), GOOD),
        (204, ((200, 299),), GOOD),
        (200, ((500, 599),), BAD),
    ],
)
async def test_the_status_set_decides_what_is_good(status, ranges, expected):
    async with FaultServer() as server, asking() as signal:
        sample = await one(signal(url=server.url(f"status/{status}"), status=ranges))
    assert sample.reading == expected
    assert f": {status} in " in sample.detail


@pytest.mark.asyncio
async def test_a_limit_on_how_often_we_may_ask_is_unknown_unless_it_is_wanted():
    async with FaultServer() as server, asking() as signal:
        limited = await one(signal(url=server.url("status/429")))
        wanted = await one(signal(url=server.url("status/429"), status=((429, 429),)))
    assert isinstance(limited.reading, Unknown)
    assert wanted.reading == GOOD


@pytest.mark.asyncio
async def test_a_good_status_that_took_longer_than_within_is_bad_and_shows_where_the_time_went():
    async with FaultServer() as server, asking() as signal:
        sample = await one(signal(url=server.url("slow/0.05"), within_s=0.02, timeout_s=1))
        quick = await one(signal(url=server.url("ok"), within_s=1, timeout_s=1))
    assert sample.reading == BAD
    assert "slower than 20 ms (connect " in sample.detail
    assert ", first byte " in sample.detail
    assert quick.reading == GOOD


@pytest.mark.asyncio
async def test_a_redirect_is_an_answer_like_any_other_unless_it_is_followed():
    async with FaultServer() as server, asking() as signal:
        url = server.url("redirect?to=/status/503")
        refused = await one(signal(url=url))
        accepted = await one(signal(url=url, status=((200, 399),)))
        followed = await one(signal(url=url, max_redirects=1))
    assert refused.reading == BAD
    assert "302" in refused.detail
    assert "redirects are not followed" in refused.detail
    assert accepted.reading == GOOD
    assert followed.reading == BAD
    assert ": 503 in " in followed.detail


@pytest.mark.asyncio
@pytest.mark.parametrize("target", ["ftp://127.0.0.1/", "http://[bad/", "file:///etc/passwd", "http://h:99999/"])
async def test_a_redirect_out_of_http_is_bad_and_not_followed(target):
    async with FaultServer() as server, asking() as signal:
        sample = await one(signal(url=server.url(f"redirect?to={target}"), max_redirects=3))
    assert sample.reading == BAD
    assert "no HTTP URL" in sample.detail


@pytest.mark.asyncio
async def test_configured_headers_go_to_the_target_and_not_to_another_origin_it_redirects_to():
    headers = (("X-Token", "canary-4711"), ("Authorization", "Bearer canary-4711"))
    async with FaultServer() as there, FaultServer() as server, asking() as signal:
        sample = await one(
            signal(url=server.url(f"redirect?to={there.url('ok')}"), max_redirects=1, headers=headers, host="shop.test")
        )
        own = server.requests[0].headers
        foreign = there.requests[0].headers
    assert sample.reading == GOOD
    assert (own["x-token"], own["host"]) == ("canary-4711", "shop.test")
    assert "canary-4711" not in str(foreign)
    assert foreign["host"].startswith("127.0.0.1")


@pytest.mark.asyncio
async def test_a_redirect_within_the_origin_keeps_headers_and_host():
    async with FaultServer() as server, asking() as signal:
        await one(signal(url=server.url("redirect?to=/ok"), max_redirects=1, headers=(("X-Token", "t"),), host="h"))
        assert [(seen.path, seen.headers["x-token"], seen.headers["host"]) for seen in server.requests] == [
            ("/redirect?to=/ok", "t", "h"),
            ("/ok", "t", "h"),
        ]


@pytest.mark.asyncio
async def test_no_secret_of_the_check_stands_in_a_sample_or_a_repr():
    check = {"headers": (("Authorization", "Bearer canary-4711"),), "max_redirects": 2}
    async with FaultServer() as server, asking() as signal:
        for path in ("ok", "status/500", "reset", "loop", "half", "redirect?to=http://127.0.0.1:1/?key=canary-4711"):
            probing = signal(url=server.url(f"{path}{'&' if '?' in path else '?'}key=canary-4711"), **check)
            sample = await one(probing)
            assert "canary-4711" not in repr(sample)
            assert "canary-4711" not in repr(probing.check)


@pytest.mark.asyncio
async def test_a_fresh_connection_is_opened_for_each_poll_and_a_kept_one_is_used_again():
    async with FaultServer() as server, asking() as signal:
        fresh = signal(url=server.url("ok"))
        for _ in range(3):
            await one(fresh)
        assert server.connections == 3
        kept = signal(url=server.url("ok"), connection=Connection.KEEP)
        for _ in range(3):
            await one(kept)
        assert server.connections == 4


@pytest.mark.asyncio
async def test_a_failure_on_a_kept_connection_is_repeated_once_at_once_on_a_fresh_one():
    async with FaultServer() as server, asking() as signal:
        kept = signal(url=server.url("once"), connection=Connection.KEEP)
        first = await one(kept)
        second = await one(kept)
        requests = [(seen.connection, seen.turn) for seen in server.requests]
    assert (first.reading, second.reading) == (GOOD, GOOD)
    assert requests == [(1, 0), (1, 1), (2, 0)]
    assert "on a fresh connection after a kept one failed" in second.detail
    assert "fresh connection" not in first.detail


@pytest.mark.asyncio
async def test_a_kept_connection_that_was_forgotten_on_the_way_is_raced_by_a_fresh_one_within_the_timeout():
    async with FaultServer() as server, asking() as signal:
        kept = signal(url=server.url("forgotten"), connection=Connection.KEEP, timeout_s=0.4)
        await one(kept)
        second = await one(kept)
    assert second.reading == GOOD
    assert second.end - second.start < 0.4


@pytest.mark.asyncio
async def test_a_slow_target_on_a_kept_connection_is_not_called_bad_before_its_timeout():
    async with FaultServer() as server, asking() as signal:
        kept = signal(url=server.url("slow/0.3"), connection=Connection.KEEP, timeout_s=0.5)
        readings = [(await one(kept)).reading for _ in range(2)]
    assert readings == [GOOD, GOOD]


@pytest.mark.asyncio
async def test_a_slow_kept_connection_still_counts_when_the_fresh_one_fails(monkeypatch):
    async def kept_only(line):
        if line.seen.connection > 1:
            return False
        await asyncio.sleep(0.3 * line.seen.turn)
        return await line.answer(200, b"ok")

    monkeypatch.setitem(FAULTS, "kept-only", kept_only)
    async with FaultServer() as server, asking() as signal:
        kept = signal(url=server.url("kept-only"), connection=Connection.KEEP, timeout_s=0.5)
        readings = [(await one(kept)).reading for _ in range(2)]
        assert len(server.requests) == 3
    assert readings == [GOOD, GOOD]


@pytest.mark.asyncio
async def test_a_failure_on_a_fresh_connection_is_not_repeated():
    async with FaultServer() as server, asking() as signal:
        for connection in Connection:
            assert (await one(signal(url=server.url("closed"), connection=connection))).reading == BAD
        assert len(server.requests) == 2


@pytest.mark.asyncio
async def test_a_bad_status_on_a_kept_connection_is_the_targets_answer_and_not_repeated():
    async with FaultServer() as server, asking() as signal:
        kept = signal(url=server.url("status/500"), connection=Connection.KEEP)
        for _ in range(2):
            assert (await one(kept)).reading == BAD
        assert len(server.requests) == 2


@pytest.mark.asyncio
async def test_a_post_is_never_sent_twice():
    async with FaultServer() as server, asking() as signal:
        kept = signal(url=server.url("once"), connection=Connection.KEEP, method="POST")
        assert (await one(kept)).reading == GOOD
        assert (await one(kept)).reading == BAD
        assert len(server.requests) == 2


@pytest.mark.asyncio
async def test_head_sees_the_status_without_a_body():
    async with FaultServer() as server, asking() as signal:
        sample = await one(signal(url=server.url("ok"), method="HEAD"))
    assert sample.reading == GOOD
    assert sample.detail.startswith("HEAD /ok: 200")


@pytest.mark.asyncio
async def test_tls_is_verified_by_the_configured_ca_against_the_configured_host(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("shop.test").configure_cert(server_side)
    async with FaultServer(tls=server_side) as server, asking() as signal:
        url, ca = server.url("ok"), str(tmp_path / "ca.pem")
        trusted = await one(signal(url=url, ca_file=ca, host="shop.test:8443"))
        other_host = await one(signal(url=url, ca_file=ca, host="bank.test"))
        unknown_ca = await one(signal(url=url, host="shop.test"))
        unverified = await one(signal(url=url, verify=False))
        no_file = await one(signal(url=url, ca_file=str(tmp_path / "none.pem")))
        slow = await one(signal(url=server.url("slow/0.03"), verify=False, within_s=0.01))
    assert trusted.reading == GOOD
    assert other_host.reading == BAD
    assert "certificate is not valid" in other_host.detail
    assert unknown_ca.reading == BAD
    assert unverified.reading == GOOD
    assert no_file.reading == Unknown(reason="our CA file cannot be read")
    assert ", tls " in slow.detail


# -- pods ------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_pods_asks_each_ready_instance_and_names_release_and_instance():
    async with FaultServer() as old, FaultServer() as new, asking() as signal:
        context = PollContext(
            state=state(
                Instance(name="api-1", address="127.0.0.1", port=old.port, release="old", ready=True),
                Instance(name="api-2", address="127.0.0.1", port=new.port, release="new", ready=True),
                Instance(name="api-3", address="127.0.0.1", port=new.port, release="new", ready=False),
                Instance(name="api-4", address="127.0.0.1", port=1, release="old", ready=True, terminating=True),
            )
        )
        samples = await signal(pods=Pods(path="/ok")).poll(context)
        assert len(old.requests) == len(new.requests) == 1
    assert [(s.instance, s.release, s.reading) for s in samples] == [("api-1", "old", GOOD), ("api-2", "new", GOOD)]
    assert samples[0].detail.startswith("GET /ok on api-1: 200 in ")
    assert samples[0].detail.endswith("(1 not ready, not asked)")


@pytest.mark.asyncio
async def test_pods_asks_all_at_once_so_that_a_hung_one_does_not_delay_the_others():
    async with FaultServer() as server, asking() as signal:
        hung = [
            Instance(name=f"api-{n}", address="127.0.0.1", port=server._silent, release="new", ready=True)
            for n in range(20)
        ]
        fine = Instance(name="fine", address="127.0.0.1", port=server.port, release="old", ready=True)
        samples = await signal(pods=Pods(path="/ok"), timeout_s=0.3).poll(PollContext(state=state(*hung, fine)))
    took = {sample.instance: sample.end - sample.start for sample in samples}
    assert {sample.instance for sample in samples if sample.reading == BAD or isinstance(sample.reading, Unknown)} == {
        entry.name for entry in hung
    }
    assert took["fine"] < 0.25
    assert max(took.values()) < 0.6


@pytest.mark.asyncio
async def test_pods_without_a_ready_instance_or_before_the_first_read_is_unknown():
    async with asking() as signal:
        before = await one(signal(pods=Pods(port=80)))
        none_ready = await one(
            signal(pods=Pods(port=80)), PollContext(state=state(Instance(name="a", address="127.0.0.1")))
        )
        no_address = await one(signal(pods=Pods(port=80)), PollContext(state=state(Instance(name="a", ready=True))))
    for sample in (before, none_ready, no_address):
        assert isinstance(sample.reading, Unknown)
        assert sample.reading.reason == sample.detail
    assert "1 not ready" in none_ready.detail


# -- what a check refuses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({}, "either a url or pods"),
        ({"url": "http://h/", "pods": Pods()}, "either a url or pods"),
        ({"url": "h/health"}, "http:// or https://"),
        ({"url": "ftp://h/"}, "http:// or https://"),
        ({"url": "http:///x"}, "name a host"),
        ({"url": "http://user:pw@h/"}, "no user or password"),
        ({"url": "http://h:99999/"}, "Port out of range"),
        ({"url": "http://h/", "method": "DELETE"}, "DELETE"),
        ({"url": "http://h/", "timeout_s": 0}, "longer than 0 s"),
        ({"url": "http://h/", "timeout_s": float("nan")}, "longer than 0 s"),
        ({"url": "http://h/", "timeout_s": 1, "within_s": 2}, "not longer than the timeout"),
        ({"url": "http://h/", "max_redirects": -1}, "must not be negative"),
        ({"url": "http://h/", "status": ()}, "must not be empty"),
        ({"url": "http://h/", "status": ((299, 200),)}, "must not be empty"),
        ({"url": "http://h/", "headers": (("X", "a\r\nHost: evil"),)}, "line break"),
    ],
)
def test_a_check_that_can_never_be_asked_is_refused(check, words):
    with pytest.raises(ValueError, match=words):
        HttpCheck(**check)


@pytest.mark.asyncio
async def test_cancelling_a_poll_passes_through_and_leaves_nothing_running():
    async with FaultServer() as server, asking() as signal:
        polling = asyncio.create_task(signal(url=server.url("hang"), connection=Connection.KEEP).poll(PollContext()))
        await asyncio.sleep(0.05)
        polling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await polling
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("http ")]
