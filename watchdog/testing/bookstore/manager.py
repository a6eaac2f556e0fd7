"""The bookstore's one parent process: starts all others, keeps the releases, and takes orders.

Run: ``python -m watchdog.testing.bookstore.manager DIRECTORY --release 1.0 --rate 40``. It writes ``bookstore.json`` (ports and
the token of its control port, mode 0600), announces one line when everything serves, and lives until its standard input closes.
Orders come over HTTP on the control port (`ctl`, `store`): /current, /history, /deploy, /rollback.
Guarantees: comparing and switching the release is one step; the same intent twice is one rollback.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import os
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path

from watchdog.testing.bookstore.balancer import Balancer
from watchdog.testing.bookstore.behaviour import behaviour_of
from watchdog.testing.bookstore.fleet import Fleet, Place, python_module, search_path
from watchdog.testing.bookstore.lifeline import announce, run_beside
from watchdog.testing.bookstore.speech import Asked, Told, serve

APIS, WEBS = 3, 2
READY_S = 20.0


class Releases:
    """What was deployed when, and what is wanted now."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        """Keep a record of each release under ``releases/``."""
        self._fleet, self._directory = fleet, directory
        self._history: list[dict[str, str]] = []
        self._intents: dict[str, str] = {}
        self._intent = ""
        self._actor = ""
        self._directory.mkdir(exist_ok=True)

    def deploy(self, release: str, actor: str) -> Told:
        """Begin to roll `release` out."""
        try:
            behaviour_of(release)
        except ValueError as error:
            return _told(400, {"error": str(error)})
        self._switch(release, actor)
        return _told(200, {"release": release})

    def rollback(self, before: str, after: str, intent: str) -> Told:
        """Compare and switch. 409 when `before` is not current, 404 when `after` was never here."""
        if not intent or self._intents.get(intent):
            known = bool(intent)
            return _told(200 if known else 400, {"release": self._fleet.wanted, "again": known})
        if self._fleet.wanted != before:
            return _told(409, {"error": f"{self._fleet.wanted} is current, not {before}"})
        if after not in {entry["release"] for entry in self._history}:
            return _told(404, {"error": f"{after} was never deployed"})
        self._switch(after, "watchdog")
        self._intents[intent], self._intent = after, intent
        return _told(200, {"release": after})

    def current(self) -> Told:
        """As docs/command-platform.md says."""
        fleet = self._fleet
        instances = [
            {"name": each.name, "address": f"127.0.0.1:{each.port}", "release": each.release, "ready": each.ready}
            for each in fleet.all("api")
        ]
        body = {
            "release": fleet.wanted,
            "in_progress": fleet.rolling,
            "complete": fleet.complete,
            "started": self._history[-1]["at"],
            "instances": instances,
            "intent": self._intent,
            "actor": self._actor,
            "stuck": fleet.stuck,
        }
        return _told(200, body)

    def history(self) -> Told:
        """Oldest first."""
        return _told(200, self._history)

    def _switch(self, release: str, actor: str) -> None:
        self._fleet.want(release)
        self._actor = actor
        now = datetime.fromtimestamp(time.time(), UTC).isoformat()  # noqa: TID251 - a process of its own
        self._history.append({"release": release, "at": now})
        (self._directory / f"{release}.json").write_text(json.dumps({"release": release, "at": now, "actor": actor}))


class Control:
    """Takes orders from whoever has the token."""

    def __init__(self, releases: Releases, token: str) -> None:
        """Carry orders out on `releases`."""
        self._releases, self._token = releases, token

    async def answer(self, asked: Asked) -> Told:
        """One order or question."""
        if not hmac.compare_digest(asked.headers.get("x-token", ""), self._token):
            return _told(403, {"error": "wrong token"})
        query = asked.query
        if asked.path == "/current":
            return self._releases.current()
        if asked.path == "/history":
            return self._releases.history()
        if (asked.method, asked.path) == ("POST", "/deploy"):
            return self._releases.deploy(query.get("release", ""), query.get("actor", ""))
        if (asked.method, asked.path) == ("POST", "/rollback"):
            return self._releases.rollback(query.get("from", ""), query.get("to", ""), query.get("intent", ""))
        return _told(404, {"error": "no such order"})


async def manage(directory: Path, release: str, rate: float) -> None:
    """Run the whole bookstore. Raises ValueError for a release whose name means nothing."""
    behaviour_of(release)
    places = [Place("api", number) for number in range(APIS)] + [Place("web", number) for number in range(WEBS)]
    (directory / "logs").mkdir(exist_ok=True)
    fleet = Fleet(directory / "logs", places)
    api, front = Balancer(fleet, "api"), Balancer(fleet, "web")
    (api_server, api_port), (front_server, front_port) = await serve(api.answer), await serve(front.answer)
    _database, database_port = await fleet.start("database", "database", ["--flag", str(directory / "database.down")])
    fleet.arguments = {"api": ["--database", str(database_port)], "web": ["--api", str(api_port)]}
    token = secrets.token_hex(16)
    releases = Releases(fleet, directory / "releases")
    control_server, control_port = await serve(Control(releases, token).answer)
    releases.deploy(release, "setup")
    fleet.tend()
    readers = None
    try:
        async with asyncio.timeout(READY_S):
            while not fleet.complete:  # noqa: ASYNC110 - five places change by themselves
                await asyncio.sleep(0.05)
        arguments = ["--front", str(front_port), "--rate", str(rate), "--out", str(directory / "readers.json")]
        if rate > 0:
            readers = await asyncio.create_subprocess_exec(
                *python_module("readers"), *arguments, stdin=asyncio.subprocess.PIPE
            )
        ports = {"control": control_port, "front": front_port, "api": api_port, "database": database_port}
        _keep(directory / "bookstore.json", {**ports, "token": token})
        announce("open")
        await asyncio.Event().wait()
    finally:
        for server in (api_server, front_server, control_server):
            server.close()
        if readers is not None and readers.stdin is not None:
            readers.stdin.close()
        await fleet.close()


def _keep(path: Path, document: dict[str, object]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file)


def _told(status: int, document: object) -> Told:
    return Told(status, json.dumps(document).encode())


def main() -> None:
    """Run it until abandoned."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--release", default="1.0")
    parser.add_argument("--rate", type=float, default=40.0)
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = search_path()
    run_beside(lambda: manage(given.directory, given.release, given.rate))


if __name__ == "__main__":
    main()
