"""What we ship to be applied is taken by a real API server, with every field known to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.api import Manifest
from tests.cluster.controlplane import ControlPlane
from tests.cluster.workloads import Kubectl
from watchdog.settings import load_text

DEPLOY = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = (".", "daemon", "state", "objects", "replicas")


def built(kubectl: Kubectl, overlay: str) -> list[Manifest]:
    return [entry for entry in yaml.safe_load_all(kubectl("kustomize", str(DEPLOY / overlay))) if entry]


@pytest.fixture(scope="module")
def own_namespace(control_plane: ControlPlane) -> Iterator[None]:
    """The namespace that the manifests name: a dry run needs it to be there."""
    admin = control_plane.api("admin")
    admin.post("/api/v1/namespaces", {"metadata": {"name": "watchdog"}})
    yield
    admin.delete("/api/v1/namespaces/watchdog")


@pytest.mark.usefixtures("own_namespace")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_server_takes_it(kubectl: Kubectl, overlay: str, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(built(kubectl, overlay)))
    namespaced = ("--namespace=watchdog",) if overlay != "." else ()
    taken = kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(file), *namespaced)
    assert taken.count("(server dry run)") == len(built(kubectl, overlay))


def test_replicas_share_the_state_in_the_cluster_and_own_no_volume(kubectl: Kubectl) -> None:
    entries = built(kubectl, "replicas")
    kinds = {entry["kind"]: entry for entry in entries}
    assert "PersistentVolumeClaim" not in kinds
    spec = kinds["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (2, "RollingUpdate")
    assert not any("persistentVolumeClaim" in volume for volume in spec["template"]["spec"]["volumes"])
    settings = load_text(kinds["ConfigMap"]["data"]["watchdog.yaml"], {}).settings
    assert settings.state.kubernetes is not None
    assert settings.state.kubernetes.namespace == kinds["Deployment"]["metadata"]["namespace"]
    rules = [rule for entry in entries if entry["kind"] == "Role" for rule in entry["rules"]]
    assert settings.state.kubernetes.objects
    assert any(rule["resources"] == ["pauses"] for rule in rules)
    (lease,) = [rule for rule in rules if rule.get("resourceNames")]
    assert lease["resourceNames"] == [settings.state.kubernetes.name]
