"""`incidents verify` and `incidents pack`, with a daemon that knows where the bundle lies, and without one."""

from __future__ import annotations

import asyncio
import json
import tarfile
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from tests.incidents.test_report import recovered, samples
from watchdog.incidents.directory import DirectoryFiles
from watchdog.incidents.recorder import write_report
from watchdog.redaction import Redactor
from watchdog.testing.clock import WorldClock


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    async def write() -> None:
        files = DirectoryFiles(tmp_path / "incidents", WorldClock())
        await write_report(recovered(), files=files, clock=WorldClock(), redactor=Redactor(), samples=samples())
        await files.close()

    asyncio.run(write())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "incidents" / "books-api-12ab"


def test_a_folder_is_verified_without_a_daemon(daemon: Running, bundle: Path) -> None:
    said = daemon.ok("incidents", "verify", str(bundle))
    assert "report.html" in said
    assert "all 3 files are as written; not compared with the record, no daemon was asked" in said
    (bundle / "report.md").write_text("all was well")
    result = daemon("incidents", "verify", str(bundle))
    assert result.exit_code == 1
    assert "1 of 3 files are not as they were written" in result.stdout
    answer = json.loads(daemon("incidents", "verify", str(bundle), "-o", "json").stdout)
    assert (answer["ok"], [one["state"] for one in answer["files"]]) == (False, ["ok", "ok", "changed"])


def test_an_id_is_looked_up_and_compared_with_the_record(daemon: Running, bundle: Path) -> None:
    daemon.control.add_incident("inc-1")
    bundle.rename(bundle.parent / "inc-1")
    said = daemon.ok("incidents", "verify", "inc-1")
    assert said.endswith("all 3 files are as written\n")


def test_a_bundle_that_lies_elsewhere_says_so(daemon: Running, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    daemon.control.add_incident("inc-1")
    result = daemon("incidents", "verify", "inc-1")
    assert result.exit_code == 3
    assert "the bundle of inc-1 is not on this machine" in result.stderr


def test_one_file_is_made_of_a_bundle_and_never_over_another(daemon: Running, bundle: Path, tmp_path: Path) -> None:
    said = daemon.ok("incidents", "pack", str(bundle))
    assert said.startswith("books-api-12ab.tar.gz: 4 files, ")
    with tarfile.open(tmp_path / "books-api-12ab.tar.gz") as archive:
        assert len(archive.getnames()) == 4
    result = daemon("incidents", "pack", str(bundle))
    assert (result.exit_code, "is there already" in result.stderr) == (3, True)


def test_a_bundle_that_was_changed_is_not_packed(daemon: Running, bundle: Path, tmp_path: Path) -> None:
    (bundle / "report.md").write_text("all was well")
    result = daemon("incidents", "pack", str(bundle))
    assert result.exit_code == 1
    assert "report.md of" in result.stderr
    assert list(tmp_path.glob("*.tar.gz")) == []


def test_a_folder_without_a_manifest_is_no_bundle(daemon: Running, tmp_path: Path) -> None:
    result = daemon("incidents", "verify", str(tmp_path))
    assert result.exit_code == 7
    assert "has no manifest.json" in result.stderr


@pytest.mark.parametrize("words", [("verify", "a", "b"), ("check", "inc-1")])
def test_other_words_are_not_understood(daemon: Running, words: tuple[str, ...]) -> None:
    assert daemon("incidents", *words).exit_code == 2
