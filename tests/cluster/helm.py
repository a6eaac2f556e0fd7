"""The real helm, typed as `admin`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cluster.controlplane import ControlPlane


class HelmProgram:
    """helm in one namespace; AssertionError with what it said when it fails, unless that was expected."""

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path) -> None:
        self.program, self.namespace, self.folder = plane.binaries / "helm", namespace, folder
        self.kubeconfig = plane.kubeconfig("admin")

    def __call__(self, *arguments: str, check: bool = True) -> str:
        environment = {**os.environ, "HELM_CACHE_HOME": str(self.folder / "cache"), "NO_PROXY": "*"}
        done = subprocess.run(
            [self.program, *arguments, "--kubeconfig", self.kubeconfig, "--namespace", self.namespace],
            capture_output=True, text=True, timeout=60, check=False, env=environment,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr
