"""From a bad release to good answers again on a real control plane, beside what plain Kubernetes does in the same minutes.

    python -m tests.benchmarks.recovery [--fault NAME ...] [--repeat 1] [--rollbacks 30]

It moves into the network namespace of `tests.cluster.enter` by itself. All faults together take about half an hour.

Two bookstores of three pods each get the same bad release at the same moment; users ask each of them 20 times a second.
Beside one of them runs `watchdog run` with the default configuration, the other one has nobody. The parts come from the
incident's journal, what users felt from their answers. `--rollbacks N` measures N whole rollbacks for the time from the
last pass of the gate to the 2xx. The pods of this lab start within a second: a real cluster adds its own to each figure.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.benchmarks.processes import percentile, table
from tests.cluster import enter
from tests.cluster.api import STRATEGIC_MERGE_PATCH, Manifest
from tests.cluster.controlplane import PROGRAMS, ControlPlane, binaries_folder
from tests.cluster.laboratory import laboratory
from tests.cluster.node.process import Node
from tests.cluster.users import ask
from tests.cluster.watchdog_process import Config
from tests.cluster.watched_shop import GOOD, NAME, PODS, Shop
from tests.cluster.workloads import PORT, Kubectl, apply, deployment, service, wait_rolled_out

PER_SECOND = 20
REPLICAS = 3
SETTLED_S = 5.0
"""How long users are still watched after the end of a response."""
PATIENCE_S = 10.0
"""The last stretch in which plain Kubernetes is looked at."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One bad release. `within` = seconds after which nobody waits for its rollback any more."""

    name: str
    image: str
    within: float
    rule: Config | None = None
    """Rule of the signal that asks as users do; None = the default one."""


FAULTS = (
    Fault("all answers are errors", "bookstore:2.0-err100", 300),
    Fault("30 % errors, `above: 5%, for: 60s`", "bookstore:2.0-err30", 600, {"above": "5%", "for": "60s"}),
    Fault("crash loop", "bookstore:2.0-crash2", 300),
    Fault("never ready", "bookstore:2.0-unready", 600),
    Fault("30 % errors", "bookstore:2.0-err30", 900),
)


@dataclass(slots=True)
class Users:
    """Somebody who asks all the time: when, and what came."""

    url: str
    answers: list[tuple[float, int]] = field(default_factory=list)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask `PER_SECOND` times a second on average, at moments of their own: a bad share is spread evenly over what
        is asked, so that users in step would decide which of its requests a probe in step meets."""
        enough, chance = threading.Event(), random.Random(self.url)

        def keep_asking() -> None:
            due = time.monotonic()
            while not enough.wait(max(0.0, due - time.monotonic())):
                began = time.monotonic()
                self.answers.append((began, ask(self.url).status))
                due = max(due + chance.expovariate(PER_SECOND), began)

        thread = threading.Thread(target=keep_asking, daemon=True)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()

    def failed(self, begin: float, end: float) -> list[float]:
        """The moments of the requests that failed, in seconds since `begin`."""
        return [at - begin for at, status in self.answers if begin <= at <= end and not 200 <= status < 300]

    def share(self, begin: float, end: float) -> float:
        """Share of failed requests in a stretch of time."""
        asked = [status for at, status in self.answers if begin <= at <= end]
        return sum(not 200 <= status < 300 for status in asked) / len(asked) if asked else 0.0


@dataclass(slots=True)
class Lab:
    """The control plane, its node, and bookstores in namespaces of their own."""

    plane: ControlPlane
    node: Node
    folder: Path

    def shop(self, name: str, defaults: Config | None = None) -> Shop:
        """A bookstore that is not open yet, in a new namespace."""
        self.plane.api().post("/api/v1/namespaces", {"metadata": {"name": name}})
        kubectl = Kubectl(self.plane.binaries / "kubectl", self.plane.kubeconfig("admin"), name)
        folder = self.folder / name
        shop = Shop(plane=self.plane, node=self.node, kubectl=kubectl, namespace=name, folder=folder)
        if defaults is not None:
            shop.defaults, shop.every = defaults, "5s"
        return shop


@contextmanager
def lab() -> Iterator[Lab]:
    """Everything, and nothing left of it at the end."""
    with laboratory("recovery") as (plane, node, folder):
        yield Lab(plane, node, folder)


def by_default(shop: Shop, fault: Fault) -> dict[str, Config]:
    """The signals of the example that we ship, with nothing said but where to ask."""
    url = shop.node.ingress_url(shop.namespace, NAME, "/api/books")
    books: Config = {"http": {"url": url, "expect": {"status": 200, "within": "800ms"}}}
    if fault.rule is not None:
        books["rule"] = fault.rule
    return {"pods": {"http": {"pods": {"port": PORT, "path": "/api/books"}}}, "books": books, "workload": {}}


def measure(lab: Lab, fault: Fault, number: int) -> list[str]:
    """One fault, on the watched bookstore and on the plain one; a row of the table."""
    watched, plain = lab.shop(f"watched-{number}", {}), lab.shop(f"plain-{number}")
    apply(plain.kubectl, deployment(replicas=REPLICAS), service())
    daemon = watched.open(by_default(watched, fault), workloads=[deployment(replicas=REPLICAS)])
    wait_rolled_out(plain.kubectl)
    ours, theirs = Users(watched.users_url()), Users(plain.users_url())
    try:
        with ours.asking(), theirs.asking():
            time.sleep(30)  # good answers before the release, as in the field
            begin, wall = time.monotonic(), time.time()
            plain.release(fault.image)
            watched.release(fault.image)
            incident = _rolled_out(watched, fault.within)
            time.sleep(SETTLED_S)
            end = time.monotonic()
        return _row(fault, incident, wall, ours, theirs, begin, end)
    finally:
        daemon.program.terminate()
        for shop in (watched, plain):
            shop.admin.delete(f"/api/v1/namespaces/{shop.namespace}")


def _rolled_out(shop: Shop, within: float) -> Manifest | None:
    """The incident once its rollback is rolled out; None when it does not come."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        found = shop.watchdog.incidents(NAME)
        if found and found[0]["confirmed_at"]:
            return found[0]
        time.sleep(0.5)
    print(shop.watchdog.describe(), file=sys.stderr)
    return None


def _row(
    fault: Fault, incident: Manifest | None, wall: float, ours: Users, theirs: Users, begin: float, end: float
) -> list[str]:
    bad, plain_bad = ours.failed(begin, end), theirs.failed(begin, end)
    still = theirs.share(end - PATIENCE_S, end)
    plain = f"{len(plain_bad)} in {end - begin:.0f} s; {still:.0%} at the end"
    good = f"{bad[-1]:.1f} s" if bad else "never bad"
    if incident is None:
        return [fault.name, "not rolled back", str(len(bad)), "-", "-", "-", "-", plain]
    breach, intent, issued, confirmed = (_at(incident, kind) for kind in ("breach", "intent", "issued", "confirmed"))
    parts = (breach - wall, intent - breach, issued - intent, confirmed - issued)
    return [fault.name, good, str(len(bad)), *(f"{part:.2f} s" for part in parts), plain]


def _at(incident: Manifest, kind: str) -> float:
    """When the journal's last line of this kind was written, by the clock."""
    said = [entry["at"] for entry in incident["entries"] if entry["kind"] == kind]
    return _seconds(said[-1])


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def gate_to_answer(lab: Lab, rollbacks: int) -> list[list[str]]:
    """Whole rollbacks one after the other: from the decision to the stored answer, and the API server's own part."""
    shop = lab.shop("gate")
    rule = {"failed": 1, "of": 2}
    quick = {"tolerate_interruption": "200ms", "countdown": "200ms"}
    budget = {"per_target": f"{rollbacks + 1} per 24h", "fleet": f"{rollbacks + 1} per 10m"}
    pods = {**PODS, "every": "200ms", "rule": rule}
    shop.open({"pods": pods}, defaults={**quick, "budget": budget})
    whole = []
    for number in range(rollbacks):
        shop.release(f"bookstore:2.{number}-err100")
        incident = _finished(shop, number + 1)
        whole.append(1000 * (_at(incident, "issued") - _seconds(incident["decision"]["at"])))
        _dry_run(shop, incident)
    shop.watchdog.program.terminate()
    server = [_took(event) for event in shop.requests() if event["verb"] == "patch"]
    dry = [_took(event) for event in lab.plane.audit_events(user="admin", namespace="gate") if _is_dry(event)]
    rows = (
        ("last pass of the gate to the stored 2xx", whole),
        ("of it the API server's part (audit log)", server),
        ("a dry run of the same PATCH, apart (audit log)", dry),
    )
    return [
        [name, str(len(took)), f"{percentile(took, 0.5):.1f}", f"{percentile(took, 0.99):.1f}", f"{max(took):.1f}"]
        for name, took in rows
    ]


def _finished(shop: Shop, incidents: int) -> Manifest:
    """The newest of so many incidents, once it is closed and the good release is live."""

    def done() -> Manifest | None:
        found = shop.watchdog.incidents(NAME)
        over = len(found) == incidents and found[0]["stage"] == "closed" and found[0]["reason"] == "recovered"
        return found[0] if over and shop.image() == GOOD else None

    incident = shop.watchdog.wait(done, f"rollback number {incidents}", within=30)
    assert incident is not None
    return incident


def _dry_run(shop: Shop, incident: Manifest) -> None:
    request = incident["plan"]["steps"][0]["request"]
    body = {**request["body"], "metadata": {"annotations": request["body"]["metadata"]["annotations"]}}
    shop.admin.patch(f"{request['path']}?dryRun=All", body, STRATEGIC_MERGE_PATCH)


def _is_dry(event: Manifest) -> bool:
    return "dryRun=All" in event["requestURI"]


def _took(event: Manifest) -> float:
    """Milliseconds from the arrival of a request to its answer."""
    return 1000 * (_seconds(event["stageTimestamp"]) - _seconds(event["requestReceivedTimestamp"]))


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.recovery")
    parser.add_argument("--fault", action="append", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--repeat", type=int, default=1, help="how often each fault is measured")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rollbacks", type=int, default=30, help="how many for the time from gate to answer; 0 = none")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Print both tables."""
    chosen = _arguments(arguments)
    if not enter.inside():
        if chosen.inside:
            print("no network namespace of our own can be had here: nothing is measured", file=sys.stderr)
            return 2
        again = [sys.executable, "-m", "tests.benchmarks.recovery", "--inside", *arguments]
        return subprocess.run([sys.executable, "-m", "tests.cluster.enter", "--", *again], check=False).returncode
    missing = [name for name in PROGRAMS if not (binaries_folder() / name).exists()]
    if missing:
        print(f"not built: {', '.join(missing)}; run tests/cluster/binaries/build.sh", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # everything that was started is ended on the way out
    faults = [fault for fault in FAULTS if chosen.fault is None or fault.name in chosen.fault]
    with lab() as here:
        rows = []
        for index, fault in enumerate(faults * chosen.repeat):
            rows.append(measure(here, fault, index))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
        writes = gate_to_answer(here, chosen.rollbacks) if chosen.rollbacks else []
    header = ["fault", "every answer good again after", "failed requests", "to notice", "countdown, evidence"]
    print(table([*header, "write", "roll out", "plain Kubernetes: failed requests"], rows))
    if writes:
        print()
        print(table(["milliseconds", "n", "median", "p99", "max"], writes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
