"""`replay` and `tune` over a real Prometheus that holds half a day: ten good releases and a bad one."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.components import needed
from tests.signals.prometheus.real import Prometheus
from watchdog.cli.main import cli
from watchdog.cli.terminal import Terminal

HOURS, SCRAPE_S, BAD = 12, 15, 7
"""One release at the beginning of each hour but the first; the seventh of the eleven is bad."""
CONFIG = """
prometheus: {{main: {{url: "{url}"}}}}
targets:
  api:
    signals:
      errors: {{prometheus: {{bad: 'requests_total{{job="api",code="500"}}', all: 'requests_total{{job="api"}}'}}}}
"""

pytestmark = pytest.mark.timeout(180)


def began(hour: int) -> float:
    """An hour of a day ago, so that it lies in the past whatever the clock says."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    return midnight - 86_400 + 3600 * hour


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    program, promtool = needed("prometheus", "prometheus"), needed("promtool", "prometheus")
    folder, chance = tmp_path_factory.mktemp("half-a-day"), random.Random(5)
    lines, counts = ["# TYPE requests counter"], {"200": 0, "500": 0}
    rows: dict[str, list[str]] = {code: [] for code in counts}
    for at in range(0, 3600 * HOURS, SCRAPE_S):
        share = 0.12 if BAD * 3600 <= at < BAD * 3600 + 1800 else 0.001
        failed = sum(chance.random() < share for _ in range(60))
        counts["200"], counts["500"] = counts["200"] + 60 - failed, counts["500"] + failed
        for code, count in counts.items():
            labels = f'{{job="api",pod="api-1",code="{code}"}}'
            rows[code].append(f"requests_total{labels} {count} {began(0) + at:.0f}")
    text = folder / "metrics.txt"
    text.write_text("\n".join([*lines, *rows["200"], *rows["500"], "# EOF", ""]))
    made = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "data")]
    subprocess.run(made, check=True, timeout=60, stdout=subprocess.DEVNULL)
    started = Prometheus(program, folder, {})
    started.start()
    yield started
    started.stop()


def typed(server: Prometheus, tmp_path: Path, *arguments: str) -> dict:
    file = tmp_path / "w.yaml"
    file.write_text(CONFIG.format(url=server.url))
    terminal = Terminal(environ={}, zone=UTC)
    result = CliRunner().invoke(cli, [*arguments, "-c", str(file), "-o", "json"], obj=terminal)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_of_eleven_releases_the_bad_one_would_have_been_blamed_within_two_minutes(server, tmp_path: Path) -> None:
    released = [part for hour in range(1, HOURS) for part in ("--released", f"r{hour}={moment(began(hour))}")]
    span = ("--from", moment(began(1)), "--to", moment(began(HOURS) - 60))
    answer = typed(server, tmp_path, "replay", "api", *span, *released, "--bad", f"r{BAD}")
    (settings,) = answer["settings"]
    assert settings["summary"]["rollouts"] == HOURS - 1
    assert (settings["summary"]["missed"], settings["summary"]["false"]) == ([], [])
    assert settings["summary"]["median_after_s"] <= 180  # in minutes of the source; scrape by scrape it is sooner
    blamed = settings["rollouts"][BAD - 1]
    assert blamed["release"] == f"r{BAD}"
    assert blamed["baseline_minutes"] >= 50


def test_the_knobs_in_force_blame_nothing_of_the_hours_that_were_good(server, tmp_path: Path) -> None:
    spared = f"{moment(began(BAD))}/{moment(began(BAD) + 1800)}"
    span = ("--from", moment(began(1)), "--to", moment(began(HOURS) - 60))
    answer = typed(server, tmp_path, "tune", "api", *span, "--spare", spared)
    (now,) = [row for row in answer["choices"] if row["in_force"]]
    assert now["fired"] == 0
    assert now["stretches"] > 50
    assert now["seconds_to_notice"]["down"] <= 180
    assert answer["bake_time_s"] is not None
