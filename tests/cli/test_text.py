"""Text from outside on a terminal: harmless, and as wide as it looks."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.cli.text import cut, lines, plain, width


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x1b[2J\x1b[1;1H", r"\x1b[2J\x1b[1;1H"),
        ("a\x9b2Jb", r"a\x9b2Jb"),
        ("all good\rALL BAD", r"all good\x0dALL BAD"),
        ("pod\u202egnp.exe", r"pod\u202egnp.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("\U000e0041tag", r"\U000e0041tag"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("Bücher 書店 📚", "Bücher 書店 📚"),
    ],
)
def test_what_could_move_the_cursor_or_lie_is_shown_as_its_escape(hostile: str, shown: str) -> None:
    assert plain(hostile) == shown


def test_nothing_is_empty_and_numbers_are_words() -> None:
    assert (plain(None), plain(0), plain(False)) == ("", "0", "False")


def test_lines_stay_lines_and_each_is_harmless() -> None:
    assert lines("a\n\x1bb") == ["a", r"\x1bb"]


@given(st.text())
def test_no_text_at_all_reaches_the_terminal_with_a_control_character(text: str) -> None:
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", plain(text))


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("書店", 4), ("e\u0301", 1), ("\x1b[32mok\x1b[0m", 2), ("", 0)]
)
def test_width_is_what_the_eye_sees(text: str, columns: int) -> None:
    assert width(text) == columns


@given(st.text(alphabet="ab書店é"), st.integers(min_value=1, max_value=20))
def test_a_cut_text_fits_and_says_that_it_was_cut(text: str, columns: int) -> None:
    short = cut(text, columns)
    assert width(short) <= columns
    assert short == text or short.endswith("…")
