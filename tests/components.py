"""What a test needs beyond Python: found, or skipped with its reason, or failed where it is required."""

from __future__ import annotations

import os
import re
import shutil
import socket

import pytest


def needed(program: str, component: str) -> str:
    """The path of a program. Skips without it; fails where WATCHDOG_TEST_REQUIRE is `all` or lists the component."""
    found = shutil.which(program)
    if found is None:
        required = set(re.split(r"[\s,]+", os.environ.get("WATCHDOG_TEST_REQUIRE", "")))
        (pytest.fail if required & {"all", component} else pytest.skip)(f"{program} is not installed")
    assert found is not None
    return found


def free_port() -> int:
    """A port of the loopback that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
