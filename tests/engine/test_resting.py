"""At rest the outside and the store are left alone; whatever is not at rest is looked at as ever.

Guards that were removed once to see a test fail: the quiet of signals, the wellness of instances, the resync, the time of the state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.engine.house import House, Target, policy
from watchdog.engine import resting
from watchdog.engine.documents import Documents
from watchdog.engine.pauses import REGISTER, PauseBook
from watchdog.model import Grade, PauseRegister, WorkloadState, to_document
from watchdog.ports import Stored, StoreUnavailable
from watchdog.safety.permits import PermitOffice
from watchdog.stores.memory import MemoryStore
from watchdog.testing.clock import WorldClock
from watchdog.testing.platforms import FakePlatform, FakeUnit, FakeWriter, WatchedPlatform

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]
HOUR = 3600.0


class Liar(WatchedPlatform):
    """Whose watch never tells of anything."""

    def unchanged(self, since: float) -> bool:
        return self._first is not None


def watched(
    house: House, kind: type[WatchedPlatform] = WatchedPlatform, **changes: object
) -> tuple[Target, Callable[[], WatchedPlatform]]:
    """A target whose platform watches; the latter as the daemon made it."""
    made: list[WatchedPlatform] = []

    def connect(unit: FakeUnit, office: PermitOffice) -> tuple[FakePlatform, FakeWriter]:
        made.append(kind(unit))
        return made[-1], FakeWriter(unit, office)

    target = house.add(**changes)
    target.connect = connect
    return target, lambda: made[-1]


async def test_at_rest_the_platform_is_read_a_few_times_an_hour_and_the_store_hardly_written() -> None:
    house = House()
    _, platform = watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(60)
        before, written = platform().looks, len(house.life.writes)
        await house.pass_(HOUR)
        assert platform().looks - before <= HOUR / resting.RESYNC_S + 1
        assert len(house.life.writes) - written <= HOUR / resting.KEEP_S + 5
        seen = house.daemon.board.seen["api"]
        assert house.clock.now() - seen.state.at <= 2.0
        assert house.control.status()["targets"][0]["state"] == "healthy"


async def test_at_rest_the_ledger_is_kept_without_being_read() -> None:
    house = House()
    watched(house)
    await house.earn()
    read: list[str] = []
    async with house.running():
        await house.pass_(300)
        inner = house.inner.read

        async def counted(key: str) -> Stored | None:
            read.append(key)
            return await inner(key)

        house.inner.read = counted  # type: ignore[method-assign]
        await house.pass_(HOUR)
    units = [key for key in read if key.startswith("unit/")]
    assert len(units) <= 1
    assert 100 < read.count(REGISTER) <= HOUR / 2 + 20  # the look at the pauses, which does not grow with targets


async def test_what_somebody_else_has_written_meanwhile_is_not_lost() -> None:
    house = House()
    watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(400)
        record = await house.record()
        good = record.release("good")
        assert good is not None
        condemned = replace(good, grade=Grade.CONDEMNED)
        others = tuple(condemned if one.fingerprint == "good" else one for one in record.releases)
        stored = await house.inner.read(record.unit.key)
        assert stored is not None
        await house.inner.replace(record.unit.key, to_document(replace(record, releases=others)), stored.version)
        await house.pass_(resting.KEEP_S + 5)
        after = (await house.record()).release("good")
    assert after is not None
    assert after.grade is Grade.CONDEMNED


async def test_a_good_release_that_somebody_else_has_read_already_is_told_to_the_ledger_too() -> None:
    """A failing instance makes the poller read at once; the tracker's next look then finds nothing new."""
    house = House()
    api, _ = watched(house, Liar)
    await house.earn()
    await house.known("known", grade=Grade.GOOD)
    async with house.running():
        await house.pass_(400)
        api.unit.deploy("known")
        api.unit.settle()
        seen = house.daemon.board.seen["api"]
        seen.state, seen.read_at = api.unit.state(), house.clock.monotonic()
        await house.pass_(5)
        assert (await house.record()).current == "known"


async def test_a_document_that_is_not_kept_at_rest_is_not_remembered() -> None:
    documents: Documents[PauseRegister] = Documents(MemoryStore(), PauseRegister)
    for number in range(20):
        await documents.change(f"pause/{number}", lambda _: PauseRegister())
    assert documents._last == {}
    await documents.change("pause/x", lambda _: PauseRegister(), known=True)
    assert set(documents._last) == {"pause/x"}


@pytest.mark.parametrize("how", ["made", "ended"])
async def test_time_under_a_pause_is_known_at_rest_too(how: str) -> None:
    house = House()
    watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(400)
        if how == "ended":
            await house.pause(60)
        pause = await house.daemon.pauses.read(policy("api"), house.clock.now(), lately_s=10.0)
        assert bool(pause.active) is (how == "ended")
        await house.pass_(80)
        pause = await house.daemon.pauses.read(policy("api"), house.clock.now(), lately_s=10.0)
        assert not pause.active


async def test_a_release_is_seen_as_soon_as_it_is_told_and_a_bad_one_goes_back() -> None:
    house = House()
    api, _ = watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        api.unit.deploy("bad")
        await house.pass_(2)
        assert house.daemon.board.seen["api"].state.release.fingerprint == "bad"
        api.behaviour.bad["bad"] = 1.0
        incident = await house.closed()
    assert (incident.reason, house.writes) == ("recovered", [("bad", "good")])


async def test_a_new_release_earns_its_grade_in_time() -> None:
    house = House()
    api, _ = watched(house, bake_s=60.0)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        api.unit.deploy("next")
        await house.pass_(90)
        entry = (await house.record()).release("next")
        assert entry is not None
        assert entry.grade is Grade.GOOD


@pytest.mark.parametrize("trouble", ["nobody tells", "a signal fails", "an instance has a problem", "paused rollout"])
async def test_without_rest_it_is_read_as_ever(trouble: str) -> None:
    house = House()
    api, platform = watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        if trouble == "nobody tells":
            platform().told = False
        elif trouble == "a signal fails":
            api.behaviour.bad["good"] = 1.0
            await house.pass_(20)
        elif trouble == "an instance has a problem":
            api.unit.stuck["good"] = "CrashLoopBackOff"
        else:
            api.unit.paused = True
        await house.pass_(3)
        before = platform().looks
        await house.pass_(60)
        assert platform().looks - before >= 50


async def test_a_watch_that_tells_nothing_costs_time_and_no_truth() -> None:
    house = House()
    api, _ = watched(house, Liar)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        api.unit.deploy("bad")
        await house.pass_(20)
        assert house.daemon.board.seen["api"].state.release.fingerprint == "good"  # nobody told
        api.behaviour.bad["bad"] = 1.0
        incident = await house.closed()
    assert (incident.reason, house.writes) == ("recovered", [("bad", "good")])


async def test_a_watch_that_tells_nothing_is_found_out_by_the_read_that_comes_all_the_same() -> None:
    house = House()
    api, _ = watched(house, Liar)
    await house.earn()
    async with house.running():
        await house.pass_(200)
        api.unit.deploy("next")
        await house.pass_(resting.RESYNC_S + 5)
        assert house.daemon.board.seen["api"].state.release.fingerprint == "next"


async def test_the_state_at_rest_is_as_of_now_so_that_a_signal_of_the_workload_does_not_go_stale() -> None:
    house = House()
    watched(house)
    await house.earn()
    async with house.running():
        await house.pass_(250)
        seen = house.daemon.board.seen["api"]
        assert isinstance(seen.state, WorkloadState)
        assert house.clock.now() - seen.state.at < 3 * 5.0


async def test_pauses_that_were_read_too_long_ago_are_read_again_and_unreadable_means_paused() -> None:
    clock, store = WorldClock(), MemoryStore()
    book = PauseBook(store, clock)
    await book.begin(first_start=True)
    await book.register()

    async def fails(key: str) -> Stored | None:
        raise StoreUnavailable(key)

    store.read = fails  # type: ignore[method-assign]
    assert (await book.read(policy("api"), clock.now(), lately_s=10.0)).readable
    assert not (await book.read(policy("api"), clock.now())).readable
    await clock.sleep(11.0)
    assert not (await book.read(policy("api"), clock.now(), lately_s=10.0)).readable
