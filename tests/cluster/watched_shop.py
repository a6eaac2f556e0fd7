"""A bookstore in a real cluster with a real `watchdog run` beside it: the words in which the end-to-end tests tell.

Neighbours: `workloads` (manifests and kubectl), `watchdog_process` (the daemon), `users` (who reads). Times are short and
in proportion to each other as in the field. The daemon runs as the user `watchdog` with the rules of the Role that we
ship, in the one namespace of the test; what it did is told by the audit log of the API server.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.controlplane import ControlPlane
from tests.cluster.node.process import Node
from tests.cluster.users import wait_served
from tests.cluster.watchdog_process import Config, WatchdogProcess
from tests.cluster.workloads import PORT, Kubectl, apply, deployment, grant, pods_of, service, wait_rolled_out

GOOD = "bookstore:1.0"
NAME = "bookstore"
CAUSE = "kubernetes.io/change-cause"
ROLE = Path(__file__).parents[2] / "deploy" / "kubernetes" / "role.yaml"
CHANGES = frozenset({"create", "update", "patch", "delete", "deletecollection"})

EVERY = "500ms"
PODS: Config = {
    "http": {"pods": {"port": PORT, "path": "/api/books"}},
    "every": EVERY,
    "rule": {"failed": 3, "of": 12},
}
"""Every pod by its own address."""
WORKLOAD: Config = {"workload": {}, "every": EVERY, "rule": {"consecutive": 2}}
"""What Kubernetes says of the pods and the rollout."""

NURSERY: Config = {"workload": {}, "every": "200ms", "rule": {"consecutive": 1}}
"""The signal by which the first release earns its grade within seconds, before the story begins."""
QUICK: Config = {
    "bake_time": "60s",
    "tolerate_interruption": "1s",
    "countdown": "1s",
    "evidence": "5s",
    "budget": {"per_target": "50 per 24h", "fleet": "50 per 10m"},
}
"""The defaults of a daemon in these tests; the budget is not their subject."""


def role() -> list[Manifest]:
    """The rules of the Role that we ship."""
    rules: list[Manifest] = yaml.safe_load(ROLE.read_text())["rules"]
    return rules


@dataclass(slots=True, kw_only=True)
class Shop:
    """The bookstore of one test."""

    plane: ControlPlane
    node: Node
    kubectl: Kubectl
    namespace: str
    folder: Path
    user: str = "watchdog"
    defaults: Config = field(default_factory=lambda: dict(QUICK))
    """Section `defaults` of every daemon once the first release has earned its grade."""
    shared: Config = field(default_factory=dict)
    """What every daemon of the test has in its configuration, from the first one on."""
    every: str = EVERY
    """How often the workload is read."""
    started: list[WatchdogProcess] = field(default_factory=list)

    @property
    def admin(self) -> KubeApi:
        """Raw calls of somebody who may do everything."""
        return self.plane.api("admin")

    @property
    def watchdog(self) -> WatchdogProcess:
        """The daemon that was started first."""
        return self.started[0]

    # -- opening -----------------------------------------------------------------------------------------------------

    def open(
        self,
        signals: Mapping[str, Config] | None = None,
        *,
        workloads: Sequence[Manifest] = (),
        rules: Sequence[Manifest] | None = None,
        target: Mapping[str, Any] | None = None,
        **config: Any,
    ) -> WatchdogProcess:
        """A good release in front of its users, and a daemon that has seen it earn its grade.

        `workloads` instead of the one Deployment; `rules` instead of our Role; `target` is more about the target `NAME`,
        `config` about the whole daemon.
        """
        shown = [_with_cause(entry) for entry in workloads or [deployment()]]
        grant(self.admin, self.namespace, self.user, role() if rules is None else rules)
        apply(self.kubectl, *shown, *(service(entry["metadata"]["name"]) for entry in shown))
        targets = {
            entry["metadata"]["name"]: {
                "kubernetes": self.address(entry),
                "signals": dict(signals or {"pods": PODS, "workload": WORKLOAD}),
                "data": "none",
                **((target or {}) if entry["metadata"]["name"] == NAME else {}),
            }
            for entry in shown
        }
        daemon = self.prepare(nursery(targets))
        daemon.launch()
        for entry in shown:
            wait_rolled_out(self.kubectl, workload_of(entry))
        daemon.wait_started()
        for entry in shown:
            self.wait_good(entry["metadata"]["name"])
        daemon.configure(self.complete({"targets": targets, **config}))
        daemon.reload()
        daemon.arm()
        return daemon

    def prepare(self, config: Config, folder: str = "watchdog") -> WatchdogProcess:
        """A daemon with this configuration, not started."""
        daemon = WatchdogProcess.prepare(self.folder / folder, self.complete(config))
        self.started.append(daemon)
        return daemon

    def complete(self, config: Config) -> Config:
        """The configuration with what all of these tests share."""
        common: Config = {"mode": "enforce", "notify": {"team": {"stdout": {}}}, **self.shared}
        return {**common, **config, "defaults": {**self.defaults, **config.get("defaults", {})}}

    def address(self, workload: Manifest) -> Config:
        """The section `kubernetes` of a target, with the credentials of the user of the daemon."""
        kind, name = workload["kind"].lower(), workload["metadata"]["name"]
        kubeconfig = str(self.plane.kubeconfig(self.user))
        return {"namespace": self.namespace, kind: name, "kubeconfig": kubeconfig, "every": self.every}

    def close(self) -> None:
        """End the daemons, each of which must not have logged a defect."""
        for daemon in self.started:
            daemon.thaw()
            daemon.program.terminate(within=10.0)
        for daemon in self.started:
            daemon.check()

    # -- what people do ----------------------------------------------------------------------------------------------

    def release(self, image: str, workload: str = f"deployment/{NAME}") -> None:
        """A release, with its reason in the history, as a pipeline applies it."""
        container = {"name": workload.partition("/")[2], "image": image}
        change = {
            "metadata": {"annotations": {CAUSE: f"release {image}"}},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
        self.kubectl("patch", workload, "--type=strategic", f"--patch={json.dumps(change)}")

    def users_url(self, name: str = NAME) -> str:
        """Where users read, once somebody answers there."""
        return wait_served(self.node, self.namespace, name)

    def fresh_controllers(self) -> None:
        """Start the controllers anew: after an outage the old ones wait ever longer, up to a minute, before they look."""
        self.plane.controller_manager.kill()
        self.plane.controller_manager.start()

    # -- what is there -----------------------------------------------------------------------------------------------

    def live(self, kind: str = "deployments", name: str = NAME) -> Manifest:
        """The workload as the API server has it."""
        return self.admin.get(f"/apis/apps/v1/namespaces/{self.namespace}/{kind}/{name}")

    def image(self, kind: str = "deployments", name: str = NAME) -> str:
        """The image that its template names."""
        found: str = self.live(kind, name)["spec"]["template"]["spec"]["containers"][0]["image"]
        return found

    def running(self, name: str = NAME) -> set[str]:
        """The images of its pods."""
        return {pod["spec"]["containers"][0]["image"] for pod in pods_of(self.admin, self.namespace, name)}

    def requests(self, *, rehearsals: bool = False) -> list[Manifest]:
        """Audit events of every request of the daemon in the namespace that asked for a change (or for its dry run)."""
        return [
            event
            for event in self.plane.audit_events(user=self.user, namespace=self.namespace)
            if event["verb"] in CHANGES and ("dryRun" in event["requestURI"]) == rehearsals
        ]

    def dry_runs(self) -> list[Manifest]:
        """Audit events of its requests that changed nothing because they said so."""
        events = self.plane.audit_events(user=self.user, namespace=self.namespace)
        return [event for event in events if event["verb"] in CHANGES and "dryRun=All" in event["requestURI"]]

    def writes(self, name: str | None = None) -> list[str]:
        """What the daemon has changed, one line each: ``patch deployments/bookstore``; refused requests change nothing."""
        done = [event for event in self.requests() if event.get("responseStatus", {}).get("code", 0) < 300]
        about = [(event["verb"], event["objectRef"]) for event in done]
        return [f"{verb} {it['resource']}/{it['name']}" for verb, it in about if name in (None, it["name"])]

    # -- waiting -----------------------------------------------------------------------------------------------------

    def wait_good(self, name: str = NAME, image: str | None = None, *, within: float = 40.0) -> None:
        """Until the daemon holds a release of `name` for good: the one of `image` if told."""

        def earned() -> bool:
            grades = self.watchdog.grades(name)
            good = [found for found, grade in grades.items() if grade in ("good", "assumed_good")]
            return (image in good) if image else bool(good)

        self.watchdog.wait(earned, f"a good release of {name}", within=within, every=0.25)

    def wait_stage(self, *stages: str, name: str = NAME, within: float = 30.0) -> Manifest:
        """The newest incident of `name`, once it stands in one of these stages."""

        def there() -> Manifest | None:
            found = self.watchdog.incidents(name)
            return found[0] if found and found[0]["stage"] in stages else None

        incident = self.watchdog.wait(there, f"an incident of {name} that is {' or '.join(stages)}", within=within)
        assert incident is not None
        return incident

    def wait_closed(self, reason: str, name: str = NAME, *, reopened: int = 0, within: float = 40.0) -> Manifest:
        """The newest incident of `name`, once it is closed after so many openings anew.

        AssertionError when it was closed for another reason than this.
        """

        def closed() -> Manifest | None:
            found = self.watchdog.incidents(name)
            done = found and found[0]["stage"] == "closed" and found[0]["reopened"] == reopened
            return found[0] if done else None

        incident = self.watchdog.wait(closed, f"an incident of {name} that is closed", within=within)
        assert incident is not None
        assert incident["reason"] == reason, f"closed as {incident['reason']}\n{self.watchdog.describe()}"
        return incident

    def wait_held(self, *checks: str, name: str = NAME, within: float = 30.0) -> Manifest:
        """The newest incident of `name`, once the gate holds it by these checks."""

        def held() -> Manifest | None:
            found = self.watchdog.incidents(name)
            decision = (found[0].get("decision") or {}) if found else {}
            objecting = {check["name"] for check in decision.get("checks", ()) if check["effect"] != "pass"}
            return found[0] if set(checks) <= objecting else None

        incident = self.watchdog.wait(held, f"an incident of {name} held by {', '.join(checks)}", within=within)
        assert incident is not None
        return incident

    def wait_state(self, *states: str, name: str = NAME, within: float = 30.0) -> None:
        """Until the status says that `name` is in one of these states."""
        what = f"{name} to be {' or '.join(states)}"
        self.watchdog.wait(lambda: self.watchdog.target(name).get("state") in states, what, within=within)


def nursery(targets: Mapping[str, Config]) -> Config:
    """The same workloads, with a bake that is over as soon as it was looked at."""
    watched = {
        name: {
            **{platform: target[platform] for platform in ("kubernetes", "helm") if platform in target},
            "signals": {"workload": NURSERY},
            "data": "none",
        }
        for name, target in targets.items()
    }
    return {"targets": watched, "defaults": {"bake_time": "1s", "tolerate_interruption": "500ms"}}


def _with_cause(manifest: Manifest) -> Manifest:
    """The workload with the reason of its first release, as a pipeline writes it."""
    metadata = manifest["metadata"]
    image = manifest["spec"]["template"]["spec"]["containers"][0]["image"]
    annotations = {**metadata.get("annotations", {}), CAUSE: f"release {image}"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def workload_of(manifest: Manifest) -> str:
    """``deployment/bookstore``, as kubectl names it."""
    return f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"


def kinds_of(incident: Manifest) -> list[str]:
    """The keys of the journal's lines, oldest first."""
    return [entry["kind"] for entry in incident["entries"]]


def without_patch() -> list[Manifest]:
    """The rules of our Role without the right to change the workload."""
    rules = copy.deepcopy(role())
    for rule in rules:
        rule["verbs"] = [verb for verb in rule["verbs"] if verb != "patch"]
    return rules


def report_of(daemon: WatchdogProcess, incident: Manifest) -> tuple[dict[str, Any], str, Mapping[str, str]]:
    """The last report as data and as text, and all files of the incident: path below its folder to content."""
    folder = daemon.folder / "incidents" / incident["id"]

    def written() -> bool:
        file, last = folder / "report.json", folder / "manifest.json"  # which is written after the others
        if not (file.exists() and last.exists() and last.stat().st_mtime_ns >= file.stat().st_mtime_ns):
            return False
        return bool(json.loads(file.read_text())["state"]["stage"] == "closed")

    daemon.wait(written, "the report of a closed incident", within=10)
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return json.loads(files["report.json"]), files["report.md"], files
