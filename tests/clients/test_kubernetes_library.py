"""The lean import of the library: small, the same client, and the whole library where it is built otherwise."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASKING = """
import asyncio, sys
from aiohttp import web
from watchdog.clients.kubernetes import Connection, KubernetesClient
from watchdog.clients.kubernetes.library import library
from watchdog.testing.clock import WorldClock
from watchdog.testing.kubernetes import FakeKubernetes

async def main():
    async with FakeKubernetes(WorldClock()) as server:
        path = sys.argv[1]
        open(path, "w").write(server.kubeconfig())
        client = await KubernetesClient.open(Connection(kubeconfig=path))
        print((await client.get("/api/v1/namespaces/shop/pods"))["items"])
        await client.close()
    print(sum(name.startswith("kubernetes_asyncio") for name in sys.modules))

asyncio.run(main())
"""

OTHERWISE = """
import sys, importlib.util
from watchdog.clients.kubernetes import library
find = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name.endswith(".client") else find(name)
used = library.library()
importlib.util.find_spec = find
print(used.api_client.__module__, sum(name.startswith("kubernetes_asyncio") for name in sys.modules) > 500)
import kubernetes_asyncio
print(hasattr(kubernetes_asyncio.client, "CoreV1Api"))
"""

BEFORE = """
import kubernetes_asyncio
from watchdog.clients.kubernetes.library import library
used = library()
print(used.api_client is kubernetes_asyncio.client.ApiClient, used.config is kubernetes_asyncio.config)
"""


def run(code: str, *arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_asks_a_server_with_a_hundredth_of_the_library(tmp_path) -> None:
    items, modules = run(ASKING, str(tmp_path / "kubeconfig"))
    assert items == "[]"
    assert int(modules) < 30


def test_a_library_that_is_built_otherwise_is_imported_whole() -> None:
    assert run(OTHERWISE) == ["kubernetes_asyncio.client.api_client True", "True"]


def test_a_library_that_was_imported_before_is_used_as_it_is() -> None:
    assert run(BEFORE) == ["True True"]


@pytest.mark.parametrize("credential", ["incluster_config", "kube_config", "exec_provider", "openid", "google_auth"])
def test_every_loader_of_credentials_is_there(credential: str) -> None:
    code = (
        "import sys; from watchdog.clients.kubernetes.library import library; library(); "
        f"print('kubernetes_asyncio.config.{credential}' in sys.modules)"
    )
    assert run(code) == ["True"]
