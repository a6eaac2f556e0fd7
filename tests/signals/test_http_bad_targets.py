"""Targets that hang, drip, send too much or break the protocol cost one check its deadline and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
import time
import tracemalloc

import pytest

from watchdog.clients.http import HttpClient, Request
from watchdog.clients.names import MOST_LOOKUPS, Names
from watchdog.model import Counts, Unknown
from watchdog.ports import PollContext
from watchdog.signals.http import Connection, HttpCheck, HttpSignal
from watchdog.testing.clock import WorldClock
from watchdog.testing.servers import FaultServer

GOOD = Counts(good=1, bad=0)
BAD = Counts(good=0, bad=1)
TIMEOUT = 0.3


@contextlib.asynccontextmanager
async def asking(names=None, timeout_s=TIMEOUT):
    clock = WorldClock()
    client = HttpClient(clock, names=names)
    try:
        yield lambda url, **check: HttpSignal("p", HttpCheck(url=url, timeout_s=timeout_s, **check), client, clock)
    finally:
        await client.close()


async def one(signal):
    (sample,) = await signal.poll(PollContext())
    return sample


@pytest.mark.asyncio
@pytest.mark.parametrize("connection", Connection)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("hang", "no answer within 300 ms (connected, no byte came)"),
        ("slow-headers", "no answer within 300 ms (connected, no byte came)"),
        ("drip", "no answer within 300 ms (the answer had begun)"),
        ("reset", "the connection was reset"),
        ("closed", "closed without an answer"),
        ("half", "the answer broke off"),
        ("garbage", "the answer is not HTTP"),
        ("long-headers", "the answer is not HTTP"),
        ("loop", "redirected more than 5 times"),
    ],
)
async def test_a_target_that_breaks_costs_its_deadline_at_most_and_is_bad(fault, words, connection):
    async with FaultServer() as server, asking() as signal:
        began = time.monotonic()
        sample = await one(signal(server.url(fault), max_redirects=5, connection=connection))
        took = time.monotonic() - began
    assert sample.reading == BAD
    assert words in sample.detail
    assert took < TIMEOUT + 0.2


@pytest.mark.asyncio
async def test_a_port_where_nobody_listens_is_refused_and_one_that_never_speaks_times_out():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with FaultServer() as server, asking() as signal:
            refused = await one(signal(f"http://127.0.0.1:{bound.getsockname()[1]}/"))
            silent = await one(signal(server.silent_url))
    assert (refused.reading, silent.reading) == (BAD, BAD)
    assert "connection refused after " in refused.detail
    assert "no byte came" in silent.detail


@pytest.mark.asyncio
async def test_broken_tls_and_plain_http_where_tls_was_asked_are_bad():
    async with FaultServer() as server, asking() as signal:
        rubbish = await one(signal(server.broken_tls_url))
        silent = await one(signal(server.silent_url.replace("http:", "https:")))
    assert (rubbish.reading, silent.reading) == (BAD, BAD)
    assert "TLS handshake failed" in rubbish.detail
    assert "in the TLS handshake" in silent.detail


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["huge", "gzip"])
async def test_a_gigabyte_and_a_gzip_bomb_are_cut_at_the_cap_and_memory_stays_flat(fault):
    async with FaultServer() as server, asking() as signal:
        await one(signal(server.url("ok")))
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            samples = [await one(signal(server.url(fault), connection=each)) for each in Connection]
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
    assert [sample.reading for sample in samples] == [GOOD, GOOD]
    assert peak < 8 << 20
    assert server.sent < 32 << 20  # what the sockets' buffers took, of two times 1 GiB


@pytest.mark.asyncio
async def test_a_connection_with_an_unread_rest_is_never_used_again():
    async with FaultServer() as server, asking() as signal:
        await one(signal(server.url("huge"), connection=Connection.KEEP))
        after = await one(signal(server.url("ok"), connection=Connection.KEEP))
        assert [seen.turn for seen in server.requests] == [0, 0]
    assert after.reading == GOOD


@pytest.mark.asyncio
async def test_what_is_packed_stays_packed():
    client = HttpClient(WorldClock())
    async with FaultServer() as server:
        answer = await client.exchange(Request(url=server.url("gzip"), timeout_s=2.0))
        await client.close()
    assert answer.body.startswith(b"\x1f\x8b")
    assert (len(answer.body), answer.whole) == (65_536, False)


@pytest.mark.asyncio
async def test_a_hundred_hung_targets_and_some_worse_ones_at_once_do_not_delay_a_good_one():
    worse = ["drip", "slow-headers", "huge", "gzip", "reset", "half", "loop"]
    async with FaultServer(address="0.0.0.0") as server, FaultServer() as fine, asking(timeout_s=2.0) as signal:
        await one(signal(server.url("gzip")))  # the bomb is packed once, in this process
        urls = [server.url("hang", f"127.0.1.{number}") for number in range(1, 111)]
        urls += [server.url(fault, f"127.0.2.{number}") for fault in worse for number in (1, 2)]
        broken = [asyncio.create_task(one(signal(url, max_redirects=20))) for url in urls]
        took = []
        for _ in range(5):
            sample = await one(signal(fine.url("ok")))
            assert sample.reading == GOOD
            took.append(sample.end - sample.start)
        still_hung = [hung for hung in broken[:110] if not hung.done()]
        samples = await asyncio.gather(*broken)
    assert len(still_hung) == 110  # the good ones did not wait for the hung ones
    assert sorted(took)[2] < 1.0
    assert all(sample.reading in (GOOD, BAD) for sample in samples)


# -- our own trouble -------------------------------------------------------------------------------------------------


def failing_names(number):
    def lookup(host, port, family):
        raise socket.gaierror(number, "no")

    return Names(lookup)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (socket.EAI_NONAME, BAD),
        (socket.EAI_NODATA, BAD),
        (socket.EAI_AGAIN, Unknown(reason="our name server gave no answer")),
        (socket.EAI_FAIL, Unknown(reason="our name server gave no answer")),
        (socket.EAI_SYSTEM, Unknown(reason="our name server gave no answer")),
    ],
)
async def test_a_name_known_not_to_exist_is_bad_and_a_name_server_without_answer_is_unknown(number, expected):
    async with asking(failing_names(number)) as signal:
        assert (await one(signal("http://shop.test/"))).reading == expected


@pytest.mark.asyncio
async def test_a_hanging_lookup_is_unknown_holds_one_thread_and_delays_no_other_name():
    released = threading.Event()
    asked = []

    def lookup(host, port, family):
        asked.append(host)
        if host == "dead.test":
            released.wait(10)
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 6, "flags": 0}]

    async with FaultServer() as server, asking(Names(lookup)) as signal:
        dead = [asyncio.create_task(one(signal("http://dead.test/"))) for _ in range(50)]
        await asyncio.sleep(0.02)
        fine = [await one(signal(f"http://fine.test:{server.port}/ok")) for _ in range(3)]
        samples = await asyncio.gather(*dead)
        released.set()
    assert [sample.reading for sample in fine] == [GOOD] * 3
    assert {type(sample.reading) for sample in samples} == {Unknown}
    assert "name server" in samples[0].detail
    assert asked == ["dead.test", "fine.test"]


@pytest.mark.asyncio
async def test_so_many_hanging_lookups_are_our_own_trouble_and_start_no_more_threads():
    released = threading.Event()

    def lookup(host, port, family):
        released.wait(10)
        return []

    async with asking(Names(lookup)) as signal:
        hanging = [asyncio.create_task(one(signal(f"http://n{n}.test/"))) for n in range(MOST_LOOKUPS)]
        await asyncio.sleep(0.05)
        refused = await one(signal("http://one-more.test/"))
        await asyncio.gather(*hanging)
        released.set()
    assert refused.reading == Unknown(reason="64 name lookups hang already")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EMFILE, Unknown),
        (errno.ENETUNREACH, Unknown),
        (errno.EADDRNOTAVAIL, Unknown),
        (errno.EACCES, Unknown),
        (errno.ECONNREFUSED, Counts),
        (errno.EHOSTUNREACH, Counts),
        (errno.ECONNRESET, Counts),
        (errno.EPROTO, Counts),
    ],
)
async def test_what_kept_us_from_asking_is_unknown_and_what_the_target_did_is_bad(monkeypatch, number, expected):
    async def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", refuse)
    async with asking() as signal:
        sample = await one(signal("http://127.0.0.1:9/"))
    assert isinstance(sample.reading, expected)


@pytest.mark.asyncio
async def test_a_timeout_noticed_too_late_because_our_loop_stood_still_is_unknown():
    async with FaultServer() as server, asking() as signal:
        polling = asyncio.create_task(one(signal(server.url("hang"))))
        await asyncio.sleep(0.05)
        time.sleep(TIMEOUT + 0.4)
        sample = await polling
    assert isinstance(sample.reading, Unknown)
    assert "our own loop stood still" in sample.detail


@pytest.mark.asyncio
async def test_waiting_for_a_connection_of_our_own_pool_is_not_the_targets_fault():
    clock = WorldClock()
    client = HttpClient(clock, per_host=1)
    async with FaultServer() as server:
        first = asyncio.create_task(client.exchange(Request(url=server.url("hang"), timeout_s=0.4)))
        await asyncio.sleep(0.02)
        waiting = HttpSignal("p", HttpCheck(url=server.url("ok"), timeout_s=0.1), client, clock)
        sample = await one(waiting)
        await first
        await client.close()
    assert isinstance(sample.reading, Unknown)
    assert "no free connection" in sample.detail
