"""P23: a shutdown finishes or reaches a recorded safe point within its time; never a new act after SIGTERM.

Mutations tried, each fails here: `Supervisor.run` ending its loops by itself (a write that was sent is then cut off); `_end`
not awaiting `response.writing`; the gate not told of the shutdown.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Stage
from watchdog.testing.platforms import WriteFault

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]

BOUNDARIES = 18


async def built() -> House:
    house = House()
    house.add(countdown_s=4.0)
    await house.earn()
    return house


@pytest.mark.parametrize("nth", range(1, BOUNDARIES + 1))
async def test_p23_sigterm_at_every_step_boundary_begins_nothing_new_and_the_next_start_comes_to_the_same_end(
    nth: int,
) -> None:
    house = await built()

    def terminate(verb: str, key: str) -> None:
        del verb
        if house.daemon and len(house.life.of_response) + key.startswith("incident/") >= nth and not terminated:
            terminated.append(house.clock.monotonic())
            house.daemon.shut_down()

    terminated: list[float] = []
    async with house.running() as daemon:
        await house.pass_(3)
        house.store.after_write = terminate
        house.go_bad()
        await house.until(lambda: terminated)
    assert daemon.stop.is_set()
    assert house.clock.monotonic() - terminated[0] < 25
    house.store.after_write = None
    late = [write for write in house.world.writes if write.at - house.started > terminated[0]]
    assert late == []
    intents = [intent for found in await house.incidents() for intent in found.intents]
    assert [intent for intent in intents if intent.stored_at - house.started > terminated[0]] == []
    async with house.running():
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")]), await house.story()
    assert len((await house.record()).acts) == 1


async def test_p23_a_write_that_was_sent_comes_back_and_is_recorded() -> None:
    house = await built()
    house.targets["api"].write_s = 8.0
    async with house.running():
        await house.pass_(3)
        house.targets["api"].unit.fail_next_write(WriteFault.APPLIED_NO_ANSWER)
        house.go_bad()
        await house.until(lambda: house.writes)
        begun = house.clock.monotonic()
    assert 7 <= house.clock.monotonic() - begun < 20
    incident = await house.incident()
    assert "unclear" in [entry.kind for entry in incident.entries]
    async with house.running():
        incident = await house.closed()
    assert (incident.reason, house.writes) == (CloseReason.RECOVERED, [("bad", "good")])


async def test_p23_while_one_write_is_awaited_no_other_target_begins_one() -> None:
    house = House()
    for name, countdown in (("a", 0.0), ("b", 4.0)):
        house.add(name, countdown_s=countdown)
        await house.earn(name)
    house.targets["a"].unit.fail_next_write(WriteFault.APPLIED_NO_ANSWER)
    async with house.running():
        await house.pass_(3)
        house.go_bad("a")
        house.go_bad("b")
        await house.until(lambda: house.writes)
        begun = house.clock.monotonic()
    assert house.clock.monotonic() - begun > 8
    assert house.writes == [("bad", "good")]
    other = await house.incident("b")
    assert other.intents == ()
    assert any("shutting down" in entry.sentence for entry in other.entries)


async def test_p23_a_write_that_never_comes_back_does_not_keep_the_process() -> None:
    house = await built()
    house.targets["api"].write_s = 600.0
    async with house.running():
        await house.pass_(3)
        house.targets["api"].unit.fail_next_write(WriteFault.HANGS)
        house.go_bad()
        await house.when(lambda found: found.stage is Stage.INTENDED)
        await house.pass_(1)
        begun = house.clock.monotonic()
    assert house.clock.monotonic() - begun < 26
    assert house.writes == []


async def test_p23_the_lease_is_released_last_and_everything_is_closed() -> None:
    house = await built()
    async with house.running() as daemon:
        await house.pass_(3)
        platform = daemon.board.seen["api"].watch.platform
    assert house.targets["api"].signals[0].closed
    assert platform is not None
    assert platform.closed  # type: ignore[attr-defined]
    assert house.lease.released == 1  # type: ignore[attr-defined]


async def test_p23_a_part_that_cannot_be_closed_does_not_keep_the_process() -> None:
    house = await built()

    async def hang() -> None:
        await house.clock.sleep(1e6)

    house.targets["api"].signals[0].close = hang  # type: ignore[method-assign]
    async with house.running():
        await house.pass_(3)
        begun = house.clock.monotonic()
    assert house.clock.monotonic() - begun < 10
    assert house.lease.released == 1  # type: ignore[attr-defined]
