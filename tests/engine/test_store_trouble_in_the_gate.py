"""The gate knows that the store cannot be written before anybody tries: `explain` does not promise what cannot happen."""

from __future__ import annotations

import pytest

from tests.engine.house import House

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def check(house: House) -> tuple[str, str]:
    explained = await house.control.explain("api")
    (found,) = [entry for entry in explained["decision"]["checks"] if entry["name"] == "store"]
    return str(found["effect"]), str(found["sentence"])


async def test_p21_a_store_that_cannot_be_written_blocks_in_the_gate_and_is_said_before_a_breach() -> None:
    house = House()
    house.add()
    await house.earn()
    async with house.running():
        await house.pass_(4)
        assert (await check(house))[0] == "pass"
        house.store.read_only = True
        house.targets["api"].unit.deploy("next")
        await house.pass_(4)
        effect, sentence = await check(house)
        assert effect == "block"
        assert "cannot be written" in sentence
        house.store.read_only = False
        await house.pass_(4)
        assert (await check(house))[0] == "pass"
        house.go_bad()
        await house.closed()
    assert house.writes == [("bad", "good")]
