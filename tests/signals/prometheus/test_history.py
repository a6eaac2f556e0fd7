"""The hour before, from the source: whole, or not at all."""

from __future__ import annotations

import pytest

from tests.signals.prometheus.world import world
from watchdog.model import instant
from watchdog.ports import Unavailable
from watchdog.signals.prometheus import Expression, Limit, Ratio

pytestmark = pytest.mark.asyncio


def matrix(*points):
    return {"resultType": "matrix", "result": [{"metric": {}, "values": [[at, str(value)] for at, value in points]}]}


NOTHING = {"resultType": "matrix", "result": []}


async def test_each_minute_is_a_sample_of_the_whole_service():
    async with world() as shop:
        shop.server.answers = {
            "sum(increase(a[60s]))": matrix((60, 100.2), (120, 50)),
            "sum(increase(b[60s]))": matrix((120, 5)),
        }
        found = await shop.signal(Ratio("b", "a")).minutes(instant(0), instant(130))
        assert [(one.start, one.end, one.reading.good, one.reading.bad) for one in found] == [
            (0, 60, 100, 0),
            (60, 120, 45, 5),
        ]
        assert all(one.release is None and one.instance is None for one in found)


async def test_slow_scrapes_are_spread_over_their_minutes_and_good_counters_give_the_rest():
    async with world(scrape_s=30.0) as shop:
        shop.server.answers = {
            "sum(increase(a[120s]))": matrix((120, 100)),
            "sum(increase(g[120s]))": matrix((120, 90)),
        }
        found = await shop.signal(Ratio("g", "a", good=True)).minutes(instant(0), instant(130))
        assert [(one.end, one.reading.good, one.reading.bad) for one in found] == [(60, 45, 5), (120, 45, 5)]


async def test_a_minute_that_is_no_number_is_left_out_and_expressions_are_asked_a_minute_wide():
    async with world() as shop:
        shop.server.answers = {
            "sum(increase(a[60s]))": matrix((60, "NaN"), (120, 50)),
            "sum(increase(b[60s]))": NOTHING,
        }
        question = Expression("sum(increase(b[$interval]))", "sum(increase(a[$interval]))")
        found = await shop.signal(question).minutes(instant(0), instant(130))
        assert [(one.end, one.reading.good) for one in found] == [(120, 50)]


@pytest.mark.parametrize("trouble", ["empty", "two series", "down"])
async def test_half_a_history_is_none(trouble):
    async with world() as shop:
        two = {"resultType": "matrix", "result": [{"metric": {"x": x}, "values": [[60, "1"]]} for x in "ab"]}
        shop.server.answers = {
            "sum(increase(a[60s]))": two if trouble == "two series" else NOTHING,
            "sum(increase(b[60s]))": NOTHING,
        }
        if trouble == "down":
            shop.server.answer(503, "{}")
        with pytest.raises(Unavailable):
            await shop.signal(Ratio("b", "a")).minutes(instant(0), instant(130))


async def test_values_have_no_history_and_no_time_has_none():
    async with world() as shop:
        assert await shop.signal(Limit("x", above=1)).minutes(instant(0), instant(130)) == ()
        assert await shop.signal(Ratio("b", "a")).minutes(instant(0), instant(30)) == []
