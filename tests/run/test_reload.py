"""A configuration is read again by signal and by content; a bad one changes nothing and shows everywhere."""

from __future__ import annotations

import copy
import os
import signal

import pytest

from tests.cluster.watchdog_process import WatchdogProcess
from tests.run.conftest import Start, metric, watching
from tests.run.shop import Shop

pytestmark = pytest.mark.timeout(180)

NOTICED_WITHIN_S = 45.0


def names(daemon: WatchdogProcess) -> set[str]:
    return {row["name"] for row in daemon.status().get("targets", ())}


def with_another(config: dict) -> dict:
    more = copy.deepcopy(config)
    more["targets"]["other"] = {"signals": copy.deepcopy(config["targets"]["shop"]["signals"])}
    return more


def test_sighup_reads_it_again(start: Start, shop: Shop) -> None:
    config = watching(shop)
    daemon = start(config)
    daemon.configure(with_another(config))
    daemon.program.signal(signal.SIGHUP)
    daemon.wait(lambda: names(daemon) == {"shop", "other"}, "the new target", within=NOTICED_WITHIN_S)
    assert daemon.status()["config"]["error"] == ""


def test_a_changed_file_is_noticed_by_its_content_alone(start: Start, shop: Shop) -> None:
    config = watching(shop)
    daemon = start(config)
    before = daemon.status()["config"]
    old = daemon.config.stat()
    os.utime(daemon.config, (old.st_atime, old.st_mtime + 60))  # another time, the same content: nothing to do
    daemon.wait(lambda: daemon.status().get("cycle", 0) > 8, "some polls", within=60)
    assert daemon.status()["config"] == before
    daemon.configure(with_another(config))
    os.utime(daemon.config, (old.st_atime, old.st_mtime))  # the old time, another content
    daemon.wait(lambda: names(daemon) == {"shop", "other"}, "the new target", within=NOTICED_WITHIN_S)
    assert daemon.status()["config"]["hash"] != before["hash"]


def test_a_bad_file_changes_nothing_and_shows_everywhere_until_it_is_mended(start: Start, shop: Shop) -> None:
    config = watching(shop)
    daemon = start(config)
    daemon.wait(lambda: daemon.target("shop").get("state") == "healthy", "health", within=60)
    before = daemon.status()["config"]["hash"]
    daemon.config.write_text("targets: {shop: {sginals: {}}}\n")
    daemon.program.signal(signal.SIGHUP)
    error = daemon.wait(lambda: daemon.status().get("config", {}).get("error"), "the error", within=NOTICED_WITHIN_S)
    assert "did you mean signals?" in error
    assert str(daemon.config) in error
    assert metric(daemon, "watchdog_config_reload_failed") == 1
    assert daemon.status()["config"]["hash"] == before
    assert "Traceback" not in daemon.log()
    asked = shop.asked["/books"]
    daemon.wait(lambda: shop.asked["/books"] > asked + 2, "polls that go on", within=30)
    assert daemon.target("shop")["state"] == "healthy"
    typed = daemon.type("status")
    assert "did you mean signals?" in typed.out + typed.err
    daemon.configure(with_another(config))
    daemon.wait(lambda: names(daemon) == {"shop", "other"}, "the mended file", within=NOTICED_WITHIN_S)
    assert daemon.status()["config"]["error"] == ""
    assert metric(daemon, "watchdog_config_reload_failed") == 0


def test_a_file_that_is_gone_for_a_moment_is_no_configuration(start: Start, shop: Shop) -> None:
    daemon = start(watching(shop))
    text = daemon.config.read_text()
    daemon.config.unlink()
    daemon.wait(lambda: metric(daemon, "watchdog_config_reload_failed") == 1, "the complaint", within=NOTICED_WITHIN_S)
    assert names(daemon) == {"shop"}
    daemon.config.write_text(text)
    daemon.wait(lambda: metric(daemon, "watchdog_config_reload_failed") == 0, "its end", within=NOTICED_WITHIN_S)
