"""Poll punctuality, CPU and memory of `watchdog run` beside a bare aiohttp poller, in the same run.

``python -m tests.benchmarks.polling [--targets 100 --targets 1000] [--seconds 60]``. Measured at the target: gaps between
two arrivals at one address against the interval of 10 s. 20 ms answers, distinct loopback addresses, http.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml

from tests.benchmarks.bare import host
from tests.benchmarks.processes import cpu_s, percentile, rss_mib, table

EVERY = 10.0
WARM_UP_S = 15.0


@dataclass
class Measured:
    """One row."""

    name: str
    gaps: list[float]
    cpu: float
    rss: float
    first: float

    def row(self, yardstick: Measured | None) -> list[str]:
        """As printed: lateness is the deviation of a gap from the interval."""
        late = [abs(gap - EVERY) for gap in self.gaps]
        share = sum(entry <= 0.05 * EVERY for entry in late) / max(1, len(late))
        ratio = f"{self.cpu / yardstick.cpu:.2f} x" if yardstick and yardstick.cpu else "1"
        memory = f"{self.rss / yardstick.rss:.2f} x" if yardstick else "1"
        spread = [f"{1000 * percentile(late, p):.1f}" for p in (0.5, 0.99, 1.0)]
        return [
            self.name,
            f"{share:.2%}",
            *spread,
            f"{self.first:.1f}",
            f"{100 * self.cpu:.1f}",
            ratio,
            f"{self.rss:.0f}",
            memory,
        ]


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration(folder: Path, port: int, count: int, connection: str) -> Path:
    """`count` watch-only targets with one http check each."""
    targets = {
        f"t{number}": {
            "signals": {
                "health": {
                    "http": {"url": f"http://{host(number)}:{port}/health", "connection": connection},
                    "every": "10s",
                }
            }
        }
        for number in range(count)
    }
    document = {
        "state": {"sqlite": str(folder / "state.db")},
        "bundles": str(folder / "bundles"),
        "api": {"socket": str(folder / "w.sock"), "metrics": {"host": "127.0.0.1", "port": 0}},
        "log": {"level": "error"},
        "targets": targets,
    }
    path = folder / "watchdog.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def measure(name: str, command: list[str], port: int, seconds: float) -> Measured:
    """Run a poller against a fresh shop for warm-up and `seconds`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "arrivals.json"
        shop = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.shop", str(port), str(file)], stdout=subprocess.PIPE, text=True
        )
        assert shop.stdout is not None
        shop.stdout.readline()
        began = time.monotonic()
        poller = subprocess.Popen(command)
        try:
            time.sleep(WARM_UP_S)
            before, start = cpu_s(poller.pid), time.monotonic()
            time.sleep(seconds)
            cpu, rss = (cpu_s(poller.pid) - before) / (time.monotonic() - start), rss_mib(poller.pid)
        finally:
            for process in (poller, shop):
                process.send_signal(signal.SIGTERM)
                process.wait(30)
        arrivals = json.loads(file.read_text())
    gaps = [b - a for moments in arrivals.values() for a, b in pairwise(moments) if b > start]
    first = max(moments[0] for moments in arrivals.values()) - began
    return Measured(name, gaps, cpu, rss, first)


def main() -> None:
    """Print one table for each number of targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, action="append")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connection", choices=["fresh", "keep"], default="keep")
    options = parser.parse_args()
    header = [
        "poller",
        "within 5 %",
        "late p50 ms",
        "p99 ms",
        "max ms",
        "all on watch after s",
        "CPU % of a core",
        "to bare",
        "RSS MiB",
        "to bare",
    ]
    for count in options.targets or [100, 1000]:
        port = free_port()
        command = [sys.executable, "-m", "tests.benchmarks.bare", str(port), str(count), str(EVERY), options.connection]
        bare = measure(f"bare aiohttp, {count} @{EVERY:.0f} s, {options.connection}", command, port, options.seconds)
        with tempfile.TemporaryDirectory() as folder:
            path = configuration(Path(folder), port, count, options.connection)
            ours = [str(Path(sys.executable).with_name("watchdog")), "run", "--config", str(path)]
            watchdog = measure(f"watchdog, {count} @{EVERY:.0f} s, {options.connection}", ours, port, options.seconds)
        print(table(header, [bare.row(None), watchdog.row(bare)]), flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
