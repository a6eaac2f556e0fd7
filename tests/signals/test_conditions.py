"""What a page that answers 200 must also say."""

from __future__ import annotations

import json
import time

import pytest
import pytest_asyncio

from watchdog.clients.http import HttpClient
from watchdog.model import Counts, Unknown
from watchdog.ports import PollContext
from watchdog.signals.conditions import Unseen, objection
from watchdog.signals.http import HttpCheck, HttpSignal
from watchdog.testing.clock import WorldClock
from watchdog.testing.servers import FaultServer

BOOKS = json.dumps([{"title": "canary-4d2a", "price": 3}]).encode()


@pytest.mark.parametrize(
    "expression", ["length(@) > `0`", "[0].price == `3`", "[?price > `2`]", "@", "`0`", "[0].title"]
)
def test_what_is_true_is_no_objection(expression):
    assert objection(BOOKS, whole=True, expression=expression) == ""


@pytest.mark.parametrize(
    ("body", "expression", "found"),
    [
        (b"[]", "length(@) > `0`", "found false"),
        (b"[]", "@", "found an empty one"),
        (b"{}", "status", "found null"),
        (b'{"status": ""}', "status", "found an empty one"),
        (b'{"ok": false}', "ok", "found false"),
        (b"<html>", "ok", "found no JSON"),
        (b"", "ok", "found no JSON"),
        (b"3", "length(@) > `0`", "another type"),
    ],
)
def test_what_is_not_true_is_told_with_what_was_expected_and_found(body, expression, found):
    said = objection(body, whole=True, expression=expression)
    assert expression in said or "JSON" in said
    assert found in said


def test_nothing_of_the_body_is_shown():
    assert "canary" not in objection(BOOKS, whole=True, expression="[0].title == 'x'")
    assert "canary" not in objection(BOOKS, whole=True, pattern="never there")


def test_a_pattern_is_looked_for_anywhere_and_stops_at_its_time():
    assert objection(b"all is well today", whole=True, pattern=r"\bwell\b") == ""
    assert objection(b"maintenance", whole=True, pattern=r"\bwell\b") == r"expected the body to match \bwell\b"
    began = time.monotonic()
    with pytest.raises(Unseen, match="took longer"):
        objection(b"a" * 60_000, whole=True, pattern=r"(a|aa)+$b")
    assert time.monotonic() - began < 2.0


def test_a_body_that_was_cut_is_unknown():
    with pytest.raises(Unseen, match="larger than 64 KiB"):
        objection(b"[", whole=False, expression="@")


@pytest_asyncio.fixture
async def asked():
    clock = WorldClock()
    client = HttpClient(clock)
    async with FaultServer() as server:

        async def ask(path, **check):
            signal = HttpSignal("health", HttpCheck(url=server.url(path), **check), client, clock)
            (sample,) = await signal.poll(PollContext())
            return sample

        yield ask
        await client.close()


@pytest.mark.asyncio
async def test_a_check_with_conditions_is_good_bad_or_unknown(asked):
    good = await asked("ok", body_pattern="ok")
    assert good.reading == Counts(good=1, bad=0)
    bad = await asked("ok", json_condition="@")
    assert bad.reading == Counts(good=0, bad=1)
    assert "200 in" in bad.detail and "found no JSON" in bad.detail
    large = await asked("huge", body_pattern="x")
    assert isinstance(large.reading, Unknown)
