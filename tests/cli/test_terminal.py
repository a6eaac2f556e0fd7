"""Tables, colour and width."""

from __future__ import annotations

import pytest

from watchdog.cli import terminal as terminal_module
from watchdog.cli.terminal import Terminal, terminal_of
from watchdog.cli.text import width

ROWS = [["api", "healthy", "a long sentence that says why"], ["書店", "suspect", "short"]]


def test_columns_are_aligned_by_what_the_eye_sees() -> None:
    table = Terminal(environ={}).table(["NAME", "STATE", "WHY"], ROWS)
    assert table == [
        "NAME   STATE     WHY",
        "api    healthy   a long sentence that says why",
        "書店   suspect   short",
    ]


def test_without_headers_only_rows_are_left() -> None:
    assert len(Terminal(environ={}, headers=False).table(["NAME", "STATE", "WHY"], ROWS)) == 2
    assert Terminal(environ={}, headers=False).table(["A"], []) == []


@pytest.mark.parametrize("columns", [30, 40, 50, 200])
def test_a_table_is_not_wider_than_the_terminal_and_says_where_it_was_cut(columns: int) -> None:
    table = Terminal(environ={}, columns=columns).table(["NAME", "STATE", "WHY"], ROWS)
    assert all(width(line) <= max(columns, 36) for line in table)
    assert ("…" in table[1]) is (columns < 46)


def test_piped_nothing_is_cut() -> None:
    (_, line) = Terminal(environ={}).table(["WHY"], [["x" * 1000]])
    assert len(line) == 1000


def test_colour_is_only_there_when_asked_for_and_does_not_move_columns() -> None:
    assert Terminal(environ={}).word("failing") == "failing"
    coloured = Terminal(environ={}, colour=True)
    word = coloured.word("failing")
    assert word != "failing"
    assert width(word) == 7
    assert coloured.table(["A", "B"], [[word, "x"]])[1].endswith("x")
    assert coloured.word("\x1b[31mfailing") == r"\x1b[31mfailing"


@pytest.mark.parametrize(
    ("tty", "environ", "colour"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colour_follows_the_terminal_and_no_color(
    monkeypatch: pytest.MonkeyPatch, tty: bool, environ: dict[str, str], colour: bool
) -> None:
    monkeypatch.setattr(terminal_module.sys.stdout, "isatty", lambda: tty)
    found = terminal_of(environ)
    assert found.colour is colour
    assert (found.columns is None) is not tty
