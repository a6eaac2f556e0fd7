"""Whose fault a failed exchange is: the target's, or ours.

Role: turns every exception of an HTTP exchange into a `Fault` with words for people. Neighbours: `clients.http` raises none
of them further. Guarantees: what kept *us* from asking - no descriptors, no ports, no route, no answer of the name server,
no readable CA file - is never called the target's fault (table in docs/http-signal.md). Words hold no header, body,
query or credential.
"""

from __future__ import annotations

import errno
import socket
import ssl
from enum import StrEnum

import aiohttp

from watchdog.clients.names import TooManyLookups
from watchdog.model import record


class Kind(StrEnum):
    """What went wrong with an exchange."""

    TIMEOUT = "timeout"
    NAME = "name"  # the name is known not to exist
    REFUSED = "refused"
    BROKEN = "broken"  # reset, closed without or within the answer
    TLS = "tls"
    MALFORMED = "malformed"  # not HTTP
    REDIRECTS = "redirects"
    UNREACHABLE = "unreachable"
    OURS = "ours"  # we could not ask: says nothing about the target


@record
class Fault:
    """One failed exchange: what, and in words. Our own trouble has the kind OURS."""

    kind: Kind
    words: str


_OURS = {
    errno.EMFILE: "we have too many open files",
    errno.ENFILE: "this machine has too many open files",
    errno.ENOBUFS: "this machine has no buffers left",
    errno.ENOMEM: "this machine has no memory left",
    errno.EADDRNOTAVAIL: "we have no free local port or address",
    errno.ENETUNREACH: "our network is unreachable",
    errno.ENETDOWN: "our network is down",
    errno.EACCES: "we may not open this connection",
    errno.EPERM: "we may not open this connection",
    errno.EAFNOSUPPORT: "this machine does not speak this address family",
}
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_UNREACHABLE = {errno.EHOSTUNREACH, errno.EHOSTDOWN}


_BY_CLASS: tuple[tuple[type[BaseException], Kind, str], ...] = (
    (aiohttp.InvalidURL, Kind.MALFORMED, "the address is no HTTP URL"),
    (aiohttp.ServerDisconnectedError, Kind.BROKEN, "the connection was closed without an answer"),
    (aiohttp.ClientPayloadError, Kind.BROKEN, "the answer broke off"),
    (aiohttp.ClientResponseError, Kind.MALFORMED, "the answer is not HTTP"),
)


def fault_of(error: BaseException) -> Fault:
    """Classify what an exchange raised. Anything not known is broken: the target answered, and not with HTTP."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _name_fault(error.os_error)
    if isinstance(error, socket.gaierror):
        return _name_fault(error)
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return Fault(kind=Kind.TLS, words=_tls_words(error))
    for raised, kind, words in _BY_CLASS:
        if isinstance(error, raised):
            return Fault(kind=kind, words=words)
    if isinstance(error, OSError):
        return _socket_fault(error)
    return Fault(kind=Kind.BROKEN, words=f"the exchange failed ({type(error).__name__})")


def _name_fault(error: OSError) -> Fault:
    if isinstance(error, TooManyLookups):
        return Fault(kind=Kind.OURS, words=str(error))
    if error.errno in _NO_SUCH_NAME:
        return Fault(kind=Kind.NAME, words="the host name does not exist")
    return Fault(kind=Kind.OURS, words="our name server gave no answer")


def _socket_fault(error: OSError) -> Fault:
    number = error.errno
    if number in _OURS:
        return Fault(kind=Kind.OURS, words=_OURS[number])
    if number == errno.ECONNREFUSED or isinstance(error, ConnectionRefusedError):
        return Fault(kind=Kind.REFUSED, words="connection refused")
    if number in _UNREACHABLE:
        return Fault(kind=Kind.UNREACHABLE, words="no route to the host")
    if number == errno.ETIMEDOUT:
        return Fault(kind=Kind.TIMEOUT, words="the connection timed out")
    if number in (errno.ECONNRESET, errno.EPIPE) or isinstance(error, ConnectionError):
        return Fault(kind=Kind.BROKEN, words="the connection was reset")
    return Fault(kind=Kind.BROKEN, words=f"the connection failed ({errno.errorcode.get(number or 0, 'no number')})")


def _tls_words(error: BaseException) -> str:
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {inner.verify_message}"
    reason = getattr(inner, "reason", None)
    return "the TLS handshake failed" + (f": {str(reason).replace('_', ' ').lower()}" if reason else "")
