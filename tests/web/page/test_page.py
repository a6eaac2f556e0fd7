"""The page over HTTP: what it says, that it only reads, that nothing of outside origin becomes markup."""

from __future__ import annotations

import asyncio
import json
import re
from html.parser import HTMLParser

import aiohttp
import pytest

from tests.web.page.conftest import Looked
from watchdog.model import instant, iso
from watchdog.ports import ControlRefused
from watchdog.testing.control import signal_row, target_row
from watchdog.web.page.application import HEADERS, ROUTES
from watchdog.web.page.feed import MOST_CLIENTS

pytestmark = pytest.mark.asyncio

PATHS = ("/", "/targets/bookstore-api", "/incidents", "/incidents/inc-1", "/pauses", "/daemon")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "</title></style><svg/onload=alert(1)>",
    "\x00\u202etxt.exe",
    "&lt;b&gt;",
)


class Seen(HTMLParser):
    """Elements and attributes that a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.handlers: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.handlers.append(name)
            if name in ("href", "src", "action"):
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


async def test_the_headline_stands_in_words_on_every_page(page: Looked) -> None:
    page.control.headline = "PAUSED by ann until 2026-01-01T12:00Z (database maintenance)"
    page.control.add_incident("inc-1")
    for path in PATHS:
        assert "PAUSED by ann until 2026-01-01T12:00Z (database maintenance)" in await page.get(path), path


async def test_the_header_says_when_the_engine_has_looked_last(page: Looked) -> None:
    page.control.loops = [{"name": "engine", "last_s": 90.0, "limit_s": 60.0, "state": "late"}]
    now = page.clock.now()
    text = " ".join(Seen(await page.get("/daemon")).text)
    assert "last evaluated" in text
    assert iso(instant(now - 90.0))[:16].replace("T", " ") in text


async def test_the_overview_says_state_reason_release_and_good_of_each_target(page: Looked) -> None:
    page.control.rows[0] |= {"state": "failing", "sentence": "errors 31 % of 480", "release": "revision 8"}
    text = " ".join(Seen(await page.get("/")).text)
    for word in ("bookstore-api", "failing", "errors 31 % of 480", "revision 8", "revision 7 (bookstore:1.7)"):
        assert word in text


async def test_a_target_shows_signals_checks_with_their_sentences_road_back_and_releases(page: Looked) -> None:
    page.control.bad_polls = {3}
    text = " ".join(Seen(await page.get("/targets/bookstore-api")).text)
    for word in (
        "6 more bad of 12",
        "the target is healthy",
        "revision 6 would come back by one patch",
        "GET /health: 500",
    ):
        assert word in text


async def test_an_incident_shows_its_timeline_and_what_may_be_typed_now(page: Looked) -> None:
    page.control.add_incident("inc-1", stage="asked")
    text = " ".join(Seen(await page.get("/incidents/inc-1")).text)
    for word in ("30 % errors", "watchdog approve inc-1", "watchdog cancel inc-1"):
        assert word in text


async def test_what_is_not_there_is_a_page_with_the_next_command(page: Looked) -> None:
    text = await page.get("/targets/nobody", status=404)
    assert "nobody" in text
    assert "watchdog status" in text
    page.control.refusals["pauses"] = ControlRefused(
        "the store is away", code="unavailable", next_command="watchdog doctor"
    )
    assert "watchdog doctor" in await page.get("/pauses", status=503)


async def test_every_route_only_reads(page: Looked) -> None:
    page.control.add_incident("inc-1")
    for path, _ in ROUTES:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            url = page.url + path.format(target="bookstore-api", incident="inc-1", name="page.css")
            async with page.session.request(method, url) as reply:
                assert reply.status == 405, (method, path)
                assert reply.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    for path in PATHS:
        await page.get(path)
    orders = {"pause", "resume", "stop", "arm", "rollback", "approve", "cancel", "history_edit", "reload", "check"}
    assert not orders & {name for name, _ in page.control.calls}


@pytest.mark.parametrize("word", HOSTILE)
async def test_no_text_of_outside_origin_becomes_markup(page: Looked, word: str) -> None:
    signals = [signal_row(word, sentence=word, missing=word)]
    page.control.rows = [
        target_row("bookstore-api", sentence=word, release=word, good=word, group=word, signals=signals)
    ]
    page.control.headline = word
    page.control.outbox |= {"last_error": word}
    page.control.missing = [word]
    page.control.add_incident("inc-1").update(headline=word, blamed=word)
    plain = Seen(await page.get("/daemon")).elements.count("script")
    for path in PATHS:
        seen = Seen(await page.get(path))
        assert seen.elements.count("script") == plain, path
        assert not {"img", "iframe", "style"} & set(seen.elements), path
        assert seen.handlers == [], path
        assert all(link.startswith(("/", "?", "#")) for link in seen.links), path


async def test_nothing_comes_from_elsewhere(page: Looked) -> None:
    text = await page.get("/")
    assert re.findall(r"https?://[^\"' ]+", text) == []
    for name in ("page.css", "page.js", "mark.svg"):
        async with page.session.get(f"{page.url}/assets/{name}") as reply:
            body = await reply.text()
            assert "immutable" in reply.headers["Cache-Control"]
        assert re.findall(r"https?://(?!www\.w3\.org)", body) == []
    await page.get("/assets/..%2Frendering.py", status=404)


async def test_an_unchanged_page_is_not_sent_again(page: Looked) -> None:
    async with page.session.get(page.url + "/daemon") as first:
        etag = first.headers["ETag"]
    async with page.session.get(page.url + "/daemon", headers={"If-None-Match": etag}) as second:
        assert (second.status, await second.read()) == (304, b"")


async def test_however_many_look_a_page_is_made_at_most_once_a_second(page: Looked) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(40):
            group.create_task(page.get("/targets/bookstore-api"))
    assert sum(name == "describe" for name, _ in page.control.calls) <= 2


async def test_a_question_that_hangs_is_a_page_that_says_so(page: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchdog.web.page.application.QUESTION_S", 0.1)
    page.control.held["describe"] = asyncio.Event()
    assert "unknown now" in await page.get("/targets/bookstore-api", status=504)


async def events(page: Looked, many: int, last: str = "") -> list[tuple[int, dict[str, object]]]:
    found: list[tuple[int, dict[str, object]]] = []
    headers = {"Last-Event-ID": last} if last else {}
    async with page.session.get(page.url + "/events", headers=headers) as reply:
        assert reply.content_type == "text/event-stream"
        number = 0
        async for raw in reply.content:
            line = raw.decode().strip()
            if line.startswith("id:"):
                number = int(line[3:])
            if line.startswith("data:"):
                found.append((number, json.loads(line[5:])))
            if len(found) == many:
                break
    return found


async def test_the_stream_tells_once_a_second_whether_something_moved(page: Looked) -> None:
    first, second = await events(page, 2)
    assert second[0] == first[0] + 1
    assert first[1]["mark"] == second[1]["mark"]
    page.control.rows[0]["state"] = "failing"
    (third,) = await events(page, 1, last=str(second[0]))
    assert third[0] > second[0]
    assert third[1]["mark"] != first[1]["mark"]


async def test_clients_that_take_nothing_cost_the_others_nothing_and_too_many_are_refused(
    page: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchdog.web.page.feed.MOST_CLIENTS", 3)
    assert MOST_CLIENTS > 3
    stuck = [await page.session.get(page.url + "/events") for _ in range(2)]
    try:
        assert len(await events(page, 2)) == 2
        third = await page.session.get(page.url + "/events")
        async with page.session.get(page.url + "/events") as refused:
            assert refused.status == 503
        third.close()
    finally:
        for reply in stuck:
            reply.close()


async def test_a_daemon_without_a_page_opens_no_port_for_one(served) -> None:
    assert served.faces.page_port == 0
    with pytest.raises(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session:
            await session.get("http://127.0.0.1:0/")


async def test_when_it_is_not_known_whether_the_engine_moves_nobody_is_told_that_it_does(page: Looked) -> None:
    page.control.loops = []
    assert "last evaluated unknown" in " ".join(" ".join(Seen(await page.get("/daemon")).text).split())
    ((_, news),) = await events(page, 1)
    assert news["engine_s"] is None
