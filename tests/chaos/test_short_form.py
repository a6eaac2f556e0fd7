"""The short form of ``make chaos``, in a network namespace and on a control plane of its own."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.controlplane import PROGRAMS, binaries_folder

ROOT = Path(__file__).parents[2]
DEMANDED = bool(set(re.split(r"[\s,]+", os.environ.get("WATCHDOG_TEST_REQUIRE", ""))) & {"all", "cluster"})
RUNS = 24 if DEMANDED else 6
"""More where everything is demanded (CI). ``make chaos`` plays 60."""


@pytest.mark.timeout(1800)
def test_whatever_happens_at_whatever_moment_nothing_is_written_twice_overwritten_or_forgotten() -> None:
    missing = [name for name in PROGRAMS if not (binaries_folder() / name).exists()]
    if missing:
        (pytest.fail if DEMANDED else pytest.skip)(f"the control plane is not built: {', '.join(missing)}")
    seed = os.environ.get("WATCHDOG_TEST_SEED") or secrets.token_hex(3)
    command = [sys.executable, "-m", "tests.chaos", "--runs", str(RUNS), "--seed", seed]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=1700)
    odd = "\n".join(line for line in done.stdout.splitlines() if ": ok | " not in line)
    assert done.returncode == 0, f"{odd[:8000]}\n{done.stderr[-2000:]}"
    assert f"{RUNS} stories" in done.stdout
    assert "; 0 stories with a violation" in done.stdout
