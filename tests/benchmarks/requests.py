"""Requests to the API server at rest: with the right to watch, beside the same daemon without it.

    python -m tests.benchmarks.requests [--targets 10] [--minutes 6]

It moves into the network namespace of `tests.cluster.enter` by itself. One daemon a row, all in one run beside each other; each watches
the same number of Deployments in a namespace of its own, with the default rhythm, and what it asked is counted in the audit log of the
API server after everything has settled. Requests for the Lease are apart, as they do not grow with the targets; those for the register of pauses (`get secrets`, one in 2 s) do
not either, and are among the others.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from tests.benchmarks.processes import table
from tests.cluster import enter
from tests.cluster.api import KubeApi, Manifest
from tests.cluster.controlplane import PROGRAMS, ControlPlane, binaries_folder
from tests.cluster.laboratory import laboratory
from tests.cluster.test_kubernetes_state import state_role
from tests.cluster.watchdog_process import Config, WatchdogProcess
from tests.cluster.watched_shop import role
from tests.cluster.workloads import Kubectl, apply, deployment, grant, wait_rolled_out

SETTLE_S = 90.0
CASES = {
    "reads again and again, SQLite": (False, False),
    "is told of changes, SQLite": (True, False),
    "reads again and again, state in the cluster": (False, True),
    "is told of changes, state in the cluster": (True, True),
}


def without_watch() -> list[Manifest]:
    """Our Role as it was before: nobody tells of changes."""
    rules = [dict(rule, verbs=[verb for verb in rule["verbs"] if verb != "watch"]) for rule in role()]
    return [rule for rule in rules if rule["verbs"]]


def opened(plane: ControlPlane, folder: Path, name: str, case: tuple[bool, bool], targets: int) -> WatchdogProcess:
    """A namespace of its own with its workloads, and a daemon that watches them."""
    watches, in_cluster = case
    admin = plane.api("admin")
    admin.post("/api/v1/namespaces", {"metadata": {"name": name}})
    admin.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "watchdog"}})
    kubectl = Kubectl(plane.binaries / "kubectl", plane.kubeconfig("admin"), name)
    workloads = [deployment(f"shop-{number}", replicas=1) for number in range(targets)]
    apply(kubectl, *workloads)
    grant_account(admin, name, (role() if watches else without_watch()) + (state_role() if in_cluster else []))
    kubeconfig = of_account(plane, admin, name, folder)
    config: Config = {
        "mode": "enforce",
        "first_start": "act",
        "defaults": {"bake_time": "40s", "tolerate_interruption": "2s", "bake_events": 0},
        "targets": {
            f"shop-{number}": {
                "kubernetes": {"namespace": name, "deployment": f"shop-{number}", "kubeconfig": kubeconfig},
                "signals": {"workload": {}},
                "data": "none",
            }
            for number in range(targets)
        },
    }
    if in_cluster:
        config["state"] = {"kubernetes": {"namespace": name, "kubeconfig": kubeconfig}}
    for workload in workloads:
        wait_rolled_out(kubectl, f"deployment/{workload['metadata']['name']}")
    daemon = WatchdogProcess.prepare(folder / name, config)
    daemon.start()
    return daemon


def grant_account(admin: KubeApi, namespace: str, rules: Sequence[Manifest]) -> None:
    """Rights for the ServiceAccount, by the same objects as for a user."""
    grant(admin, namespace, "watchdog", rules)
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "watchdog"}
    subject = {"kind": "ServiceAccount", "name": "watchdog", "namespace": namespace}
    admin.post(base, {"metadata": {"name": "account"}, "roleRef": reference, "subjects": [subject]})


def of_account(plane: ControlPlane, admin: KubeApi, namespace: str, folder: Path) -> str:
    """A kubeconfig with a token of the ServiceAccount."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/watchdog/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
    token = admin.post(path, asked)["status"]["token"]
    text = plane.kubeconfig("admin").read_text().replace(plane.tokens["admin"], token)
    file = folder / f"{namespace}.kubeconfig"
    file.write_text(text)
    return str(file)


def counted(plane: ControlPlane, namespace: str, begin: float) -> Counter[str]:
    """Requests of the namespace's daemon since `begin`, by verb and resource."""
    found: Counter[str] = Counter()
    for event in plane.audit_events(user=f"system:serviceaccount:{namespace}:watchdog"):
        if datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp() >= begin:
            reference = event.get("objectRef") or {}
            found[f"{event['verb']} {reference.get('resource', '-')}"] += 1
    return found


def measure(targets: int, minutes: float) -> list[list[str]]:
    """One row a case."""
    with laboratory("requests") as (plane, _node, folder), ExitStack() as stack:
        names = {f"case-{number}": name for number, name in enumerate(CASES)}
        for name, case in names.items():
            daemon = opened(plane, folder, name, CASES[case], targets)
            stack.callback(daemon.program.terminate, within=10.0)
        print(f"{len(names)} daemons run, {targets} targets each; settling", file=sys.stderr, flush=True)
        time.sleep(SETTLE_S)
        begin = time.time()
        time.sleep(60 * minutes)
        found = {case: counted(plane, name, begin) for name, case in names.items()}
    rows = []
    for case, requests in found.items():
        alone = requests["get leases"] + requests["patch leases"]
        most = ", ".join(f"{count} {words}" for words, count in requests.most_common(5))
        each = (sum(requests.values()) - alone) / targets / minutes
        rows.append([case, f"{each:.2f}", f"{alone / minutes:.0f}", most])
    return rows


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.requests")
    parser.add_argument("--targets", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=6.0)
    chosen = parser.parse_args(arguments)
    if not enter.inside():
        again = [sys.executable, "-m", "tests.benchmarks.requests", *arguments]
        return subprocess.run([sys.executable, "-m", "tests.cluster.enter", "--", *again], check=False).returncode
    missing = [name for name in PROGRAMS if not (binaries_folder() / name).exists()]
    if missing:
        print(f"not built: {', '.join(missing)}; run tests/cluster/binaries/build.sh", file=sys.stderr)
        return 2
    header = [
        "the daemon",
        "requests a target and minute",
        "for the Lease, a minute",
        f"most of them, in {chosen.minutes:g} min",
    ]
    print(table(header, measure(chosen.targets, chosen.minutes)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
