"""One instance of the bookstore's web front: renders a page from what the API says.

Run: ``python -m watchdog.testing.bookstore.web --version 1.2 --api PORT [--port P]``. `--api` is the balancer's port.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json

from watchdog.testing.bookstore.lifeline import run_server
from watchdog.testing.bookstore.speech import Asked, Told, ask

OK = 200


class Web:
    """Renders for one version."""

    def __init__(self, version: str, api: int) -> None:
        """Ask the API at that port."""
        self._version = version
        self._api = api

    async def answer(self, asked: Asked) -> Told:
        """/health, and the page."""
        if asked.path == "/health":
            return Told(OK, json.dumps({"version": self._version}).encode())
        if asked.path != "/":
            return Told(404, b"no such page", "text/plain")
        try:
            books, authors = await asyncio.gather(ask(self._api, "/api/books"), ask(self._api, "/api/authors"))
        except (OSError, ValueError):
            return Told(502, b"the API does not answer", "text/plain")
        if (books.status, authors.status) != (OK, OK):
            return Told(502, b"the API failed", "text/plain")
        pairs = zip(json.loads(books.body), json.loads(authors.body), strict=True)
        rows = "".join(f"<li>{html.escape(book)}, by {html.escape(author)}" for book, author in pairs)
        page = f"<!doctype html><title>Bookstore</title><h1>Books</h1><ul>{rows}</ul><p>version {self._version}"
        return Told(OK, page.encode(), "text/html; charset=utf-8")


def main() -> None:
    """Run one instance."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", required=True)
    parser.add_argument("--api", type=int, required=True)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    run_server(Web(given.version, given.api).answer, given.port)


if __name__ == "__main__":
    main()
