"""Evidence: redacted, capped, within its time box, and honest about what is missing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from tests.incidents.worlds import CANARY, recovered, samples, suspected
from watchdog.incidents import Caps, Capture, bundle, capture
from watchdog.incidents.capture import MARGIN
from watchdog.redaction import Redactor
from watchdog.redaction.redactor import PIECE
from watchdog.testing.clock import WorldClock
from watchdog.testing.files import MemoryFiles

KIB = 1024


class Source:
    """A source made of one coroutine function."""

    def __init__(self, gather):
        self._gather = gather

    async def gather(self, keep, incident):
        await self._gather(keep)


@pytest.fixture
def clock():
    return WorldClock()


@pytest.fixture
def files(clock):
    return MemoryFiles(clock)


def sink(place, clock, **caps) -> Capture:
    return Capture("books", place, Redactor(), clock, Caps(**caps))


async def run(files, clock, *gathers, incident=None, box_s=15.0, **settings):
    sources = [Source(gather) for gather in gathers]
    incident = suspected() if incident is None else incident
    return await capture(
        sources, incident, files=files, redactor=Redactor(), clock=clock, box_s=box_s, samples=samples(), **settings
    )


def missing(evidence, what) -> list[str]:
    return [line for line in evidence.missing if line.startswith(what)]


# -- one part --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_log_is_kept_redacted_with_a_note_of_what_was_taken(files, clock):
    keep = sink(files, clock)
    await keep.file("logs/api.log", f"start\npassword={CANARY} Cookie: x={CANARY}\nend\n".encode(), "the last run")
    assert files.contents == {
        "books/logs/api.log": "start\npassword=«redacted-named_value» Cookie: «redacted-cookie»\nend\n".encode()
    }
    (kept,) = keep.evidence(clock.now()).files
    assert kept.path == "books/logs/api.log"
    assert kept.note == "the last run; redacted: cookie 1, named_value 1"
    assert kept.size == len(files.contents["books/logs/api.log"])


@pytest.mark.asyncio
async def test_a_log_line_of_fifty_megabytes_keeps_its_end_within_the_cap(files, clock):
    class Lazy(bytes):
        """Fifty megabytes that exist only where they are looked at."""

        def __len__(self):
            return 50_000_000

        def __getitem__(self, part):
            assert -part.start <= 256 * KIB + MARGIN, "only the end is looked at"
            return b"x" * (-part.start - 9) + b" the end\n"

    keep = sink(files, clock)
    await keep.file("logs/api.log", Lazy())
    content = files.contents["books/logs/api.log"]
    assert len(content) <= 256 * KIB
    assert len(content) > 200 * KIB
    assert content.endswith(b" the end\n")
    assert keep.evidence(clock.now()).files[0].note == f"cut: the last {len(content)} of 50000000 bytes"


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [bytes, str])
async def test_a_long_log_keeps_its_last_whole_lines(files, clock, kind):
    text = "".join(f"line {n}\n" for n in range(60_000))
    keep = sink(files, clock)
    await keep.file("a.log", text.encode() if kind is bytes else text)
    lines = files.contents["books/a.log"].decode().splitlines()
    assert lines[-1] == "line 59999"
    numbers = [int(line.removeprefix("line ")) for line in lines]
    assert numbers == list(range(numbers[0], 60_000)), "whole lines, none lost between"
    assert "cut: the last" in keep.evidence(clock.now()).files[0].note


@pytest.mark.asyncio
@pytest.mark.parametrize("offset", [0, 1, 7, 12, 20, 24, 300])
async def test_a_secret_whose_name_was_cut_off_does_not_stay_at_the_edge(files, clock, offset):
    secret = f"password={CANARY}" + "k" * 200
    window = 64 * KIB + MARGIN
    raw = "x" * 5000 + secret + " " + "y" * (window - len(secret) - 1 + offset)
    await sink(files, clock, stream=64 * KIB).file("a.log", raw)
    content = files.contents["books/a.log"].decode()
    assert CANARY[3:] not in content
    assert "kkk" not in content
    assert len(content) <= 64 * KIB


@pytest.mark.asyncio
async def test_a_secret_cut_at_the_edge_does_not_stay_when_what_follows_shrinks(files, clock):
    """Marks are shorter than what they stand for, so the whole window may fit the cap."""
    window = 64 * KIB + MARGIN
    rest = ("token=" + "k" * 900 + " ") * 200
    half = CANARY[5:] + " "
    raw = "x" * 5000 + "password=" + CANARY[:5] + half + rest[-(window - len(half)) :]
    await sink(files, clock, stream=64 * KIB).file("a.log", raw)
    content = files.contents["books/a.log"].decode()
    assert CANARY[8:] not in content
    assert "kkk" not in content


@pytest.mark.asyncio
async def test_a_private_key_that_was_cut_in_half_does_not_stay(files, clock):
    lines = "".join(f"{CANARY}{n:05d}{'A' * 40}\n" for n in range(250))
    raw = "z\n" * 40_000 + "-----BEGIN PRIVATE KEY-----\n" + lines + "-----END PRIVATE KEY-----\n" + "tail\n" * 14_000
    for cap in range(60 * KIB, 72 * KIB, 2 * KIB):
        await sink(files, clock, stream=cap).file("a.log", raw)
        assert CANARY not in files.contents["books/a.log"].decode(), cap


@pytest.mark.asyncio
async def test_what_is_not_utf_8_is_kept_readable_and_within_the_cap(files, clock):
    keep = sink(files, clock)
    await keep.file("small.log", b"caf\xe9 \xff\xfe ok\n")
    await keep.file("large.log", b"\xff" * 250 * KIB + b"\nend\n")
    assert files.contents["books/small.log"].decode() == "caf\ufffd \ufffd\ufffd ok\n"
    large = files.contents["books/large.log"]
    assert len(large) <= 256 * KIB
    assert large.decode().endswith("end\n")
    assert keep.evidence(clock.now()).missing == ()


@pytest.mark.asyncio
async def test_an_object_is_kept_as_json_without_its_secrets(files, clock):
    keep = sink(files, clock)
    await keep.file("objects/secret.json", {"kind": "Secret", "data": {"a": CANARY}, "metadata": {"name": "db"}})
    found = json.loads(files.contents["books/objects/secret.json"])
    assert found == {"kind": "Secret", "data": {"a": "«redacted-secret_name»"}, "metadata": {"name": "db"}}
    assert keep.evidence(clock.now()).files[0].note == "redacted: secret_name 1"


@pytest.mark.asyncio
async def test_an_object_beyond_the_cap_is_cut_and_no_longer_called_json(files, clock):
    keep = sink(files, clock, stream=1000)
    await keep.file("objects/pod.json", {"body": "ä" * 3000})
    assert list(files.contents) == ["books/objects/pod.json.cut"]
    assert len(files.contents["books/objects/pod.json.cut"]) <= 1000
    files.contents["books/objects/pod.json.cut"].decode()
    assert "no longer a whole object" in keep.evidence(clock.now()).files[0].note


class Rows(Sequence):
    """A million rows that are made when they are looked at."""

    def __init__(self):
        self.looked = 0

    def __len__(self):
        return 1_000_000

    def __getitem__(self, place):
        self.looked += 1
        return {"n": place, "token": CANARY}


@pytest.mark.asyncio
@pytest.mark.parametrize(("name", "which"), [("a.jsonl", "last"), ("a.json", "first")])
async def test_rows_beyond_the_cap_keep_the_telling_end_and_stay_valid(files, clock, name, which):
    rows = Rows()
    keep = sink(files, clock, stream=10_000)
    await keep.file(name, rows)
    content = files.contents[f"books/{name}"].decode()
    assert len(content.encode()) <= 10_000
    kept = [json.loads(line) for line in content.splitlines()] if name == "a.jsonl" else json.loads(content)
    numbers = [row["n"] for row in kept]
    expected = range(1_000_000 - len(kept), 1_000_000) if which == "last" else range(len(kept))
    assert numbers == list(expected)
    assert CANARY not in content
    assert rows.looked == len(kept) + 1
    assert f"cut: the {which} {len(kept)} of 1000000 entries" in keep.evidence(clock.now()).files[0].note


@pytest.mark.asyncio
async def test_no_rows_are_a_valid_empty_file(files, clock):
    keep = sink(files, clock)
    await keep.file("a.jsonl", [])
    await keep.file("a.json", [])
    assert files.contents["books/a.jsonl"] == b""
    assert json.loads(files.contents["books/a.json"]) == []


@pytest.mark.asyncio
async def test_the_caps_of_the_whole_incident_are_kept_and_said(files, clock):
    keep = sink(files, clock, incident=1000, files=3)
    for name in ("a", "b", "c"):
        await keep.file(name, "x" * 400)
    await keep.file("a", "x" * 500)
    assert sorted(files.contents) == ["books/a", "books/b"]
    await keep.file("d", "x")
    await keep.file("e", "x")
    found = keep.evidence(clock.now())
    assert [line.partition(":")[0] for line in found.missing] == ["c", "e"]
    assert "1000 bytes are used up" in found.missing[0]
    assert "3 files already" in found.missing[1]
    assert sum(file.size for file in found.files) <= 1000


@pytest.mark.asyncio
async def test_a_strange_name_is_made_plain_and_one_that_leads_elsewhere_is_missing(files, clock):
    keep = sink(files, clock)
    await keep.file("logs/pod:api?.log", "x")
    await keep.file("../../etc/passwd", "x")
    assert len(files.contents) == 1
    assert next(iter(files.contents)).startswith("books/logs/pod-api-")
    assert "no relative path" in keep.evidence(clock.now()).missing[0]


@pytest.mark.asyncio
async def test_what_is_missing_is_redacted_cut_to_a_line_named_once_and_bounded(files, clock):
    keep = sink(files, clock, missing=3)
    for _ in range(3):
        keep.missing("events", f"403\npassword={CANARY} " + "x" * 5000)
    for n in range(9):
        keep.missing(f"log {n}", "gone")
    found = keep.evidence(clock.now()).missing
    assert len(found) == 3
    assert CANARY not in found[0]
    assert "\n" not in found[0]
    assert len(found[0]) < 600
    assert found[1] == "log 0: gone"


@pytest.mark.asyncio
async def test_a_disk_that_says_no_makes_parts_missing_and_their_room_free(files, clock):
    keep = sink(files, clock, incident=1000)
    files.read_only = True
    await keep.file("a", "x" * 900)
    files.read_only = False
    await keep.file("b", "x" * 900)
    found = keep.evidence(clock.now())
    assert [file.path for file in found.files] == ["books/b"]
    assert found.missing == ("a: it could not be written: the files are read-only (switched by the test)",)


# -- the whole capture -----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_samples_decision_journal_and_differences_are_always_part_of_it(files, clock):
    evidence = await run(files, clock, incident=recovered(evidence=None))
    root = bundle(suspected())
    names = [file.path for file in evidence.files]
    assert names == [
        f"{root}/{name}" for name in ("samples.jsonl", "decision.json", "journal.jsonl", "template_diff.json")
    ]
    rows = [json.loads(line) for line in files.contents[f"{root}/samples.jsonl"].splitlines()]
    assert len(rows) == len(samples())
    assert rows[0]["kind"] == "Sample"
    journal = [json.loads(line) for line in files.contents[f"{root}/journal.jsonl"].splitlines()]
    assert [row["kind_"] for row in journal] == ["first_bad", "breach", "countdown", "issued", "closed_recovered"]
    assert json.loads(files.contents[f"{root}/decision.json"])["checks"][0]["name"] == "mode"
    assert evidence.missing == ()


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_under_suspicion_what_is_not_known_yet_is_named_missing(files, clock):
    evidence = await run(files, clock)
    assert missing(evidence, "template_diff.json: no last known good")
    assert not [file for file in evidence.files if "decision" in file.path]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_hanging_source_is_cut_at_the_box_and_what_it_gave_before_is_kept(files, clock):
    ended = []

    async def hangs(keep):
        await keep.file("logs/first.log", "first")
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(clock.monotonic())
        await keep.file("logs/second.log", "second")

    async def quick(keep):
        await clock.sleep(14)
        await keep.file("objects/pods.json", [{"name": "a"}])

    begun = clock.monotonic()
    evidence = await run(files, clock, hangs, quick)
    assert clock.monotonic() - begun == pytest.approx(15.0)
    assert ended == [pytest.approx(begun + 15.0)]
    names = [file.path.rpartition("12ab/")[2] for file in evidence.files]
    assert {"logs/first.log", "objects/pods.json", "samples.jsonl"} <= set(names)
    assert "logs/second.log" not in names
    assert missing(evidence, "the rest of what Source gathers: the time box of 15 s ended")
    assert evidence.finished - evidence.started == pytest.approx(15.0)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_capture_ends_as_soon_as_everything_is_there(files, clock):
    async def quick(keep):
        await clock.sleep(2)

    begun = clock.monotonic()
    await run(files, clock, quick)
    assert clock.monotonic() - begun == pytest.approx(2.0)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_failing_source_never_fails_the_capture_and_is_named(files, clock):
    async def fails(keep):
        await keep.file("logs/a.log", "a")
        raise KeyError(f"metadata token={CANARY}")

    async def other(keep):
        await clock.sleep(1)
        await keep.file("logs/b.log", "b")

    async def cancelled(keep):
        raise asyncio.CancelledError

    evidence = await run(files, clock, fails, other, cancelled)
    names = [file.path.rpartition("/")[2] for file in evidence.files]
    assert {"a.log", "b.log"} <= set(names)
    lines = missing(evidence, "the rest of what Source gathers: ")
    assert len(lines) == 2
    assert "KeyError" in lines[0] + lines[1]
    assert CANARY not in "".join(evidence.missing)


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_source_that_does_not_stop_when_told_to_delays_little_and_changes_nothing_later(files, clock):
    release = asyncio.Event()

    async def stubborn(keep):
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        await keep.file("logs/late.log", "late")
        keep.missing("late", "late")

    begun = clock.monotonic()
    evidence = await run(files, clock, stubborn)
    assert clock.monotonic() - begun == pytest.approx(15.5)
    release.set()
    await asyncio.sleep(1)
    assert not [name for name in files.contents if "late" in name]
    assert not missing(evidence, "late")


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_files_that_hang_are_cut_at_the_box_too(files, clock):
    files.hang = True
    begun = clock.monotonic()
    evidence = await run(files, clock)
    assert clock.monotonic() - begun == pytest.approx(15.0)
    assert evidence.files == ()
    assert missing(evidence, "samples, decision and journal: the time box")
    files.hang = False


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_files_that_refuse_everything_make_an_empty_capture_that_says_so(files, clock):
    files.read_only = True
    evidence = await run(files, clock, incident=recovered(evidence=None))
    assert evidence.files == ()
    assert len(evidence.missing) == 4


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_cancelling_the_capture_cancels_its_sources(files, clock):
    ended = []

    async def hangs(keep):
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    task = asyncio.create_task(run(files, clock, hangs))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_capturing_again_overwrites_with_newer_and_keeps_what_is_gone_since(files, clock):
    async def first(keep):
        await keep.file("logs/a.log", "a, old")
        await keep.file("logs/crashed.log", "only then")

    async def second(keep):
        await keep.file("logs/a.log", "a, new")
        keep.missing("logs/crashed.log", "the pod is gone")

    before = await run(files, clock, first)
    await asyncio.sleep(30)
    after = await run(files, clock, second, incident=suspected(evidence=before))
    root = bundle(suspected())
    assert files.contents[f"{root}/logs/a.log"] == b"a, new"
    assert files.contents[f"{root}/logs/crashed.log"] == b"only then"
    by_path = {file.path: file for file in after.files}
    assert by_path[f"{root}/logs/a.log"].taken_at == before.started + 30
    assert by_path[f"{root}/logs/crashed.log"].taken_at == before.started
    assert len(by_path) == len(after.files) == len(before.files)
    assert after.started == before.started
    assert missing(after, "logs/crashed.log: the pod is gone")


def test_a_reopened_incident_begins_a_new_folder_and_the_first_evidence_stays():
    assert bundle(suspected()) == "books-api-12ab"
    assert bundle(suspected(reopened=2)) == "books-api-12ab/reopened-2"


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_other_tasks_run_while_a_large_log_is_read(files, clock):
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    await sink(files, clock).file("a.log", "an ordinary line of a log\n" * 10_000)
    other.cancel()
    assert turns >= 250 * KIB // PIECE


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_no_secret_reaches_any_file_on_any_way(files, clock):
    async def everything(keep):
        await keep.file(f"logs/{CANARY[:3]}.log", f"Authorization: Bearer {CANARY}\n")
        await keep.file("a.json", {"env": [{"name": "API_TOKEN", "value": CANARY}]}, f"note token={CANARY}")
        await keep.file("b.json", [{"password": CANARY}, {"args": ["--password", CANARY]}])
        keep.missing("x", f"postgres://u:{CANARY}@db")

    evidence = await run(files, clock, everything, incident=recovered(evidence=None))
    assert len(files.contents) == 7
    for name, content in files.contents.items():
        assert CANARY.encode() not in content, name
    assert CANARY not in repr(evidence)
