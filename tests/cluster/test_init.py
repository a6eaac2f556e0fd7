"""`watchdog init` against a real API server: its file loads, fits a screen, and the daemon catches a bad release with it, unedited."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cluster.watchdog_process import WatchdogProcess, _command
from tests.cluster.watched_shop import Shop
from tests.cluster.workloads import apply, deployment, service, wait_rolled_out

SHOP = ("bookstore-api", "bookstore-web")


def init(shop: Shop, *arguments: str, user: str = "admin") -> subprocess.CompletedProcess[str]:
    """As whoever sets it up, who may list workloads; the daemon's own role need not."""
    kubeconfig = str(shop.plane.kubeconfig(user))
    typed = _command(shop.folder, "init", "-n", shop.namespace, "--kubeconfig", kubeconfig, *arguments)
    return subprocess.run(typed, capture_output=True, text=True, check=False, timeout=60)


def opened(shop: Shop) -> None:
    apply(shop.kubectl, *(deployment(name) for name in SHOP), *(service(name) for name in SHOP))
    for name in SHOP:
        wait_rolled_out(shop.kubectl, f"deployment/{name}")


@pytest.mark.timeout(180)
def test_a_bad_release_is_caught_with_the_file_that_init_has_written(shop: Shop, tmp_path: Path) -> None:
    opened(shop)
    file = tmp_path / "first.yaml"
    done = init(shop, "--write", str(file))
    assert done.returncode == 0, done.stderr
    assert f"{file}: 2 workloads" in done.stdout
    assert "readable" in done.stderr  # it was looked at, as `doctor` does
    text = file.read_text()
    assert len(text.splitlines()) <= 25
    found = yaml.safe_load(text)
    assert list(found["targets"]) == list(SHOP)
    assert found["mode"] == "observe"
    daemon = WatchdogProcess.prepare(shop.folder / "watchdog", found)  # with a place of its own for state and socket
    shop.started.append(daemon)
    daemon.start()
    shop.wait_state("healthy", name="bookstore-api", within=60)
    shop.release("bookstore:2.0-crash1", "deployment/bookstore-api")
    incident = shop.wait_stage("closed", "held", "opened", "asked", name="bookstore-api", within=100)
    assert incident["blamed"]["images"] == {"bookstore-api": "bookstore:2.0-crash1"}
    assert shop.image("deployments", "bookstore-api") == "bookstore:2.0-crash1"
    assert shop.watchdog.incidents("bookstore-web") == []


def test_a_namespace_without_workloads_and_one_that_may_not_be_read_are_said(shop: Shop) -> None:
    refused = init(shop, user=shop.user)
    assert refused.returncode == 7
    assert "the cluster cannot be read" in refused.stderr
    empty = init(shop)
    assert empty.returncode == 3
    assert f"there is no Deployment, StatefulSet or DaemonSet in {shop.namespace}" in empty.stderr
