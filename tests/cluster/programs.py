"""Long-running programs of the test cluster: started in a process group of their own, ended by its id."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_LOG_TAIL = 2500


class Program:
    """One program, its log and its life; it can be started again after it was killed."""

    def __init__(self, name: str, command: Sequence[str], log: Path, folder: Path | None = None) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended; a frozen program runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended, minus the signal if by one; None while it runs or before its start."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int:
        """The id of the process, and of its group."""
        if self._process is None:
            raise AssertionError(f"{self.name} is not started")
        return self._process.pid

    def start(self) -> None:
        """Start it; its output is added to its log."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                process_group=0,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, if it is still there."""
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it at once, also when it is frozen; does nothing to one that has ended."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(timeout=10)

    def terminate(self, within: float = 5.0) -> None:
        """Ask it to end, and kill it when it has not ended in time."""
        self.signal(signal.SIGTERM)
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=within)
        self.kill()

    def tail(self) -> str:
        """The end of its log, for the message of a failure."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        code = self._process.poll() if self._process else None
        state = "running" if self.running else "not started" if code is None else f"ended with {code}"
        return f"--- {self.name} ({state}), end of {self._log}:\n{text[-_LOG_TAIL:]}"
