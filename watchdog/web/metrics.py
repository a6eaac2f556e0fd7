"""Metrics for Prometheus, made from the same status and health that people see.

Role: one collector over `Control.status()` and `Control.health()`, so that the engine does not know of Prometheus.
Neighbours: `web.server` and `web.api` serve it. Guarantees: the snapshot is taken on the event loop and is what one
scrape shows; the text is made in a thread of its own, so that a scrape of a thousand targets delays no poll. A fact
that is unknown is absent, never zero.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from watchdog.model import JsonObject
from watchdog.ports import Control
from watchdog.web.problems import TookTooLong

SCRAPE_S = 10.0
"""Prometheus' own default for a scrape."""

STATES = ("healthy", "suspect", "failing", "inconclusive", "blind", "paused", "responding", "needs_human")
HEALTHS = ("healthy", "failing", "inconclusive", "blind")


class Snapshot(Collector):
    """The metrics of one moment."""

    def __init__(self, status: JsonObject, health: JsonObject) -> None:
        """Take both answers of the control."""
        self._status = status
        self._health = health

    def collect(self) -> Iterable[Metric]:
        """Every family, service first, then loops, targets and signals."""
        yield from _service(self._status, self._health)
        yield from _loops(self._health.get("loops", ()))
        yield from _targets(self._status.get("targets", ()))
        yield from _signals(self._status.get("targets", ()))
        for name, value in sorted(self._status.get("counters", {}).items()):
            family = CounterMetricFamily(f"watchdog_{name}", f"{name.replace('_', ' ')} since the daemon started")
            family.add_metric([], float(value))
            yield family


def metrics_handler(control: Control) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The handler of a metrics route; it shares one thread over all its scrapes."""
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watchdog-metrics")

    async def metrics(request: web.Request) -> web.Response:
        """``GET /metrics`` in the text form that the scraper accepts."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        snapshot = Snapshot(control.status(), control.health())
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(SCRAPE_S):
                body = await loop.run_in_executor(pool, _encoded, encode, snapshot)
        except TimeoutError as error:
            raise TookTooLong(f"the metrics were not ready within {SCRAPE_S:g} s") from error
        return web.Response(body=body, headers={"Content-Type": content_type})

    return metrics


def _encoded(encode: Callable[[CollectorRegistry], bytes], snapshot: Snapshot) -> bytes:
    registry = CollectorRegistry()
    registry.register(snapshot)
    ProcessCollector(registry=registry)
    return encode(registry)


def _service(status: JsonObject, health: JsonObject) -> Iterable[Metric]:
    config, outbox = status.get("config", {}), status.get("outbox", {})
    gauges: tuple[tuple[str, str, Any], ...] = (
        ("live", "1 while the engine, the responses and the event loop make progress", health.get("live")),
        ("ready", "1 when the daemon watches", health.get("ready")),
        ("leader", "1 while this daemon may act", status.get("leader", {}).get("held")),
        ("store_ok", "1 while the state store answers", status.get("store", {}).get("ok")),
        ("config_reload_failed", "1 while a refused configuration file lies there", bool(config.get("error"))),
        ("outbox_depth", "notices that are still owed", outbox.get("depth")),
        ("pauses", "pauses that are active", len(status.get("pauses", ()))),
        ("cycle", "number of the engine's cycle", status.get("cycle")),
    )
    for name, words, value in gauges:
        yield from _gauge(f"watchdog_{name}", words, (), [((), value)])
    yield from _gauge(
        "watchdog_mode",
        "1 for the mode of the whole service",
        ("mode",),
        [((mode,), mode == status.get("mode")) for mode in ("observe", "ask", "enforce")],
    )


def _loops(loops: Iterable[Mapping[str, Any]]) -> Iterable[Metric]:
    rows = list(loops)
    yield from _gauge(
        "watchdog_loop_last_progress_seconds",
        "seconds since the loop's last progress: alert outside when it passes the limit",
        ("loop",),
        [((row["name"],), row.get("last_s")) for row in rows],
    )
    yield from _gauge(
        "watchdog_loop_limit_seconds",
        "after this many seconds without progress the supervisor steps in",
        ("loop",),
        [((row["name"],), row.get("limit_s")) for row in rows],
    )


def _targets(targets: Iterable[Mapping[str, Any]]) -> Iterable[Metric]:
    rows = list(targets)
    yield from _gauge(
        "watchdog_target_state",
        "1 for the state the target is in",
        ("target", "state"),
        [((row["name"], state), state == row.get("state")) for row in rows for state in STATES],
    )
    yield from _gauge(
        "watchdog_target_incident_open",
        "1 while an incident of the target is open",
        ("target",),
        [((row["name"],), row.get("incident") is not None) for row in rows],
    )


def _signals(targets: Iterable[Mapping[str, Any]]) -> Iterable[Metric]:
    rows = [(row["name"], signal) for row in targets for signal in row.get("signals", ())]
    yield from _gauge(
        "watchdog_signal_health",
        "1 for the verdict of the signal",
        ("target", "signal", "health"),
        [
            ((target, signal["name"], health), health == signal.get("health"))
            for target, signal in rows
            for health in HEALTHS
        ],
    )
    for key, name, words in (
        ("progress", "evidence_ratio", "how far the evidence against the release has come: 1 fires"),
        ("value", "value", "what the signal's rule last looked at"),
        ("limit", "limit", "the limit of the signal's rule"),
        ("data_age_s", "data_age_seconds", "age of the newest sample that tells something"),
    ):
        yield from _gauge(
            f"watchdog_signal_{name}",
            words,
            ("target", "signal"),
            [((target, signal["name"]), signal.get(key)) for target, signal in rows],
        )


def _gauge(
    name: str, words: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], Any]]
) -> Iterable[Metric]:
    """One family; samples without a value are left out, and so is a family without samples."""
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric([str(item) for item in values], float(value))
    if family.samples:
        yield family
