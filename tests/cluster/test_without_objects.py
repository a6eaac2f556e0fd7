"""What is said and known where the definitions of our objects are missing."""

from __future__ import annotations

import time

import pytest

from tests.cluster.api import KubeApi
from tests.cluster.controlplane import ControlPlane
from tests.cluster.test_kubernetes_objects import objects_role
from tests.cluster.workloads import grant
from watchdog.cli.examination import objects_in_cluster
from watchdog.clients.kubernetes import Connection, KubernetesClient
from watchdog.ports import Unavailable
from watchdog.stores.kubernetes_objects import KubernetesIncidents, KubernetesPauses


@pytest.mark.asyncio
async def test_a_definition_that_is_missing_is_unavailable_and_says_what_to_apply(
    control_plane: ControlPlane, admin: KubeApi, namespace: str
) -> None:
    grant(admin, namespace, "watchdog", objects_role())
    client = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    with pytest.raises(Unavailable, match="deploy/kubernetes/objects"):
        await KubernetesPauses(client, namespace).list()
    await client.close()


@pytest.mark.asyncio
async def test_doctor_says_what_is_missing_for_objects_and_how_to_get_it(
    control_plane: ControlPlane, admin: KubeApi, namespace: str
) -> None:
    client = await KubernetesClient.open(Connection(kubeconfig=str(control_plane.kubeconfig("watchdog"))))
    pauses, incidents = KubernetesPauses(client, namespace), KubernetesIncidents(client, namespace, str)
    (line,) = await objects_in_cluster(client, pauses, incidents, namespace)
    assert line.ok is False
    assert "may not: list pauses, patch pauses/status, get incidents" in line.sentence
    grant(admin, namespace, "watchdog", objects_role())
    time.sleep(0.5)
    lines = await objects_in_cluster(client, pauses, incidents, namespace)
    assert lines[0].ok
    assert not lines[1].ok  # the definitions are not there
    assert lines[1].next_command == "kubectl apply -k deploy/kubernetes/objects"
    await client.close()
