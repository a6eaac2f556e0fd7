"""The stage of the demo: a bookstore of processes, a configuration file for it, and a real daemon in this process.

Role: builds and takes down. Neighbours: `testing.bookstore`, `cli.composition`. Guarantees: the configuration is a file that
`watchdog run` would take as it is; its times are shortened, and each says from what.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from watchdog.cli.composition import assemble
from watchdog.cli.logs import configure
from watchdog.engine.control import DaemonControl
from watchdog.engine.daemon import Daemon
from watchdog.redaction import Redactor
from watchdog.testing.bookstore import Bookstore

READERS = 15.0
"""Requests a second: enough to feel a fault at once, few enough for a busy laptop."""

TOLERATED = "3s"
"""Interruption that the demo's configuration tolerates."""

CONFIGURATION = """\
# The demo's configuration. Times are shortened so that a whole story fits into a minute.
mode: enforce
first_start: act                     # normally: observe, until `watchdog arm`
state: {{sqlite: {home}/state.db}}
bundles: {home}/incidents
api: {{socket: {home}/watchdog.sock, metrics: {{host: 127.0.0.1, port: 0}}}}
defaults:
  bake_time: 10s                     # normally 30m
  bake_events: 0                     # normally 1000 user events
  tolerate_interruption: {tolerated}          # normally 30s
  countdown: 3s                      # normally 10s
  evidence: 3s                       # normally 15s
targets:
  bookstore:
    command: {{current: {current}, history: {history}, rollback: {rollback}, every: 1s}}
    data: none                       # the bookstore's releases share no data that could move ahead
    depends_on: [database]
    signals:
      books:                         # each instance, so that old and new release are told apart
        http: {{pods: {{path: /api/books}}, timeout: 550ms}}
        every: 600ms
        rule: {{above: 5%, for: 6s, min_events: 8}}
      door:                          # the service as readers meet it
        http: {{url: "{api}/api/books", timeout: 550ms}}
        every: 600ms
        rule: {{above: 5%, for: 7s, min_events: 8}}
      errors:                        # what readers got, as each instance counts it on its own metrics page
        scrape: {{preset: requests_total}}
        every: 1s
        rule: {{above: 5%, for: 6s, min_events: 20}}
      front:
        http: {{url: "{front}/", timeout: 900ms}}
        every: 1s
        rule: {{consecutive: 6, recover: 3}}
  database:                          # watched only: says whether a fault is the release's or everybody's
    signals:
      health: {{http: {{url: "{database}", timeout: 550ms}}, every: 600ms, rule: {{consecutive: 2}}}}
"""


@dataclass
class Stage:
    """What a scenario plays with."""

    home: Path
    store: Bookstore
    daemon: Daemon
    control: DaemonControl
    running: asyncio.Task[None]
    """The daemon's life."""


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Open the bookstore and a watchdog on it; take both down at the end."""
    home = Path(tempfile.mkdtemp(prefix="watchdog-demo-"))
    async with Bookstore.start(home / "bookstore", release="1.0", rate=READERS) as store:
        await store.settled()
        path = home / "watchdog.yaml"
        path.write_text(configuration(home, store))
        with (home / "watchdog.log").open("w") as log:
            configure("json", "info", Redactor(()), log)
            async with _running(path) as (daemon, task):
                yield Stage(home, store, daemon, DaemonControl(daemon), task)


def configuration(home: Path, store: Bookstore) -> str:
    """The configuration file's text."""
    return CONFIGURATION.format(
        home=home,
        tolerated=TOLERATED,
        current=json.dumps(store.ctl_argv("current")),
        history=json.dumps(store.ctl_argv("history")),
        rollback=json.dumps(store.ctl_argv("rollback")),
        api=store.api_url,
        front=store.front_url,
        database=store.database_url,
    )


@contextlib.asynccontextmanager
async def _running(path: Path) -> AsyncIterator[tuple[Daemon, asyncio.Task[None]]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WATCHDOG_")}
    assembly = await assemble(path, environ)
    task = asyncio.create_task(assembly.daemon.run(), name="daemon")
    try:
        yield assembly.daemon, task
    finally:
        assembly.daemon.shut_down()
        await asyncio.gather(task, return_exceptions=True)
        await assembly.close()
