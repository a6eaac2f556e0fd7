"""The contract's asserts explain themselves like those of a test module."""

from __future__ import annotations

import asyncio

import pytest

pytest.register_assert_rewrite("tests.platforms.contract")
asyncio.set_event_loop(None)  # else pytest-asyncio makes a loop at its first look, which nobody closes
