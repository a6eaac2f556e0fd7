"""A bundle proves that it is as it was written, or says which file is not."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.incidents.test_report import recovered, samples
from watchdog.incidents.directory import DirectoryFiles
from watchdog.incidents.manifest import NAME, NoManifest, examine, pack, read
from watchdog.incidents.recorder import write_report
from watchdog.model import Evidence
from watchdog.redaction import Redactor
from watchdog.testing.clock import WorldClock

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def bundle(tmp_path: Path) -> Path:
    """The folder of an incident with two files of evidence and its reports."""
    clock = WorldClock()
    files = DirectoryFiles(tmp_path, clock)
    kept = [
        await files.write("books-api-12ab/logs/api-1.log", b"boom\n"),
        await files.write("books-api-12ab/events.jsonl", b"{}\n"),
    ]
    incident = replace(recovered(), evidence=Evidence(started=clock.now(), files=tuple(kept)))
    await write_report(incident, files=files, clock=clock, redactor=Redactor(), samples=samples())
    await files.close()
    return tmp_path / "books-api-12ab"


def wrong(folder: Path, **known: str) -> dict[str, str]:
    return {one.path: one.state for one in examine(folder, read(folder), known or None) if one.state != "ok"}


async def test_a_bundle_as_it_was_written_is_right_and_names_every_file(bundle: Path) -> None:
    found = examine(bundle, read(bundle))
    assert [one.path for one in found] == ["events.jsonl", "logs/api-1.log", "report.html", "report.json", "report.md"]
    assert {one.state for one in found} == {"ok"}
    assert read(bundle)["bundle"] == "books-api-12ab"


async def test_what_was_changed_lost_or_added_is_named(bundle: Path) -> None:
    (bundle / "logs" / "api-1.log").write_bytes(b"calm\n")  # as long as before
    (bundle / "report.md").write_text("all was well")
    (bundle / "events.jsonl").unlink()
    (bundle / "notes.txt").write_text("mine")
    expected = {"logs/api-1.log": "changed", "report.md": "changed", "events.jsonl": "missing", "notes.txt": "extra"}
    assert wrong(bundle) == expected


async def test_whoever_changes_file_and_manifest_is_found_by_the_record(bundle: Path) -> None:
    log = bundle / "logs" / "api-1.log"
    row = next(row for row in read(bundle)["files"] if row["path"] == "logs/api-1.log")
    log.write_bytes(b"calm\n")
    manifest = json.loads((bundle / NAME).read_text().replace(row["sha256"], _sha256(log)))
    (bundle / NAME).write_text(json.dumps(manifest))
    assert wrong(bundle) == {}
    assert wrong(bundle, **{"logs/api-1.log": row["sha256"]}) == {"logs/api-1.log": "unlike the record"}
    assert wrong(bundle, **{"logs/other.log": "0"}) == {"logs/other.log": "missing"}


async def test_nothing_outside_the_folder_is_read_or_packed(bundle: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"boom\n")
    log = bundle / "logs" / "api-1.log"
    log.unlink()
    log.symlink_to(secret)
    assert wrong(bundle) == {"logs/api-1.log": "missing"}
    with pytest.raises(OSError, match="api-1"):
        pack(bundle, read(bundle))
    manifest = json.loads((bundle / NAME).read_text())
    manifest["files"][0]["path"] = "../secret"
    (bundle / NAME).write_text(json.dumps(manifest))
    with pytest.raises(NoManifest, match="cannot be understood"):
        read(bundle)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"v": 1}', '{"v": 9, "files": []}', '{"v": 1, "files": [{}]}'])
async def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(NoManifest, match="has no manifest"):
        read(tmp_path)
    (tmp_path / NAME).write_text(text)
    with pytest.raises(NoManifest):
        read(tmp_path)


async def test_a_reopened_incident_has_a_bundle_of_its_own_inside(bundle: Path) -> None:
    files = DirectoryFiles(bundle.parent, WorldClock())
    again = replace(recovered(), reopened=1)
    await write_report(again, files=files, clock=WorldClock(), redactor=Redactor(), samples=samples())
    await files.close()
    inner = bundle / "reopened-1"
    assert (wrong(bundle), wrong(inner)) == ({}, {})
    assert [row["path"] for row in read(inner)["files"]] == ["report.html", "report.json", "report.md"]


async def test_a_pack_is_the_same_for_the_same_files_and_opens_everywhere(bundle: Path) -> None:
    content = pack(bundle, read(bundle))
    assert content == pack(bundle, read(bundle))
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        names = archive.getnames()
        assert names[0] == "books-api-12ab/manifest.json"
        assert len(names) == 6
        log = archive.extractfile("books-api-12ab/logs/api-1.log")
        assert log is not None
        assert log.read() == b"boom\n"
        assert {(entry.mode, entry.uid) for entry in archive} == {(0o600, 0)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
