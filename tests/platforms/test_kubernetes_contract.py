"""The contract of the platform port, on all three kinds against the fake API server."""

from __future__ import annotations

import pytest_asyncio

from tests.platforms.contract import PlatformContract
from tests.platforms.kubernetes_shop import Shop


class TestKubernetesPlatform(PlatformContract):
    @pytest_asyncio.fixture(params=["Deployment", "StatefulSet", "DaemonSet"])
    async def outside(self, request, tmp_path):
        async with Shop(tmp_path, request.param) as shop:
            shop.begin("web:one")
            await shop.platform.read_state()
            yield shop
