"""Azure: a credential chosen by name, and queries to Log Analytics under a deadline.

Role: the one place that imports Azure's packages, and only when an Azure source is configured (extra ``azure``). Neighbours:
`signals.app_insights` asks. Source of the traps: facts/dependencies 1.2. Guarantees: `query` ends within its deadline (the
client's own timeouts are 300 s and its retries many); a partial result, a refusal, throttling and an answer that is no JSON
raise `Unavailable` with a sentence; no token, secret or query stands in it. The credential is never guessed from the
machine's surroundings: `DefaultAzureCredential` tries eight ways, developers' tools among them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from watchdog.model import Instant, record
from watchdog.ports import Unavailable

CLOUDS: Mapping[str, tuple[str, str]] = {
    "public": ("https://api.loganalytics.io", "https://login.microsoftonline.com"),
    "usgov": ("https://api.loganalytics.us", "https://login.microsoftonline.us"),
    "china": ("https://api.loganalytics.azure.cn", "https://login.chinacloudapi.cn"),
}
"""Endpoint of Log Analytics and authority of log-in, by cloud."""
INSTALL = "the extra `azure` is not installed: pip install 'rollback-watchdog[azure]'"
MOST_WORDS = 160


@record
class Login:
    """How we log in. `kind`: workload_identity, managed_identity, client_secret or cli. `endpoint` empty = the cloud's."""

    kind: str
    cloud: str = "public"
    tenant: str = ""
    client_id: str = ""
    secret: str = field(default="", repr=False)
    token_file: str = ""
    endpoint: str = ""


@record
class Place:
    """What is asked: a workspace by its GUID, or a resource by its ARM id."""

    workspace: str = ""
    resource: str = ""


Row = Mapping[str, Any]


class AzureLogs:
    """Queries of one login. Opened with the first query, closed by its owner."""

    def __init__(self, name: str, login: Login) -> None:
        """Nothing is imported or asked yet."""
        self.name = name
        self._login = login
        self._client: Any = None
        self._credential: Any = None

    async def query(self, place: Place, kql: str, since: Instant, until: Instant, *, deadline_s: float) -> list[Row]:
        """The rows of the first table. Raises Unavailable."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._asked(place, kql, since, until, deadline_s)
        except TimeoutError:
            raise Unavailable(f"{self.name}: no answer within {deadline_s:g} s") from None

    async def close(self) -> None:
        """Close client and credential."""
        for one in (self._client, self._credential):
            if one is not None:
                await one.close()
        self._client = self._credential = None

    async def _asked(self, place: Place, kql: str, since: Instant, until: Instant, deadline_s: float) -> list[Row]:
        from azure.core.exceptions import AzureError, HttpResponseError  # noqa: PLC0415 - only when configured

        span = (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
        client = self._open()
        options: dict[str, Any] = {
            "timespan": span,
            "server_timeout": max(1, int(deadline_s)),
            "retry_total": 0,
            "read_timeout": deadline_s,
            "connection_timeout": deadline_s,
        }
        if self._login.endpoint.startswith("http://"):
            options["enforce_https"] = False  # a server on the loopback, in tests
        try:
            if place.workspace:
                result = await client.query_workspace(place.workspace, kql, **options)
            else:
                result = await client.query_resource(place.resource, kql, **options)
        except HttpResponseError as error:
            raise Unavailable(f"{self.name}: {_refusal(error)}") from None
        except AzureError as error:
            raise Unavailable(f"{self.name}: cannot be reached ({type(error).__name__})") from None
        except ValueError:  # a proxy's page: the client reads every body as JSON
            raise Unavailable(f"{self.name}: answered something that is no JSON: perhaps a proxy") from None
        except (KeyError, TypeError, AttributeError) as error:  # its parsers on a body they did not expect
            raise Unavailable(f"{self.name}: the answer was not understood ({type(error).__name__})") from None
        partial = getattr(result, "partial_error", None)
        if partial is not None:
            raise Unavailable(f"{self.name}: the result is partial: {_cut(str(getattr(partial, 'message', partial)))}")
        return _rows(result)

    def _open(self) -> Any:
        if self._client is None:
            try:
                from azure.monitor.query.aio import LogsQueryClient  # noqa: PLC0415 - only when configured
            except ImportError:
                raise Unavailable(INSTALL) from None
            endpoint = self._login.endpoint or CLOUDS[self._login.cloud][0]
            self._credential = credential_of(self._login)
            self._client = LogsQueryClient(self._credential, endpoint=endpoint, audience=CLOUDS[self._login.cloud][0])
        return self._client


def credential_of(login: Login) -> Any:
    """The asynchronous credential. Raises Unavailable where it cannot be made."""
    try:
        from azure.identity import aio  # noqa: PLC0415 - only when configured
    except ImportError:
        raise Unavailable(INSTALL) from None
    authority = CLOUDS[login.cloud][1]
    try:
        if login.kind == "managed_identity":
            return aio.ManagedIdentityCredential(client_id=login.client_id or None)
        if login.kind == "client_secret":
            return aio.ClientSecretCredential(login.tenant, login.client_id, login.secret, authority=authority)
        if login.kind == "cli":
            return aio.AzureCliCredential(tenant_id=login.tenant)
        options = {
            "tenant_id": login.tenant or None,
            "client_id": login.client_id or None,
            "token_file_path": login.token_file or None,
        }
        given = {key: value for key, value in options.items() if value}
        return aio.WorkloadIdentityCredential(authority=authority, **given)
    except ValueError as error:
        raise Unavailable(f"the credential {login.kind} is not complete: {_cut(str(error))}") from None


def _rows(result: Any) -> list[Row]:
    if not result.tables:
        return []
    table = result.tables[0]
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _refusal(error: Any) -> str:
    """What a status means for the person who reads it; of the service's words the innermost message."""
    status = error.status_code
    if status is None:
        return f"logging in failed: {_cut(str(error.message))}"
    if status in (401, 403):
        return f"does not let us ask ({status}): the identity needs Log Analytics Reader"
    if status == 404:  # noqa: PLR2004 - HTTP
        return "there is no such workspace or resource (404)"
    if status == 429:  # noqa: PLR2004 - HTTP
        wait = (error.response.headers or {}).get("Retry-After", "") if error.response else ""
        return "is asked too often (429)" + (f", again in {wait} s" if wait else "")
    inner = getattr(getattr(error, "model", None), "message", "") or getattr(error.error, "message", "")
    return f"refused the query ({status})" + (f": {_cut(str(inner))}" if inner else "")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_WORDS else line[: MOST_WORDS - 1] + "…"
