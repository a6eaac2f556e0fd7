"""The SQLite file under crashes, damage, foreign hands and full disks."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
import pytest_asyncio

from watchdog.ports import StoreDamaged, StoreUnavailable
from watchdog.stores import SqliteStore
from watchdog.stores.places import filesystem, prepare
from watchdog.testing.clock import WorldClock

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def opened():
    """Open stores by path; all of them are closed at the end."""
    stores = []

    async def open_store(path, **settings):
        store = SqliteStore(path, WorldClock(), **settings)
        stores.append(store)
        await store.open()
        return store

    yield open_store
    for store in stores:
        await store.close()


# -- what is kept ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_documents_versions_and_cursors_outlive_the_process(opened, tmp_path):
    first = await opened(tmp_path / "state.db")
    kept = await first.create("unit/x", {"n": 1})
    cursor, _ = await first.changes("")
    await first.create("unit/y", {})
    await first.close()
    second = await opened(tmp_path / "state.db")
    assert await second.read("unit/x") == kept
    assert list((await second.changes(cursor))[1]) == ["unit/y"]
    assert not await second.found_empty()


@pytest.mark.asyncio
async def test_the_file_its_log_and_its_folder_are_for_the_owner_alone(opened, tmp_path):
    path = tmp_path / "made" / "state.db"
    store = await opened(path)
    await store.create("unit/x", {})
    for found in (path, path.with_name("state.db-wal"), path.with_name("state.db-shm")):
        assert stat.S_IMODE(found.stat().st_mode) == 0o600, found
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.asyncio
async def test_a_file_that_others_could_read_is_tightened(opened, tmp_path):
    path = tmp_path / "state.db"
    await (await opened(path)).close()
    path.chmod(0o644)
    await opened(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.asyncio
async def test_every_commit_is_synced_and_written_ahead(opened, tmp_path):
    store = await opened(tmp_path / "state.db")
    assert await store._ask(lambda db: db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    assert await store._ask(lambda db: db.execute("PRAGMA synchronous").fetchone()) == (2,)


@pytest.mark.asyncio
async def test_all_work_is_done_in_one_thread_that_is_not_the_default_executors(opened, tmp_path):
    store = await opened(tmp_path / "state.db")
    names = await asyncio.gather(*(store._ask(lambda _: threading.current_thread().name) for _ in range(20)))
    assert len(set(names)) == 1
    assert names[0].startswith("watchdog-store")


# -- crashes ---------------------------------------------------------------------------------------------------------


def frames(log: bytes) -> list[int]:
    """Byte offsets at which a frame of the write-ahead log ends."""
    page_size = struct.unpack(">I", log[8:12])[0]
    return list(range(32, len(log) + 1, 24 + page_size))


@pytest.mark.asyncio
async def test_a_log_cut_at_or_inside_any_frame_gives_the_old_or_the_new_document_and_never_half(opened, tmp_path):
    live = tmp_path / "live" / "state.db"
    writer = await opened(live)
    old = {"n": "old", "body": "o" * 30_000}
    new = {"n": "new", "body": "N" * 50_000}
    stored = await writer.create("incident/x", old)
    before = live.with_name("state.db-wal").stat().st_size
    await writer.replace("incident/x", new, stored.version)
    log = live.with_name("state.db-wal").read_bytes()
    ends = frames(log)
    assert len([end for end in ends if end > before]) > 5, "the new document spans several frames"
    seen = []
    for cut in sorted({min(end + off, len(log)) for end in ends for off in (0, 7, 1000)}):
        path = tmp_path / f"cut{cut}" / "state.db"
        path.parent.mkdir()
        shutil.copy(live, path)
        path.with_name("state.db-wal").write_bytes(log[:cut])
        store = await opened(path)
        found = await store.read("incident/x")
        document = None if found is None else found.document
        assert document in ((None, old) if cut < before else (old, new)), f"cut at {cut} of {len(log)}"
        await store.create("unit/after", {})
        await store.close()
        seen.append("none" if document is None else document["n"])
    assert seen[-1] == "new"
    assert "old" in seen


WRITER = """
import asyncio, sys
from pathlib import Path
from watchdog.stores import SqliteStore
from watchdog.testing.clock import WorldClock

async def main():
    store = SqliteStore(Path(sys.argv[1]), WorldClock())
    await store.open()
    found = await store.read("unit/counter") or await store.create("unit/counter", {"n": 0})
    while True:
        n = found.document["n"] + 1
        found = await store.replace("unit/counter", {"n": n, "again": n, "pad": "x" * (n % 7) * 2000}, found.version)
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.asyncio
async def test_kill_nine_of_a_real_writer_loses_nothing_that_was_acknowledged(opened, tmp_path):
    path = tmp_path / "state.db"
    acknowledged = 0
    for round_number in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(23 + 11 * round_number):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:  # what it said before it died
            if line.endswith("\n"):
                acknowledged = int(line)
        process.wait()
        process.stdout.close()
        store = await opened(path)
        document = (await store.read("unit/counter")).document
        assert document["n"] >= acknowledged
        assert document["n"] <= acknowledged + 1, "at most the one write whose reply was lost"
        assert document["again"] == document["n"]
        await store.close()
    assert acknowledged > 100


@pytest.mark.asyncio
async def test_a_write_that_failed_half_way_leaves_nothing(opened, tmp_path):
    store = await opened(tmp_path / "state.db")
    kept = await store.create("unit/x", {"n": 1})

    def half(db):
        db.execute("UPDATE documents SET document = '{}'")
        raise sqlite3.OperationalError("torn")

    with pytest.raises(StoreUnavailable, match="torn"):
        await store._write(half)
    assert await store.read("unit/x") == kept
    await store.replace("unit/x", {"n": 2}, kept.version)


# -- what is refused -------------------------------------------------------------------------------------------------


async def refused(path: Path, match: str) -> None:
    before = path.read_bytes()
    store = SqliteStore(path, WorldClock())
    with pytest.raises(StoreDamaged, match=match) as caught:
        await store.open()
    assert str(path) in str(caught.value)
    with pytest.raises(StoreUnavailable):
        await store.create("unit/x", {})
    with pytest.raises(StoreUnavailable):
        await store.read("unit/x")
    await store.close()
    assert path.read_bytes() == before, "a refused file is never written to"


async def filled(opened, path: Path) -> None:
    store = await opened(path)
    for n in range(60):
        await store.create(f"unit/{n}", {"body": "x" * 1500})
    await store.close()


@pytest.mark.asyncio
async def test_a_file_of_a_newer_version_is_refused_with_what_to_do(opened, tmp_path):
    path = tmp_path / "state.db"
    await filled(opened, path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    await refused(path, r"newer watchdog \(form 99.*Start that version again, or restore")


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [b"not a database, only some text " * 40, b"short", b"\0" * 8192])
async def test_a_file_that_is_no_database_is_refused(tmp_path, content):
    path = tmp_path / "state.db"
    path.write_bytes(content)
    await refused(path, "restore it from a backup, or move it away")


@pytest.mark.asyncio
async def test_a_damaged_page_is_found_at_opening(opened, tmp_path):
    path = tmp_path / "state.db"
    await filled(opened, path)
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(content)
    await refused(path, "damaged")


@pytest.mark.asyncio
async def test_a_truncated_file_is_refused(opened, tmp_path):
    path = tmp_path / "state.db"
    await filled(opened, path)
    os.truncate(path, path.stat().st_size // 2)
    await refused(path, "damaged")


@pytest.mark.asyncio
async def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE customers (name TEXT)")
    db.close()
    await refused(path, "another program")


@pytest.mark.asyncio
async def test_a_file_without_our_tables_is_refused(opened, tmp_path):
    path = tmp_path / "state.db"
    await filled(opened, path)
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE documents")
    db.close()
    await refused(path, "tables are missing")


@pytest.mark.asyncio
async def test_one_unreadable_document_makes_its_kind_unknown_and_others_stay_known(opened, tmp_path):
    store = await opened(tmp_path / "state.db")
    await store.create("pause/x", {})
    kept = await store.create("unit/x", {})
    await store._write(lambda db: db.execute("UPDATE documents SET document = '[1' WHERE key = 'pause/x'"))
    with pytest.raises(StoreUnavailable, match="pause/x"):
        await store.read("pause/x")
    with pytest.raises(StoreUnavailable, match="pause/x"):
        await store.list("pause")
    assert await store.list("unit") == [kept]


@pytest.mark.asyncio
async def test_a_file_replaced_under_us_takes_no_more_writes_and_is_used_again_when_put_back(opened, tmp_path):
    path = tmp_path / "state.db"
    store = await opened(path)
    kept = await store.create("unit/x", {"n": 1})
    path.rename(tmp_path / "moved.db")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.create("unit/y", {})
    assert not path.exists(), "no empty state is made in its place"
    path.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="replaced"):
        await store.create("unit/y", {})
    assert await store.read("unit/x") == kept
    (tmp_path / "moved.db").rename(path)
    await store.create("unit/y", {})


# -- network filesystems ---------------------------------------------------------------------------------------------

TABLE = """overlay / overlay rw 0 0
//files/share /var/lib/watchdog cifs rw 0 0
server:/x /srv/with\\040space nfs4 rw 0 0
/dev/sdb /var/lib/watchdog/disk ext4 rw 0 0
first /twice nfs rw 0 0
second /twice ext4 rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/watchdog", "cifs"),
        ("/var/lib/watchdog/deep/er", "cifs"),
        ("/var/lib/watchdog/disk/x", "ext4"),
        ("/var/lib/watchdogs", "overlay"),
        ("/srv/with space/x", "nfs4"),
        ("/twice", "ext4"),
    ],
)
def test_the_filesystem_of_a_folder_is_that_of_its_deepest_mount(folder, kind):
    assert filesystem(Path(folder), TABLE) == kind


@pytest.mark.asyncio
async def test_a_network_share_is_refused_with_the_reason(tmp_path, monkeypatch):
    table = tmp_path / "mounts"
    table.write_text(f"//files/share {str(tmp_path).replace(' ', chr(92) + '040')} smb3 rw 0 0\n")
    monkeypatch.setattr("watchdog.stores.places.MOUNTS", table)
    store = SqliteStore(tmp_path / "state.db", WorldClock())
    with pytest.raises(StoreDamaged, match=r"smb3 share.*local disk"):
        await store.open()
    await store.close()
    assert not (tmp_path / "state.db").exists()


def test_without_a_mount_table_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("watchdog.stores.places.MOUNTS", tmp_path / "none")
    prepare(tmp_path / "sub" / "state.db")
    assert (tmp_path / "sub").is_dir()


# -- disks that say no -----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_store_that_cannot_be_opened_yet_is_opened_by_a_later_call(tmp_path):
    blocker = tmp_path / "data"
    blocker.write_text("a file where the folder should be")
    store = SqliteStore(blocker / "state.db", WorldClock())
    with pytest.raises(StoreUnavailable):
        await store.open()
    with pytest.raises(StoreUnavailable):
        await store.list("pause")
    with pytest.raises(StoreUnavailable):
        await store.found_empty()
    blocker.unlink()
    await store.create("unit/x", {})
    assert await store.found_empty()
    await store.close()


@pytest.mark.asyncio
async def test_a_lock_held_by_another_process_is_unavailable_and_passes(opened, tmp_path, monkeypatch):
    monkeypatch.setattr("watchdog.stores.sqlite.BUSY_S", 0.05)
    store = await opened(tmp_path / "state.db")
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.create("unit/x", {})
    assert await store.read("unit/x") is None
    other.execute("ROLLBACK")
    other.close()
    await store.create("unit/x", {})


@pytest.mark.asyncio
async def test_a_call_that_gets_no_answer_ends_by_its_deadline_and_close_does_too(opened, tmp_path, monkeypatch):
    monkeypatch.setattr("watchdog.stores.sqlite.CLOSE_S", 0.05)
    store = await opened(tmp_path / "state.db", call_s=0.05)
    stuck = threading.Event()
    with pytest.raises(StoreUnavailable, match="no answer"):
        await store._ask(lambda _: stuck.wait(30))
    with pytest.raises(StoreUnavailable, match="no answer"):
        await store.read("unit/x")
    await store.close()
    stuck.set()


NEEDS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("mount") is None,
    reason="needs root and unshare(1) to mount a small disk of its own",
)

SMALL_DISK = """
import asyncio, os, sys
from pathlib import Path
from watchdog.ports import StoreUnavailable
from watchdog.stores import SqliteStore
from watchdog.testing.clock import WorldClock

async def failing(store, key):
    try:
        for n in range(40):
            await store.create(f"{key}{n}", {"body": "x" * 20000})
    except StoreUnavailable as error:
        return str(error)
    return ""

async def main():
    disk = Path(sys.argv[1])
    store = SqliteStore(disk / "state.db", WorldClock())
    await store.open()
    kept = await store.create("unit/kept", {"n": 1})
    ballast = os.open(disk / "ballast", os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(ballast, b"x" * 4096)
    except OSError:
        os.close(ballast)
    print("full:", await failing(store, "unit/a"))
    assert await store.read("unit/kept") == kept
    assert [found.key for found in await store.list("unit")][-1] == "unit/kept"
    (disk / "ballast").unlink()
    await store.create("unit/later", {})
    print("after:", (await store.read("unit/later")).key)
    await store.close()

asyncio.run(main())
"""


@NEEDS_ROOT
def test_a_full_disk_fails_writes_lets_reads_go_on_and_recovers_by_itself(tmp_path):
    script = f'mount -t tmpfs -o size=400k none "{tmp_path}" && exec "{sys.executable}" -c "$0" "{tmp_path}"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, SMALL_DISK], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "full" in done.stdout.splitlines()[0].partition(":")[2]
    assert done.stdout.splitlines()[1] == "after: unit/later"


OPENED_ON_A_BAD_DISK = """
import asyncio, os, subprocess, sys
from pathlib import Path
from watchdog.ports import StoreUnavailable
from watchdog.stores import SqliteStore
from watchdog.testing.clock import WorldClock

async def unknown(store):
    for call in (store.open(), store.read("unit/kept"), store.found_empty(), store.create("unit/x", {})):
        try:
            await call
        except StoreUnavailable:
            continue
        raise SystemExit("answered")

async def main():
    disk = Path(sys.argv[1])
    first = SqliteStore(disk / "state.db", WorldClock())
    await first.open()
    kept = await first.create("unit/kept", {"n": 1})
    await first.close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    store = SqliteStore(disk / "state.db", WorldClock())
    await unknown(store)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert await store.read("unit/kept") == kept
    assert not await store.found_empty()
    await store.create("unit/x", {})
    await store.close()
    print("fine")

asyncio.run(main())
"""


@NEEDS_ROOT
def test_opened_on_a_read_only_disk_everything_is_unknown_and_becomes_known_when_it_mends(tmp_path):
    script = f'mount -t tmpfs -o size=400k none "{tmp_path}" && exec "{sys.executable}" -c "$0" "{tmp_path}"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, OPENED_ON_A_BAD_DISK],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.stdout == "fine\n", done.stderr


READ_ONLY = """
import asyncio, os, sys
from pathlib import Path
from watchdog.ports import StoreUnavailable
from watchdog.stores import SqliteStore
from watchdog.testing.clock import WorldClock

async def main():
    path = Path(sys.argv[1])
    os.setgid(65534), os.setuid(65534)
    store = SqliteStore(path, WorldClock())
    await store.open()
    print("read:", (await store.read("unit/kept")).document["n"])
    for _ in range(2):
        try:
            await store.create("unit/x", {})
        except StoreUnavailable as error:
            print("write:", error)
    print("read:", (await store.read("unit/kept")).document["n"])
    print("wait", flush=True)
    sys.stdin.readline()
    await store.create("unit/x", {})
    print("wrote", flush=True)
    await store.close()

asyncio.run(main())
"""


@pytest.mark.asyncio
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a file that another user may only read")
async def test_a_read_only_file_fails_writes_lets_reads_go_on_and_recovers_by_itself(opened):
    folder = Path(tempfile.mkdtemp())  # the test's own folder is not open to other users
    folder.chmod(0o777)
    try:
        path = folder / "state.db"
        store = await opened(path)
        await store.create("unit/kept", {"n": 7})
        await store.close()
        path.chmod(0o444)
        process = subprocess.Popen(
            [sys.executable, "-c", READ_ONLY, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        )  # fmt: skip
        lines = []
        while not lines or lines[-1] not in ("wait\n", ""):
            lines.append(process.stdout.readline())
        assert [line.partition(":")[0] for line in lines] == ["read", "write", "write", "read", "wait\n"], lines
        assert "readonly" in lines[1]
        path.chmod(0o666)
        rest, _ = process.communicate("\n", timeout=20)
        assert rest == "wrote\n"
    finally:
        shutil.rmtree(folder)
