"""`incidents` and `history`."""

from __future__ import annotations

import getpass

import pytest

from tests.cli.conftest import Running


def test_the_list_says_what_came_of_each_incident(daemon: Running) -> None:
    daemon.control.add_incident("inc-1", stage="closed").update(reason="recovered", manual=True)
    daemon.control.add_incident("inc-2", "bookstore-web").update(needs_human=True, simulated=True)
    assert daemon.ok("incidents").splitlines() == [
        "ID      TARGET          STAGE                            AGE   BLAMED                       HEADLINE",
        "inc-2   bookstore-web   asked (simulated, needs human)   0s    revision 7 (bookstore:1.7)   30 % errors since revision 7",
        "inc-1   bookstore-api   recovered (by hand)              0s    revision 7 (bookstore:1.7)   30 % errors since revision 7",
    ]


def test_the_list_can_be_narrowed_and_named(daemon: Running) -> None:
    daemon.control.add_incident("inc-1", stage="closed")
    daemon.control.add_incident("inc-2", "bookstore-web")
    assert daemon.ok("incidents", "--open", "-o", "name") == "inc-2\n"
    assert daemon.ok("incidents", "--target", "bookstore-api", "-o", "name") == "inc-1\n"
    assert daemon.ok("incidents", "--target", "x y&open=false") == "no incidents\n"
    assert daemon.orders["incidents"] == {"target": "x y&open=false", "open_only": False}


def test_one_incident_is_told_from_its_beginning_to_its_report(daemon: Running) -> None:
    daemon.control.add_incident("inc-1")
    text = daemon.ok("incidents", "inc")
    for line in (
        "inc-1: 30 % errors since revision 7",
        "Stage:      asked",
        "Blamed:     revision 7 (bookstore:1.7)",
        "Report:     incidents/inc-1/report.html",
        "  12:00:00   watchdog   breach     30 % errors",
        "Next: watchdog approve inc-1 | watchdog cancel inc-1",
    ):
        assert line in text.splitlines(), line


def test_an_incident_document_of_the_store_shows_releases_and_missing_evidence(
    daemon: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def one(incident: str) -> dict[str, object]:
        document = {
            "id": incident,
            "stage": "closed",
            "reason": "not_recovered",
            "needs_human": True,
            "blamed": {"fingerprint": "f7" * 20, "revision": "7", "images": {"api": "b:7"}},
            "good": {"fingerprint": "f6" * 20, "revision": "", "images": {}},
            "evidence": {"missing": ["logs of api-1: pod deleted"]},
            "entries": [],
        }
        return {"incident": document, "report": ""}

    monkeypatch.setattr(daemon.control, "incident", one)
    text = daemon.ok("incidents", "inc-9")
    assert "Stage:      not_recovered (needs human)" in text
    assert "Blamed:     revision 7 (b:7)" in text
    assert "Back to:    f6f6f6f6f6f6\n" in text
    assert "  logs of api-1: pod deleted" in text
    assert "nothing was recorded" in text


def test_history_marks_what_runs_and_what_is_good(daemon: Running) -> None:
    assert daemon.ok("history", "bookstore-api").splitlines() == [
        "REVISION   FINGERPRINT    GRADE   NOW       AGE    WATCHED   IMAGES          NOTE",
        "7          f7f7f7f7f7f7   new     current   778d   15m       bookstore:1.7   -",
        "6          f6f6f6f6f6f6   good    good      778d   15m       bookstore:1.6   -",
    ]


def test_a_release_is_condemned_and_cleared_by_a_person(daemon: Running) -> None:
    assert daemon.ok("history", "bookstore-api", "condemn", "f7", "--reason", "leaks") == "f7 is now condemned\n"
    assert daemon.orders["history_edit"] == {
        "target": "bookstore-api", "fingerprint": "f7", "verb": "condemn", "who": getpass.getuser(), "why": "leaks",
    }  # fmt: skip
    assert daemon.ok("history", "bookstore-api", "clear", "f7") == "f7 is now new\n"


def test_an_edit_needs_its_release(daemon: Running) -> None:
    result = daemon("history", "bookstore-api", "condemn")
    assert (result.exit_code, daemon.control.calls) == (2, [])
    assert daemon("history", "bookstore-api", "condemn", "zz").exit_code == 3
    assert daemon("history", "bookstore-api", "praise", "f7").exit_code == 2


def test_nothing_yet_is_said(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon.control, "_releases", list)
    assert daemon.ok("incidents") == "no incidents\n"
    assert daemon.ok("history", "bookstore-api") == "no release is known\n"


def test_hostile_words_in_records_are_harmless(daemon: Running) -> None:
    hostile = "\x1b[31m\u202eroot\x07"
    daemon.control.add_incident("inc-1").update(headline=hostile, blamed=hostile, stage=hostile)
    for args in (("incidents",), ("incidents", "inc-1")):
        assert not {"\x1b", "\u202e", "\x07"} & set(daemon.ok(*args)), args
