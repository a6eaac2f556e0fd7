"""A Prometheus server for tests: real HTTP, series that you move by hand, and every odd answer.

Role: public fake of the outside behind signals of the kind `prometheus`. Neighbours: the tests of those signals run the
same cases on a real Prometheus. Guarantees: `scrape` stores a point for each counter of a process, as a scrape does;
selectors with =, !=, =~ and !~, with or without a range, give what Prometheus would give (ranges are left-open, instant
values look back five minutes); anything else is refused as a bad query unless an answer was given for it by hand. Not
guaranteed: PromQL - there is none.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from watchdog.model import JsonObject

LOOKBACK_S = 300.0
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)?(?:\{(?P<labels>.*)\})?(?:\[(?P<range>[\d.]+)s\])?")
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:\\.|[^"\\])*)"\s*,?')

Labels = tuple[tuple[str, str], ...]


@dataclass
class Process:
    """One scraped process with its counters. `labels` are what scraping adds: pod, instance, job."""

    labels: Mapping[str, str]
    counters: dict[Labels, float] = field(default_factory=dict)

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Count events."""
        key = (("__name__", name), *sorted(labels.items()))
        self.counters[key] = self.counters.get(key, 0.0) + amount

    def restart(self) -> None:
        """All counters begin again, and series that are not counted anew are gone."""
        self.counters.clear()


class FakePrometheus:
    """The server. Use it as an asynchronous context manager; `url` is its base URL."""

    def __init__(self) -> None:
        """Nothing was scraped yet, nothing is wrong."""
        self.url = ""
        self.points: dict[Labels, list[tuple[float, float]]] = {}
        self.answers: dict[str, Any] = {}
        """Results (the `data` of an answer) by query text, for expressions."""
        self.warnings: list[str] = []
        self.trouble: Callable[[web.Request], Any] | None = None
        """Answers instead: a coroutine function of the request that gives a response."""
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port of the loopback."""
        app = web.Application()
        app.router.add_route("*", "/{any:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._runner is not None  # noqa: S101 - entered before left
        await self._runner.cleanup()

    def scrape(self, process: Process, at: float) -> None:
        """Store what the process counts now."""
        for key, value in process.counters.items():
            series = tuple(sorted({**dict(key), **process.labels}.items()))
            self.points.setdefault(series, []).append((at, value))

    def hang(self) -> None:
        """Take every request and answer none."""

        async def never(_: web.Request) -> web.Response:
            await asyncio.Event().wait()
            raise AssertionError

        self.trouble = never

    def answer(self, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
        """Answer every request so."""

        async def always(_: web.Request) -> web.Response:
            return web.Response(status=status, text=body, content_type=kind, headers=headers)

        self.trouble = always

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        if self.trouble is not None:
            found = await self.trouble(request)
            assert isinstance(found, web.StreamResponse)  # noqa: S101 - the script of a test
            return found
        query, at = request.query.get("query", ""), float(request.query.get("time", "0"))
        self.asked.append(query)
        if query in self.answers:
            return self._success(self.answers[query])
        try:
            return self._success(self._evaluated(query, at))
        except ValueError as error:
            body = {"status": "error", "errorType": "bad_data", "error": f'invalid parameter "query": 1:1: {error}'}
            return web.json_response(body, status=400)

    def _success(self, data: Any) -> web.Response:
        body: JsonObject = {"status": "success", "data": data}
        if self.warnings:
            body = {**body, "warnings": self.warnings}
        return web.json_response(body)

    def _evaluated(self, query: str, at: float) -> JsonObject:
        found = _SELECTOR.fullmatch(query.strip())
        if found is None or not (found["name"] or found["labels"]):
            raise ValueError("parse error: this fake knows selectors only")
        matchers = [*([("__name__", "=", found["name"])] if found["name"] else []), *_matchers(found["labels"] or "")]
        matching = {labels: points for labels, points in self.points.items() if _matches(dict(labels), matchers)}
        if found["range"]:
            since = at - float(found["range"])
            rows = {k: [p for p in points if since < p[0] <= at] for k, points in matching.items()}
            return {
                "resultType": "matrix",
                "result": [{"metric": dict(k), "values": _texts(points)} for k, points in rows.items() if points],
            }
        newest = {k: [p for p in points if at - LOOKBACK_S < p[0] <= at][-1:] for k, points in matching.items()}
        result = [{"metric": dict(k), "value": [at, str(points[0][1])]} for k, points in newest.items() if points]
        return {"resultType": "vector", "result": result}


def _texts(points: list[tuple[float, float]]) -> list[list[Any]]:
    return [[at, str(value)] for at, value in points]


def _matchers(text: str) -> list[tuple[str, str, str]]:
    found = [(name, how, _unquoted(value)) for name, how, value in _MATCHER.findall(text)]
    if _MATCHER.sub("", text).strip():
        raise ValueError("parse error: unexpected label matcher")
    return found


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _matches(labels: Mapping[str, str], matchers: list[tuple[str, str, str]]) -> bool:
    for name, how, value in matchers:
        own = labels.get(name, "")
        hit = own == value if how in ("=", "!=") else re.fullmatch(value, own) is not None
        if hit is how.startswith("!"):
            return False
    return True
