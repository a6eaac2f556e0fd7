"""Who is on the other end of the unix socket.

Role: the kernel's word about the peer (`SO_PEERCRED`), turned into a name for the journal. Neighbours: `web.api` asks at
every order. Guarantees: what the client says about itself is only ever *added* ("alice as Bob"), never believed instead;
a slow user database costs a second and then the number stands. Not guaranteed: a name on systems that do not tell the
peer; there the socket's file mode already says that it is our own user or root, and the answer says so.
"""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from watchdog.web.problems import Malformed

LOOKUP_S = 1.0
"""The user database may be a network service (LDAP); an order does not wait longer than this for a name."""

CLAIM_AT_MOST = 80
"""Characters of ``--as``: a name, not a story."""

_CREDENTIALS = struct.Struct("3i")


class Peers:
    """Names of peers. A user is looked up in a daemon thread: the default executor serves DNS and is joined at exit."""

    def __init__(self, lookup: Callable[[int], str] | None = None) -> None:
        """Take the function that names a user id, `user_name` unless the caller has a better one."""
        self._lookup = lookup or user_name
        self._names: dict[int, asyncio.Future[str]] = {}

    async def who(self, transport: asyncio.BaseTransport | None, claim: str) -> str:
        """The peer's user name, with `claim` (the ``as`` of the request) added. Raises Malformed for a bad claim."""
        if not claim.isprintable() or len(claim) > CLAIM_AT_MOST:
            raise Malformed(f"as: a printable name of at most {CLAIM_AT_MOST} characters")
        uid = peer_uid(transport)
        name = "owner of the socket" if uid is None else await self._name(uid)
        claim = claim.strip()
        return f"{name} as {claim}" if claim else name

    async def _name(self, uid: int) -> str:
        if uid not in self._names:
            self._names[uid] = asyncio.get_running_loop().create_future()
            threading.Thread(
                target=self._find, args=(uid, self._names[uid]), name=f"watchdog-user-{uid}", daemon=True
            ).start()
        await asyncio.wait({self._names[uid]}, timeout=LOOKUP_S)
        return self._names[uid].result() if self._names[uid].done() else f"uid {uid}"

    def _find(self, uid: int, answer: asyncio.Future[str]) -> None:
        try:
            name = self._lookup(uid)
        except OSError:  # the user database is a service that failed: the number stands
            name = f"uid {uid}"
        with suppress(RuntimeError):  # the loop has ended meanwhile
            answer.get_loop().call_soon_threadsafe(_settle, answer, name)


def _settle(answer: asyncio.Future[str], name: str) -> None:
    if not answer.done():
        answer.set_result(name)


def user_name(uid: int) -> str:
    """The name of a user id, ``uid N`` when the user database does not know it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def peer_uid(transport: asyncio.BaseTransport | None) -> int | None:
    """The user id of the process at the other end, None when this system does not tell or the peer is gone."""
    connection = transport.get_extra_info("socket") if transport is not None else None
    option = getattr(socket, "SO_PEERCRED", None)
    if connection is None or option is None:
        return None
    _pid, uid, _gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return int(uid)
