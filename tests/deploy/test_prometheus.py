"""What is shipped for Prometheus and Grafana speaks of metrics that exist, and its alerts fire when they should.

Needs Debian's `prometheus` (promtool); skipped without it, and failing where WATCHDOG_TEST_REQUIRE is `all` or lists
`prometheus`.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from tests.components import needed
from watchdog.model import instant
from watchdog.testing.control import FakeControl
from watchdog.web.metrics import Snapshot

ROOT = Path(__file__).parents[2]
RULES, DASHBOARDS = ROOT / "deploy" / "prometheus", ROOT / "deploy" / "grafana"
PAGE = (ROOT / "docs" / "how-to" / "alerts.md").read_text()


@pytest.fixture
def promtool() -> str:
    return needed("promtool", "prometheus")


def exposition() -> str:
    control = FakeControl(lambda: instant(1_700_000_000))
    registry = CollectorRegistry()
    registry.register(Snapshot(control.status(), control.health()))
    return generate_latest(registry).decode()


def known() -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", exposition(), re.MULTILINE))


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((RULES / "rules.yaml").read_text())["groups"]
    return list(group["rules"])


def test_promtool_finds_nothing_to_say_about_rules_and_their_tests_pass(promtool: str) -> None:
    for verb, name in (("check", "rules.yaml"), ("test", "rules_test.yaml")):
        done = subprocess.run([promtool, verb, "rules", name], cwd=RULES, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_to_say_about_our_metrics(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=exposition(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_alert_is_tested_to_fire_and_to_be_silent_and_has_its_page() -> None:
    tests = yaml.safe_load((RULES / "rules_test.yaml").read_text())["tests"]
    asked = [entry for test in tests for entry in test["alert_rule_test"]]
    for rule in rules():
        name = rule["alert"]
        assert {bool(entry.get("exp_alerts")) for entry in asked if entry["alertname"] == name} == {True, False}, name
        assert f"\n## {name}\n" in PAGE
        assert rule["annotations"]["runbook"] == f"docs/how-to/alerts.md#{name.lower()}"


def test_alerts_and_dashboards_speak_of_metrics_that_exist() -> None:
    expressions = [rule["expr"] for rule in rules()]
    for path in DASHBOARDS.glob("*.json"):
        panels = json.loads(path.read_text())["panels"]
        expressions += [target["expr"] for panel in panels for target in panel["targets"]]
    used = {name for expression in expressions for name in re.findall(r"watchdog_\w+", expression)}
    assert used <= known(), used - known()
    assert len(used) > 10


@pytest.mark.parametrize("name", ["fleet", "target"])
def test_a_dashboard_can_be_loaded_its_panels_do_not_overlap_and_each_has_a_source(name: str) -> None:
    board = json.loads((DASHBOARDS / f"{name}.json").read_text())
    assert {"uid", "title", "schemaVersion", "templating", "panels", "time"} <= set(board)
    cells: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= mine
        assert panel["datasource"]["uid"] == "${source}"
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
