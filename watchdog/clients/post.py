"""POST of a small body to a service, and its answer: what channels and hooks need.

Role: one client for all services that are told something. Neighbours: `channels` make bodies and judge answers.
Guarantees: each call ends within its timeout; at most `ANSWER_CAP` bytes of an answer are read; redirects are not followed
(a body would go to another place); no proxies or cookies of the environment; an address stands in no message. Raises
`Unavailable` when there was no answer. Not guaranteed: that the service did not take what we got no answer for.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import field

import aiohttp

from watchdog.model import record
from watchdog.ports import Unavailable

ANSWER_CAP = 16_384
TIMEOUT_S = 10.0


@record
class Posted:
    """What a service answered. `retry_after_s` None = it did not say."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after_s: float | None = None


class Poster:
    """Connections to services; made with the first call, closed by its owner."""

    def __init__(self, *, ca_file: str = "") -> None:
        """Trust the system's authorities, or those of `ca_file` instead."""
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, url: str, body: bytes, headers: tuple[tuple[str, str], ...] = (), *, timeout_s: float = TIMEOUT_S
    ) -> Posted:
        """One request. Raises Unavailable with a sentence that names no address."""
        session = self._open()
        try:
            async with session.post(
                url,
                data=body,
                headers=dict(headers),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                content = await answer.content.read(ANSWER_CAP)
                wait = _seconds(answer.headers.get("Retry-After"))
                return Posted(status=answer.status, body=content, retry_after_s=wait)
        except TimeoutError:
            raise Unavailable(f"no answer within {timeout_s:g} s") from None
        except aiohttp.InvalidURL:
            raise Unavailable("the address is no URL") from None
        except aiohttp.ClientConnectorCertificateError:
            raise Unavailable("its certificate is not trusted") from None
        except aiohttp.ClientConnectorDNSError:
            raise Unavailable("its name is not known") from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise Unavailable(f"the connection failed ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = ssl.create_default_context(cafile=self._ca_file or None)
            connector = aiohttp.TCPConnector(ssl=context, limit=20, limit_per_host=4)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "rollback-watchdog"}
            )
        return self._session


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; a date is not understood, and counts as not said."""
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
