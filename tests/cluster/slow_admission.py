"""An admission webhook that takes its time: the wide open moment between a write that was sent and its answer.

The API server asks it before it stores a change of one user to a workload of one namespace; dry runs pass by. Each change
waits there until `let_go`, or for `delay` seconds. Real clusters have such webhooks, and a daemon can die while one thinks.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

from tests.cluster.api import KubeApi, Manifest

_PATH = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_TIMEOUT_S = 20


class SlowAdmission:
    """The webhook while it is registered. `asked` is set when a change has arrived and waits."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.asked = threading.Event()
        self._go = threading.Event()

    def let_go(self) -> None:
        """Let every waiting change pass, and later ones at once."""
        self._go.set()

    def review(self, request: Manifest) -> Manifest:
        """Allow it, after a while."""
        if not request["request"].get("dryRun"):  # the dry run before the write is no write
            self.asked.set()
            self._go.wait(self.delay)
        response = {"uid": request["request"]["uid"], "allowed": True}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


@contextmanager
def slow_admission(
    api: KubeApi, namespace: str, folder: Path, *, user: str = "watchdog", delay: float = 3.0
) -> Iterator[SlowAdmission]:
    """Slow down what `user` changes of Deployments in `namespace`; gone at the end."""
    admission = SlowAdmission(delay)
    authority = trustme.CA()
    server = _serve(admission, authority, folder)
    bundle = base64.b64encode(authority.cert_pem.bytes()).decode()
    name = f"slow-{namespace}"
    url = f"https://127.0.0.1:{server.server_address[1]}/review"
    api.post(_PATH, _configuration(name, namespace, user, url, bundle))
    try:
        yield admission
    finally:
        admission.let_go()
        api.delete(f"{_PATH}/{name}")
        server.shutdown()
        server.server_close()


def _serve(admission: SlowAdmission, authority: trustme.CA, folder: Path) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = json.dumps(admission.review(json.loads(body))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """The API server hangs up when its client did; that is the subject here, not a defect."""

    pem = folder / "slow-admission.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, name="slow admission", daemon=True).start()
    return server


def _configuration(name: str, namespace: str, user: str, url: str, bundle: str) -> Manifest:
    webhook = {
        "name": "slow.admission.example.org",
        "clientConfig": {"url": url, "caBundle": bundle},
        "rules": [
            {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "matchConditions": [
            {"name": "user", "expression": f"request.userInfo.username == '{user}'"},
            {"name": "no-dry-run", "expression": "!(has(request.dryRun) && request.dryRun)"},
        ],
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "timeoutSeconds": _TIMEOUT_S,
        "admissionReviewVersions": ["v1"],
    }
    return {"metadata": {"name": name}, "webhooks": [webhook]}
