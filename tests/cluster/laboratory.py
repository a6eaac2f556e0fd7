"""A control plane and a node for who is no test: benchmarks, chaos."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster.controlplane import ControlPlane, binaries_folder
from tests.cluster.node.process import Node


@contextmanager
def laboratory(purpose: str) -> Iterator[tuple[ControlPlane, Node, Path]]:
    """Both, and a folder; nothing is left of them at the end. To be entered in a network namespace of `enter`."""
    folder = Path(tempfile.mkdtemp(prefix=f"watchdog-{purpose}-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        plane = ControlPlane.start(folder, binaries_folder())
        stack.callback(plane.stop)
        node = Node.start(plane)
        stack.callback(node.stop)
        yield plane, node, folder
