"""A real control plane in a folder of its own: etcd, kube-apiserver and kube-controller-manager.

Must run inside the namespace of `enter`; `node` gives it a machine to run pods on. Users come from `USERS`:
`admin` may do everything, `watchdog` and `watchdog-limited` nothing until a test binds a role to them.

The audit log is the witness of who wrote what: every request with its metadata, with its body where it
concerns the `apps` group or changes a pod, and with the answer where it changes a Deployment.

Guarantees: `start` returns a ready control plane or raises with the end of the logs and leaves no process;
`stop` leaves no process. The API server can be frozen, killed and started again on the same port and data.
Not guaranteed: data survive a crash of the machine (etcd does not sync).
"""

import json
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.cluster.api import KubeApi, Manifest
from tests.cluster.programs import Program
from tests.cluster.waiting import wait_until

NODE_IP = "10.77.0.1"

USERS = {
    # name: groups
    "admin": "system:masters",
    "test-node": "system:masters",
    "system:kube-controller-manager": "system:masters",
    "watchdog": "",
    "watchdog-limited": "",
}

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")

_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "job-controller",
    "disruption-controller",
    "endpoints-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
)

_READY_WITHIN = 60.0

_CHANGES = ["create", "update", "patch", "delete", "deletecollection"]
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "RequestResponse", "verbs": _CHANGES, "resources": [{"group": "apps", "resources": ["deployments"]}]},
        {"level": "Request", "resources": [{"group": "apps"}]},
        {"level": "Request", "verbs": _CHANGES, "resources": [{"group": "", "resources": ["pods", "pods/*"]}]},
        {"level": "Metadata"},
    ],
}


def binaries_folder() -> Path:
    """Where the built programs are, or would be."""
    script = Path(__file__).parent / "binaries" / "build.sh"
    done = subprocess.run(["bash", script, "--where"], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


@dataclass(slots=True, kw_only=True)
class ControlPlane:
    """A running control plane; made by `start`."""

    folder: Path
    binaries: Path
    url: str
    ca_file: Path
    node_cert_file: Path
    node_key_file: Path
    tokens: dict[str, str]
    etcd: Program
    api_server: Program
    controller_manager: Program
    _kubeconfigs: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def start(cls, folder: Path, binaries: Path) -> "ControlPlane":
        """Start all three in an empty folder and wait until they are ready."""
        tokens = {user: secrets.token_urlsafe(24) for user in USERS}
        _write_secrets(folder, tokens)
        (folder / "audit-policy.json").write_text(json.dumps(_AUDIT_POLICY))
        etcd_port, peer_port, api_port = _free_ports(3)
        url = f"https://127.0.0.1:{api_port}"
        etcd = _etcd_command(binaries, folder, etcd_port, peer_port)
        api_server = _api_server_command(binaries, folder, etcd_port, api_port)
        manager = _controller_manager_command(binaries, folder)
        plane = cls(
            folder=folder,
            binaries=binaries,
            url=url,
            ca_file=folder / "ca.pem",
            node_cert_file=folder / "node.pem",
            node_key_file=folder / "node-key.pem",
            tokens=tokens,
            etcd=Program("etcd", etcd, folder / "etcd.log"),
            api_server=Program("kube-apiserver", api_server, folder / "kube-apiserver.log"),
            controller_manager=Program("kube-controller-manager", manager, folder / "kube-controller-manager.log"),
        )
        plane.kubeconfig("system:kube-controller-manager")
        try:
            plane.etcd.start()
            plane.start_api_server()
            plane.controller_manager.start()
        except BaseException:
            plane.stop()
            raise
        return plane

    def stop(self) -> None:
        """End all three at once: nothing of theirs is needed any more."""
        for program in (self.controller_manager, self.api_server, self.etcd):
            program.kill()

    def api(self, user: str = "admin") -> KubeApi:
        """Raw calls as a user."""
        return KubeApi(self.url, self.tokens[user], str(self.ca_file))

    def kubeconfig(self, user: str) -> Path:
        """A kubeconfig of a user."""
        if user not in self._kubeconfigs:
            cluster = {"server": self.url, "certificate-authority": str(self.ca_file)}
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": user, "user": {"token": self.tokens[user]}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
                "current-context": "test",
            }
            path = self.folder / f"kubeconfig-{user.replace(':', '-')}"
            path.write_text(json.dumps(config))
            self._kubeconfigs[user] = path
        return self._kubeconfigs[user]

    def audit_events(self, *, user: str | None = None, namespace: str | None = None) -> list[Manifest]:
        """What the API server has seen so far, oldest first, of one user and in one namespace if told.

        A line that a killed API server left unfinished is passed over.
        """
        found = []
        for line in (self.folder / "audit.log").read_text(errors="replace").splitlines():
            try:
                event: Manifest = json.loads(line)
            except json.JSONDecodeError:
                continue
            about = event.get("objectRef", {})
            if user in (None, event["user"].get("username")) and namespace in (None, about.get("namespace")):
                found.append(event)
        return found

    def start_api_server(self) -> None:
        """Start the API server, on the same port and data as before, and wait until it is ready."""
        self.api_server.start()
        api = self.api()
        wait_until(
            lambda: api.ready() or not (self.api_server.running and self.etcd.running),
            "a ready API server",
            within=_READY_WITHIN,
            explain=self.logs,
        )
        if not (self.api_server.running and self.etcd.running):
            raise AssertionError(f"the API server or etcd has ended\n{self.logs()}")

    def kill_api_server(self) -> None:
        """End the API server without a goodbye."""
        self.api_server.kill()

    @contextmanager
    def api_server_killed(self) -> Iterator[None]:
        """Kill the API server, and start it again at the end."""
        self.kill_api_server()
        try:
            yield
        finally:
            self.start_api_server()

    def freeze_api_server(self) -> None:
        """Stop the API server so that it accepts connections and never answers."""
        self.api_server.signal(signal.SIGSTOP)

    def thaw_api_server(self) -> None:
        """Let a frozen API server go on."""
        self.api_server.signal(signal.SIGCONT)

    @contextmanager
    def api_server_frozen(self) -> Iterator[None]:
        """Freeze the API server, and let it go on at the end."""
        self.freeze_api_server()
        try:
            yield
        finally:
            self.thaw_api_server()

    def check(self) -> None:
        """AssertionError with the end of the logs unless all three run."""
        programs = (self.etcd, self.api_server, self.controller_manager)
        if not all(program.running for program in programs):
            raise AssertionError(f"a part of the control plane has ended\n{self.logs()}")

    def logs(self) -> str:
        """The end of the logs of all three."""
        return "\n".join(program.tail() for program in (self.etcd, self.api_server, self.controller_manager))


def _write_secrets(folder: Path, tokens: dict[str, str]) -> None:
    """Certificates of one authority, the key of service account tokens, and the file of users."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, addresses in (
        ("api", ("127.0.0.1", "localhost", NODE_IP, "kubernetes.default.svc")),
        ("node", (NODE_IP,)),
        ("kubelet-client", ("kube-apiserver.internal",)),
        ("service-account", ("tokens.internal",)),
    ):
        certificate = authority.issue_cert(*addresses, common_name=name)
        certificate.private_key_pem.write_to_path(folder / f"{name}-key.pem")
        for number, pem in enumerate(certificate.cert_chain_pems):
            pem.write_to_path(folder / f"{name}.pem", append=number > 0)
    rows = [f'{tokens[user]},{user},{user},"{groups}"' for user, groups in USERS.items()]
    (folder / "users.csv").write_text("\n".join(rows) + "\n")


def _etcd_command(binaries: Path, folder: Path, port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        str(binaries / "etcd"),
        "--name=test",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_server_command(binaries: Path, folder: Path, etcd_port: int, port: int) -> list[str]:
    return [
        str(binaries / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--advertise-address={NODE_IP}",
        f"--cert-dir={folder}",
        f"--tls-cert-file={folder / 'api.pem'}",
        f"--tls-private-key-file={folder / 'api-key.pem'}",
        f"--service-account-key-file={folder / 'service-account-key.pem'}",
        f"--service-account-signing-key-file={folder / 'service-account-key.pem'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--token-auth-file={folder / 'users.csv'}",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--service-cluster-ip-range=10.0.0.0/24",
        # Pods would wait for a token of their service account, and DaemonSets for a controller that takes the
        # taint of a new node away; nothing here makes the one or does the other.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        f"--kubelet-certificate-authority={folder / 'ca.pem'}",
        f"--kubelet-client-certificate={folder / 'kubelet-client.pem'}",
        f"--kubelet-client-key={folder / 'kubelet-client-key.pem'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={folder / 'audit-policy.json'}",
        f"--audit-log-path={folder / 'audit.log'}",
    ]


def _controller_manager_command(binaries: Path, folder: Path) -> list[str]:
    return [
        str(binaries / "kube-controller-manager"),
        f"--kubeconfig={folder / 'kubeconfig-system-kube-controller-manager'}",
        f"--service-account-private-key-file={folder / 'service-account-key.pem'}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        f"--controllers={','.join(_CONTROLLERS)}",
    ]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(listener.getsockname()[1]) for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports
