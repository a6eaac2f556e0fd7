"""One container: its server, its probe, its restarts, its logs and what its status says.

A container is run by `kubelet`, which publishes `status` after every call of `changed`. Restarts back off as
in a real kubelet, but faster: at once, then after 1, 2, 4 and at most 8 seconds.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isinf
from typing import Any

import aiohttp
from aiohttp import web

from tests.cluster.node.behaviour import Behaviour, UnknownBehaviourError, behaviour_of, image_id, version_of
from tests.cluster.node.bookstore import PROBE_AGENT, Bookstore
from tests.cluster.node.kubernetes import Manifest

_LOG_LINES = 2000
_BACK_OFF = (0, 1, 2, 4, 8)
_PULL_ATTEMPT = 1.0


def timestamp(moment: datetime | None = None) -> str:
    """A moment, now unless told, as the API writes it."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Log:
    """What one run of a container wrote."""

    lines: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))

    def write(self, line: str) -> None:
        """Add one line."""
        self.lines.append((datetime.now(UTC), line))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container needs of its pod and its node."""

    pod: str
    ip: str
    restart_policy: str
    session: aiohttp.ClientSession
    flag: Callable[[str], bool]
    changed: Callable[[], None]
    warn: Callable[[str, str], None]
    """Record a Warning event: reason and message."""


class Container:
    """One container of a pod, through all its restarts."""

    def __init__(self, spec: Manifest, around: Surroundings) -> None:
        self.name: str = spec["name"]
        self.ready = False
        self.restarts = 0
        self.log = Log()
        self.previous_log: Log | None = None
        self.state: Manifest = {"waiting": {"reason": "ContainerCreating"}}
        self._last_state: Manifest = {}
        self._spec = spec
        self._image: str = spec["image"]
        self._around = around
        self._ports = {port.get("name", ""): int(port["containerPort"]) for port in spec.get("ports", [])}

    @property
    def ended(self) -> bool:
        """Whether it has ended for good: one that restarts never rests in the state `terminated`."""
        return "terminated" in self.state

    def status(self) -> Manifest:
        """Its entry in the status of the pod."""
        started = self.restarts > 0 or "waiting" not in self.state
        return {
            "name": self.name,
            "image": self._image,
            "imageID": image_id(self._image) if started else "",
            "ready": self.ready,
            "started": "running" in self.state,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self._last_state,
        }

    async def run(self) -> None:
        """Run it until it has ended for good; cancel to stop it."""
        try:
            behaviour = behaviour_of(self._image)
        except UnknownBehaviourError as unknown:
            self._wait_for("InvalidImageName", str(unknown))
            return
        if behaviour.never_starts:
            await self._never_start(behaviour.never_starts)
            return
        while True:
            await self._run_once(behaviour)
            policy = self._around.restart_policy
            if policy == "Never" or (policy == "OnFailure" and behaviour.exit_code == 0):
                return
            await self._back_off()

    async def _run_once(self, behaviour: Behaviour) -> None:
        begun = timestamp()
        self.log = Log()
        self.log.write(f"INFO starting {self._image} in {self._around.pod}")
        self.state = {"running": {"startedAt": begun}}
        self._around.changed()
        limit = None if isinf(behaviour.ends_after) else behaviour.ends_after
        try:
            async with self._serving(behaviour):
                with suppress(TimeoutError):
                    async with asyncio.timeout(limit):
                        await self._watch_readiness()
        finally:
            self.ready = False
        if behaviour.exit_code:
            self.log.write(f"FATAL {behaviour.exit_reason}: the process ends with code {behaviour.exit_code}")
        ended = {"exitCode": behaviour.exit_code, "reason": behaviour.exit_reason}
        self.state = {"terminated": {**ended, "startedAt": begun, "finishedAt": timestamp()}}
        self._around.changed()

    async def _back_off(self) -> None:
        pause = _BACK_OFF[min(self.restarts, len(_BACK_OFF) - 1)]
        self._last_state = self.state
        self.previous_log = self.log
        if pause:
            message = f"back-off {pause}s restarting failed container={self.name} pod={self._around.pod}"
            self._around.warn("BackOff", message)
            self._wait_for("CrashLoopBackOff", message)
            await asyncio.sleep(pause)
        self.restarts += 1

    async def _never_start(self, reason: str) -> None:
        if reason != "ImagePullBackOff":
            self._around.warn("Failed", f"{reason}: {self.name}")
            self._wait_for(reason, f"{reason}: {self.name}")
            return
        problem = f"failed to pull image {self._image!r}: not found"
        self._around.warn("Failed", problem)
        while True:
            self._wait_for("ErrImagePull", problem)
            await asyncio.sleep(_PULL_ATTEMPT)
            self._wait_for("ImagePullBackOff", f"Back-off pulling image {self._image!r}")
            await asyncio.sleep(5 * _PULL_ATTEMPT)

    def _wait_for(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}
        self._around.changed()

    @asynccontextmanager
    async def _serving(self, behaviour: Behaviour) -> AsyncIterator[None]:
        if not self._ports or not behaviour.listens:
            yield
            return
        version = version_of(self._image)
        store = Bookstore(version, behaviour, flag=self._around.flag, log=self.log.write)
        runner = web.AppRunner(store.application(), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            for port in self._ports.values():
                await web.TCPSite(runner, self._around.ip, port, reuse_address=True).start()
            yield
        finally:
            await runner.cleanup()

    async def _watch_readiness(self) -> None:
        """Keep `ready` true to the readiness probe, for ever."""
        probe: dict[str, Any] = self._spec.get("readinessProbe") or {}
        if not probe:
            self._set_ready(True)
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        succeeded = failed = 0
        while True:
            problem = await self._probe(probe) if probe else None
            if problem is None:
                succeeded, failed = succeeded + 1, 0
                if succeeded >= probe.get("successThreshold", 1):
                    self._set_ready(True)
            else:
                succeeded, failed = 0, failed + 1
                self._around.warn("Unhealthy", f"Readiness probe failed: {problem}")
                if failed >= probe.get("failureThreshold", 3):
                    self._set_ready(False)
            await asyncio.sleep(probe.get("periodSeconds", 10))

    def _set_ready(self, ready: bool) -> None:
        if self.ready != ready:
            self.ready = ready
            self._around.changed()

    async def _probe(self, probe: dict[str, Any]) -> str | None:
        """Do a readiness probe once; what was wrong, or None."""
        action = probe.get("httpGet") or probe.get("tcpSocket")
        if action is None:
            return None
        port = action["port"]
        number = port if isinstance(port, int) else self._ports[port]
        limit = probe.get("timeoutSeconds", 1)
        try:
            async with asyncio.timeout(limit):
                if "httpGet" not in probe:
                    _, writer = await asyncio.open_connection(self._around.ip, number)
                    writer.close()
                    return None
                url = f"http://{self._around.ip}:{number}{action.get('path', '/')}"
                headers = {"User-Agent": PROBE_AGENT, "Connection": "close"}
                async with self._around.session.get(url, headers=headers) as answer:
                    if 200 <= answer.status < 400:
                        return None
                    return f"HTTP probe failed with statuscode: {answer.status}"
        except TimeoutError:
            return f"no answer within {limit}s"
        except (aiohttp.ClientError, OSError) as error:
            return str(error)
