"""The contract of the platform port, on a container app in both modes."""

from __future__ import annotations

import pytest_asyncio

from tests.platforms.container_app_outside import opened
from tests.platforms.contract import PlatformContract


class TestContainerAppPlatform(PlatformContract):
    @pytest_asyncio.fixture(params=["single", "multiple"])
    async def outside(self, request, monkeypatch):
        async with opened(request.param, monkeypatch) as made:
            yield made
