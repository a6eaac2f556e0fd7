"""The Kubernetes platform on a real API server and real controllers: the oracles that a fake could get wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.controlplane import ControlPlane
from tests.cluster.waiting import wait_until
from tests.cluster.workloads import (
    Kubectl,
    apply,
    daemon_set,
    deployment,
    grant,
    pods_of,
    rollout_history,
    set_image,
    stateful_set,
    wait_for_waiting,
    wait_rolled_out,
)
from watchdog.clients.kubernetes import Connection, KubernetesClient
from watchdog.engine.clock import SystemClock
from watchdog.model import Decision, Instant, Intent, Issue, Outcome, Owner, Plan, Progress, Release, Resolution
from watchdog.platforms.kubernetes import KubernetesPlatform, KubernetesTarget, KubernetesWriter
from watchdog.safety.permits import PermitOffice

NAME = "bookstore"
CAUSE = "kubernetes.io/change-cause"
