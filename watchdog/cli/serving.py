"""Serving: runs an assembled daemon with its faces until a signal ends it.

Role: the body of `watchdog run`. Neighbours: `composition` builds, `web.server` listens. Guarantees: SIGTERM and SIGINT
end at a safe point and a second one ends at once; SIGHUP and a changed configuration file reload, by content; the loop that
looks at the files is supervised like every other; the exit status tells why it ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import structlog

from watchdog.cli.composition import Assembly
from watchdog.engine.control import DaemonControl
from watchdog.engine.reloading import BUILD_S
from watchdog.engine.supervisor import Beat
from watchdog.web.server import Faces

LOOK_S = 5.0
"""How often the configuration's files are compared, by content."""
RELOAD_LIMIT_S = 2 * BUILD_S
"""Longest time without a look: a reload builds, and lets old parts go one by one."""
HARD_S = 28.0
"""A shutdown that takes longer is ended hard; below Kubernetes' default grace period of 30 s."""

log = structlog.get_logger("watchdog.run")


async def serve(assembly: Assembly) -> None:
    """Run until SIGTERM or SIGINT. Raises LoopGivenUp, SocketRefused, PortRefused."""
    daemon, settings = assembly.daemon, assembly.configuration.loaded.settings
    faces = Faces(
        control=DaemonControl(daemon),
        clock=daemon.clock,
        socket_path=Path(settings.api.socket),
        host=settings.api.metrics.host,
        port=settings.api.metrics.tcp,
        page=None if settings.api.page is None else (settings.api.page.host, settings.api.page.tcp),
        tokens=None if settings.api.tokens is None else Path(settings.api.tokens),
        closed=settings.api.page is not None and settings.api.page.login,
    )
    files = FileWatch(assembly)
    _on_signals(assembly, files)
    daemon.supervisor.add("configuration", files.run, limit_s=RELOAD_LIMIT_S, on_gone=files.given_up)
    try:
        await faces.start()
        for warning in daemon.setup.warnings:
            log.warning(warning, action="configuration_warning")
        await daemon.run()
    finally:
        await faces.stop()
        await assembly.close()


def _on_signals(assembly: Assembly, files: FileWatch) -> None:
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
    loop.add_signal_handler(signal.SIGHUP, files.now.set)


class FileWatch:
    """Reloads when `now` is set (SIGHUP), and when the content of a configuration file changed."""

    def __init__(self, assembly: Assembly) -> None:
        """Watch the files of `assembly`."""
        self.now = asyncio.Event()
        self._daemon, self._configuration = assembly.daemon, assembly.configuration

    async def run(self, beat: Beat) -> None:
        """Look for ever."""
        while True:
            beat.mark()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self.now.wait()
            except TimeoutError:
                if not self._configuration.changed:
                    continue
            self.now.clear()
            done, sentence = await self._daemon.reloader.reload()
            log.info(sentence, action="reload", done=done)

    def given_up(self, reason: str) -> None:
        """Said where a refused reload is said: what lies in the file is not in force."""
        self._daemon.loaded.error = f"the configuration is not looked at any more: {reason}"
