"""The bookstore's real processes: releases behave as named, readers notice, a rollback helps, nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import time

import pytest
import pytest_asyncio

from tests.platforms.contract import execute, intent_of
from watchdog.clients.http import HttpClient
from watchdog.model import Counts, Issue, Progress, Resolution
from watchdog.platforms.command import CommandPlatform, Commands, CommandWriter
from watchdog.ports import PollContext, Unavailable
from watchdog.safety.permits import PermitOffice
from watchdog.signals.http import HttpCheck, HttpSignal, Pods
from watchdog.testing.bookstore import Bookstore
from watchdog.testing.bookstore.speech import ask
from watchdog.testing.clock import WorldClock


def processes(directory: pathlib.Path) -> list[str]:
    """Command lines of what runs for the store in `directory`: the manager names it, the others descend from it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            here = f"PWDMARK={directory}".encode() in (entry / "environ").read_bytes().split(b"\0")
            if here and b"-m" in words:
                found.append(b" ".join(words).decode())
    return found


async def none_left(directory: pathlib.Path) -> list[str]:
    for _ in range(100):
        if not processes(directory):
            break
        await asyncio.sleep(0.05)
    return processes(directory)


@pytest_asyncio.fixture
async def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PWDMARK", str(tmp_path))
    yield tmp_path
    assert not await none_left(tmp_path)


@contextlib.asynccontextmanager
async def asking():
    clock = WorldClock()
    client = HttpClient(clock)
    try:
        yield lambda name, **check: HttpSignal(name, HttpCheck(**check), client, clock)
    finally:
        await client.close()


async def seen(signal, polls: int, context=None) -> Counts:
    samples = [sample for _ in range(polls) for sample in await signal.poll(context or PollContext())]
    return Counts(good=sum(s.reading.good for s in samples), bad=sum(s.reading.bad for s in samples))


class Watched:
    """The command platform over a bookstore."""

    def __init__(self, store: Bookstore) -> None:
        self.clock, self.office = WorldClock(), PermitOffice(b"sixteen secret b")
        commands = Commands(
            current=store.ctl_argv("current"), history=store.ctl_argv("history"), rollback=store.ctl_argv("rollback")
        )
        self.platform = CommandPlatform("bookstore", commands, self.clock)
        self.writer = CommandWriter("bookstore", commands, self.clock, self.office)


@pytest.mark.asyncio
async def test_a_good_release_reaches_every_instance_without_a_reader_noticing(home):
    began = time.monotonic()
    async with Bookstore.start(home, release="1.1") as store:
        assert time.monotonic() - began < 15  # 1 to 2 s on an idle machine
        assert stat.S_IMODE((home / "bookstore.json").stat().st_mode) == 0o600
        await store.deploy("1.2")
        during = await store.current()
        assert (during["release"], during["in_progress"], during["complete"]) == ("1.2", True, False)
        await store.settled()
        await asyncio.sleep(0.1)
        state = await Watched(store).platform.read_state()
        assert (state.release.fingerprint, state.complete, state.in_progress) == ("1.2", True, False)
        assert [(entry.name, entry.release) for entry in state.instances] == [
            ("api-0", "1.2"),
            ("api-1", "1.2"),
            ("api-2", "1.2"),
        ]
        page = await ask(int(store.front_url.rpartition(":")[2]), "/")
        assert b"Middlemarch, by George Eliot" in page.body
        async with asyncio.timeout(10):
            while store.reader_counts().total < 60:
                await asyncio.sleep(0.05)
        counts = store.reader_counts()
        assert counts.failed == 0
        assert len(processes(home)) >= 8
    assert (await store_is_closed(store)) is True


async def store_is_closed(store: Bookstore) -> bool:
    with contextlib.suppress(OSError):
        await store.current()
        return False
    return True


@pytest.mark.asyncio
async def test_err30_fails_a_third_of_the_books_while_health_is_fine_and_a_rollback_restores(home):
    async with Bookstore.start(home, release="1.1", rate=10) as store, asking() as signal:
        books = signal("books", url=f"{store.api_url}/api/books")
        pods = signal("pods", pods=Pods(path="/api/books"))
        health = signal("health", url=f"{store.api_url}/health")
        watched = Watched(store)
        good = (await watched.platform.read_state()).release
        assert (await seen(books, 20)).bad == 0
        await store.deploy("1.2-err30")
        await store.settled()
        state = await watched.platform.read_state()
        counts = await seen(books, 120)
        assert 11 <= counts.bad <= 61  # 36 expected; 5 standard deviations
        assert (await seen(health, 20)).bad == 0
        per_pod = await pods.poll(PollContext(state=state))
        assert [(sample.instance, sample.release) for sample in per_pod] == [
            ("api-0", "1.2-err30"),
            ("api-1", "1.2-err30"),
            ("api-2", "1.2-err30"),
        ]
        assert (await store.stats())["1.2-err30"]["bad"] >= counts.bad
        assert (await store.stats())["1.1"]["bad"] == 0

        plan = await watched.platform.plan(state, good, "incident-1")
        intent = intent_of(plan)
        outcome = await execute(watched, intent)
        assert outcome.issue is Issue.ISSUED, outcome.sentence
        await store.settled()
        assert await watched.platform.resolve(intent) is Resolution.ISSUED
        assert (await watched.platform.confirm(intent)).progress is Progress.OBSERVED
        assert (await seen(books, 50)).bad == 0
        assert store.reader_counts().failed > 0
        assert store.reader_counts().first_failed is not None


@pytest.mark.asyncio
async def test_a_crashing_release_is_restarted_again_and_again_and_readers_notice(home):
    async with Bookstore.start(home) as store:
        await store.deploy("1.1-crash")
        await store.settled()
        began = asyncio.get_running_loop().time()
        down = False
        while not (down and store.reader_counts().failed):
            down = down or not all(entry["ready"] for entry in (await store.current())["instances"])
            assert asyncio.get_running_loop().time() - began < 20
            await asyncio.sleep(0.05)
        assert (await store.current())["complete"]  # rolled out it is; well it is not
        assert processes(home)


@pytest.mark.asyncio
async def test_a_broken_database_fails_every_release_and_says_so_itself(home):
    async with Bookstore.start(home, rate=0) as store, asking() as signal:
        books, database = signal("books", url=f"{store.api_url}/api/books"), signal("db", url=store.database_url)
        store.dependency(down=True)
        assert await seen(books, 5) == Counts(good=0, bad=5)
        assert await seen(database, 2) == Counts(good=0, bad=2)
        await store.deploy("1.1")
        await store.settled()
        assert await seen(books, 5) == Counts(good=0, bad=5)
        store.dependency(down=False)
        assert await seen(books, 5) == Counts(good=5, bad=0)
        assert await seen(database, 2) == Counts(good=2, bad=0)


@pytest.mark.asyncio
async def test_an_unready_release_is_stuck_with_the_old_one_still_serving_and_can_be_taken_back(home):
    async with Bookstore.start(home, rate=0) as store, asking() as signal:
        await store.deploy("1.1-unready")
        watched = Watched(store)
        async with asyncio.timeout(20):
            while not (state := await watched.platform.read_state()).stuck:
                await asyncio.sleep(0.1)
        assert "does not become healthy" in state.stuck
        assert (state.complete, state.in_progress) == (False, True)
        assert (await seen(signal("books", url=f"{store.api_url}/api/books"), 10)).bad == 0
        plan = await watched.platform.plan(state, (await watched.platform.history())[1], "incident-1")
        assert (await execute(watched, intent_of(plan))).issue is Issue.ISSUED
        await store.settled()
        assert (await store.current())["release"] == "1.0"


@pytest.mark.asyncio
async def test_the_control_program_keeps_the_contract_of_the_command_platform(home):
    async with Bookstore.start(home, rate=0) as store:

        def ctl(*words):
            done = subprocess.run(store.ctl_argv(*words), capture_output=True, text=True, timeout=20, check=False)
            return done.returncode, done.stdout, done.stderr

        assert ctl("deploy", "1.1")[0] == 0
        assert ctl("rollback", "1.0", "1.1", "i-1")[0] == 3
        assert ctl("rollback", "1.1", "0.9", "i-1")[0] == 1
        assert ctl("rollback", "1.1", "1.0", "i-1")[0] == 0
        assert ctl("deploy", "1.2")[0] == 0
        assert ctl("rollback", "1.1", "1.0", "i-1")[0] == 0  # the same again: answered, not done
        code, out, _ = ctl("current")
        assert (code, json.loads(out)["release"], json.loads(out)["intent"]) == (0, "1.2", "i-1")
        assert [entry["release"] for entry in json.loads(ctl("history")[1])] == ["1.0", "1.1", "1.0", "1.2"]
        assert ctl("deploy", "1.3-er30")[0] == 1
        assert "means nothing" in ctl("deploy", "1.3-er30")[2]
        for wrong in (("current", "now"), ("rollback", "1.2"), ("restart",), ()):
            assert ctl(*wrong)[0] == 1
            assert "usage" in ctl(*wrong)[2]
        known = json.loads((home / "bookstore.json").read_text())
        assert (await ask(known["control"], "/current", headers={"X-Token": "guess"})).status == 403
    assert ctl("current")[0] == 1
    with pytest.raises(Unavailable, match="does not answer"):
        await Watched(store).platform.read_state()


@pytest.mark.asyncio
async def test_nothing_is_left_when_the_process_that_opened_the_store_is_killed(home):
    text = f"""
import asyncio
from watchdog.testing.bookstore import Bookstore

async def main():
    async with Bookstore.start({str(home)!r}) as store:
        print("open", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, stdout=asyncio.subprocess.PIPE)
    assert await process.stdout.readline() == b"open\n"
    assert len(processes(home)) >= 8
    process.kill()
    await process.wait()
    assert not await none_left(home)


@pytest.mark.asyncio
async def test_nothing_is_left_when_the_manager_is_killed(home):
    async with Bookstore.start(home) as store:
        os.kill(store._process.pid, signal.SIGKILL)
        assert not await none_left(home)


@pytest.mark.asyncio
async def test_a_store_that_cannot_open_says_why_and_leaves_nothing(home):
    with pytest.raises(OSError, match="the suffix 'er30' means nothing"):
        async with Bookstore.start(home, release="1.0-er30"):
            pass
