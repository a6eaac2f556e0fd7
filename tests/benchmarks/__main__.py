"""`make bench`: every benchmark, one table each. `python -m tests.benchmarks.NAME --help` for one of them."""

from __future__ import annotations

import subprocess
import sys

ALL = ("polling", "memory", "breach", "known_hour", "store")


def main() -> int:
    """Run each in a process of its own, so that none inherits another's memory."""
    worst = 0
    for name in ALL:
        print(f"\n## {name}\n", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
