"""What `watchdog doctor` says of the places where state and incidents lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from watchdog.cli.examination import places


def test_places_that_are_there_and_places_that_will_be_made_are_fine(tmp_path: Path) -> None:
    (tmp_path / "state.db").touch()
    found = places(str(tmp_path / "state.db"), str(tmp_path / "not" / "yet" / "there"))
    assert [(line.question, line.ok) for line in found] == [("state", True), ("bundles", True)]
    assert not (tmp_path / "not").exists(), "nothing is written"


def test_state_in_memory_needs_no_place(tmp_path: Path) -> None:
    assert [line.question for line in places("", str(tmp_path))] == ["bundles"]


@pytest.mark.parametrize("way", ["through a file", "a folder", "a file for a folder"])
def test_a_place_of_the_wrong_kind_is_said_by_name(tmp_path: Path, way: str) -> None:
    (tmp_path / "file").touch()
    state = {"through a file": tmp_path / "file" / "state.db", "a folder": tmp_path}.get(way, tmp_path / "state.db")
    bundles = tmp_path / ("file" if way == "a file for a folder" else "incidents")
    bad = [line for line in places(str(state), str(bundles)) if line.ok is False]
    assert len(bad) == 1
    assert str(bundles if way == "a file for a folder" else state) in bad[0].sentence


@pytest.mark.skipif(os.geteuid() == 0, reason="this user may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    found = places(str(tmp_path / "state.db"), str(tmp_path / "incidents"))
    tmp_path.chmod(0o700)
    assert [line.ok for line in found] == [False, False]
    assert str(tmp_path) in found[0].sentence
