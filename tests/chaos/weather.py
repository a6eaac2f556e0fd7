"""Trouble that everybody has at once: the API server and etcd die, stand still, and come back."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.controlplane import ControlPlane

BETWEEN_S = (12.0, 30.0)


@contextmanager
def weather(plane: ControlPlane, seed: str) -> Iterator[list[str]]:
    """Storms until the block ends; what came is in the list."""
    enough, chance, came = threading.Event(), random.Random(seed), list[str]()

    def blow() -> None:
        while not enough.wait(chance.uniform(*BETWEEN_S)):
            storm = chance.choice((_killed, _frozen, _without_etcd))
            lasts = chance.uniform(0.5, 5.0)
            storm(plane, lasts)
            came.append(f"{storm.__name__.strip('_')} {lasts:.1f} s")

    thread = threading.Thread(target=blow, name="weather")
    thread.start()
    try:
        yield came
    finally:
        enough.set()
        thread.join()


def _killed(plane: ControlPlane, lasts: float) -> None:
    with plane.api_server_killed():
        time.sleep(lasts)
    _controllers(plane)


def _frozen(plane: ControlPlane, lasts: float) -> None:
    with plane.api_server_frozen():
        time.sleep(lasts)


def _without_etcd(plane: ControlPlane, lasts: float) -> None:
    """etcd is killed and comes back on the same data; the API server outlives it or is started anew."""
    plane.etcd.kill()
    time.sleep(lasts)
    plane.etcd.start()
    if not plane.api_server.running:
        plane.start_api_server()
    _controllers(plane)


def _controllers(plane: ControlPlane) -> None:
    """After an outage the old ones wait ever longer before they look."""
    plane.controller_manager.kill()
    plane.controller_manager.start()
