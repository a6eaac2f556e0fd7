"""A person's word on a closed incident: kept, counted, and the end of "needs a person"."""

from __future__ import annotations

import pytest

from tests.engine.house import House
from watchdog.model import CloseReason

pytestmark = [pytest.mark.asyncio, pytest.mark.looptime]


async def test_a_rollback_that_did_not_help_needs_a_person_until_one_has_judged_it() -> None:
    house = House()
    api = house.add()
    await house.earn()
    async with house.running() as daemon:
        await house.pass_(12)
        api.behaviour.bad["good"] = 1.0
        api.behaviour.bad["bad"] = 1.0
        api.unit.deploy("bad")
        incident = await house.closed(within=1500)
        assert incident.reason is CloseReason.NOT_RECOVERED
        row = next(row for row in house.control.status()["targets"] if row["name"] == "api")
        assert row["state"] == "needs_human"
        answer = await house.control.judge(incident.id, "wrong", "ann", "it was the database")
        assert "wrong, by ann: it was the database" in answer["sentence"]
        row = next(row for row in house.control.status()["targets"] if row["name"] == "api")
        assert row["state"] != "needs_human"
        assert house.control.status()["counters"]["judged_wrong"] == 1
        assert not daemon.responses["api"].needs_human
    kept = await house.incident()
    assert kept.reviewed == "wrong, by ann: it was the database"
    assert kept.entries[-1].kind in ("judged", "reported")
    api.behaviour.bad.clear()  # the database is mended
    async with house.running():
        await house.pass_(5)
        row = next(row for row in house.control.status()["targets"] if row["name"] == "api")
        assert row["state"] != "needs_human"
