"""Evidence is there before the write and knows the decision; the dry run comes before the first intent."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason, Issue, Mode, StepOutcome

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def rolled_back(house: House) -> None:
    async with house.running():
        await house.pass_(5)
        house.go_bad()
        await house.closed()


async def test_what_was_captured_at_suspicion_is_captured_again_with_the_decision() -> None:
    house = House()
    house.add()
    await house.earn()
    await rolled_back(house)
    assert [incident.decision is not None for incident in house.recorder.captured] == [False, True]
    evidence = (await house.incident()).evidence
    assert evidence is not None
    assert any(file.path.endswith("/decision.json") for file in evidence.files)


async def test_the_write_does_not_wait_for_the_second_capture() -> None:
    house = House()
    house.add(countdown_s=0.0, evidence_s=20.0)
    await house.earn()
    async with house.running():
        await house.pass_(5)
        house.go_bad()
        await house.when(lambda found: found.evidence)
        house.recorder.takes_s = 15.0
        began = house.clock.monotonic()
        await house.until(lambda: house.writes)
        assert house.clock.monotonic() - began < 5.0
        await house.closed()


async def test_a_suspicion_of_a_release_that_was_rolled_back_before_keeps_the_first_bundle() -> None:
    house = House()
    house.add()
    await house.earn()
    await rolled_back(house)
    house.targets["api"].unit.deploy("bad")
    async with house.running():
        await house.pass_(15)
    assert house.recorder.captured[-1].reopened == 1


async def test_the_dry_run_comes_once_before_the_intent_and_never_in_observe() -> None:
    house = House()
    api = house.add()
    await house.earn()
    await rolled_back(house)
    kinds = [entry.kind for entry in (await house.incident()).entries]
    assert kinds.index("rehearsed") < kinds.index("intent")
    assert api.unit.rehearsals == 1
    watching = House()
    seen = watching.add(mode=Mode.OBSERVE)
    await watching.earn()
    await rolled_back(watching)
    assert ((await watching.incident()).reason, seen.unit.rehearsals) == (CloseReason.WOULD_HAVE, 0)


class NoWriter:
    """A platform whose dry run says a definite no."""

    async def rehearse(self, step: object, *, deadline_s: float) -> StepOutcome:
        return StepOutcome(issue=Issue.REFUSED, sentence="forbidden: patch deployments")

    async def execute(self, *_: object, **__: object) -> StepOutcome:
        raise AssertionError("nothing may be written after a dry run that was refused")


async def test_a_dry_run_that_is_refused_ends_with_a_person_and_no_intent() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running() as daemon:
        daemon.means.writers["api"] = NoWriter()  # type: ignore[index]  # the test's own platform
        await house.pass_(5)
        house.go_bad()
        incident = await house.closed()
    assert (incident.reason, incident.needs_human, incident.intents) == (CloseReason.REFUSED, True, ())
    assert "forbidden" in incident.entries[-2].sentence
