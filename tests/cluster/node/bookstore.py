"""The HTTP service inside a container: a small bookstore, with health, readiness and Prometheus metrics.

Serves /, /health, /ready, /metrics, /api/books and /api/authors. Errors come evenly spread, not by chance: of
any hundred requests to one path a container with 30 % errors fails thirty.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable

from aiohttp import hdrs, web

from tests.cluster.node.behaviour import Behaviour

PROBE_AGENT = "kube-probe/1.37"

_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_PAGES: dict[str, dict[str, object]] = {
    "/": {"service": "bookstore"},
    "/api/books": {"books": [{"id": 1, "title": "Middlemarch"}, {"id": 2, "title": "Persuasion"}]},
    "/api/authors": {"authors": ["George Eliot", "Jane Austen"]},
}


class Bookstore:
    """One running instance: knows since when it runs, and counts what it answered."""

    def __init__(
        self,
        version: str,
        behaviour: Behaviour,
        *,
        flag: Callable[[str], bool],
        log: Callable[[str], None],
    ) -> None:
        self._version = version
        self._behaviour = behaviour
        self._flag = flag
        self._log = log
        self._started = time.monotonic()
        self._answers: Counter[tuple[int, str]] = Counter()
        self._durations: dict[str, list[float]] = defaultdict(list)
        self._errors_due: dict[str, float] = defaultdict(float)

    def application(self) -> web.Application:
        """The service as an application that a server can run."""
        application = web.Application()
        application.router.add_get("/metrics", self._metrics)
        application.router.add_route("*", "/{path:.*}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.Response:
        begun = time.monotonic()
        status, body = await self._decide(request)
        path = request.path if request.path in _PAGES or request.path in ("/health", "/ready") else "other"
        self._answers[status, path] += 1
        self._durations[path].append(time.monotonic() - begun)
        # Probes that succeed are not worth a line: they would push out the lines that tell something.
        if status >= 400 or path in _PAGES:
            self._log(f"{'ERROR' if status >= 500 else 'INFO'} {request.method} {request.path} {status}")
        return web.json_response({"version": self._version, **body}, status=status)

    async def _decide(self, request: web.Request) -> tuple[int, dict[str, object]]:
        behaviour, age = self._behaviour, time.monotonic() - self._started
        probed = request.headers.get(hdrs.USER_AGENT, "").startswith("kube-probe/")
        if (probed or request.path == "/ready") and age < behaviour.ready_after:
            return 503, {"status": "starting"}
        if request.path == "/ready":
            return 200, {"status": "ready"}
        if request.path == "/health":
            return (200, {"status": "ok"}) if behaviour.healthy else (503, {"status": "failing"})
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if behaviour.depends_on and self._flag(behaviour.depends_on):
            return 503, {"error": "the catalogue database does not answer"}
        if behaviour.error_from <= age < behaviour.error_until and self._error_is_due(request.path):
            return 500, {"error": "unhandled exception in the handler"}
        page = _PAGES.get(request.path)
        return (200, page) if page else (404, {"error": "no such page"})

    def _error_is_due(self, path: str) -> bool:
        self._errors_due[path] += self._behaviour.error_share
        # The margin takes up what adding, say, ten times 0.1 loses.
        if self._errors_due[path] < 1 - 1e-9:
            return False
        self._errors_due[path] -= 1
        return True

    async def _metrics(self, _request: web.Request) -> web.Response:
        lines = ["# HELP http_requests_total Requests answered.", "# TYPE http_requests_total counter"]
        for (status, path), count in sorted(self._answers.items()):
            lines.append(f'http_requests_total{{code="{status}",path="{path}"}} {count}')
        name = "http_request_duration_seconds"
        lines += [f"# HELP {name} Time to answer.", f"# TYPE {name} histogram"]
        for path, durations in sorted(self._durations.items()):
            for bound in _BUCKETS:
                below = sum(duration <= bound for duration in durations)
                lines.append(f'{name}_bucket{{path="{path}",le="{bound}"}} {below}')
            lines.append(f'{name}_bucket{{path="{path}",le="+Inf"}} {len(durations)}')
            lines.append(f'{name}_sum{{path="{path}"}} {sum(durations):.6f}')
            lines.append(f'{name}_count{{path="{path}"}} {len(durations)}')
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return web.Response(body="\n".join([*lines, ""]).encode(), headers={hdrs.CONTENT_TYPE: content_type})
