"""The written reference of the API and the program agree."""

from __future__ import annotations

import re
from pathlib import Path

from watchdog.model import instant
from watchdog.testing.control import FakeControl
from watchdog.web.api import ROUTES
from watchdog.web.metrics import Snapshot

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text()


def test_every_route_stands_in_the_table_and_no_other() -> None:
    table = set(re.findall(r"^\| (GET|POST|DELETE) \| `(/[^`]*)`", PAGE, re.MULTILINE))
    assert table == {(route.method, route.path.replace(":condemn|clear", "")) for route in ROUTES}


def test_every_metric_is_named_and_no_other() -> None:
    control = FakeControl(lambda: instant(0))
    control.counters = {}
    made = {family.name for family in Snapshot(control.status(), control.health()).collect()}
    assert set(re.findall(r"`(watchdog_[a-z_]+)", PAGE)) - {"watchdog_"} == made
