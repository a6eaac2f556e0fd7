"""P20: a notice that fails or hangs never blocks, delays or repeats a rollback; "sent" is recorded only after sending.

Mutations tried, each fails here: the delivery awaited in `Outbox.tick`; one back-off shared by all channels.
"""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.engine.outbox import GIVE_UP, Outbox, backoff
from watchdog.model import Incident, Notice, from_document
from watchdog.testing.channels import RecordingChannel

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def rolled_back_at(house: House) -> float:
    async with house.running():
        await house.pass_(3)
        begun = house.clock.monotonic()
        house.go_bad()
        await house.until(lambda: house.writes)
        took = house.clock.monotonic() - begun
        await house.pass_(1)
        house.pager.hang = False
        house.pager.failures = 0
        await house.until(lambda: house.told("recovered"), within=400)
    return took


async def built() -> House:
    house = House()
    house.add()
    await house.earn()
    return house


async def test_p20_a_notifier_that_hangs_or_fails_delays_no_rollback_and_is_sent_once_in_the_end() -> None:
    calm = await rolled_back_at(await built())
    for trouble in ("hang", "failures"):
        house = await built()
        setattr(house.pager, trouble, True if trouble == "hang" else 99)
        assert await rolled_back_at(house) == pytest.approx(calm, abs=0.01)
        kinds = [notice.kind for notice, _ in house.pager.delivered]
        assert sorted(kinds) == ["pending", "recovered", "rolled_back"]
        assert house.writes == [("bad", "good")]


async def test_p20_sent_is_recorded_only_after_sending() -> None:
    house = await built()
    house.pager.hang = True
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.when(lambda found: found.notices)
        await house.pass_(10)
        assert house.pager.attempts
        stored = await house.inner.read(incident.key)
        assert stored is not None
        notice = from_document(Incident, stored.document).notices[0]
        assert (notice.sent_at, notice.channels) == (None, ("pager",))
        house.pager.hang = False
        sent = await house.when(lambda found: found.notices[0].sent_at)
        assert sent.notices[0].channels == ()


async def test_p20_one_channel_that_hangs_and_one_that_fails_do_not_delay_the_third() -> None:
    house = await built()
    broken, stuck = RecordingChannel("broken"), RecordingChannel("stuck")
    broken.failures, stuck.hang = 99, True
    house.channels = {"broken": broken, "stuck": stuck, "pager": house.pager}
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
        await house.pass_(2)
        owed = {notice.kind: notice.owed_at for notice in incident.notices}
        for notice, _ in house.pager.delivered:
            assert notice.owed_at == owed[notice.kind]
        assert [notice.kind for notice, _ in house.pager.delivered] == ["pending", "rolled_back", "recovered"]
        assert broken.delivered == stuck.delivered == []
        broken.failures, stuck.hang = 0, False
        await house.until(lambda: len(broken.delivered) == len(stuck.delivered) == 3, within=400)
    assert len(house.pager.delivered) == 3


async def test_p20_a_channel_that_gives_up_takes_the_notice_from_nobody_else() -> None:
    house = await built()
    never, late = RecordingChannel("never"), RecordingChannel("late")
    never.permanent, late.failures = True, 3
    house.channels = {"never": never, "late": late}
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        incident = await house.closed()
        await house.until(lambda: len(late.delivered) == 3)
        await house.pass_(2)
        incident = await house.incident()
    assert len(never.attempts) == 3
    assert all(notice.dead and not notice.channels and notice.sent_at for notice in incident.notices)
    assert "never take this" in incident.notices[0].last_error


async def test_p20_retry_after_is_honoured_and_tries_are_given_up_in_the_end() -> None:
    house = await built()
    house.pager.failures, house.pager.retry_after = 1, 40.0
    async with house.running() as daemon:
        await house.pass_(3)
        notice = Notice(key="k/1", kind="k", headline="h", body="b", severity="page", owed_at=house.clock.now())
        await daemon.outbox.owe(notice)
        await house.until(lambda: house.pager.attempts)
        begun = house.clock.monotonic()
        await house.until(lambda: house.pager.delivered)
        assert 40 <= house.clock.monotonic() - begun < 42
        house.pager.failures, house.pager.retry_after = 10_000, None
        await daemon.outbox.owe(
            Notice(key="k/2", kind="k", headline="h", body="b", severity="page", owed_at=house.clock.now())
        )
        await house.pass_(1900)
        stored = await house.inner.read("outbox/k/2")
        assert stored is not None
        left = from_document(Notice, stored.document)
    assert (left.dead, left.attempts, left.channels) == (True, GIVE_UP, ())


async def test_p20_what_is_owed_survives_a_crash_and_is_sent_then() -> None:
    house = await built()
    house.pager.hang = True
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.notices)
        house.life.gone.set()
    house.pager.hang = False
    async with house.running():
        await house.until(lambda: house.told("recovered"))
    assert sorted(notice.kind for notice, _ in house.pager.delivered) == ["pending", "recovered", "rolled_back"]


async def test_p20_a_channel_with_a_bug_is_a_failure_like_another(log: object) -> None:
    log.bugs_expected = True  # type: ignore[attr-defined]
    house = await built()
    real = house.pager.deliver

    async def buggy(*_: object) -> None:
        raise AttributeError("x")

    house.pager.deliver = buggy  # type: ignore[method-assign]
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.closed()
        house.pager.deliver = real  # type: ignore[method-assign]
        await house.until(lambda: house.told("recovered"), within=400)
    assert house.writes == [("bad", "good")]


async def test_p20_a_notice_of_one_key_is_owed_once_and_forgotten_after_a_month() -> None:
    house = await built()
    async with house.running() as daemon:
        await house.pass_(3)
        notice = Notice(key="k/1", kind="k", headline="h", body="b", severity="info", owed_at=house.clock.now())
        for _ in range(3):
            await daemon.outbox.owe(notice)
            await house.pass_(2)
        assert len(house.told("k")) == 1
        assert await house.inner.read("outbox/k/1") is not None
    outbox = Outbox(house.inner, {}, house.clock)
    house.clock.step(31 * 86400)
    await outbox.tick()
    assert await house.inner.read("outbox/k/1") is None


async def test_p20_a_shutdown_waits_for_no_channel_that_hangs() -> None:
    house = await built()
    house.pager.hang = True
    async with house.running():
        await house.pass_(3)
        house.go_bad()
        await house.when(lambda found: found.notices)
        await house.pass_(1)
        begun = house.clock.monotonic()
    assert house.clock.monotonic() - begun < 10


async def test_back_off_doubles_up_to_its_limit() -> None:
    assert [backoff(n) for n in (0, 1, 2, 3, 20)] == [2, 2, 4, 8, 300]
