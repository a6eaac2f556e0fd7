"""The part of kubelet that the API server asks for `pods/log`: TLS, with a client certificate."""

import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from tests.cluster.node.container import Log
from tests.cluster.node.kubelet import Kubelet


class LogServer:
    """Answers /containerLogs/NAMESPACE/POD/CONTAINER as a real kubelet does; `follow` is not supported."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    def application(self) -> web.Application:
        """The server as an application."""
        application = web.Application()
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        return application

    async def _logs(self, request: web.Request) -> web.Response:
        about = request.match_info
        pod = self._kubelet.find(about["namespace"], about["pod"])
        container = pod and pod.containers.get(about["container"])
        if not container:
            return web.Response(status=404, text=f"pod {about['pod']!r} or its container not found\n")
        name = about["container"]
        if request.query.get("previous") == "true":
            if container.previous_log is None:
                problem = f'previous terminated container "{name}" in pod "{about["pod"]}" not found'
                return web.Response(status=400, text=problem)
            return web.Response(body=_selected(container.previous_log, request))
        if "waiting" in container.state and not container.restarts:
            reason = container.state["waiting"]["reason"]
            problem = f'container "{name}" in pod "{about["pod"]}" is waiting to start: {reason}'
            return web.Response(status=400, text=problem)
        return web.Response(body=_selected(container.log, request))


def _selected(log: Log, request: web.Request) -> bytes:
    """The lines that the query asks for: sinceSeconds, tailLines, limitBytes, timestamps."""
    query = request.query
    lines: Iterable[tuple[datetime, str]] = log.lines
    if "sinceSeconds" in query:
        earliest = datetime.now(UTC) - timedelta(seconds=int(query["sinceSeconds"]))
        lines = [line for line in lines if line[0] >= earliest]
    stamped = query.get("timestamps") == "true"
    texts = [f"{moment.isoformat().replace('+00:00', 'Z')} {text}" if stamped else text for moment, text in lines]
    if "tailLines" in query:
        count = int(query["tailLines"])
        texts = texts[-count:] if count else []
    found = "".join(f"{text}\n" for text in texts).encode()
    return found[: int(query["limitBytes"])] if "limitBytes" in query else found


def tls(ca_file: Path, cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """Serve with this certificate, to clients with a certificate of the same authority only."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(cert_file, key_file)
    return context
