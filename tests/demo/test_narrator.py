"""The narrator tells in lines that fit, what an operator could have asked."""

from __future__ import annotations

from typing import Any

import pytest

from watchdog.cli.demo.narrator import MARGIN, Narrator, brief
from watchdog.cli.terminal import Terminal
from watchdog.cli.text import width
from watchdog.testing.clock import NEW_YEAR
from watchdog.testing.control import FakeControl, signal_row, target_row

LONG = "errors: 30 % of 120 events bad in 6 s (limit 5 %), newest 0 s old; last failure: GET /api/books on api-2: 500 in 4 ms"


def narrator(columns: int | None, control: FakeControl | None = None, *, colour: bool = False) -> Narrator:
    terminal = Terminal(environ={}, columns=columns, colour=colour)
    return Narrator(terminal, control or FakeControl(lambda: NEW_YEAR), iter(range(10_000)).__next__)


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("lines", [1, 2, 3])
def test_no_line_is_wider_than_the_terminal(capsys: pytest.CaptureFixture[str], columns: int, lines: int) -> None:
    telling = narrator(columns)
    telling.say(LONG * 3, "✗", lines=lines)
    telling.head(LONG)
    said = capsys.readouterr().out.splitlines()
    assert max(width(line) for line in said) <= columns
    assert len(said) <= lines + 1 + 3
    assert said[lines - 1].endswith("…")


def test_nothing_is_cut_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    narrator(None).say(LONG * 3)
    assert LONG * 3 in capsys.readouterr().out


def test_a_line_that_goes_on_is_set_in(capsys: pytest.CaptureFixture[str]) -> None:
    narrator(60).say(LONG, lines=3)
    _first, *rest = capsys.readouterr().out.splitlines()
    assert rest
    assert all(line.startswith(" " * MARGIN) for line in rest)


def test_only_the_state_is_coloured_and_foreign_control_characters_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    narrator(80, colour=True).say("api: healthy - \x1b[2J gone", word="healthy")
    said = capsys.readouterr().out
    assert "\x1b[32mhealthy\x1b[0m" in said
    assert "\\x1b[2J" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "nothing bad in health, errors"),
        (
            {"state": "suspect", "signals": [signal_row("a"), signal_row("b", sentence=LONG, progress=0.5)]},
            "30 % of 120",
        ),
        (
            {"state": "failing", "signals": [signal_row("a", health="failing", sentence=LONG, progress=1.0)]},
            "30 % of 120",
        ),
        ({"state": "paused"}, "nothing bad in health, errors"),
        ({"state": "inconclusive"}, "samples are being collected"),
        ({"state": "responding"}, "the watchdog takes it up"),
        ({"state": "inconclusive", "signals": [], "sentence": "a fresh window began"}, "a fresh window began"),
    ],
)
def test_a_state_is_told_by_what_makes_it(changes: dict[str, Any], said: str) -> None:
    text = brief(target_row("api", **changes))
    assert said in text
    assert "newest" not in text
    assert "last failure" not in text


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_entries_and_states_are_told_once_and_the_strongest_evidence_is_remembered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    control = FakeControl(lambda: NEW_YEAR)
    telling = narrator(None, control)
    await telling.look()
    control.add_incident("inc-1")
    control.rows[0]["signals"] = [signal_row("errors", progress=0.6, missing="4 s more above 5 %")]
    await telling.look()
    await telling.look()
    said = capsys.readouterr().out
    assert said.count("bookstore-api: healthy") == 1
    assert said.count("30 % errors") == 1
    assert said.count("errors fires after 4 s more above 5 %") == 1
    assert said.count("gate: ✓ 0 of 1 checks; ✗ breach") == 1
    assert telling.strongest == (0.6, "errors")
