"""A real Prometheus that scrapes two processes of ours every second."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from tests.components import free_port

SCRAPE_S = 1.0


class Pod:
    """A process that serves its own /metrics and can be restarted."""

    def __init__(self) -> None:
        self.restart()
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    def restart(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("requests", "Requests.", ["code"], registry=self.registry)
        self.seconds = Histogram("seconds", "Latency.", buckets=(0.1, 0.8, 2.0), registry=self.registry)

    def serve(self, events: int, bad: int = 0, took_s: float = 0.05) -> None:
        for number in range(events):
            self.requests.labels("500" if number < bad else "200").inc()
            self.seconds.observe(took_s)

    def start(self) -> None:
        pod = self

        class Metrics(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = generate_latest(pod.registry)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Metrics)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def stopped(self) -> bool:
        return self._server is None

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Prometheus:
    """The server as a process; `pods` are what it scrapes, by pod name."""

    def __init__(self, program: str, directory: Path, pods: dict[str, Pod]) -> None:
        self.program, self.directory, self.pods = program, directory, pods
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.directory / "prometheus.yml"
        jobs = [
            {"targets": [f"127.0.0.1:{pod.port}"], "labels": {"pod": name, "namespace": "shop"}}
            for name, pod in self.pods.items()
        ]
        scrape = {"job_name": "shop", "scrape_interval": "1s", "scrape_timeout": "900ms", "static_configs": jobs}
        config.write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self.program,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={self.directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--log.level=error",
                ],
                stdout=log,
                stderr=log,
            )
        self._ready()

    def _ready(self) -> None:
        for _ in range(200):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.1)
        raise AssertionError((self.directory / "log").read_text())

    @property
    def runs(self) -> bool:
        return self._process is not None

    def oldest_scrape(self) -> float:
        """When the pod scraped longest ago was scraped (seconds since the epoch); 0 while there is none."""
        query = urllib.parse.urlencode({"query": "min(timestamp(requests_total))"})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._process.wait(20)
            self._process = None
