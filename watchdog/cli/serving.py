"""Serving: runs an assembled daemon with its faces until a signal ends it.

Role: the body of `watchdog run`. Neighbours: `composition` builds, `web.server` listens. Guarantees: SIGTERM and SIGINT
end at a safe point and a second one ends at once; SIGHUP and a changed configuration file reload, by content; the exit
status tells why it ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import structlog

from watchdog.cli.composition import Assembly
from watchdog.engine.control import DaemonControl
from watchdog.settings.loader import hash_of
from watchdog.web.server import Faces

LOOK_S = 5.0
"""How often the configuration's files are compared, by content."""
HARD_S = 28.0
"""A shutdown that takes longer is ended hard; below Kubernetes' default grace period of 30 s."""

log = structlog.get_logger("watchdog.run")


async def serve(assembly: Assembly) -> None:
    """Run until SIGTERM or SIGINT. Raises LoopGivenUp, SocketRefused, PortRefused."""
    daemon, settings = assembly.daemon, assembly.loaded.settings
    faces = Faces(
        control=DaemonControl(daemon),
        clock=daemon.clock,
        socket_path=Path(settings.api.socket),
        host=settings.api.metrics.host,
        port=settings.api.metrics.tcp,
    )
    reload_now = asyncio.Event()
    _on_signals(assembly, reload_now)
    watching = asyncio.create_task(_watch_files(assembly, reload_now), name="configuration")
    try:
        await faces.start()
        for warning in daemon.setup.warnings:
            log.warning(warning, action="configuration_warning")
        await daemon.run()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await faces.stop()
        await assembly.close()


def _on_signals(assembly: Assembly, reload_now: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    asked = 0

    def end() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            log.error("ended hard by a second signal", action="ended_hard")
            os._exit(130)
        assembly.daemon.shut_down()
        loop.call_later(HARD_S, os._exit, 70)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, reload_now.set)


async def _watch_files(assembly: Assembly, reload_now: asyncio.Event) -> None:
    """Reload on SIGHUP, and when the content of a configuration file changed."""
    daemon = assembly.daemon
    known = assembly.loaded.source_hash
    while True:
        try:
            async with asyncio.timeout(LOOK_S):
                await reload_now.wait()
        except TimeoutError:
            if hash_now(assembly) == known:
                continue
        reload_now.clear()
        done, sentence = await daemon.reloader.reload()
        log.info(sentence, action="reload", done=done)
        known = hash_now(assembly)


def hash_now(assembly: Assembly) -> str:
    """Hash of the files as they are: a refused content is not tried again until it changes."""
    return hash_of(assembly.loaded.files)
