"""`tune`: a proposal from history, as lines to paste."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from tests.cli.test_replaying import config
from watchdog.testing.clock import NEW_YEAR


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Five hours with one interruption of 90 s."""
    chance, rows = random.Random(3), ["time,signal,good,bad"]
    for place in range(1200):
        at = 15 * (place + 1)
        share = 0.9 if 9000 < at <= 9090 else 0.001
        bad = sum(chance.random() < share for _ in range(60))
        rows.append(f"{NEW_YEAR + at:.0f},errors,{60 - bad},{bad}")
    path = tmp_path / "history.csv"
    path.write_text("\n".join(rows))
    return path


def test_every_choice_has_its_row_and_the_quickest_that_blames_none_is_proposed(
    daemon: Running, tmp_path: Path, history: Path
) -> None:
    arguments = ("tune", "api", "-c", config(tmp_path / "w.yaml"), "--samples", str(history))
    answer = json.loads(daemon.ok(*arguments, "-o", "json"))
    rows = answer["choices"]
    assert len(rows) == 4 * 3
    (now,) = [row for row in rows if row["in_force"]]
    (proposed,) = [row for row in rows if row["proposed"]]
    assert (now["tolerate_interruption_s"], now["unacceptable_error_rate"]) == (30.0, 0.05)
    assert now["fired"] > 0
    assert now["false_a_month"] == pytest.approx(20 * now["fired"] / now["stretches"])
    assert now["false_a_month"] < now["false_a_month_at_most"]
    assert proposed["fired"] == 0
    assert proposed["tolerate_interruption_s"] > 30.0
    assert answer["bake_time_s"] in (600.0, 900.0)
    said = daemon.ok(*arguments)
    assert "in force" in said
    assert "Proposed for targets.api (the quickest of those that fired on none); nothing was changed:" in said
    assert f"unacceptable_error_rate: {100 * proposed['unacceptable_error_rate']:g}%" in said


def test_times_that_were_really_bad_can_be_spared(daemon: Running, tmp_path: Path, history: Path) -> None:
    arguments = ("tune", "api", "-c", config(tmp_path / "w.yaml"), "--samples", str(history), "-o", "json")
    whole = json.loads(daemon.ok(*arguments))["choices"][0]["stretches"]
    some = json.loads(daemon.ok(*arguments, "--spare", "2026-01-01T01:30:00Z/2026-01-01T02:00:00Z"))
    assert 0 < some["choices"][0]["stretches"] < whole


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--spare", "today"), 2, "'today' is no FROM/TO"),
        (
            ("--to", "2026-01-01T00:30:00Z"),
            3,
            "the history is too short: it takes an hour and 30m of bake_time at least",
        ),
        (("--from", "2030-01-01T00:00:00Z"), 3, "no signal is recorded that is weighed"),
    ],
)
def test_what_cannot_be_tuned_says_why(daemon: Running, tmp_path: Path, history: Path, arguments, code, words) -> None:
    result = daemon("tune", "api", "-c", config(tmp_path / "w.yaml"), "--samples", str(history), *arguments)
    assert result.exit_code == code
    assert words in result.stderr
