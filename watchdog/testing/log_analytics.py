"""A Log Analytics workspace for tests: real HTTP, rows with the moment they arrived, the queries we send, and every odd answer.

Role: public fake of the outside behind signals of the kind `app_insights`. Guarantees: evaluates the two queries of
`watchdog.signals.app_insights.kql` on rows - by reading window, roles and limits out of their text - and refuses any other
text as bad KQL; a row is seen only after it has arrived; the token endpoint of a managed identity is there too. Not
guaranteed: KQL - there is none.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from watchdog.model import JsonObject, parse_instant

WORKSPACE = "11111111-2222-3333-4444-555555555555"
TOKEN = "token-of-the-identity"  # noqa: S105 - of the fake
_WINDOW = re.compile(r">= datetime\((\S+)\) and \S+ < datetime\((\S+)\)")
_ROLES = re.compile(r"\bin \(((?:\"(?:\\.|[^\"\\])*\"(?:, )?)+)\)")
_SLOW = re.compile(r"slow_(\d+)=sumif\(\w+, \w+ > ([\d.e+]+)\)")
_FAILED = re.compile(r"extend failed = toint\((\w+)\) >= (?P<least>\d+) or isempty\(\1\) or \1 == \"0\"\n")
_TEXT = re.compile(r"\"((?:\\.|[^\"\\])*)\"")


@dataclass(frozen=True)
class Request:
    """One row of AppRequests; `weight` is its ItemCount, `arrived` when queries begin to see it."""

    at: float
    arrived: float
    role: str = "api"
    instance: str = ""
    version: str = ""
    code: str = "200"
    ms: float = 50.0
    weight: int = 1


class FakeLogAnalytics:
    """The server; `now` gives the moment up to which rows have arrived."""

    def __init__(self, now: Callable[[], float], table: str = "AppRequests") -> None:
        """No rows, nothing wrong."""
        self.url = ""
        self.table = table
        self.rows: list[Request] = []
        self.queries: list[str] = []
        self.tokens: list[str] = []
        self.trouble: tuple[int, dict[str, str], str] | None = None
        """Status, headers and body that answer everything."""
        self.partial = ""
        """While set, every result carries this error beside its rows."""
        self.hang = False
        self.late: Any = None
        """Instead of the measured lateness: what the service sends, as ``NaN``."""
        self._now = now
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port of the loopback."""
        app = web.Application()
        app.router.add_get("/token", self._token)
        app.router.add_post("/v1/{place:.*}/query", self._query)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._runner is not None  # noqa: S101 - entered before left
        await self._runner.cleanup()

    async def _token(self, request: web.Request) -> web.Response:
        resource = request.query.get("resource", "")
        self.tokens.append(resource)
        answer = {"access_token": TOKEN, "expires_on": "4102444800", "token_type": "Bearer", "resource": resource}
        return web.json_response(answer)

    async def _query(self, request: web.Request) -> web.StreamResponse:
        if self.hang:
            await asyncio.Event().wait()
        if self.trouble is not None:
            status, headers, text = self.trouble
            kind = headers.get("Content-Type", "application/json")
            rest = {key: value for key, value in headers.items() if key != "Content-Type"}
            return web.Response(status=status, headers=rest, text=text, content_type=kind)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": {"code": "Unauthorized", "message": "no"}}, status=401)
        kql = str((await request.json())["query"])
        self.queries.append(kql)
        try:
            columns, rows = self._evaluated(kql)
        except ValueError as error:
            inner = {"code": "SyntaxError", "message": str(error)}
            return web.json_response(
                {"error": {"code": "BadArgumentError", "message": "bad", "innererror": inner}}, status=400
            )
        body: JsonObject = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": rows}]}
        if self.partial:
            body = {**body, "error": {"code": "PartialError", "message": self.partial}}
        return web.json_response(body)

    def _evaluated(self, kql: str) -> tuple[list[JsonObject], list[list[Any]]]:
        window = _WINDOW.search(kql)
        if not kql.startswith(f"{self.table}\n") or window is None or "| take " not in kql:
            raise ValueError(f"Failed to resolve table {kql.partition(chr(10))[0]!r}")
        since, until = (parse_instant(text) for text in window.groups())
        seen = [row for row in self.rows if row.arrived <= self._now() and since <= row.at < until]
        if "percentile(" in kql:
            return self._lateness(seen)
        roles = _ROLES.search(kql)
        if roles is None or "| summarize total=" not in kql:
            raise ValueError("a query that this fake does not know")
        named = {re.sub(r"\\(.)", r"\1", text) for text in _TEXT.findall(roles.group(1))}
        limits = [float(limit) for _, limit in _SLOW.findall(kql)]
        rule = _FAILED.search(kql)
        if rule is None:
            raise ValueError("a rule of failure that this fake does not know")
        return _requests([row for row in seen if row.role in named], limits, int(rule["least"]))

    def _lateness(self, rows: list[Request]) -> tuple[list[JsonObject], list[list[Any]]]:
        late = sorted(row.arrived - row.at for row in rows)
        value = self.late if self.late is not None else late[math.ceil(0.95 * len(late)) - 1] if late else None
        newest = max((row.at for row in rows), default=None)
        return _columns("late", "newest"), [[value, None if newest is None else _iso(newest)]]


def _requests(rows: list[Request], limits: list[float], least: int) -> tuple[list[JsonObject], list[list[Any]]]:
    groups: dict[tuple[float, str, str, str], list[Request]] = {}
    for row in rows:
        groups.setdefault((math.floor(row.at / 60) * 60.0, row.role, row.version, row.instance), []).append(row)
    found = []
    for (minute, role, version, instance), group in groups.items():
        failed = [row for row in group if row.code in ("", "0") or (row.code.isdecimal() and int(row.code) >= least)]
        slow = [sum(row.weight for row in group if row.ms > limit) for limit in limits]
        total, bad = sum(row.weight for row in group), sum(row.weight for row in failed)
        found.append([_iso(minute), role, version, instance, total, bad, *slow])
    names = ("minute", "role", "version", "instance", "total", "bad", *(f"slow_{n}" for n in range(len(limits))))
    return _columns(*names), found


def _columns(*names: str) -> list[JsonObject]:
    kinds = {"minute": "datetime", "newest": "datetime", "late": "real"}
    texts = {"role", "version", "instance"}
    return [{"name": name, "type": kinds.get(name, "string" if name in texts else "long")} for name in names]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
