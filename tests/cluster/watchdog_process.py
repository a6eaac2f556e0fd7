"""The real `watchdog run` as a process of its own: started, asked, ordered, frozen and killed as people and machines do.

Questions go straight to its socket, orders through the real command line. Guarantees: a clean environment, so that no
variable of the developer's counts as configuration; every wait is bounded, and fails with the status, the journals and
the end of the log. Not guaranteed: anything about the state of a daemon that was killed, which is the point of it.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster.programs import Program
from tests.cluster.waiting import wait_until
from watchdog.cli.client import Daemon, place
from watchdog.cli.exits import Failed

Found = TypeVar("Found")
Config = dict[str, Any]

_STARTED_WITHIN = 30.0
_LOG_LINES = 40
_ROOT = Path(__file__).parents[2]
BUG = "this is a bug"
"""What our log says where a defect of ours was caught."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What a command of the command line came to."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed with ``-o json``."""
        return json.loads(self.out)


@dataclass(slots=True)
class WatchdogProcess:
    """One daemon: its folder, its process, its socket. Made by `prepare`."""

    folder: Path
    config: Path
    socket: Path
    program: Program

    @classmethod
    def prepare(cls, folder: Path, config: Config, environment: Mapping[str, str] | None = None) -> WatchdogProcess:
        """Write the configuration of a daemon that lives in `folder`; `config` has the targets and the numbers.

        `environment` = variables beside those that a machine always has.
        """
        folder.mkdir(parents=True, exist_ok=True)
        file, socket = folder / "watchdog.yaml", folder / "run" / "w.sock"
        command = _command(folder, "run", "--config", str(file), environment=environment)
        program = Program("watchdog", command, folder / "watchdog.log", _ROOT)
        made = cls(folder, file, socket, program)
        made.configure(config)
        return made

    def configure(self, config: Config) -> None:
        """Write the configuration file; a daemon that runs reads it when it is told, or sees it by itself."""
        own: Config = {
            "state": {"sqlite": str(self.folder / "state.db")},
            "bundles": str(self.folder / "incidents"),
            "api": {"socket": str(self.socket), "metrics": {"host": "127.0.0.1", "port": 0}},
            "log": {"format": "json", "level": "info"},
        }
        self.config.write_text(json.dumps({**own, **config}, indent=1))

    def content(self) -> Config:
        """The configuration as it was given, without what is this daemon's own."""
        written: Config = json.loads(self.config.read_text())
        return {key: value for key, value in written.items() if key not in ("state", "bundles", "api", "log")}

    def reload(self) -> None:
        """Have it read its configuration again; AssertionError when it refuses."""
        answer = Daemon(self.socket).post("/reload").body
        assert answer.get("reloaded"), f"{answer}\n{self.describe()}"

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.launch()
        self.wait_started()

    def wait_started(self) -> None:
        """Until it answers; AssertionError when it has ended instead."""
        self.wait(lambda: self.status() or not self.program.running, "an answer of the daemon", within=_STARTED_WITHIN)
        if not self.program.running:
            raise AssertionError(f"the daemon has ended\n{self.describe()}")

    def launch(self) -> None:
        """Start it and wait for nothing."""
        self.program.start()

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.program.kill()

    def stop(self, within: float = 30.0) -> int:
        """SIGTERM, and its exit code; AssertionError when it has not ended in time."""
        self.program.signal(signal.SIGTERM)
        self.wait(lambda: not self.program.running, "the end after SIGTERM", within=within)
        code = self.program.code
        assert code is not None
        return code

    def freeze(self) -> None:
        """SIGSTOP: it stands still and does not know it."""
        self.program.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.program.signal(signal.SIGCONT)

    def arm(self) -> None:
        """Say that an empty store is as it should be, as a person does after the first start."""
        answer = Daemon(self.socket).post("/arm").body
        assert answer.get("armed"), f"{answer}\n{self.describe()}"

    # -- questions ---------------------------------------------------------------------------------------------------

    def get(self, *path: str) -> dict[str, Any]:
        """A question to its API, by the parts of the path; empty when it does not answer."""
        try:
            return Daemon(self.socket, answer_s=5.0).get(place(*path))
        except Failed:
            return {}

    def status(self) -> dict[str, Any]:
        """The whole service on one screen."""
        return self.get("status")

    def target(self, name: str) -> dict[str, Any]:
        """The line of one target; empty when there is none."""
        rows = self.status().get("targets", ())
        return next((row for row in rows if row["name"] == name), {})

    def incidents(self, target: str | None = None) -> list[dict[str, Any]]:
        """All incidents with their journals, the newest first."""
        rows = [row for row in self.get("incidents").get("incidents", ()) if target in (None, row["target"])]
        found = [self.get("incidents", row["id"]) for row in rows]
        return [answer["incident"] for answer in found if answer]

    def grades(self, target: str) -> dict[str, str]:
        """Grade of each release that the ledger knows, by image."""
        releases = self.get("targets", target, "history").get("releases", ())
        return {image: entry.get("grade", "new") for entry in releases for image in entry.get("images", {}).values()}

    def type(self, *arguments: str, within: float = 30.0) -> Typed:
        """Type a command of the command line, the socket said."""
        done = subprocess.run(
            _command(self.folder, "--socket", str(self.socket), *arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=within,
            cwd=_ROOT,
        )
        return Typed(done.returncode, done.stdout, done.stderr)

    def order(self, *arguments: str) -> Typed:
        """Type a command that must be taken."""
        typed = self.type(*arguments)
        if typed.code:
            raise AssertionError(
                f"watchdog {' '.join(arguments)} ended with {typed.code}: {typed.err}\n{self.describe()}"
            )
        return typed

    def doctor(self) -> Typed:
        """``watchdog doctor``, as JSON."""
        return self.type("doctor", "--config", str(self.config), "-o", "json")

    # -- waiting and telling -----------------------------------------------------------------------------------------

    def wait(self, look: Callable[[], Found], what: str, *, within: float, every: float = 0.1) -> Found:
        """`wait_until` that tells, when it fails, what the daemon says."""
        return wait_until(look, what, within=within, every=every, explain=self.describe)

    def log(self) -> str:
        """Everything it has logged."""
        file = self.folder / "watchdog.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def check(self) -> None:
        """AssertionError when it logged a defect of its own."""
        text = self.log()
        if BUG in text or "Traceback (most recent call last)" in text:
            raise AssertionError(f"the daemon logged a defect\n{self.describe()}")

    def describe(self) -> str:
        """Status, journals and the end of the log, for the message of a failure."""
        lines = [f"running: {self.program.running}; in {self.folder}"]
        status = self.status()
        lines.append(str(status.get("headline", "no status")))
        for row in status.get("targets", ()):
            lines.append(f"{row['name']}: {row['state']}, {row['sentence']}; release {row['release']}; {row['bake']}")
            lines += [f"  {signal['name']}: {signal['sentence']}" for signal in row["signals"]]
        for incident in self.incidents():
            lines.append(f"incident {incident['id']}: {incident['stage']} {incident.get('reason')}")
            lines += [f"  {entry['at']} {entry['kind']}: {entry['sentence']}" for entry in incident["entries"]]
        return "\n".join([*lines, "end of the log:", *(_short(line) for line in self.log().splitlines()[-_LOG_LINES:])])


def _command(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """`watchdog` with no variable but what a machine always has; `env` is replaced by it, so its process is ours."""
    variables = ["PATH=/usr/local/bin:/usr/bin:/bin", f"HOME={folder}", "LANG=C.UTF-8", "PYTHONUNBUFFERED=1"]
    variables += [f"{name}={value}" for name, value in (environment or {}).items()]
    return ["/usr/bin/env", "-i", *variables, sys.executable, "-m", "watchdog.cli.main", *arguments]


def _short(line: str) -> str:
    """A log line for eyes: what was said, not its whole object."""
    try:
        entry = json.loads(line)
        rest = {key: value for key, value in entry.items() if key in ("action", "target", "reason", "sentence")}
        return f"  {entry.get('timestamp', '')} {entry.get('event', '')} {rest}"
    except (ValueError, AttributeError):
        return f"  {re.sub(r'[^ -~]', '?', line)[:300]}"
