"""The queries, as text: one for all roles of a workspace, one for how late its data comes.

Role: pure. Neighbours: `workspace` sends them. Source: facts/back-ends 7. Guarantees: text from the configuration is a quoted
literal; every query ends in a bounded ``summarize`` and ``take``; events are weighted by ItemCount (sampling); a failure is a
status of 500 or more, or none - never ``Success == false``, which counts every 404 of a scanner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchdog.model import Instant, iso

MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Schema:
    """How a table and its columns are called."""

    table: str
    time: str
    role: str
    instance: str
    version: str
    code: str
    milliseconds: str
    weight: str


WORKSPACE = Schema(
    "AppRequests",
    "TimeGenerated",
    "AppRoleName",
    "AppRoleInstance",
    "AppVersion",
    "ResultCode",
    "DurationMs",
    "ItemCount",
)
CLASSIC = Schema(
    "requests",
    "timestamp",
    "cloud_RoleName",
    "cloud_RoleInstance",
    "application_Version",
    "resultCode",
    "duration",
    "itemCount",
)


def requests(schema: Schema, roles: Iterable[str], limits_ms: Sequence[float], since: Instant, until: Instant) -> str:
    """Requests of all roles by minute, release and instance: total, bad, and slow_N for each limit."""
    s = schema
    slow = "".join(f", slow_{n}=sumif({s.weight}, {s.milliseconds} > {limit:g})" for n, limit in enumerate(limits_ms))
    names = ", ".join(quoted(role) for role in sorted(set(roles)))
    return (
        f"{s.table}\n"
        f"| where {s.time} >= datetime({iso(since)}) and {s.time} < datetime({iso(until)})\n"
        f"| where {s.role} in ({names})\n"
        f'| extend failed = toint({s.code}) >= 500 or isempty({s.code}) or {s.code} == "0"\n'
        f"| summarize total=sum({s.weight}), bad=sumif({s.weight}, failed){slow}"
        f" by minute=bin({s.time}, 1m), role={s.role}, version={s.version}, instance={s.instance}\n"
        f"| take {MOST_ROWS}"
    )


def lateness(schema: Schema, since: Instant, until: Instant) -> str:
    """Seconds that 95 % of the last hour's rows were late at most, and the newest row of any role."""
    s = schema
    return (
        f"{s.table}\n"
        f"| where {s.time} >= datetime({iso(since)}) and {s.time} < datetime({iso(until)})\n"
        f"| summarize late=percentile((ingestion_time() - {s.time}) / 1s, 95), newest=max({s.time})\n"
        f"| take 1"
    )


def quoted(text: str) -> str:
    """A KQL string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
