"""The example incident of the docs: what a real rollback leaves, made by the very test that keeps it true.

`WATCHDOG_TEST_EXAMPLE=write` writes it anew into `docs/example`; otherwise its report must have the form of the one just made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.node.process import Node
from tests.cluster.users import users_of
from tests.cluster.watched_shop import EVERY, NAME, PODS, WORKLOAD, Shop, report_of
from tests.cluster.workloads import Kubectl

EXAMPLE = Path(__file__).parents[2] / "docs" / "example"
NAMESPACE = "bookstore"


@pytest.fixture
def bookstore(control_plane: ControlPlane, node: Node, tmp_path: Path) -> Iterator[Shop]:
    """A shop in a namespace that reads well."""
    control_plane.api("admin").post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    kubectl = Kubectl(control_plane.binaries / "kubectl", control_plane.kubeconfig("admin"), NAMESPACE)
    shop = Shop(plane=control_plane, node=node, kubectl=kubectl, namespace=NAMESPACE, folder=tmp_path)
    yield shop
    shop.close()
    control_plane.api("admin").delete(f"/api/v1/namespaces/{NAMESPACE}")


DATA = frozenset({"request", "differences", "images", "digests"})
"""Keys below which there is data, not form."""


def differences(kept: Any, fresh: Any, where: str = "report") -> list[str]:
    """Where the two have other keys or other kinds of values. Null fits everything, of a list the first entries count."""
    if kept is None or fresh is None:
        return []
    if type(kept) is not type(fresh) and not (isinstance(kept, int | float) and isinstance(fresh, int | float)):
        return [f"{where}: {type(kept).__name__} and {type(fresh).__name__}"]
    if isinstance(kept, dict):
        other = [f"{where}.{key}: only one has it" for key in kept.keys() ^ fresh.keys()]
        both = (kept.keys() & fresh.keys()) - DATA
        return other + [found for key in both for found in differences(kept[key], fresh[key], f"{where}.{key}")]
    return differences(kept[0], fresh[0], f"{where}[]") if isinstance(kept, list) and kept and fresh else []


def test_the_example_in_the_docs_is_what_a_rollback_leaves(bookstore: Shop, tmp_path: Path) -> None:
    url = bookstore.node.ingress_url(NAMESPACE, NAME, "/api/books")
    users = {"http": url, "every": EVERY, "rule": {"above": "10%", "for": "4s", "min_events": 8}}
    daemon = bookstore.open({"users": users, "pods": PODS, "workload": WORKLOAD}, target={"countdown": "3s"})
    with users_of(url):
        bookstore.release("bookstore:2.0-err30")
        incident = bookstore.wait_closed("recovered", within=60)
    report, text, files = report_of(daemon, incident)
    parts = {"report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n", "report.md": text}
    parts["report.html"] = files["report.html"]
    for name, content in parts.items():
        assert str(tmp_path) not in content, f"{name} names a place of this machine"
    if os.environ.get("WATCHDOG_TEST_EXAMPLE") == "write":
        EXAMPLE.mkdir(exist_ok=True)
        for name, content in parts.items():
            (EXAMPLE / name).write_text(content)
    kept = json.loads((EXAMPLE / "report.json").read_text())
    assert differences(kept, report) == [], "write it anew with WATCHDOG_TEST_EXAMPLE=write"
    assert kept["state"]["reason"] == "recovered"
