"""The `http` signal: asks a URL, or every ready instance of the target, and says good, bad or unknown.

Role: a `ports.Signal`. Neighbours: `clients.http` makes the exchange and finds out whose fault a failure was; `settings` gives
the `HttpCheck`; judgement takes the samples. Guarantees: a poll ends within the check's timeout, whatever the target does,
and costs no other check anything; what kept us from asking, and a 429, is Unknown and never bad; no header, query, body or
credential stands in a sample. Not guaranteed: that a kept connection reaches a new release - a URL in front of several
instances should be asked over fresh connections (the default).

With `pods` only ready instances that are not terminating are asked: one that is not ready gets no traffic, so its answer says
nothing about users, and `workload` speaks for it. How many were left out stands in the sample. Old instances are asked as
well: during a rolling update they are the live control.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import field
from enum import StrEnum
from urllib.parse import urlsplit

from watchdog.clients.faults import Kind
from watchdog.clients.http import Answer, Failure, HttpClient, Phases, Request
from watchdog.model import Counts, Instance, Instant, Reading, Sample, Unknown, record
from watchdog.ports import Clock, PollContext
from watchdog.signals.conditions import Unseen, objection

METHODS = ("GET", "HEAD", "OPTIONS", "POST")
TOO_MANY_REQUESTS = 429
OVERTIME_S = 1.0
"""Time beyond the timeout in which a poll has surely ended, connections closed and our own stall noticed."""


class Connection(StrEnum):
    """Whether the connection is kept from poll to poll."""

    FRESH = "fresh"  # sees name resolution, TLS and every instance behind a balancer
    KEEP = "keep"  # cheaper; may stay with one instance


@record
class Pods:
    """Ask each instance by its address. `port` 0 takes the instance's own."""

    port: int = 0
    path: str = "/"
    scheme: str = "http"


@record
class HttpCheck:
    """What to ask and what counts as good. Either `url` or `pods`.

    `status` are closed ranges. `max_redirects` 0 = not followed: a 3xx is then good only if `status` has it. `within_s` is
    the slowest good answer, from the first byte we send for it to the last we read (None = only the timeout). `host` is the
    Host header and, over TLS, the name that is verified. `headers` and `url` may hold secrets and are not in the repr.
    `counts_users` says that these polls are user events for the soak: seldom true for a probe. Raises ValueError.
    """

    url: str = field(default="", repr=False)
    pods: Pods | None = None
    method: str = "GET"
    status: tuple[tuple[int, int], ...] = ((200, 299),)
    timeout_s: float = 3.0
    max_redirects: int = 0
    within_s: float | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    host: str = ""
    connection: Connection = Connection.FRESH
    ca_file: str = ""
    verify: bool = True
    counts_users: bool = False
    json_condition: str = ""
    """JMESPath on the body; what it gives must be true."""
    body_pattern: str = ""

    def __post_init__(self) -> None:
        """Refuse what can never be asked."""
        if bool(self.url) == (self.pods is not None):
            raise ValueError("an http check has either a url or pods")
        if self.method not in METHODS:
            raise ValueError(f"method {self.method!r} is none of {', '.join(METHODS)}")
        if not self.timeout_s > 0:
            raise ValueError("the timeout must be longer than 0 s")
        if self.within_s is not None and not 0 < self.within_s <= self.timeout_s:
            raise ValueError("`within` must be longer than 0 s and not longer than the timeout")
        if self.max_redirects < 0 or not self.status or any(low > high for low, high in self.status):
            raise ValueError("redirects must not be negative, and status ranges must not be empty")
        if any("\r" in text or "\n" in text for pair in self.headers for text in (*pair, self.host)):
            raise ValueError("a header must not hold a line break")
        if self.url:
            _refuse_bad_url(self.url)


class HttpSignal:
    """One http check of one target."""

    def __init__(self, name: str, check: HttpCheck, client: HttpClient, clock: Clock) -> None:
        """Ask through `client`, which is shared and closed by its owner."""
        self.name = name
        self.counts_users = check.counts_users
        self.check = check
        self.phases: dict[str, Phases] = {}
        """Phases of the last exchange by instance ("" for a URL): for a person who looks, not for judgement."""
        self._client = client
        self._clock = clock

    @property
    def deadline_s(self) -> float:
        """What a poll takes at most. Cut it no earlier, or a hung target becomes Unknown instead of bad."""
        return self.check.timeout_s + OVERTIME_S

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        """One exchange with the URL, or one with each ready instance, all at the same time."""
        pods = self.check.pods
        self.phases.clear()
        if pods is None:
            return [await self._ask(self.check.url)]
        if context.state is None:
            return [self._unknown("the instances of the target are not known yet")]
        present = [entry for entry in context.state.instances if not entry.terminating]
        asked = [entry for entry in present if entry.ready and entry.address and (pods.port or entry.port)]
        left_out = len(present) - len(asked)
        if not asked:
            return [self._unknown(f"no instance is ready to be asked ({left_out} not ready or without address)")]
        note = f" ({left_out} not ready, not asked)" if left_out else ""
        return await asyncio.gather(*(self._ask(instance_url(pods, entry), entry, note) for entry in asked))

    async def close(self) -> None:
        """Nothing of its own to close."""

    async def _ask(self, url: str, instance: Instance | None = None, note: str = "") -> Sample:
        check = self.check
        start = self._clock.now()
        result = await self._client.exchange(
            Request(
                url=url,
                method=check.method,
                headers=check.headers,
                host=check.host,
                timeout_s=check.timeout_s,
                max_redirects=check.max_redirects,
                fresh=check.connection is Connection.FRESH,
                ca_file=check.ca_file,
                verify=check.verify,
            )
        )
        self.phases[instance.name if instance else ""] = result.phases
        reading, words = _judge(check, result)
        where = f"{check.method} {urlsplit(url).path or '/'}" + (f" on {instance.name}" if instance else "")
        again = ", on a fresh connection after a kept one failed" if result.repeated else ""
        return self._sample(start, reading, f"{where}: {words}{again}{note}", instance)

    def _unknown(self, reason: str) -> Sample:
        return self._sample(self._clock.now(), Unknown(reason=reason), reason, None)

    def _sample(self, start: Instant, reading: Reading, detail: str, instance: Instance | None) -> Sample:
        return Sample(
            signal=self.name,
            start=start,
            end=self._clock.now(),
            reading=reading,
            release=instance.release if instance else None,
            instance=instance.name if instance else None,
            detail=detail,
        )


def phase_words(phases: Phases) -> str:
    """The phases for people: ``dns 1 ms, connect 1 ms, tls 9 ms, first byte 4 ms``; what did not happen is left out."""
    named = (
        ("dns", phases.dns_s),
        ("connect", phases.connect_s),
        ("tls", phases.tls_s),
        ("first byte", phases.first_byte_s),
    )
    return ", ".join(f"{name} {_ms(seconds)}" for name, seconds in named if seconds is not None)


def _judge(check: HttpCheck, result: Answer | Failure) -> tuple[Reading, str]:
    """Good, bad or unknown, and the words for it."""
    if isinstance(result, Failure):
        words = result.fault.words
        if result.fault.kind is Kind.OURS:
            return Unknown(reason=words), words
        if result.fault.kind is not Kind.TIMEOUT:
            words = f"{words} after {_ms(result.phases.total_s)}"
        return Counts(good=0, bad=1), words
    words = f"{result.status} in {_ms(result.phases.total_s)}"
    wanted = any(low <= result.status <= high for low, high in check.status)
    if result.status == TOO_MANY_REQUESTS and not wanted:
        reason = "the target limits how often we may ask (429)"
        return Unknown(reason=reason), f"{words}: {reason}"
    if not wanted:
        return Counts(good=0, bad=1), words + (" (redirects are not followed)" if result.location else "")
    if check.json_condition or check.body_pattern:
        said = _of_body(check, result)
        if isinstance(said, Unknown):
            return said, f"{words}: {said.reason}"
        if said:
            return Counts(good=0, bad=1), f"{words}: {said}"
    if check.within_s is not None and result.phases.total_s > check.within_s:
        return Counts(good=0, bad=1), f"{words}, slower than {_ms(check.within_s)} ({phase_words(result.phases)})"
    return Counts(good=1, bad=0), words


def _of_body(check: HttpCheck, answer: Answer) -> Unknown | str:
    """What is wrong with the body; empty for nothing."""
    try:
        return objection(answer.body, whole=answer.whole, expression=check.json_condition, pattern=check.body_pattern)
    except Unseen as error:
        return Unknown(reason=str(error))


def instance_url(pods: Pods, instance: Instance) -> str:
    """The URL of one instance's own address."""
    address = f"[{instance.address}]" if ":" in instance.address else instance.address
    return f"{pods.scheme}://{address}:{pods.port or instance.port}{pods.path}"


def _refuse_bad_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the url must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a url must hold no user or password: give them as a header, from a file or the environment")
    if parts.port is not None and not parts.port:
        raise ValueError("port 0 cannot be asked")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
