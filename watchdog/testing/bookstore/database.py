"""The bookstore's database, as far as anybody notices: /query and /health are 200, or 503 while a flag file exists.

Run: ``python -m watchdog.testing.bookstore.database --flag FILE``. While it is down every version of the API fails: the case
in which a rollback would be wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from watchdog.testing.bookstore.lifeline import run_server
from watchdog.testing.bookstore.speech import Asked, Told


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--flag", type=Path, required=True)
    flag: Path = parser.parse_args().flag

    async def answer(asked: Asked) -> Told:
        if asked.path not in ("/query", "/health"):
            return Told(404, b"{}")
        if flag.exists():  # noqa: ASYNC240 - one stat of a local file
            return Told(503, b'{"error": "down for the test"}')
        return Told(200, b"{}")

    run_server(answer)


if __name__ == "__main__":
    main()
