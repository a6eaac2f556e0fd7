"""Fixtures of the cluster tests: one control plane and node for the session, one namespace for each test.

Outside the namespace of `enter`, or without the built programs, these fixtures skip and say why; where the
environment variable WATCHDOG_TEST_REQUIRE is `all` or lists `cluster`, they fail instead.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import enter
from tests.cluster.api import KubeApi
from tests.cluster.controlplane import PROGRAMS, ControlPlane, binaries_folder
from tests.cluster.node.process import Node
from tests.cluster.watched_shop import Shop
from tests.cluster.workloads import Kubectl

_SECONDS = 90
"""Limit of one test here, with the start of the control plane in the first; a test may have its own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder more time than the rest of the suite."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_SECONDS))


def _obstacle(binaries: Path) -> str | None:
    """What keeps the control plane from running here."""
    missing = [name for name in PROGRAMS if not (binaries / name).exists()]
    if missing:
        return f"not built: {', '.join(missing)}; run tests/cluster/binaries/build.sh"
    if not enter.inside():
        return "not in a network namespace of our own; run `python -m tests.cluster.enter -- pytest tests/cluster`"
    return None


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The control plane of the session."""
    binaries = binaries_folder()
    obstacle = _obstacle(binaries)
    if obstacle:
        required = set(re.split(r"[\s,]+", os.environ.get("WATCHDOG_TEST_REQUIRE", "")))
        if required & {"all", "cluster"}:
            pytest.fail(f"cluster tests are required: {obstacle}", pytrace=False)
        pytest.skip(obstacle)
    plane = ControlPlane.start(tmp_path_factory.mktemp("control-plane"), binaries)
    yield plane
    plane.stop()
    # The logs stay for a look after the run, the data are large and of no use.
    shutil.rmtree(plane.folder / "etcd")


@pytest.fixture(scope="session")
def node(control_plane: ControlPlane) -> Iterator[Node]:
    """The node of the session."""
    node = Node.start(control_plane)
    yield node
    node.stop()


@pytest.fixture
def admin(control_plane: ControlPlane) -> KubeApi:
    """Raw calls of somebody who may do everything."""
    return control_plane.api("admin")


@pytest.fixture
def namespace(request: pytest.FixtureRequest, control_plane: ControlPlane, node: Node, admin: KubeApi) -> Iterator[str]:
    """A new namespace; what is in it is deleted afterwards, in the background."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_")).strip("-")
    name = f"{words[:40].strip('-')}-{secrets.token_hex(3)}"
    admin.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    control_plane.check()
    node.check()
    admin.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def kubectl(control_plane: ControlPlane, namespace: str) -> Kubectl:
    """The real kubectl in the namespace of the test, as `admin`."""
    return Kubectl(control_plane.binaries / "kubectl", control_plane.kubeconfig("admin"), namespace)


@pytest.fixture
def shop(control_plane: ControlPlane, node: Node, kubectl: Kubectl, namespace: str, tmp_path: Path) -> Iterator[Shop]:
    """A bookstore to be opened by the test; the daemons that it starts are ended, and must not have logged a defect."""
    shop = Shop(plane=control_plane, node=node, kubectl=kubectl, namespace=namespace, folder=tmp_path)
    yield shop
    shop.close()
