"""A shop, and daemons beside it that are ended after the test, whatever became of them."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.watchdog_process import WatchdogProcess
from tests.run.shop import Shop

Start = Callable[..., WatchdogProcess]


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="wd-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def shop(place: Path) -> Iterator[Shop]:
    """A shop with the releases one and two; two runs."""
    with Shop(place / "shop") as made:
        made.deploy("one")
        made.deploy("two")
        yield made


@pytest.fixture
def prepare(place: Path) -> Iterator[Callable[..., WatchdogProcess]]:
    """Makes daemons that are not started yet; each in a folder of its own unless one is named."""
    made: list[WatchdogProcess] = []

    def make(config: dict[str, Any], folder: str = "daemon") -> WatchdogProcess:
        made.append(WatchdogProcess.prepare(place / folder, config))
        return made[-1]

    yield make
    for daemon in made:
        daemon.program.kill()
        daemon.check()


@pytest.fixture
def start(prepare: Callable[..., WatchdogProcess]) -> Start:
    """Starts a daemon and waits until it answers."""

    def begin(config: dict[str, Any], folder: str = "daemon") -> WatchdogProcess:
        daemon = prepare(config, folder)
        daemon.start()
        return daemon

    return begin


BAKE = "10s"
"""Longer than the rule needs to fire on a starved machine, short enough to wait for."""


def earned(daemon: WatchdogProcess, shop: Shop, release: str = "three") -> None:
    """Deploy a release that is good, and wait until it has earned the grade: only such a one is gone back to."""
    shop.deploy(release)
    daemon.wait(lambda: grade(daemon, release) == "good", f"the soak of {release}", within=90)


def grade(daemon: WatchdogProcess, release: str) -> str:
    """The grade of a release in the ledger; empty when it is not known."""
    known = daemon.get("targets", "shop", "history").get("releases", ())
    return next((str(entry["grade"]) for entry in known if entry["fingerprint"] == release), "")


def probe(daemon: WatchdogProcess, path: str) -> tuple[int, str]:
    """Ask the TCP port, which anybody may ask; status 0 when nobody answers."""
    ports = [json.loads(line)["port"] for line in daemon.log().splitlines() if '"action": "listening"' in line]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[-1]}{path}", timeout=10) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def metric(daemon: WatchdogProcess, name: str) -> float | None:
    """The value of a metric without labels; None when it is absent."""
    found = [line for line in probe(daemon, "/metrics")[1].splitlines() if line.startswith(f"{name} ")]
    return float(found[0].split()[1]) if found else None


def watching(shop: Shop, **more: Any) -> dict[str, Any]:
    """A configuration that watches the shop with short times, and acts unless `more` says otherwise."""
    target = {
        "command": shop.command(),
        "data": "none",
        "signals": {
            "books": {
                "http": {"url": shop.url("books"), "timeout": "900ms"},
                "every": "1s",
                "rule": {"consecutive": 3, "recover": 2},
            }
        },
    }
    return {
        "mode": "enforce",
        "first_start": "act",
        "defaults": {
            "bake_time": BAKE,
            "bake_events": 0,
            "tolerate_interruption": "2s",
            "countdown": "1s",
            "evidence": "2s",
        },
        "targets": {"shop": target},
        "notify": {"team": {"stdout": {}}},
        **more,
    }
