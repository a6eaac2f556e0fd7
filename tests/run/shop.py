"""A small shop beside a real `watchdog run`: a web server in a thread, and the documentation's appctl as its platform.

What a release does is written in its name: ``bad`` answers 500 to everything but /health, ``down`` answers 500 to that as
well; every other release is good. The server takes on the release that appctl points at as soon as it is asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.platforms.appctl import example

RELEASES = ("one", "two", "three", "bad", "down")


class Shop:
    """The shop below `home`; use with ``with``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name in RELEASES:
            (home / "releases" / name).mkdir(parents=True)
        self._program = home / "appctl"
        self._program.write_text(example())
        self.broken = False
        """Everything fails, whichever release runs."""
        self.asked: Counter[str] = Counter()
        self.arrivals: list[float] = []
        """Monotonic moments of every request."""
        self.headers: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="shop")

    def __enter__(self) -> Shop:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def url(self, path: str) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{path}"

    def argv(self, verb: str) -> list[str]:
        """Argv of appctl."""
        return [sys.executable, "-S", "-E", str(self._program), verb]

    def command(self, **more: Any) -> dict[str, Any]:
        """The `command:` section of a target."""
        programs = {verb: self.argv(verb) for verb in ("current", "history", "rollback")}
        return {**programs, "every": "500ms", "environment": {"APP_HOME": str(self.home)}, **more}

    def deploy(self, release: str) -> None:
        """What a person or a pipeline does."""
        environment = {"APP_HOME": str(self.home), "PATH": os.environ.get("PATH", "/usr/bin:/bin")}
        subprocess.run([*self.argv("deploy"), release], env=environment, check=True, timeout=30)
        self.take_on()

    @property
    def release(self) -> str:
        """The release that appctl points at."""
        return (self.home / "live").readlink().name

    @property
    def history(self) -> list[str]:
        """Every release that was ever switched to, in order."""
        return [entry["release"] for entry in json.loads((self.home / "state.json").read_text())["history"]]

    def take_on(self) -> str:
        """Run the release that is pointed at, and say so."""
        release = self.release
        fresh = self.home / f"running.{threading.get_ident()}"
        fresh.write_text(release)
        fresh.replace(self.home / "running")
        return release

    def break_platform(self, text: str) -> None:
        """From now on every program ends with this on standard error."""
        self._program.write_text(f"import sys; sys.exit({text!r})")

    def mend_platform(self) -> None:
        """The programs work again."""
        self._program.write_text(example())

    def _status(self, path: str) -> int:
        self.asked[path] += 1
        release = self.take_on()
        healthy = release not in ("bad", "down") or (release == "bad" and path == "/health")
        return 200 if healthy and not self.broken else 500

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.arrivals.append(time.monotonic())
                shop.headers.append(dict(self.headers.items()))
                body = b"books\n"
                self.send_response(shop._status(self.path))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
