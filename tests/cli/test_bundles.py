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


# -- edit ----------------------------------------------------------------------------------------------------------------

FILLED = """# what happened

## Contributing factors

The cache was cold.

Nobody had looked at <b>it</b>.

## Action items

ann: warm it up before the switch, until 2026-02-01
"""


def filled(tmp_path: Path, text: str = FILLED) -> str:
    (tmp_path / "words.md").write_text(text)
    return str(tmp_path / "words.md")


def test_what_a_person_fills_in_stands_in_all_three_files_and_the_bundle_is_whole(
    daemon: Running, bundle: Path, tmp_path: Path
) -> None:
    said = daemon.ok("incidents", "edit", str(bundle), "--from", filled(tmp_path))
    assert "2 of 9 parts are filled in" in said
    report = json.loads((bundle / "report.json").read_text())
    assert report["for_people"]["contributing_factors"] == "The cache was cold.\n\nNobody had looked at <b>it</b>."
    assert report["for_people"]["went_well"] == ""
    assert "> The cache was cold." in (bundle / "report.md").read_text()
    assert "Nobody had looked at &lt;b&gt;it&lt;/b&gt;." in (bundle / "report.html").read_text()
    daemon.ok("incidents", "verify", str(bundle))


def test_an_editor_gets_what_stands_there_and_one_that_changes_nothing_changes_nothing(
    daemon: Running, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.ok("incidents", "edit", str(bundle), "--from", filled(tmp_path))
    before = (bundle / "report.json").read_bytes()
    shown: list[str] = []

    def look(text: str, extension: str) -> str | None:
        shown.append(text)
        return text

    monkeypatch.setattr("click.edit", look)
    assert "nothing was changed" in daemon.ok("incidents", "edit", str(bundle))
    assert "Nobody had looked at <b>it</b>." in shown[0]
    assert (bundle / "report.json").read_bytes() == before
    monkeypatch.setattr("click.edit", lambda text, extension: text.replace("The cache was cold.", "It was DNS."))
    daemon.ok("incidents", "edit", str(bundle))
    assert "It was DNS." in (bundle / "report.md").read_text()
    assert "cold" not in (bundle / "report.md").read_text()


def test_what_is_taken_out_again_is_out(daemon: Running, bundle: Path, tmp_path: Path) -> None:
    daemon.ok("incidents", "edit", str(bundle), "--from", filled(tmp_path))
    daemon.ok("incidents", "edit", str(bundle), "--from", filled(tmp_path, "## Lucky\n\nit was Sunday\n"))
    report = json.loads((bundle / "report.json").read_text())
    assert {name: text for name, text in report["for_people"].items() if text} == {"lucky": "it was Sunday"}


def test_a_heading_that_nobody_knows_changes_nothing_and_what_was_typed_is_kept(
    daemon: Running, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (bundle / "report.json").read_bytes()
    monkeypatch.setattr("click.edit", lambda text, extension: f"{text}\n## Blame\n\nthe intern\n")
    result = daemon("incidents", "edit", str(bundle))
    assert result.exit_code == 2
    assert "the heading 'Blame' is none of: Contributing factors" in result.stderr
    kept = Path(result.stderr.split("what you typed is in ")[1].split(" ")[0])
    assert "the intern" in kept.read_text()
    kept.unlink()
    assert (bundle / "report.json").read_bytes() == before


def test_a_report_that_somebody_has_changed_is_left_alone(daemon: Running, bundle: Path, tmp_path: Path) -> None:
    (bundle / "report.md").write_text("all was well")
    result = daemon("incidents", "edit", str(bundle), "--from", filled(tmp_path))
    assert result.exit_code == 3
    assert "report.md" in result.stderr
    assert (bundle / "report.md").read_text() == "all was well"


def test_a_report_written_anew_while_the_editor_was_open_is_not_overwritten(
    daemon: Running, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(text: str, extension: str) -> str:
        manifest = json.loads((bundle / "manifest.json").read_text())
        (bundle / "manifest.json").write_text(json.dumps({**manifest, "written_at": "2026-01-01T13:00:00.000000Z"}))
        return FILLED

    monkeypatch.setattr("click.edit", meanwhile)
    result = daemon("incidents", "edit", str(bundle))
    assert result.exit_code == 3
    assert "written anew meanwhile" in result.stderr
    Path(result.stderr.split("what you typed is in ")[1].split(" ")[0]).unlink()
    assert "cold" not in (bundle / "report.md").read_text()


def test_a_report_that_is_written_again_keeps_what_people_wrote(daemon: Running, bundle: Path, tmp_path: Path) -> None:
    daemon.ok("incidents", "edit", str(bundle), "--from", filled(tmp_path))

    async def again() -> None:
        files = DirectoryFiles(bundle.parent, WorldClock())
        await write_report(recovered(), files=files, clock=WorldClock(), redactor=Redactor(), samples=samples())
        await files.close()

    asyncio.run(again())
    assert "> The cache was cold." in (bundle / "report.md").read_text()
    daemon.ok("incidents", "verify", str(bundle))


def test_a_secret_that_somebody_pastes_does_not_stay(daemon: Running, bundle: Path, tmp_path: Path) -> None:
    text = "## Suspected cause\n\ncurl -H 'Authorization: Bearer abcdefghijklmnop1234567890'\n"
    daemon.ok("incidents", "edit", str(bundle), "--from", filled(tmp_path, text))
    assert all(b"abcdefghijklmnop1234567890" not in file.read_bytes() for file in bundle.glob("report.*"))
