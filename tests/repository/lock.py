"""Fails when a distribution called ``watchdog`` (PyPI's file watcher, which owns our import name) enters the lock."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

FORBIDDEN = "watchdog"
LOCK = Path(__file__).parents[2] / "uv.lock"


def intruders(text: str) -> list[str]:
    """Versions of the forbidden distribution in a lock file's text."""
    packages = tomllib.loads(text).get("package", [])
    return [str(entry.get("version")) for entry in packages if entry.get("name", "").lower() == FORBIDDEN]


def main() -> int:
    """Exit 1 when it is there."""
    found = intruders(LOCK.read_text())
    for version in found:
        print(f"uv.lock holds the distribution {FORBIDDEN} {version}: it would overwrite our package", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
