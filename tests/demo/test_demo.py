"""`watchdog demo` as a newcomer types it: it ends well, shows where the record lies, and leaves nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(150)

ROOT = Path(__file__).parents[2]
AT_MOST_S = 90.0
"""It takes less than a minute on a machine that has nothing else to do."""
GONE_WITHIN_S = 10.0


def command(scenario: str) -> list[str]:
    return [sys.executable, "-m", "watchdog.cli.main", "demo", "--scenario", scenario]


def environment(place: Path) -> dict[str, str]:
    """What every machine has, and a place of its own for temporary files."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(place),
        "TMPDIR": str(place),
        "LANG": "C.UTF-8",
    }


def left_running(place: Path) -> list[str]:
    """Command lines of all processes that name the place."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if str(place) in line:
                found.append(line)
    return found


@contextmanager
def opened(place: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo whose bookstore is open; killed after the block if it still runs."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command("bad"), env=environment(place), cwd=ROOT, **pipes) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "is deployed" in line:
                    break
            assert left_running(place), "the bookstore's processes name its folder"
            yield process
        finally:
            process.kill()


def test_a_bad_release_is_rolled_back_and_the_last_line_is_the_report(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        command("bad"), env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False, timeout=140
    )
    took = time.monotonic() - began
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert done.stderr == ""
    report = Path(done.stdout.splitlines()[-1])
    assert report.is_file(), said
    assert "1.2-err30" in report.read_text()
    assert (report.parent / "report.json").is_file()
    assert took < AT_MOST_S, said
    for line in (r"failed requests +\d+ of \d+", r"time to notice +\d+ s", r"time to restore +\d+ s", r"rollbacks +1"):
        assert re.search(f"^{line}", done.stdout, re.MULTILINE), said
    for step in ("has earned the grade good", "▶ release 1.2-err30", "is failing", "intent stored", "verifying"):
        assert step in done.stdout, said
    assert left_running(tmp_path) == []


def test_a_dependency_that_fails_brings_no_rollback(tmp_path: Path) -> None:
    done = subprocess.run(
        command("dependency"),
        env=environment(tmp_path),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=140,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(r"^rollbacks +0$", done.stdout, re.MULTILINE), said
    assert "is not to blame" in done.stdout
    assert Path(done.stdout.splitlines()[-1]).is_file()
    assert left_running(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_demo_that_is_ended_in_the_middle_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    with opened(tmp_path) as process:
        process.send_signal(number)
        process.communicate(timeout=60)
        end = time.monotonic() + GONE_WITHIN_S
        while left_running(tmp_path) and time.monotonic() < end:
            time.sleep(0.1)
        assert left_running(tmp_path) == []
