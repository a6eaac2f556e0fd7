"""A drill goes through everything but the write, says so wherever it is seen, and leaves nothing behind that acts.

Mutations tried, each fails here: the drill's record created among the incidents; `_failing` left out; `DRILL of` left out of the record's
target; a part that fails ending the drill.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.house import House
from watchdog.model import Mode
from watchdog.ports import ControlRefused

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def two_releases(house: House) -> None:
    """A good release before the present one, which was watched long enough too."""
    await house.earn()
    await house.known("older", grade="good", graded_at=house.clock.now())


def parts(answer: dict[str, Any]) -> dict[str, Any]:
    return {part["name"]: part["ok"] for part in answer["parts"]}


async def test_every_part_is_tried_and_timed_and_nothing_is_written_or_left_behind() -> None:
    house = House()
    house.add(mode=Mode.ASK)
    await house.earn()
    async with house.running():
        await house.pass_(5)
        house.targets["api"].unit.deploy("next")
        await house.pass_(10)
        answer = await house.control.drill("api", "ann", tell=True)
        assert parts(answer) == {
            "read the outside": True,
            "gate": True,
            "approval": True,
            "dry run": True,
            "store": True,
            "evidence": True,
            "message to pager": True,
            "report": True,
        }
        assert answer["ok"]
        assert all(part["took_s"] >= 0 for part in answer["parts"])
        assert answer["decision"]["asking"] == ["mode"]
        await house.pass_(60)
        assert house.writes == []
        assert (await house.control.incidents(None, open_only=False))["incidents"] == []
        assert (await house.record()).acts == ()
        assert house.control.status()["targets"][0]["incident"] is None


async def test_whatever_a_person_sees_of_it_says_drill() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(5)
        answer = await house.control.drill("api", "ann", tell=True)
        (notice,) = house.told("drill")
        assert notice.headline.startswith("DRILL")
        assert "Nothing is to be done" in notice.body
        kept = house.recorder.reported[-1]
        assert (kept.target, kept.simulated, kept.open) == ("DRILL of api", True, False)
        assert all("DRILL" in entry.sentence for entry in kept.entries if entry.kind != "first_bad")
        assert answer["drill"].startswith("drill-api-")
        assert answer["sentence"].startswith("DRILL of api")


async def test_the_gate_is_asked_as_if_it_failed_and_says_what_stands_in_the_way() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(5)
        answer = await house.control.drill("api", "ann", tell=False)
        checks = {check["name"]: check["effect"] for check in answer["decision"]["checks"]}
        assert checks["breach_stands"] == "pass"
        assert checks["good_exists"] != "pass"  # there is no release before this one
        assert parts(answer)["dry run"] is None
        assert house.told("drill") == []


async def test_what_fails_costs_its_own_line_and_the_drill_says_so() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(5)
        house.pager.failures = 1
        house.store.read_only = True
        answer = await house.control.drill("api", "ann", tell=True)
        found = parts(answer)
        assert (found["store"], found["message to pager"], found["report"]) == (False, False, True)
        assert not answer["ok"]
        assert "failed: store, message to pager" in answer["sentence"]
        house.store.read_only = False


async def test_a_watch_only_target_and_one_that_cannot_be_read_are_refused() -> None:
    house = House()
    house.add("api")
    house.add("site", platform=False)
    await house.earn()
    async with house.running():
        await house.pass_(2)
        with pytest.raises(ControlRefused, match="watch-only"):
            await house.control.drill("site", "ann", tell=True)
        with pytest.raises(ControlRefused, match="no target"):
            await house.control.drill("nothing", "ann", tell=True)


async def test_a_drill_of_a_paused_target_says_that_it_is_paused() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(5)
        await house.pause(600)
        answer = await house.control.drill("api", "ann", tell=False)
        assert any(c["name"] == "pause" and c["effect"] == "block" for c in answer["decision"]["checks"])
