"""One Prometheus server, asked through prometheus-api-client: bounded in time, size and threads.

Role: `ask` a query for a moment, get an `Answer` or `NoAnswer`. Neighbours: `signal` and `history` ask; one source is
shared by all signals that name it. Source of the client's traps: facts/dependencies 1.3.
Guarantees: a deadline that holds whatever the server does (hanging, dripping): the asker is free at once, and the thread
that still hangs holds a slot of this source alone and never the exit of the process; the same query is in flight once, and
the answer for one moment is shared; no answer is larger than `most_bytes`; credentials never stand in a message.
Not guaranteed: that an abandoned request is over at the server.
"""

from __future__ import annotations

import asyncio
import functools
import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from prometheus_api_client.exceptions import PrometheusApiClientException
from prometheus_api_client.prometheus_connect import PrometheusConnect
from requests.adapters import Retry
from requests.auth import AuthBase

from watchdog.model import Instant, instant
from watchdog.ports import Clock
from watchdog.signals.prometheus.answer import Answer, NoAnswer, answer_of, cut

SLOTS = 4
"""Requests to one source at a time; a server that hangs on all of them is not asked more."""
SHARE_S = 2.0
"""Moments are whole multiples of this, so that a hundred targets that ask the same ask once, and pairs ask alike."""
MOST_KEPT = 200
CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Access:
    """How a source is reached. `token_file` is read for each request: tokens rotate. Times in seconds."""

    url: str
    timeout_s: float = 5.0
    token_file: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True
    scrape_s: float | None = None
    """None = learned from the data."""
    lag_s: float = 1.0
    """Data younger than this may be incomplete (remote write: its delay)."""
    most_bytes: int = 20_000_000


Key = tuple[str, float]
"""(query, moment)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    key: Key
    ask: Callable[[], object]
    future: asyncio.Future[Answer]
    deadline: float


class _Bearer(AuthBase):
    """A bearer token, read anew each time; also keeps ~/.netrc from replacing it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            token = Path(self._path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NoAnswer(f"the token file cannot be read: {type(error).__name__}") from None
        request.headers["Authorization"] = f"Bearer {token}"
        return request


class PrometheusSource:
    """One server. `ask` may be called by many at once, from one event loop."""

    def __init__(self, name: str, access: Access, clock: Clock) -> None:
        """Nothing is opened yet."""
        self.name = name
        self.access = access
        self._clock = clock
        self._busy = 0
        self._waiting: deque[_Job] = deque()
        self._flying: dict[Key, asyncio.Future[Answer]] = {}
        self._kept: dict[Key, Answer] = {}
        self._local = threading.local()
        self._session = _session(access)
        self._session.hooks["response"].append(self._read)
        self._client = PrometheusConnect(url=access.url.rstrip("/"), session=self._session, retry=Retry(total=0))
        self.queries = 0
        """Requests that were really sent."""

    def moment(self) -> Instant:
        """The newest moment of which the data should be complete, the same for all who ask within `SHARE_S`."""
        return instant(math.floor((self._clock.now() - self.access.lag_s) / SHARE_S) * SHARE_S)

    async def ask(self, query: str, at: Instant) -> Answer:
        """The answer for a moment. Raises NoAnswer."""
        key = (query, at)
        if key in self._kept:
            return self._kept[key]
        params = {"time": f"{at:.3f}", "timeout": f"{self.access.timeout_s:g}s"}
        flying = self._flying.get(key) or self._start(key, lambda: self._client.custom_query(query, params=params))
        return await self._within(flying)

    async def ask_range(self, query: str, since: datetime, until: datetime, step_s: float) -> Answer:
        """A matrix of values every `step_s` seconds, both ends rounded to whole seconds. Raises NoAnswer."""
        params = {"timeout": f"{self.access.timeout_s:g}s"}
        key = (f"{query}\x1f{since.timestamp()}\x1f{step_s}", until.timestamp())
        flying = self._flying.get(key) or self._start(
            key, lambda: self._client.custom_query_range(query, since, until, f"{step_s:g}s", params=params)
        )
        return await self._within(flying)

    async def close(self) -> None:
        """Let idle connections go; requests that hang are left to their daemon threads."""
        self._session.close()

    async def _within(self, flying: asyncio.Future[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self.access.timeout_s):
                return await asyncio.shield(flying)
        except TimeoutError:
            hanging = f", {self._busy} queries hang" if self._waiting else ""
            raise NoAnswer(f"no answer of {self.name} within {self.access.timeout_s:g} s{hanging}") from None

    def _start(self, key: Key, ask: Callable[[], object]) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_looked_at)
        self._flying[key] = future
        self._waiting.append(_Job(key, ask, future, self._clock.monotonic() + self.access.timeout_s))
        self._pump()
        return future

    def _pump(self) -> None:
        """Begin what waits while there are slots; what nobody waits for any more is left."""
        while self._waiting and self._busy < SLOTS:
            job = self._waiting.popleft()
            if self._clock.monotonic() > job.deadline:
                self._done(job, NoAnswer(f"no answer of {self.name} in time"))
                continue
            self._busy += 1
            self.queries += 1
            work = functools.partial(self._work, job, asyncio.get_running_loop())
            # A daemon thread and no executor: the exit of the process waits for executors' threads, even after shutdown.
            threading.Thread(target=work, name=f"prometheus-{self.name}", daemon=True).start()

    def _came_back(self, job: _Job, result: Answer | NoAnswer) -> None:
        self._busy -= 1
        self._done(job, result)
        self._pump()

    def _done(self, job: _Job, result: Answer | NoAnswer) -> None:
        if self._flying.get(job.key) is job.future:
            del self._flying[job.key]
        if isinstance(result, Answer):
            self._keep(job.key, result)
        if job.future.done():
            return
        if isinstance(result, Answer):
            job.future.set_result(result)
        else:
            job.future.set_exception(result)

    def _keep(self, key: Key, answer: Answer) -> None:
        if len(self._kept) >= MOST_KEPT or any(at < key[1] for _, at in self._kept):
            self._kept = {one: kept for one, kept in self._kept.items() if one[1] >= key[1]}
        self._kept[key] = answer

    # -- in the thread -----------------------------------------------------------------------------------------------

    def _work(self, job: _Job, loop: asyncio.AbstractEventLoop) -> None:
        result = self._asked(job.ask, job.key[1])
        try:
            loop.call_soon_threadsafe(self._came_back, job, result)
        except RuntimeError:  # the loop is closed: nobody waits
            return

    def _asked(self, ask: Callable[[], object], at: float) -> Answer | NoAnswer:
        # The injected clock belongs to the loop; a thread has only this one.
        self._local.deadline = time.monotonic() + self.access.timeout_s
        self._local.payload, self._local.status = None, 0
        try:
            ask()
            return answer_of(self._local.payload, at)
        except NoAnswer as error:
            return error
        except PrometheusApiClientException:
            return NoAnswer(_refusal(self.name, self._local.status, self._local.payload))
        except (requests.RequestException, ValueError, KeyError, TypeError, OSError) as error:
            return self._explained(error, at)
        except Exception as error:  # noqa: BLE001 - whatever the client does, the asker must be told
            return NoAnswer(f"{self.name}: the client failed: {type(error).__name__}")

    def _explained(self, error: Exception, at: float) -> NoAnswer:
        """Where the client stumbled over an answer that came, what is wrong with the answer."""
        if self._local.payload is not None:
            try:
                answer_of(self._local.payload, at)
            except NoAnswer as why:
                return why
        return NoAnswer(_trouble(self.name, self._local.status, error))

    def _read(self, response: requests.Response, **_: object) -> requests.Response:
        """The whole body, bounded in size and time, before the client sees it; and the parts it would drop."""
        self._local.status = response.status_code
        if response.is_redirect:  # never followed: what is configured, credentials too, is for this address
            response.close()
            raise NoAnswer(f"{self.name} redirects to another address: configure that one")
        body = bytearray()
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > self.access.most_bytes:
                response.close()
                raise NoAnswer(
                    f"the answer of {self.name} is larger than {self.access.most_bytes // 1_000_000} MB: "
                    "ask fewer series, or a recording rule"
                )
            if time.monotonic() > self._local.deadline:
                response.close()
                raise NoAnswer(f"no whole answer of {self.name} within {self.access.timeout_s:g} s")
        response._content = bytes(body)  # noqa: SLF001 - requests reads it itself only after its hooks
        try:
            self._local.payload = json.loads(response.content)
        except ValueError:
            self._local.payload = None
        return response


def _looked_at(future: asyncio.Future[Answer]) -> None:
    """An answer that came too late for everybody is nobody's exception."""
    if not future.cancelled():
        future.exception()


def _session(access: Access) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # ~/.netrc would replace our credentials, proxies of the environment would see them
    session.verify = access.ca_file or access.verify
    if access.cert_file:
        session.cert = (access.cert_file, access.key_file) if access.key_file else access.cert_file
    session.headers.update(dict(access.headers))
    if access.token_file:
        session.auth = _Bearer(access.token_file)
    elif access.user:
        session.auth = (access.user, access.password)
    session.request = _timed(session.request, access.timeout_s)  # type: ignore[method-assign]  # the client passes None
    return session


def _timed(request: Callable[..., requests.Response], timeout_s: float) -> Callable[..., requests.Response]:
    """The client passes timeout=None where nobody says one, which waits for ever."""

    def bounded(**arguments: Any) -> requests.Response:
        arguments["timeout"] = (min(2.0, timeout_s), timeout_s)
        return request(**arguments)

    return bounded


def _refusal(name: str, status: int, payload: Any) -> str:
    said = payload.get("error") if isinstance(payload, Mapping) else None
    words = f": {cut(str(said))}" if said else ""
    if status in (400, 422):
        return f"{name} refused the query ({status}){words}"
    if status in (401, 403):
        return f"{name} does not let us ask ({status}): look at its token, user or certificate"
    if status == requests.codes.too_many_requests:
        return f"{name} is asked too often (429){words}"
    return f"{name} answered {status}{words}" if status else f"{name} gave no answer"


def _trouble(name: str, status: int, error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return f"{name}: its certificate is not trusted, or the connection is no TLS"
    if isinstance(error, requests.Timeout):
        return f"{name} did not answer in time"
    if isinstance(error, requests.exceptions.JSONDecodeError) or (status and isinstance(error, ValueError)):
        return f"{name} answered {status} with something that is no JSON: perhaps a login page or a proxy"
    if isinstance(error, requests.ConnectionError):
        return f"{name} cannot be reached"
    return f"{name}: the request failed: {type(error).__name__}"
