"""P14: when reference probes fail, or most sources are blind, it is rather us: nothing is rolled back, and it is said."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import Effect, Incident

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


def suspicion(incident: Incident) -> tuple[Effect, str]:
    assert incident.decision is not None
    (check,) = [check for check in incident.decision.checks if check.name == "self_suspect"]
    return check.effect, check.sentence


async def house_with_reference(*names: str) -> House:
    house = House()
    house.add()
    await house.earn()
    for name in names:
        house.add(name, platform=False, n=2)
    house.reference = names
    return house


async def test_a_failing_reference_probe_holds_a_bad_release_and_is_said() -> None:
    house = await house_with_reference("gateway")
    house.targets["gateway"].behaviour.dependency_down = True
    async with house.running() as daemon:
        await house.pass_(4)
        house.go_bad()
        held = await house.when(lambda found: found.decision is not None)
        effect, sentence = suspicion(held)
        assert effect is Effect.BLOCK
        assert "1 of 1 reference probes fail" in sentence
        await house.pass_(60)
        assert house.writes == []
        assert any("reference probes fail" in notice.headline for notice in house.told("suspect-self"))
        house.targets["gateway"].behaviour.dependency_down = False
        await house.until(lambda: house.writes)
        assert daemon.gatherer.suspicion().verdict is False
    assert house.writes == [("bad", "good")]


async def test_a_reference_that_answers_and_one_that_is_not_known_hold_nothing() -> None:
    house = await house_with_reference("gateway", "other-site")
    house.targets["other-site"].behaviour.unknown = "no route"
    async with house.running():
        await house.pass_(4)
        house.go_bad()
        await house.closed()
    assert house.writes == [("bad", "good")]


async def test_no_reference_that_can_be_told_is_no_answer_and_nothing_is_written() -> None:
    house = await house_with_reference("gateway")
    house.targets["gateway"].behaviour.unknown = "no route"
    async with house.running():
        await house.pass_(4)
        house.go_bad()
        held = await house.when(lambda found: found.decision is not None)
        assert suspicion(held)[0] is not Effect.PASS
        await house.pass_(60)
    assert house.writes == []


async def test_a_reload_brings_new_reference_probes() -> None:
    house = await house_with_reference()
    async with house.running() as daemon:
        await house.pass_(4)
        house.add("gateway", platform=False, n=2).behaviour.dependency_down = True
        house.reference = ("gateway",)

        async def rebuild() -> object:
            return house.setup("second")

        daemon.rebuild = rebuild  # type: ignore[assignment]
        assert (await daemon.reloader.reload())[0]
        await house.pass_(10)
        house.go_bad()
        await house.pass_(60)
    assert house.writes == []


@pytest.mark.parametrize(("blind", "writes"), [(1, [("bad", "good")]), (2, [])])
async def test_most_sources_of_all_others_blind_is_our_fault(blind: int, writes: list[tuple[str, str]]) -> None:
    house = await house_with_reference()
    for number, name in enumerate(("web", "search", "mail")):
        house.add(name).behaviour.unknown = "no route" if number < blind else ""
        await house.earn(name)
    async with house.running():
        await house.pass_(70)
        house.go_bad()
        await house.pass_(80)
    assert house.writes == writes


async def test_the_blind_signals_of_the_failing_target_itself_are_no_reason_to_suspect_ourselves() -> None:
    house = await house_with_reference()
    async with house.running() as daemon:
        await house.pass_(4)
        house.go_bad()
        await house.until(lambda: house.writes)
        assert "no source to compare" in daemon.gatherer.suspicion().sentence
