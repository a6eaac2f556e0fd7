"""One story: a workload, one or two daemons, a bad release, and trouble at random moments, all of it from one seed.

Neighbours: `tests.cluster` has the control plane, the node and the daemon as a process; `checker` says what must never happen.
"""

from __future__ import annotations

import random
import secrets
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.chaos.checker import Evidence, images_of, violations, writes_of
from tests.cluster.calls import NoAnswer
from tests.cluster.controlplane import ControlPlane
from tests.cluster.node.process import Node
from tests.cluster.test_kubernetes_state import state_role
from tests.cluster.watchdog_process import WatchdogProcess
from tests.cluster.watched_shop import NAME, PODS, WORKLOAD, Shop, role
from tests.cluster.workloads import Kubectl, deployment

Done = TypeVar("Done")

GOOD = "bookstore:1.0"
BAD = ("bookstore:2.0-err100", "bookstore:2.0-crash1")
WORSE = "bookstore:4.0-err100"
FINE = "bookstore:3.0"
LASTS_S = 14.0
"""Trouble comes within so long after the bad release: a response takes about six."""
SETTLE_S = 120.0
"""How long everything may take to come to an end once the trouble is over."""
QUIET_S = 4.0
OPENINGS = 4
ACTS = ("kill", "kill", "kill", "stall", "term", "pause", "fine", "worse", "restart")


@dataclass(frozen=True, slots=True)
class Act:
    """What happens `at` seconds after the bad release, for so long where that means something."""

    at: float
    what: str
    lasts: float

    def __str__(self) -> str:
        return f"{self.what}@{self.at:.1f}" + (f"({self.lasts:.1f})" if self.what in ("stall", "pause", "kill") else "")


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything that chance decides."""

    seed: str
    bad: str
    replicas: int
    acts: tuple[Act, ...]

    @classmethod
    def of(cls, seed: str) -> Plot:
        """The plot of a seed: always the same."""
        chance = random.Random(seed)
        acts = [
            Act(chance.uniform(0.0, LASTS_S), chance.choice(ACTS), chance.uniform(0.0, 12.0))
            for _ in range(chance.randint(1, 4))
        ]
        return cls(seed, chance.choice(BAD), chance.choice((1, 1, 2)), tuple(sorted(acts, key=lambda act: act.at)))

    def __str__(self) -> str:
        return f"{self.bad.partition('-')[2]}, {self.replicas} daemon(s), {' '.join(map(str, self.acts))}"


class _NotOpened(Exception):
    """A storm came before the story had begun: it is begun anew elsewhere."""


@dataclass
class Told:
    """How a story ended."""

    plot: Plot
    violations: list[str]
    end: str
    writes: int
    took_s: float


@dataclass
class Story:
    """A story while it goes on."""

    plot: Plot
    shop: Shop
    daemons: list[WatchdogProcess] = field(default_factory=list)
    paused: list[tuple[float, float]] = field(default_factory=list)

    def play(self) -> Told:
        """From the first release to the verdict of the checker."""
        began = time.monotonic()
        try:
            self._open()
        except Exception as error:
            raise _NotOpened from error
        self._again(lambda: self.shop.release(self.plot.bad))
        begin = time.monotonic()
        for act in self.plot.acts:
            time.sleep(max(0.0, begin + act.at - time.monotonic()))
            getattr(self, f"_{act.what}")(act)
        end = self._settled()
        evidence = self._again(self._evidence)
        return Told(self.plot, violations(evidence), end, self._ours(evidence), time.monotonic() - began)

    # -- the beginning ---------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        shop = self.shop
        if self.plot.replicas > 1:
            kubeconfig = str(shop.plane.kubeconfig(shop.user))
            state = {"namespace": shop.namespace, "kubeconfig": kubeconfig, "lease": "10s"}
            shop.shared["state"] = {"kubernetes": state}
        shop.defaults["countdown"] = "2s"
        signals = {"pods": PODS, "workload": WORKLOAD}
        first = shop.open(signals, rules=[*role(), *state_role()], workloads=[deployment(replicas=2)])
        self.daemons.append(first)
        if self.plot.replicas > 1:
            second = shop.prepare(first.content() | shop.shared, "standby")
            second.start()
            self.daemons.append(second)

    # -- trouble -----------------------------------------------------------------------------------------------------------

    def _kill(self, act: Act) -> None:
        """SIGKILL, and a new process a while later."""
        daemon = self._some(act)
        daemon.kill()
        time.sleep(min(act.lasts, 3.0))
        daemon.launch()

    def _term(self, act: Act) -> None:
        """SIGTERM, and a new process once it has ended."""
        daemon = self._some(act)
        daemon.program.signal(signal.SIGTERM)
        until = time.monotonic() + 40.0
        while daemon.program.running and time.monotonic() < until:
            time.sleep(0.05)
        daemon.kill()
        daemon.launch()

    def _stall(self, act: Act) -> None:
        """SIGSTOP, and SIGCONT after a while: past the lease of ten seconds at times."""
        daemon = self._some(act)
        daemon.freeze()
        time.sleep(act.lasts)
        daemon.thaw()

    def _pause(self, act: Act) -> None:
        """A pause that is acknowledged binds until somebody resumes."""
        daemon = self._some(act)
        with suppress(Exception):  # a daemon that is down takes no orders, and then nothing was promised
            if daemon.type("pause", "--for", "10m", "--reason", "chaos").code != 0:
                return
            applied = time.time()
            time.sleep(act.lasts)
            self.paused.append((applied, time.time()))
            self._again(lambda: self._resumed(daemon))

    def _resumed(self, daemon: WatchdogProcess) -> None:
        typed = daemon.type("resume", "all")
        assert typed.code in (0, 3), typed.err  # 3: it is over already

    def _fine(self, _act: Act) -> None:
        self._again(lambda: self.shop.release(FINE))

    def _worse(self, _act: Act) -> None:
        self._again(lambda: self.shop.release(WORSE))

    def _restart(self, _act: Act) -> None:
        self._again(lambda: self.shop.kubectl("rollout", "restart", f"deployment/{NAME}"))

    def _some(self, act: Act) -> WatchdogProcess:
        return self.daemons[int(act.lasts * 10) % len(self.daemons)]

    def _again(self, order: Callable[[], Done]) -> Done:
        """As a person would: until it works. The API server may be away."""
        until = time.monotonic() + 60.0
        while True:
            try:
                return order()
            except Exception:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    # -- the end -------------------------------------------------------------------------------------------------------------

    def _settled(self) -> str:
        """Wait until nothing more happens: in words, how it ended."""
        until, last, since = time.monotonic() + SETTLE_S, "", time.monotonic()
        while time.monotonic() < until:
            for daemon in self.daemons:
                if not daemon.program.running:
                    daemon.launch()  # it was asked to do something while it lost its lease: the kubelet starts it anew
            now = self._seen()
            if now != last:
                last, since = now, time.monotonic()
            if last and time.monotonic() - since > QUIET_S and "?" not in last:
                return last
            time.sleep(0.5)
        return f"not settled: {last}"

    def _seen(self) -> str:
        try:
            incidents = self._incidents()
            live = self.shop.image()
        except (NoAnswer, AssertionError, OSError):
            return ""
        words = [self._word(one) for one in incidents]
        lost = live in (*BAD, WORSE) and live not in images_of(incidents)
        return f"{live}: {', '.join(words) or 'nothing'}" + (" ?" if lost else "")  # it has to be noticed first

    @staticmethod
    def _word(incident: dict[str, Any]) -> str:
        if incident["stage"] == "closed":
            return str(incident["reason"])
        if incident.get("needs_human"):
            return "a person is called"
        outcome = (incident.get("decision") or {}).get("outcome", "")
        return (
            f"waits ({outcome})"
            if outcome in ("hold", "ask", "escalate", "blind") and incident["stage"] != "countdown"
            else "?"
        )

    def _incidents(self) -> list[dict[str, Any]]:
        """Of whichever daemon answers."""
        for daemon in self.daemons:
            if daemon.status():
                return daemon.incidents(NAME)
        raise AssertionError("no daemon answers")

    def _evidence(self) -> Evidence:
        shop = self.shop
        return Evidence(
            writes=writes_of(shop.plane.audit_events(namespace=shop.namespace), NAME, shop.user),
            incidents=tuple(self._incidents()),
            live=shop.image(),
            paused=tuple(self.paused),
            us=shop.user,
            bad=frozenset((*BAD, WORSE)),
        )

    def _ours(self, evidence: Evidence) -> int:
        return sum(write.user == evidence.us for write in evidence.writes)


def tell(seed: str, plane: ControlPlane, node: Node, folder: Path) -> Told:
    """One story. One that breaks in its own hands is told as such: nobody knows then what happened."""
    words = ""
    for _ in range(OPENINGS):
        try:
            return _told(seed, plane, node, folder)
        except _NotOpened as error:
            words = f"the story could not begin: {error.__cause__}"[:600]
        except Exception as error:  # noqa: BLE001 - the others go on
            words = f"the story itself broke: {type(error).__name__}: {str(error)[:300]}"
            break
    return Told(Plot.of(seed), [words], "broken", 0, 0.0)


def _told(seed: str, plane: ControlPlane, node: Node, folder: Path) -> Told:
    """In a namespace of its own; its processes are ended, and must not have logged a defect."""
    namespace = f"chaos-{secrets.token_hex(4)}"
    plane_ready(plane)
    plane.api("admin").post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    kubectl = Kubectl(plane.binaries / "kubectl", plane.kubeconfig("admin"), namespace)
    shop = Shop(plane=plane, node=node, kubectl=kubectl, namespace=namespace, folder=folder / namespace)
    shop.folder.mkdir(parents=True)
    story = Story(Plot.of(seed), shop)
    try:
        told = story.play()
    finally:
        for daemon in shop.started:
            daemon.thaw()
            daemon.program.terminate(within=10.0)
        with suppress(Exception):
            plane.api("admin").delete(f"/api/v1/namespaces/{namespace}")
    for daemon in shop.started:
        try:
            daemon.check()
        except AssertionError as error:
            told.violations.append(str(error))
    return told


def plane_ready(plane: ControlPlane, within: float = 60.0) -> None:
    """Wait out a storm."""
    until = time.monotonic() + within
    while not plane.api("admin").ready() and time.monotonic() < until:
        time.sleep(0.2)
