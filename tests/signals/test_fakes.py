"""The public fakes tell the truth about the world they hold, and fail in the ways they promise."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from watchdog.model import (
    Counts,
    Decision,
    Instant,
    Intent,
    Issue,
    Outcome,
    Progress,
    Release,
    Resolution,
    Unknown,
)
from watchdog.ports import PermitRefused, PollContext, Unavailable
from watchdog.safety.permits import PermitOffice
from watchdog.testing.clock import NEW_YEAR, WorldClock
from watchdog.testing.platforms import FakeWorld, WriteFault
from watchdog.testing.signals import Behaviour, FakeSignal


async def prepared():
    """Unit that runs ``bad`` after ``good``, with plan, intent and a permit for it."""
    clock, office = WorldClock(), PermitOffice(b"sixteen secret b")
    world = FakeWorld(clock)
    unit = world.add("shop", "good")
    unit.deploy("bad")
    platform, writer = world.connect("shop", office)
    plan = await platform.plan(await platform.read_state(), Release(fingerprint="good"), "incident")
    intent = Intent(
        id="intent",
        incident="incident",
        step=plan.steps[0],
        from_release="bad",
        to_release="good",
        stored_at=Instant(0.0),
    )
    decision = Decision(
        at=Instant(0.0),
        target="shop",
        outcome=Outcome.ROLL_BACK,
        would=Outcome.ROLL_BACK,
        checks=(),
        sentence="",
        from_release="bad",
        to_release="good",
    )
    return world, unit, platform, writer, intent, office.issue(decision, intent, clock.monotonic())


@pytest.mark.asyncio
@pytest.mark.looptime
@pytest.mark.parametrize(
    ("fault", "issue", "resolution", "writes"),
    [
        (WriteFault.APPLIED_UNKNOWN, Issue.UNKNOWN, Resolution.ISSUED, 1),
        (WriteFault.APPLIED_NO_ANSWER, Issue.UNKNOWN, Resolution.ISSUED, 1),
        (WriteFault.LOST_UNKNOWN, Issue.UNKNOWN, Resolution.NOT_ISSUED, 0),
        (WriteFault.NO_ANSWER, Issue.UNKNOWN, Resolution.NOT_ISSUED, 0),
        (WriteFault.PRECONDITION_FAILED, Issue.PRECONDITION_FAILED, Resolution.NOT_ISSUED, 0),
        (WriteFault.REFUSED, Issue.REFUSED, Resolution.NOT_ISSUED, 0),
        (WriteFault.OVERTAKEN, Issue.PRECONDITION_FAILED, Resolution.OVERTAKEN, 0),
    ],
)
async def test_each_write_fault_leaves_the_world_as_it_says(fault, issue, resolution, writes):
    world, unit, platform, writer, intent, permit = await prepared()
    unit.fail_next_write(fault)
    outcome = await writer.execute(intent.step, intent, permit, deadline_s=4.0)
    assert outcome.issue is issue
    assert outcome.sentence
    assert await platform.resolve(intent) is resolution
    assert len(world.writes) == writes
    if writes:
        (write,) = world.writes
        assert (write.from_release, write.to_release, write.permit, write.intent) == ("bad", "good", permit, "intent")


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_broken_writer_hangs_until_it_is_cancelled():
    _, unit, _, writer, intent, permit = await prepared()
    unit.fail_next_write(WriteFault.HANGS)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1000):
            await writer.execute(intent.step, intent, permit, deadline_s=4.0)
    assert not unit.our_writes


@pytest.mark.asyncio
async def test_the_permit_is_looked_at_before_any_fault_or_write():
    _, unit, _, writer, intent, permit = await prepared()
    unit.fail_next_write(WriteFault.APPLIED_UNKNOWN)
    with pytest.raises(PermitRefused, match="not issued"):
        await writer.execute(intent.step, intent, replace(permit, nonce=""), deadline_s=4.0)
    assert writer.refused
    assert not unit.our_writes
    assert len(unit.faults) == 1


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_rollout_takes_its_time_and_replaces_instances_one_by_one():
    unit = FakeWorld(WorldClock()).add("shop", "good", rollout_s=30.0)
    assert unit.state().complete
    unit.deploy("bad")
    shares = []
    for _ in range(4):
        state = unit.state()
        shares.append((sum(entry.release == "bad" for entry in state.instances), state.updated, state.complete))
        await asyncio.sleep(10)
    assert shares == [(0, 0, False), (1, 1, False), (2, 2, False), (3, 3, True)]
    assert unit.state().completed == NEW_YEAR + 30.0


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_stuck_rollout_never_completes_and_says_why():
    _, unit, platform, writer, intent, permit = await prepared()
    unit.stuck["good"] = "the image cannot be pulled"
    await writer.execute(intent.step, intent, permit, deadline_s=4.0)
    await asyncio.sleep(3600)
    assert (await platform.confirm(intent)).progress is Progress.STUCK
    assert unit.state().stuck
    assert [entry.ready for entry in unit.instances()] == [False, True, True]


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_reads_fail_or_hang_while_told_so_and_work_again_after():
    _, unit, platform, *_ = await prepared()
    unit.fail_reads("no route")
    with pytest.raises(Unavailable, match="no route"):
        await platform.read_state()
    unit.fail_reads(hang=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await platform.history()
    unit.fail_reads()
    assert (await platform.read_state()).release.fingerprint == "bad"


@pytest.mark.asyncio
async def test_a_platform_made_anew_sees_the_same_world():
    world, unit, platform, writer, intent, permit = await prepared()
    await writer.execute(intent.step, intent, permit, deadline_s=4.0)
    again, _ = world.connect("shop", PermitOffice(b"another secret b"))
    assert await again.resolve(intent) is Resolution.ISSUED
    unit.prune("bad")
    assert [release.fingerprint for release in await platform.history()] == ["good"]
    unit.gone = True
    assert await again.resolve(intent) is Resolution.GONE


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_a_behaviour_follows_release_blips_dependency_and_source():
    unit = FakeWorld(WorldClock()).add("shop", "good", rollout_s=0.0)
    behaviour = Behaviour(bad={"bad": 0.3}, blips=[(NEW_YEAR + 100, NEW_YEAR + 110)])
    signal = FakeSignal("errors", unit, behaviour)

    async def share(polls=100):
        readings = [(await signal.poll(PollContext()))[0].reading for _ in range(polls)]
        return sum(reading.bad for reading in readings)

    assert await share() == 0
    unit.deploy("bad")
    assert await share() == 30
    unit.deploy("good")
    await asyncio.sleep(105)
    assert await share(1) == 1
    await asyncio.sleep(10)
    assert await share(1) == 0
    behaviour.dependency_down = True
    assert await share(1) == 1
    behaviour.unknown = "no source"
    (sample,) = await signal.poll(PollContext())
    assert sample.reading == Unknown(reason="no source")


@pytest.mark.asyncio
async def test_per_instance_samples_carry_the_release_each_instance_runs():
    unit = FakeWorld(WorldClock()).add("shop", "good")
    unit.deploy("bad")
    unit.started -= 5.0  # half way
    signal = FakeSignal("errors", unit, Behaviour(bad={"bad": 1.0}), per_instance=True)
    samples = await signal.poll(PollContext())
    assert [(sample.release, sample.reading) for sample in samples] == [
        ("bad", Counts(good=0, bad=1)),
        ("good", Counts(good=1, bad=0)),
        ("good", Counts(good=1, bad=0)),
    ]


@pytest.mark.asyncio
async def test_a_signal_can_be_told_to_break_its_promise():
    signal = FakeSignal("errors", FakeWorld(WorldClock()).add("shop"), Behaviour())
    signal.error = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        await signal.poll(PollContext())
