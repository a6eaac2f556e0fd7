"""TLS contexts that are built once each and say when a handshake begins.

Role: lets `clients.http` tell the TLS handshake from the TCP connection, which aiohttp's tracing does not. Guarantees: one
context per CA file and kind of verification; the callback reaches the task that opened the connection and no other.
Not guaranteed: a CA file that changed is read again - a reload builds a new client.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

_begun: ContextVar[Callable[[], None] | None] = ContextVar("tls_begun", default=None)


@contextlib.contextmanager
def on_handshake(begun: Callable[[], None]) -> Iterator[None]:
    """Call `begun` whenever a connection opened inside begins its handshake."""
    token = _begun.set(begun)
    try:
        yield
    finally:
        _begun.reset(token)


class _Telling(ssl.SSLContext):
    """Every connection of asyncio asks for its pair of buffers exactly when the handshake begins."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        begun = _begun.get()
        if begun is not None:
            begun()
        return super().wrap_bio(*args, **kwargs)


class TlsContexts:
    """Client contexts by CA file and verification."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool], ssl.SSLContext] = {}

    def get(self, ca_file: str = "", *, verify: bool = True) -> ssl.SSLContext:
        """The context for that CA file, "" = the system's. Raises OSError when the file cannot be read or holds none."""
        key = (ca_file, verify)
        if key not in self._made:
            self._made[key] = _build(ca_file, verify=verify)
        return self._made[key]


def _build(ca_file: str, *, verify: bool) -> ssl.SSLContext:
    context = _Telling(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_file:
        context.load_verify_locations(cafile=ca_file)
    else:
        context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context
