"""What every lease must do, run on the lock file and on the fake; and what a lock file may suffer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from watchdog.ports import Held, LeaseUnknown, NotHolder
from watchdog.stores import FileLease, lock_path
from watchdog.testing.leases import FakeLease, LeaseDesk

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["file", "fake"])
def contender(request, tmp_path):
    """Makes leases of one name that contend with one another."""
    desk = LeaseDesk()
    if request.param == "file":
        return lambda holder: FileLease(tmp_path / "state.db.lock", holder)
    return lambda holder: FakeLease(holder, desk)


@pytest.mark.asyncio
async def test_before_it_is_asked_for_it_is_unknown_and_not_held(contender):
    assert isinstance(contender("one").state(), LeaseUnknown)


@pytest.mark.asyncio
async def test_the_first_holds_it_and_knows_without_asking(contender):
    lease = contender("one")
    assert isinstance(await lease.acquire(), Held)
    assert isinstance(lease.state(), Held)
    assert lease.state().remaining > 5
    assert isinstance(await lease.acquire(), Held)
    await lease.release()


@pytest.mark.asyncio
async def test_the_second_is_told_who_holds_it_and_does_not_wait(contender):
    first, second = contender("one"), contender("two")
    await first.acquire()
    state = await second.acquire()
    assert isinstance(state, NotHolder)
    assert "one" in state.holder
    assert second.state() == state
    assert isinstance(first.state(), Held)
    await first.release()


@pytest.mark.asyncio
async def test_after_release_it_is_not_held_and_another_can_take_it(contender):
    first, second = contender("one"), contender("two")
    await first.acquire()
    await first.release()
    assert isinstance(first.state(), NotHolder)
    assert isinstance(await second.acquire(), Held)
    assert isinstance(await first.acquire(), NotHolder)
    await second.release()


@pytest.mark.asyncio
async def test_releasing_what_another_holds_takes_nothing_from_it(contender):
    first, second = contender("one"), contender("two")
    await first.acquire()
    await second.acquire()
    await second.release()
    assert isinstance(first.state(), Held)
    assert isinstance(await second.acquire(), NotHolder)
    await first.release()


# -- the lock file ---------------------------------------------------------------------------------------------------


def test_the_lock_lies_beside_its_database():
    assert lock_path(Path("/data/state.db")) == Path("/data/state.db.lock")


@pytest.mark.asyncio
async def test_the_lock_file_names_its_holder_and_is_for_the_owner_alone(tmp_path):
    path = tmp_path / "state.db.lock"
    path.write_text("somebody with a very long name was here before, on another host\n")
    path.chmod(0o600)
    lease = FileLease(path, "watchdog on host-a")
    await lease.acquire()
    assert path.read_text() == f"watchdog on host-a (pid {os.getpid()})\n"
    await lease.release()
    assert path.exists(), "the file stays: removing it would let two lock two files"


HOLDER = """
import asyncio, sys
from pathlib import Path
from watchdog.stores import FileLease
lease = FileLease(Path(sys.argv[1]), "other")
print(type(asyncio.run(lease.acquire())).__name__, flush=True)
sys.stdin.readline()
"""


@pytest.mark.asyncio
async def test_the_kernel_lets_go_when_the_holder_is_killed(tmp_path):
    path = tmp_path / "state.db.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout.readline() == "Held\n"
    lease = FileLease(path, "me")
    state = await lease.acquire()
    assert isinstance(state, NotHolder)
    assert f"pid {process.pid}" in state.holder
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    assert isinstance(await lease.acquire(), Held)
    await lease.release()


@pytest.mark.asyncio
@pytest.mark.parametrize("replaced", [True, False])
async def test_a_lock_file_removed_or_replaced_under_us_is_no_longer_held(tmp_path, replaced):
    path = tmp_path / "state.db.lock"
    lease = FileLease(path, "me")
    await lease.acquire()
    path.unlink()
    rival = FileLease(path, "rival")
    if replaced:
        assert isinstance(await rival.acquire(), Held)
    assert isinstance(lease.state(), LeaseUnknown)
    assert isinstance(await lease.acquire(), LeaseUnknown)
    await lease.release()
    await rival.release()


@pytest.mark.asyncio
async def test_a_lock_file_that_cannot_be_made_is_unknown_and_is_tried_again(tmp_path):
    blocker = tmp_path / "data"
    blocker.write_text("a file where the folder should be")
    lease = FileLease(blocker / "state.db.lock", "me")
    state = await lease.acquire()
    assert isinstance(state, LeaseUnknown)
    assert "state.db.lock" in state.reason
    blocker.unlink()
    assert isinstance(await lease.acquire(), Held)
    await lease.release()


@pytest.mark.asyncio
async def test_a_lock_on_a_network_share_is_unknown(tmp_path, monkeypatch):
    table = tmp_path / "mounts"
    table.write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr("watchdog.stores.places.MOUNTS", table)
    lease = FileLease(tmp_path / "state.db.lock", "me")
    state = await lease.acquire()
    assert isinstance(state, LeaseUnknown)
    assert "nfs4" in state.reason


# -- the fake --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_fake_says_what_it_is_told_to_until_it_is_let_go():
    lease = FakeLease(held=True)
    lease.force(LeaseUnknown(reason="no answer"))
    assert lease.state() == await lease.acquire() == LeaseUnknown(reason="no answer")
    lease.force(None)
    assert isinstance(lease.state(), Held)
    lease.remaining = 3.0
    assert lease.state().remaining == 3.0
