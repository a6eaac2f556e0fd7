"""The switches of the fake store: each does what its sentence says and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from watchdog.model import MalformedDocument, Pause, from_document
from watchdog.ports import Conflict, StoreUnavailable
from watchdog.stores import MemoryStore
from watchdog.testing.stores import FaultyStore


@pytest.mark.asyncio
async def test_unavailable_fails_every_call_until_it_is_switched_off():
    store = FaultyStore(MemoryStore())
    kept = await store.create("unit/x", {"n": 1})
    store.unavailable = True
    for call in (
        store.read("unit/x"),
        store.list("unit"),
        store.changes(""),
        store.found_empty(),
        store.create("unit/y", {}),
        store.replace("unit/x", {}, kept.version),
        store.delete("unit/x", kept.version),
    ):
        with pytest.raises(StoreUnavailable):
            await call
    store.unavailable = False
    assert await store.read("unit/x") == kept


@pytest.mark.asyncio
async def test_read_only_fails_writes_and_lets_reads_go_on():
    store = FaultyStore(MemoryStore())
    kept = await store.create("unit/x", {"n": 1})
    store.read_only = True
    with pytest.raises(StoreUnavailable):
        await store.replace("unit/x", {"n": 2}, kept.version)
    assert await store.read("unit/x") == kept
    assert store.applied == [("create", "unit/x")]


@pytest.mark.asyncio
async def test_fail_after_apply_loses_the_reply_and_not_the_write():
    store = FaultyStore(MemoryStore())
    store.fail_after_apply = 1
    with pytest.raises(StoreUnavailable):
        await store.create("unit/x", {"n": 1})
    assert (await store.read("unit/x")).document == {"n": 1}
    await store.create("unit/y", {})


@pytest.mark.asyncio
async def test_conflicts_refuse_the_next_writes_without_applying_them():
    store = FaultyStore(MemoryStore())
    kept = await store.create("unit/x", {"n": 1})
    store.conflicts = 2
    for _ in range(2):
        with pytest.raises(Conflict):
            await store.replace("unit/x", {"n": 2}, kept.version)
    assert (await store.replace("unit/x", {"n": 3}, kept.version)).document == {"n": 3}


@pytest.mark.asyncio
async def test_a_garbage_document_is_malformed_to_its_reader():
    store = FaultyStore(MemoryStore({"pause/x": {"kind": "Pause"}, "pause/y": {"kind": "Pause"}}))
    store.garbage.add("pause/x")
    found = await store.read("pause/x")
    with pytest.raises(MalformedDocument):
        from_document(Pause, found.document)
    listed = {stored.key: stored.document for stored in await store.list("pause")}
    assert listed == {"pause/x": found.document, "pause/y": {"kind": "Pause"}}


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_hanging_store_answers_when_it_is_let_go():
    store = FaultyStore(MemoryStore())
    store.hang = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await store.read("unit/x")
    reading = asyncio.create_task(store.read("unit/x"))
    await asyncio.sleep(1)
    assert not reading.done()
    store.hang = False
    assert await reading is None


@pytest.mark.asyncio
async def test_a_hook_can_play_a_crash_before_and_after_a_write():
    class Crash(Exception):
        pass

    def crash(verb: str, key: str) -> None:
        raise Crash(f"{verb} {key}")

    store = FaultyStore(MemoryStore())
    store.before_write = crash
    with pytest.raises(Crash, match="create unit/x"):
        await store.create("unit/x", {})
    assert await store.read("unit/x") is None
    store.before_write, store.after_write = None, crash
    with pytest.raises(Crash, match="create unit/x"):
        await store.create("unit/x", {})
    assert await store.read("unit/x") is not None
