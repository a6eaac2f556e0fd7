"""What every store must do, run on each of them: memory, SQLite, and the fake with its switches off."""

from __future__ import annotations

from types import MappingProxyType

import pytest
import pytest_asyncio

from watchdog.ports import Conflict, StoreUnavailable
from watchdog.stores import MemoryStore, SqliteStore
from watchdog.testing.clock import WorldClock
from watchdog.testing.stores import FaultyStore


@pytest_asyncio.fixture(params=["memory", "sqlite", "faulty"])
async def store(request, tmp_path):
    if request.param == "sqlite":
        made = SqliteStore(tmp_path / "state.db", WorldClock())
        await made.open()
    else:
        made = MemoryStore()
        made = FaultyStore(made) if request.param == "faulty" else made
    yield made
    await made.close()


@pytest.mark.asyncio
async def test_a_created_document_reads_back_as_it_was(store):
    document = {
        "kind": "Pause",
        "v": 1,
        "why": "Wartung, ä 🛠 \udcff\x00",
        "list": [1, 2.5, None, True],
        "deep": {"a": {}},
    }
    created = await store.create("pause/one", document)
    found = await store.read("pause/one")
    assert found == created
    assert found.document == document
    assert found.key == "pause/one"


@pytest.mark.asyncio
async def test_a_document_that_is_not_there_is_known_not_to_exist(store):
    assert await store.read("pause/one") is None


@pytest.mark.asyncio
async def test_creating_twice_is_a_conflict_and_leaves_the_first(store):
    await store.create("incident/a", {"n": 1})
    with pytest.raises(Conflict, match="incident/a"):
        await store.create("incident/a", {"n": 2})
    assert (await store.read("incident/a")).document == {"n": 1}


@pytest.mark.asyncio
async def test_replacing_at_the_version_read_wins_and_at_an_older_one_loses(store):
    first = await store.create("unit/x", {"n": 1})
    second = await store.replace("unit/x", {"n": 2}, first.version)
    assert second.version != first.version
    with pytest.raises(Conflict, match="somebody else"):
        await store.replace("unit/x", {"n": 3}, first.version)
    assert (await store.read("unit/x")) == second


@pytest.mark.asyncio
async def test_replacing_what_is_gone_is_a_conflict(store):
    first = await store.create("unit/x", {"n": 1})
    await store.delete("unit/x", first.version)
    with pytest.raises(Conflict, match="gone"):
        await store.replace("unit/x", {"n": 2}, first.version)
    assert await store.read("unit/x") is None


@pytest.mark.asyncio
async def test_deleting_needs_the_present_version(store):
    first = await store.create("unit/x", {"n": 1})
    second = await store.replace("unit/x", {"n": 2}, first.version)
    with pytest.raises(Conflict):
        await store.delete("unit/x", first.version)
    assert await store.read("unit/x") == second
    await store.delete("unit/x", second.version)
    with pytest.raises(Conflict):
        await store.delete("unit/x", second.version)


@pytest.mark.asyncio
async def test_a_version_never_comes_again_after_delete_and_create(store):
    first = await store.create("unit/x", {"n": 1})
    await store.delete("unit/x", first.version)
    again = await store.create("unit/x", {"n": 1})
    assert again.version != first.version
    with pytest.raises(Conflict):
        await store.replace("unit/x", {"n": 9}, first.version)


@pytest.mark.asyncio
async def test_list_gives_one_kind_in_key_order(store):
    for key in ("incident/b", "incident/a", "incidents/z", "inciden/z", "unit/kubernetes/9", "unit/kubernetes/1"):
        await store.create(key, {"key": key})
    assert [found.key for found in await store.list("incident")] == ["incident/a", "incident/b"]
    assert [found.document["key"] for found in await store.list("unit")] == ["unit/kubernetes/1", "unit/kubernetes/9"]
    assert [found.key for found in await store.list("unit/kubernetes")] == ["unit/kubernetes/1", "unit/kubernetes/9"]
    assert await store.list("pause") == []


@pytest.mark.asyncio
async def test_an_empty_cursor_means_from_now_on(store):
    await store.create("unit/x", {"n": 1})
    cursor, keys = await store.changes("")
    assert list(keys) == []
    assert list((await store.changes(cursor))[1]) == []


@pytest.mark.asyncio
async def test_changes_names_what_was_created_replaced_and_deleted_once_each_in_order(store):
    old = await store.create("unit/old", {})
    start, _ = await store.changes("")
    made = await store.create("unit/made", {})
    await store.create("unit/second", {})
    await store.delete("unit/old", old.version)
    await store.replace("unit/made", {"n": 2}, made.version)
    cursor, keys = await store.changes(start)
    assert list(keys) == ["unit/second", "unit/old", "unit/made"]
    assert list((await store.changes(cursor))[1]) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("cursor", ["999999", "yesterday", "-1"])
async def test_a_cursor_of_another_life_gives_every_key_rather_than_none(store, cursor):
    await store.create("unit/x", {})
    await store.create("unit/y", {})
    assert list((await store.changes(cursor))[1]) == ["unit/x", "unit/y"]


@pytest.mark.asyncio
async def test_found_empty_is_about_the_opening_and_does_not_change_later(store):
    assert await store.found_empty()
    await store.create("unit/x", {})
    assert await store.found_empty()


@pytest.mark.asyncio
@pytest.mark.parametrize("key", ["", "unit", "unit/", "/x", "unit/a\nb", "unit/" + "x" * 1100])
async def test_a_key_that_is_not_kind_and_rest_is_refused(store, key):
    with pytest.raises(ValueError, match="no key"):
        await store.read(key)
    with pytest.raises(ValueError, match="no key"):
        await store.create(key, {})


@pytest.mark.asyncio
@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes", {1, 2}])
async def test_a_document_that_json_cannot_carry_is_refused_and_not_kept(store, value):
    with pytest.raises((ValueError, TypeError)):
        await store.create("unit/x", {"value": value})
    assert await store.read("unit/x") is None


@pytest.mark.asyncio
async def test_documents_are_copied_so_nobody_shares_them(store):
    document = {"list": [1]}
    created = await store.create("unit/x", document)
    document["list"].append(2)
    created.document["list"].append(3)
    (await store.read("unit/x")).document["list"].append(4)
    assert (await store.read("unit/x")).document == {"list": [1]}


@pytest.mark.asyncio
async def test_read_only_mappings_inside_a_document_are_kept(store):
    await store.create("unit/x", {"images": MappingProxyType({"api": "books:2"})})
    assert (await store.read("unit/x")).document == {"images": {"api": "books:2"}}


@pytest.mark.asyncio
async def test_after_close_the_state_is_unknown_and_closing_again_is_harmless(store):
    await store.create("unit/x", {})
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.read("unit/x")
    with pytest.raises(StoreUnavailable):
        await store.create("unit/y", {})
    await store.close()
