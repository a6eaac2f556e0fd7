"""What every place for files must do, run on the directory and on the fake; and what a directory may suffer."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import pytest_asyncio

from watchdog.incidents import DirectoryFiles
from watchdog.incidents.paths import SEGMENT_LIMIT, check, folder, tidy
from watchdog.model import instant
from watchdog.ports import Unavailable
from watchdog.testing.clock import NEW_YEAR, WorldClock
from watchdog.testing.files import MemoryFiles

ROOT = Path(__file__).parents[2]


def names(place: Path) -> list[str]:
    return sorted(entry.name for entry in place.iterdir())


@pytest_asyncio.fixture(params=["directory", "memory"])
async def files(request, tmp_path):
    if request.param == "memory":
        yield MemoryFiles(WorldClock())
        return
    made = DirectoryFiles(tmp_path / "bundles", WorldClock())
    yield made
    await made.close()


@pytest_asyncio.fixture
async def directory(tmp_path):
    made = []

    def make(**limits):
        made.append(DirectoryFiles(tmp_path / "bundles", WorldClock(), **limits))
        return made[-1]

    yield make
    for entry in made:
        await entry.close()


@pytest.mark.asyncio
async def test_a_file_reads_back_and_is_named_with_size_digest_and_time(files):
    content = b"\x00\xff not text\n"
    written = await files.write("incident/logs/api.log", content)
    assert await files.read("incident/logs/api.log") == content
    assert written.path == "incident/logs/api.log"
    assert written.size == len(content)
    assert written.sha256 == hashlib.sha256(content).hexdigest()
    assert NEW_YEAR <= written.taken_at < NEW_YEAR + 60


@pytest.mark.asyncio
async def test_writing_again_replaces_the_file(files):
    await files.write("a/b.txt", b"a longer first content")
    await files.write("a/b.txt", b"second")
    assert await files.read("a/b.txt") == b"second"


@pytest.mark.asyncio
async def test_what_is_not_there_is_unavailable(files):
    with pytest.raises(Unavailable):
        await files.read("a/none.txt")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.", "a/b\x00c", "a\\..\\b", "a/b\n"]
)
async def test_a_path_that_leads_elsewhere_is_refused(files, path):
    with pytest.raises(ValueError, match="no relative path"):
        await files.write(path, b"x")
    with pytest.raises(ValueError, match="no relative path"):
        await files.read(path)


@pytest.mark.asyncio
async def test_the_location_is_what_a_person_can_open(files):
    await files.write("a/b.txt", b"x")
    assert files.location("a/b.txt").endswith("a/b.txt")


# -- the directory ---------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_files_and_folders_are_for_the_owner_alone(directory, tmp_path):
    await directory().write("a/b.txt", b"x")
    assert stat.S_IMODE((tmp_path / "bundles" / "a" / "b.txt").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "bundles" / "a").stat().st_mode) == 0o700
    assert names(tmp_path / "bundles" / "a") == ["b.txt"], "nothing is left aside"


@pytest.mark.asyncio
async def test_a_link_that_leads_out_is_not_followed(directory, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    place = tmp_path / "bundles"
    place.mkdir()
    (place / "way").symlink_to(outside)
    (place / "file").symlink_to(outside / "secret.txt")
    for path in ("way/x.txt", "file"):
        with pytest.raises(Unavailable, match="leads out"):
            await directory().write(path, b"x")
    for path in ("way/secret.txt", "file"):
        with pytest.raises(Unavailable, match="leads out"):
            await directory().read(path)
    assert names(outside) == ["secret.txt"]
    assert (outside / "secret.txt").read_text() == "secret"


@pytest.mark.asyncio
async def test_a_file_beyond_its_limit_is_refused_and_the_old_one_stays(directory):
    files = directory(file_limit=10)
    await files.write("a", b"1234567890")
    with pytest.raises(Unavailable, match="limit of a file"):
        await files.write("a", b"12345678901")
    assert await files.read("a") == b"1234567890"


@pytest.mark.asyncio
async def test_the_sum_of_all_files_is_bounded_also_over_a_restart(directory):
    first = directory(total_limit=100)
    await first.write("a", b"x" * 60)
    await first.write("a", b"x" * 80)
    with pytest.raises(Unavailable, match="80 of at most 100 bytes: remove old"):
        await first.write("b", b"x" * 21)
    second = directory(total_limit=100)
    with pytest.raises(Unavailable, match="80 of at most 100"):
        await second.write("b", b"x" * 21)
    await second.write("b", b"x" * 20)
    await second.write("a", b"x")
    await second.write("c", b"x" * 70)


@pytest.mark.asyncio
async def test_a_place_that_cannot_be_written_is_unavailable_and_is_tried_again(directory, tmp_path):
    (tmp_path / "bundles").write_text("a file where the folder should be")
    files = directory()
    with pytest.raises(Unavailable):
        await files.write("a", b"x")
    with pytest.raises(Unavailable):
        await files.read("a")
    (tmp_path / "bundles").unlink()
    await files.write("a", b"x")


@pytest.mark.asyncio
async def test_a_place_that_does_not_answer_is_unavailable_in_time(directory, monkeypatch):
    monkeypatch.setattr("watchdog.incidents.directory.CALL_S", 0.05)
    files = directory()
    stuck = threading.Event()
    with pytest.raises(Unavailable, match="no answer"):
        await files._call(lambda: stuck.wait(30))
    with pytest.raises(Unavailable, match="no answer"):
        await files.write("a", b"x")
    stuck.set()


@pytest.mark.asyncio
async def test_a_write_that_fails_leaves_the_old_file_and_nothing_aside(directory, tmp_path, monkeypatch):
    files = directory()
    await files.write("a/b", b"old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("watchdog.incidents.directory.os.fsync", fail)
    with pytest.raises(Unavailable, match="No space left"):
        await files.write("a/b", b"new")
    assert names(tmp_path / "bundles" / "a") == ["b"]
    assert await files.read("a/b") == b"old"


WRITER = """
import asyncio, sys
from pathlib import Path
from watchdog.incidents import DirectoryFiles
from watchdog.testing.clock import WorldClock

async def main():
    files = DirectoryFiles(Path(sys.argv[1]), WorldClock())
    n = 0
    while True:
        n += 1
        await files.write("incident/report.md", str(n % 10).encode() * (200_000 + n))
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.mark.asyncio
async def test_kill_nine_during_a_write_leaves_the_old_or_the_new_file_and_never_half(directory, tmp_path):
    report = tmp_path / "bundles" / "incident" / "report.md"
    for round_number in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "bundles")], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(5 + 7 * round_number):
            written = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:
            written = int(line) if line.endswith("\n") else written
        process.wait()
        process.stdout.close()
        content = report.read_bytes()
        number = len(content) - 200_000
        assert written <= number <= written + 1
        assert content == str(number % 10).encode() * len(content)
    (report.parent / ".report.md.part").write_bytes(b"half")
    files = directory()
    await files.write("incident/other", b"x")
    assert names(report.parent) == ["other", "report.md"], "what a crash left is removed"


# -- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["logs/api.log", "a b/c:d?.json", "näme/ü.log", "x" * 400 + "/" + "y" * 400 + ".jsonl", "a/.hidden", "a/%s"]
)
def test_a_tidy_path_is_always_acceptable_and_stays_when_it_was(path):
    name = tidy(path)
    assert check(name) == name
    assert tidy(name) == name
    assert all(len(segment) <= SEGMENT_LIMIT for segment in name.split("/"))
    assert name.endswith(path[-5:]) or "." not in path[-6:] or "ü" in path


def test_two_names_never_become_one():
    names = ["a:b.log", "a?b.log", "a-b.log", "x" * 200, "x" * 201]
    assert len({tidy(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["", "...", "../../etc", "a/b", ".git", "books-1f2e"])
def test_the_folder_of_an_incident_is_one_plain_segment(name):
    assert check(folder(name)) == folder(name)
    assert "/" not in folder(name)
    assert not folder(name).startswith(".")


# -- the fake --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_fake_is_read_only_unavailable_or_hanging_when_told_to():
    files = MemoryFiles(WorldClock())
    await files.write("a", b"x")
    files.read_only = True
    with pytest.raises(Unavailable):
        await files.write("a", b"y")
    assert await files.read("a") == b"x"
    files.unavailable = True
    with pytest.raises(Unavailable):
        await files.read("a")
    files.read_only = files.unavailable = False
    files.hang = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await files.write("a", b"y")
    files.hang = False
    await files.write("a", b"y")


# -- room ------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_what_is_kept_or_young_stays_when_room_is_made(files):
    for name in ("open", "closed"):
        await files.write(f"{name}/report.md", b"x")
    assert list(await files.make_room({"open"}, instant(0.0))) == []
    assert list(await files.make_room({"open"}, instant(time.time() + 60))) == ["closed"]
    assert await files.read("open/report.md") == b"x"
    with pytest.raises(Unavailable):
        await files.read("closed/report.md")


@pytest.mark.asyncio
async def test_short_of_room_the_longest_untouched_go_first_and_only_as_many_as_needed(directory, tmp_path):
    files = directory(total_limit=1000)
    for number, name in enumerate(("first", "open", "second", "third")):
        await files.write(f"{name}/log", b"x" * 240)
        os.utime(tmp_path / "bundles" / name / "log", (1000 + number, 1000 + number))
        os.utime(tmp_path / "bundles" / name, (1000 + number, 1000 + number))
    assert list(await files.make_room({"open"}, instant(0.0))) == ["first"]
    assert names(tmp_path / "bundles") == ["open", "second", "third"]
    await files.write("fourth/log", b"x" * 240)


@pytest.mark.asyncio
async def test_a_link_among_the_bundles_is_followed_by_nobody(directory, tmp_path):
    files = directory()
    await files.write("closed/report.md", b"x")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("stays")
    (tmp_path / "bundles" / "link").symlink_to(outside)
    await files.make_room(set(), instant(time.time() + 60))
    assert (outside / "precious").read_text() == "stays"
    assert names(tmp_path / "bundles") == ["link"]
