"""Who is at the other end of the socket."""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from watchdog.web import peers
from watchdog.web.peers import Peers, peer_uid, user_name
from watchdog.web.problems import Malformed


@asynccontextmanager
async def connected() -> AsyncIterator[asyncio.BaseTransport]:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    try:
        yield transport
    finally:
        transport.close()
        theirs.close()
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_the_kernel_tells_the_user_of_the_peer() -> None:
    async with connected() as transport:
        assert peer_uid(transport) == os.getuid()
        assert await Peers().who(transport, "") == getpass.getuser()


@pytest.mark.asyncio
async def test_a_claim_is_added_to_the_name() -> None:
    async with connected() as transport:
        assert await Peers().who(transport, " Ann ") == f"{getpass.getuser()} as Ann"


@pytest.mark.asyncio
@pytest.mark.parametrize("claim", ["a\nb", "\x1b[2J", "x" * 81])
async def test_a_claim_that_could_forge_a_line_is_refused(claim: str) -> None:
    with pytest.raises(Malformed, match="as:"):
        await Peers().who(None, claim)


@pytest.mark.asyncio
async def test_a_slow_user_database_costs_its_bound_and_then_the_number_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers, "LOOKUP_S", 0.02)
    answered = threading.Event()
    lookups: list[int] = []

    def slow(uid: int) -> str:
        lookups.append(uid)
        answered.wait(5)
        return "alice"

    asking = Peers(slow)
    async with connected() as transport:
        assert await asking.who(transport, "") == f"uid {os.getuid()}"
        assert await asking.who(transport, "") == f"uid {os.getuid()}"
        answered.set()
        for _ in range(100):
            if await asking.who(transport, "") == "alice":
                break
        assert await asking.who(transport, "") == "alice"
    assert lookups == [os.getuid()], "a slow database must not be asked once an order"


@pytest.mark.asyncio
async def test_a_broken_user_database_leaves_the_number() -> None:
    def broken(uid: int) -> str:
        raise OSError("sssd is away")

    async with connected() as transport:
        assert await Peers(broken).who(transport, "") == f"uid {os.getuid()}"


@pytest.mark.asyncio
async def test_a_system_that_does_not_tell_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_PEERCRED")
    async with connected() as transport:
        assert await Peers().who(transport, "Ann") == "owner of the socket as Ann"


def test_an_unknown_user_id_is_a_number() -> None:
    assert user_name(2**31 - 77) == f"uid {2**31 - 77}"
