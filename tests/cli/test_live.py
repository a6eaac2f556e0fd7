"""`watchdog status -w`: redrawn in place, and never an old green as a present one."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from tests.cli.conftest import Running
from watchdog.testing.control import FakeControl


def until(daemon: Running, *steps: Callable[[FakeControl], None]) -> Callable[[float], None]:
    """A sleep that changes the world step by step and then presses Ctrl-C."""
    left = list(steps)

    def sleep(_seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)(daemon.control)

    return sleep


def test_piped_each_change_is_appended_and_ctrl_c_is_the_normal_end(daemon: Running) -> None:
    def suspect(control: FakeControl) -> None:
        control.rows[0]["state"] = "suspect"

    sleep = until(daemon, lambda _: None, suspect)
    result = daemon("status", "-w", terminal=daemon.terminal(sleep=sleep))
    assert result.exit_code == 0, result.output
    assert result.stdout.count("ARMED") == 2, "an unchanged screen was written again"
    assert "suspect" in result.stdout


def test_a_daemon_that_goes_away_leaves_a_screen_marked_as_stale(daemon: Running) -> None:
    sleep = until(daemon, lambda _: daemon.path.unlink(), lambda _: None)
    facts = {"interactive": True, "colour": True, "sleep": sleep}
    result = daemon("status", "-w", "--every", "5", terminal=daemon.terminal(**facts))
    assert result.exit_code == 0, result.output
    assert "STALE for 5 s: no daemon answers" in result.stdout
    assert "STALE for 10 s" in result.stdout
    assert "\x1b[32m" in result.stdout, "there was no green to lose: the test shows nothing"
    after = result.stdout[result.stdout.rindex("STALE for 10 s") :]
    assert "bookstore-api" in after, "the last screen is gone"
    assert not re.search(r"\x1b\[[0-9;]*32m", after), "an old green is shown as a present one"


def test_piped_a_daemon_that_goes_away_is_said(daemon: Running) -> None:
    sleep = until(daemon, lambda _: daemon.path.unlink())
    result = daemon("status", "-w", terminal=daemon.terminal(sleep=sleep))
    assert "STALE: no daemon answers" in result.stdout


def test_watching_nobody_fails_at_once(nobody: Running) -> None:
    result = nobody("status", "-w")
    assert (result.exit_code, result.stdout) == (4, "")


_HEARING = """
import runpy, signal  # a shell that starts the tests in the background makes all of them deaf to Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("watchdog.cli.main", run_name="__main__", alter_sys=True)
"""


def test_on_a_real_terminal_the_screen_is_redrawn_in_place(daemon: Running) -> None:
    leader, follower = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    environ.pop("NO_COLOR", None)
    command = [
        sys.executable,
        "-c",
        _HEARING,
        "--socket",
        str(daemon.path),
        "status",
        "-w",
        "--every",
        "0.2",
    ]
    with subprocess.Popen(command, stdout=follower, stdin=follower, stderr=subprocess.PIPE, env=environ) as process:
        os.close(follower)
        daemon.control.rows[0]["state"] = "healthy"
        seen = _read_until(leader, b"bookstore-web")
        daemon.control.rows[0]["state"] = "failing"
        seen += _read_until(leader, b"failing")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    os.close(leader)
    text = seen.decode()
    assert re.search(r"\x1b\[\d*A", text), "the cursor never went up: the screen scrolled instead"
    assert "\x1b[31mfailing" in text
    assert max(len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line)) for line in re.split(r"[\r\n]+", text)) <= 100


def _read_until(leader: int, word: bytes) -> bytes:
    seen, end = b"", time.monotonic() + 15
    while word not in seen:
        ready, _, _ = select.select([leader], [], [], max(0.0, end - time.monotonic()))
        assert ready, seen
        seen += os.read(leader, 65536)
    return seen
