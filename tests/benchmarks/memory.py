"""Resident memory of an idle `watchdog run`, beside a bare interpreter with an event loop and an HTTP client.

``python -m tests.benchmarks.memory [--seconds 20]``. One target each: a command pair, and a Deployment on a fake API server in
a process of its own. The figures are those of the daemon's process alone.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.processes import rss_mib, table
from tests.platforms.appctl import example

AIM_MIB = 90
BARE = "import asyncio, aiohttp; asyncio.run(asyncio.sleep(3600))"
"""What any asyncio service with an HTTP client has: it includes no server, no configuration, no store."""


@contextlib.contextmanager
def running(command: Sequence[str], ready: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that is ended after the block; with `ready` its first line is waited for."""
    out = subprocess.PIPE if ready else subprocess.DEVNULL
    with subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            if process.stdout is not None and process.stdout.readline().strip() != ready:
                raise OSError(f"{command[-1]} did not start")
            yield process
        finally:
            process.terminate()


def configuration(home: Path, target: dict[str, object], signals: dict[str, object]) -> Path:
    """A configuration with one target that observes."""
    path = home / "watchdog.yaml"
    body = {
        "state": {"sqlite": str(home / "state.db")},
        "bundles": str(home / "incidents"),
        "api": {"socket": str(home / "w.sock"), "metrics": {"host": "127.0.0.1", "port": 0}},
        "targets": {"shop": {**target, "data": "none", "signals": signals}},
    }
    path.write_text(json.dumps(body))
    return path


def with_command(home: Path) -> Path:
    """One command pair: the example of the documentation."""
    (home / "releases" / "one").mkdir(parents=True)
    (home / "appctl").write_text(example())
    argv = [sys.executable, "-S", "-E", str(home / "appctl")]
    environment = {"APP_HOME": str(home)}
    subprocess.run([*argv, "deploy", "one"], env=environment, check=True)
    programs = {verb: [*argv, verb] for verb in ("current", "history", "rollback")}
    probe = {"http": "http://127.0.0.1:9/health"}
    return configuration(home, {"command": {**programs, "environment": environment}}, {"health": probe})


def with_kubernetes(home: Path, kubeconfig: Path) -> Path:
    """One Deployment, seen by its pods and by a probe."""
    place = {"namespace": "shop", "deployment": "web", "kubeconfig": str(kubeconfig)}
    signals = {"health": {"http": "http://127.0.0.1:9/health"}, "workload": {}}
    return configuration(home, {"kubernetes": place}, signals)


def resident(command: Sequence[str], seconds: float) -> float:
    """MiB after so many seconds of running. Raises OSError when it does not live that long."""
    with running(command) as process:
        time.sleep(seconds)
        if process.poll() is not None:
            raise OSError(f"{' '.join(command[:4])} ended with {process.returncode}")
        return rss_mib(process.pid)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    run = [sys.executable, "-m", "watchdog.cli.main", "run", "--config"]
    with tempfile.TemporaryDirectory(prefix="wd-") as place:
        home = Path(place)
        for name in ("command", "kubernetes"):
            (home / name).mkdir()
        kubeconfig = home / "kubeconfig"
        bare = resident([sys.executable, "-c", BARE], seconds)
        command = resident([*run, str(with_command(home / "command"))], seconds)
        with running([sys.executable, "-m", "tests.benchmarks.cluster", str(kubeconfig)], "ready"):
            kubernetes = resident([*run, str(with_kubernetes(home / "kubernetes", kubeconfig))], seconds)
    rows = [
        [name, f"{mib:.0f}", f"{mib / bare:.1f} x", aim]
        for name, mib, aim in (
            ("bare: asyncio and aiohttp imported", bare, ""),
            ("`watchdog run`, one command target", command, ""),
            ("`watchdog run`, one Kubernetes target", kubernetes, f"<= {AIM_MIB}"),
        )
    ]
    print(table([f"idle for {seconds:.0f} s", "RSS MiB", "of bare", "aim MiB"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
