"""A secret of the configuration reaches the target it is for, and shows nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.watchdog_process import WatchdogProcess
from tests.run.conftest import Start, earned, probe, watching
from tests.run.shop import Shop

pytestmark = pytest.mark.timeout(240)

HEADER = "hdr-Canary-9b1f7c"
ROTATED = "rot-Canary-2e88d0"
PASSWORD = "env-Canary-55aa01"
CANARIES = (HEADER, ROTATED, PASSWORD)
QUESTIONS = (
    ("status",),
    ("status", "-o", "json"),
    ("describe", "shop"),
    ("describe", "shop", "-o", "json"),
    ("explain", "shop"),
    ("check", "shop"),
    ("history", "shop"),
    ("incidents",),
    ("pauses",),
)


def with_secrets(shop: Shop, place: Path) -> dict:
    """A configuration with a header and a variable from files, beside a variable that is no secret."""
    header, password = place / "header", place / "password"
    header.write_text(HEADER)
    password.write_text(PASSWORD)
    config = watching(shop)
    target = config["targets"]["shop"]
    target["signals"]["books"]["http"]["headers"] = {"Authorization": {"file": str(header)}, "Accept": "text/plain"}
    target["command"]["environment"]["DEPLOY_PASSWORD"] = {"file": str(password)}
    return config


def everything(daemon: WatchdogProcess) -> dict[str, str]:
    """All that people, machines and disks get to see."""
    seen = {" ".join(words): text(daemon, *words) for words in QUESTIONS}
    seen["config show"] = text(daemon, "config", "show", "-c", str(daemon.config))
    seen["config check"] = text(daemon, "config", "check", "-c", str(daemon.config))
    seen["doctor"] = text(daemon, "doctor", "-c", str(daemon.config))
    seen["log"] = daemon.log()
    seen["metrics"] = probe(daemon, "/metrics")[1]
    seen["healthz"] = probe(daemon, "/healthz")[1]
    files = [path for path in daemon.folder.rglob("*") if path.is_file() and path.name != "watchdog.yaml"]
    seen |= {str(path): path.read_bytes().decode(errors="replace") for path in files}
    return seen


def text(daemon: WatchdogProcess, *words: str) -> str:
    typed = daemon.type(*words)
    return typed.out + typed.err


def shown(daemon: WatchdogProcess) -> list[str]:
    return [place for place, seen in everything(daemon).items() if any(canary in seen for canary in CANARIES)]


def test_secrets_show_nowhere_in_the_whole_story(start: Start, shop: Shop, place: Path) -> None:
    daemon = start(with_secrets(shop, place))
    earned(daemon, shop)
    assert shop.headers[-1]["Authorization"] == HEADER
    shop.deploy("bad")
    daemon.wait(lambda: [one for one in daemon.incidents() if one["stage"] == "closed"], "the rollback", within=120)
    assert shop.release == "three"
    path = daemon.folder / "incidents" / daemon.incidents()[0]["id"] / "report.html"
    daemon.wait(path.exists, "the report", within=30)
    report = path.read_text()
    assert f"{shop.home}/appctl rollback bad three" in report, "what is no secret stays readable"

    shop.break_platform("cannot log in with {DEPLOY_PASSWORD}".replace("{DEPLOY_PASSWORD}", PASSWORD))
    daemon.wait(
        lambda: "cannot log in" in daemon.target("shop").get("sentence", ""), "the platform's trouble", within=60
    )
    seen = everything(daemon)
    assert "cannot log in" in seen["status"] + seen["describe shop"] + seen["doctor"]
    assert len([place for place in seen if "/incidents/" in place]) >= 4
    assert shown(daemon) == []


def test_a_rotated_secret_is_used_at_once_and_old_and_new_stay_hidden(start: Start, shop: Shop, place: Path) -> None:
    daemon = start(with_secrets(shop, place))
    daemon.wait(lambda: shop.headers and shop.headers[-1].get("Authorization") == HEADER, "the first secret", within=60)
    (place / "header").write_text(ROTATED)
    daemon.wait(lambda: shop.headers[-1].get("Authorization") == ROTATED, "the second secret", within=60)
    assert shown(daemon) == []
