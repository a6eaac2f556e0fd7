"""What every channel must do, run on standard output and on the fake; and what standard output may suffer."""

from __future__ import annotations

import asyncio
import io
import json
import os

import pytest
import pytest_asyncio

from watchdog.channels import StdoutChannel
from watchdog.channels.message import Place
from watchdog.channels.pagerduty import PagerDutyChannel
from watchdog.channels.slack import SlackAppChannel, SlackWebhookChannel
from watchdog.channels.teams import TeamsChannel
from watchdog.channels.webhook import WebhookChannel
from watchdog.clients.post import Poster
from watchdog.model import Incident, Instant, Mode, Notice, Release, Stage
from watchdog.ports import DeliveryFailed
from watchdog.testing.channels import RecordingChannel
from watchdog.testing.clock import WorldClock
from watchdog.testing.services import FakeServices

NOON = Instant(1_767_268_800.0)

NOTICE = Notice(
    key="books-1/rolled_back",
    kind="rolled_back",
    headline="Rolled back books-api",
    body="errors: 30 % for 65 s\nnow on books:1",
    severity="page",
    owed_at=NOON,
)
INCIDENT = Incident(
    id="books-api-12ab",
    units=(),
    target="books-api",
    group="bookstore",
    blamed=Release(fingerprint="f2"),
    stage=Stage.OPENED,
    mode=Mode.ENFORCE,
    opened_at=NOON,
    updated_at=NOON,
)


SERVICES = ["webhook", "slack", "slack app", "teams", "pagerduty"]


def service_channel(kind, services, poster):
    """A channel to one of the services of the fake."""
    url, place = services.url, Place()
    makes = {
        "webhook": lambda: WebhookChannel("team", f"{url}/hook", poster, WorldClock(), place),
        "slack": lambda: SlackWebhookChannel("team", f"{url}/slack", poster, place),
        "slack app": lambda: SlackAppChannel("team", "xoxb-good", "C1", poster, place, url=f"{url}/api"),
        "teams": lambda: TeamsChannel("team", f"{url}/teams", poster, place),
        "pagerduty": lambda: PagerDutyChannel("team", "key", poster, place, url=url),
    }
    made = makes[kind]()
    made.services = services
    return made


@pytest_asyncio.fixture(params=["stdout", "json", "recording", *SERVICES])
async def channel(request):
    if request.param in SERVICES:
        async with FakeServices() as services:
            poster = Poster()
            made = service_channel(request.param, services, poster)
            yield made
            await made.close()
            await poster.close()
        return
    if request.param == "recording":
        made = RecordingChannel("team")
    else:
        made = StdoutChannel(io.StringIO(), name="team", json_lines=request.param == "json")
    yield made
    await made.close()


def delivered(channel) -> str:
    if isinstance(channel, RecordingChannel):
        return "\n".join(notice.headline for notice, _ in channel.delivered)
    if isinstance(channel, StdoutChannel):
        return channel._stream.getvalue()
    return "\n".join(got.body.decode() for got in channel.services.got)


@pytest.mark.asyncio
async def test_a_channel_has_the_name_that_the_configuration_gave_it(channel):
    assert channel.name == "team"


@pytest.mark.asyncio
@pytest.mark.parametrize("incident", [INCIDENT, None])
async def test_a_notice_is_delivered_with_and_without_an_incident(channel, incident):
    await channel.deliver(NOTICE, incident)
    assert "Rolled back books-api" in delivered(channel)


@pytest.mark.asyncio
async def test_a_closed_channel_refuses_for_good_and_closing_twice_is_harmless(channel):
    await channel.close()
    with pytest.raises(DeliveryFailed) as caught:
        await channel.deliver(NOTICE, None)
    assert caught.value.permanent
    assert delivered(channel) == ""
    await channel.close()


# -- standard output -------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_people_get_one_clear_line_and_the_body_below_it():
    stream = io.StringIO()
    channel = StdoutChannel(stream)
    await channel.deliver(NOTICE, INCIDENT)
    await channel.close()
    assert stream.getvalue() == (
        "2026-01-01T12:00:00.000000Z PAGE books-api [books-api-12ab]: Rolled back books-api\n"
        "  errors: 30 % for 65 s\n"
        "  now on books:1\n"
    )
    assert not stream.closed, "the stream stays its owner's"


@pytest.mark.asyncio
async def test_machines_get_one_json_object_a_line():
    stream = io.StringIO()
    channel = StdoutChannel(stream, json_lines=True)
    await channel.deliver(NOTICE, INCIDENT)
    await channel.deliver(NOTICE, None)
    await channel.close()
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first == {
        "at": "2026-01-01T12:00:00.000000Z",
        "notice": "books-1/rolled_back",
        "kind": "rolled_back",
        "severity": "page",
        "headline": "Rolled back books-api",
        "body": "errors: 30 % for 65 s\nnow on books:1",
        "incident": "books-api-12ab",
        "target": "books-api",
    }
    assert (second["incident"], second["target"]) == (None, None)


@pytest.mark.asyncio
@pytest.mark.parametrize("json_lines", [False, True])
async def test_foreign_text_can_neither_move_the_cursor_nor_forge_a_line(json_lines):
    stream = io.StringIO()
    channel = StdoutChannel(stream, json_lines=json_lines)
    evil = Notice(
        key="k", kind="k", headline="a\n2026 PAGE forged: \x1b[2J\x07", body="x\r\x9by\x1b]0;t\x07", severity="info", owed_at=NOON
    )  # fmt: skip
    await channel.deliver(evil, None)
    await channel.close()
    text = stream.getvalue()
    assert len(text.splitlines()) == (1 if json_lines else 3), "the carriage return only ends a line of the body"
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert not any(line.startswith("2026 PAGE forged") for line in text.splitlines())


@pytest.mark.asyncio
async def test_a_reader_that_is_gone_is_a_failed_delivery():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        channel = StdoutChannel(stream)
        with pytest.raises(DeliveryFailed, match="cannot be written"):
            await channel.deliver(NOTICE, None)
        await channel.close()
        with pytest.raises(BrokenPipeError):
            stream.close()


@pytest.mark.asyncio
async def test_a_stream_that_was_closed_is_a_failed_delivery():
    stream = io.StringIO()
    stream.close()
    channel = StdoutChannel(stream)
    with pytest.raises(DeliveryFailed, match="cannot be written"):
        await channel.deliver(NOTICE, None)
    await channel.close()


@pytest.mark.asyncio
async def test_a_reader_that_does_not_read_costs_deliveries_and_never_the_loop():
    reading, writing = os.pipe()
    large = Notice(key="k", kind="k", headline="h", body="x" * 200_000, severity="info", owed_at=NOON)
    stream = os.fdopen(writing, "w", encoding="utf-8")
    channel = StdoutChannel(stream)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await channel.deliver(large, None)
        with pytest.raises(DeliveryFailed, match="does not read") as caught:
            async with asyncio.timeout(0.05):
                await channel.deliver(NOTICE, None)
        assert not caught.value.permanent
        left = 200_000
        while left > 0:
            left -= len(os.read(reading, 65_536))
        while not channel._writing.done():
            await asyncio.sleep(0.005)
        await channel.deliver(NOTICE, None)
        assert b"Rolled back books-api" in os.read(reading, 65_536)
    finally:
        os.close(reading)  # also frees the thread when the test fails
        await channel.close()
    stream.close()


# -- the fake --------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.looptime
async def test_the_fake_fails_refuses_or_hangs_when_told_to():
    channel = RecordingChannel()
    channel.failures, channel.retry_after = 1, 30.0
    with pytest.raises(DeliveryFailed) as caught:
        await channel.deliver(NOTICE, INCIDENT)
    assert (caught.value.retry_after, caught.value.permanent) == (30.0, False)
    channel.hang = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await channel.deliver(NOTICE, INCIDENT)
    channel.hang = False
    channel.permanent = True
    with pytest.raises(DeliveryFailed) as caught:
        await channel.deliver(NOTICE, INCIDENT)
    assert caught.value.permanent
    channel.permanent = False
    await channel.deliver(NOTICE, INCIDENT)
    assert channel.keys == ["books-1/rolled_back"]
    assert channel.delivered == [(NOTICE, INCIDENT)]
    assert len(channel.attempts) == 4
