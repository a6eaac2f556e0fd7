"""The real process: it starts, says how it is, and ends when it is told to, leaving nothing behind."""

from __future__ import annotations

import json
import signal
import stat
import time
from pathlib import Path

import pytest

from tests.run.conftest import Start, earned, metric, probe, watching
from tests.run.shop import Shop

pytestmark = pytest.mark.timeout(180)

ENDS_WITHIN_S = 28.0
"""The daemon's own bound, below Kubernetes' grace period of 30 s."""


def test_it_answers_its_probes_and_its_socket_is_its_owners_alone(start: Start, shop: Shop) -> None:
    daemon = start(watching(shop))
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.socket.parent.stat().st_mode) == 0o700
    daemon.wait(lambda: probe(daemon, "/readyz")[0] == 200, "readiness", within=30)
    assert probe(daemon, "/healthz")[0] == 200
    assert metric(daemon, "watchdog_live") == 1
    assert metric(daemon, "watchdog_leader") == 1
    assert metric(daemon, "watchdog_config_reload_failed") == 0
    assert probe(daemon, "/api/v1/status")[0] == 404, "what can be ordered is not on TCP"
    daemon.wait(lambda: daemon.target("shop").get("state") == "healthy", "health of the shop", within=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_nothing_left(start: Start, shop: Shop, number: signal.Signals) -> None:
    daemon = start(watching(shop))
    began = time.monotonic()
    daemon.program.signal(number)
    daemon.wait(lambda: not daemon.program.running, "the end", within=ENDS_WITHIN_S)
    assert time.monotonic() - began < ENDS_WITHIN_S
    assert daemon.program.code == 0
    assert not daemon.socket.exists()
    assert json.loads(daemon.log().splitlines()[-1])["action"] == "stopped"


def test_a_signal_before_it_has_started_ends_it_as_well(start: Start, prepare, shop: Shop) -> None:
    daemon = prepare(watching(shop))
    daemon.launch()
    daemon.wait(lambda: daemon.socket.exists() or not daemon.program.running, "the socket", within=60, every=0.01)
    daemon.program.signal(signal.SIGTERM)
    daemon.wait(lambda: not daemon.program.running, "the end", within=ENDS_WITHIN_S)
    assert daemon.program.code in (0, -signal.SIGTERM)


def test_a_platform_whose_program_hangs_does_not_delay_the_end(start: Start, shop: Shop) -> None:
    config = watching(shop)
    daemon = start(config)
    shop.break_platform("hanging soon")
    (shop.home / "appctl").write_text("import time; time.sleep(600)")
    daemon.wait(lambda: str(shop.home / "appctl") in children(daemon.program.pid), "the hanging program", within=30)
    assert daemon.stop(within=ENDS_WITHIN_S) == 0
    assert children(daemon.program.pid) == ""


def children(pid: int) -> str:
    """Command lines of all live processes whose parent is `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                line = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if parent == pid:
                found.append(line)
    return "\n".join(found)


def test_a_second_daemon_on_the_same_socket_is_refused_in_a_sentence(start: Start, prepare, shop: Shop) -> None:
    first = start(watching(shop))
    second = prepare(
        watching(shop, api={"socket": str(first.socket), "metrics": {"host": "127.0.0.1", "port": 0}}), "2"
    )
    second.launch()
    second.wait(lambda: not second.program.running, "its refusal", within=60)
    assert second.program.code == 3
    assert "already listening" in second.log()
    assert "Traceback" not in second.log()
    assert first.status()["headline"] == "ARMED"


def test_a_second_daemon_on_the_same_state_says_who_holds_it_writes_nothing_and_takes_over(
    start: Start, shop: Shop
) -> None:
    first = start(watching(shop))
    earned(first, shop)
    second = start(watching(shop, state={"sqlite": str(first.folder / "state.db")}), "second")
    headline = second.wait(lambda: second.status().get("headline"), "its headline", within=30)
    assert headline.startswith("NOT HOLDER")
    assert f"pid {first_pid(first)}" in headline
    assert headline.count("pid") == 1
    assert metric(second, "watchdog_leader") == 0
    first.kill()
    second.wait(lambda: second.status().get("headline") == "ARMED", "the takeover", within=60)
    shop.deploy("bad")
    second.wait(lambda: shop.release == "three", "the rollback by the second", within=90)
    assert shop.history == ["one", "two", "three", "bad", "three"]


def first_pid(daemon) -> int:
    """The daemon's own id: it was started through env, which became it."""
    return int(daemon.program.pid)
