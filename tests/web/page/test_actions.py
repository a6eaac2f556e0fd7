"""Orders on the page: only for who has logged in, only from our own forms, only what the token may."""

from __future__ import annotations

import aiohttp
import pytest
import yaml

from tests.web.page.conftest import Door, Looked
from watchdog.model import Pause, PauseRegister, instant
from watchdog.web.failures import FAILURES
from watchdog.web.page.actions import ROUTES
from watchdog.web.page.application import RENEWING
from watchdog.web.page.sessions import COOKIE

pytestmark = pytest.mark.asyncio

ORDERS = [path for path, _, scope in ROUTES if scope]


def filled(path: str) -> str:
    return path.format(pause="p1", incident="inc-1")


async def test_p19_without_tokens_no_route_orders_anything_and_nobody_can_log_in(page: Looked) -> None:
    for path, _, _ in ROUTES:
        async with page.session.post(page.url + filled(path)) as reply:
            assert reply.status in (404, 405), path
    assert "Log in" not in await page.get("/")


async def test_who_has_not_logged_in_orders_nothing(door: Door) -> None:
    for path in ORDERS:
        status, text = await door.post(filled(path), why="x", scope="all", **{"for": "1 h"})
        assert (status, "Log in first" in text) == (401, True), path
    assert door.did() == []


async def test_a_pause_is_made_under_the_name_of_the_token_and_told_on_the_next_page(door: Door) -> None:
    mark = await door.log_in("ann")
    form = {"csrf": mark, "scope": "group/bookstore", "for": "2 h", "why": "database  maintenance"}
    status, text = await door.post("/pauses", **form)
    assert status == 200
    assert "group/bookstore is paused until" in text
    (order,) = [order for name, order in door.control.calls if name == "pause"]
    assert (order["who"], order["why"], order["scope"]) == ("ann", "database maintenance", "group/bookstore")
    assert round(order["until"] - door.clock.now()) == 7200
    assert "is paused until" not in (await door.get("/pauses")).split("Pause something")[0].split("</header>")[1]
    status, _ = await door.post("/pauses/p1/end", csrf=mark)
    assert (status, door.did()) == (200, ["pause", "resume"])


async def test_the_page_renewing_itself_does_not_take_the_answer_away_from_the_person(door: Door) -> None:
    mark = await door.log_in("ann")
    form = {"csrf": mark, "scope": "group/bookstore", "for": "2 h", "why": "database maintenance"}
    async with door.session.post(door.url + "/pauses", data=form, allow_redirects=False) as reply:
        assert reply.status == 303
    async with door.session.get(door.url + "/pauses", headers={RENEWING: "1"}) as reply:
        assert 'class="said"' not in await reply.text()
    assert 'class="said"' in await door.get("/pauses")
    assert 'class="said"' not in await door.get("/pauses")


async def test_a_pause_that_is_an_object_says_where_it_ends_and_has_no_button(door: Door) -> None:
    now = door.control.now()
    asked = Pause(
        id="object-maintenance", scope="all", who="ann", why="x", since=now, until=instant(now + 600), applied_at=now
    )
    door.control._register = PauseRegister(pauses=(asked,))
    await door.log_in("ann")
    page = await door.get("/pauses")
    assert "kubectl get pauses" in page
    assert "/pauses/object-maintenance/end" not in page
    assert "watchdog resume object-maintenance" not in page


async def test_an_incident_is_approved_or_cancelled_with_a_reason(door: Door) -> None:
    mark = await door.log_in("ann")
    assert "Approve…" in await door.get("/incidents/inc-1")
    assert (await door.post("/incidents/inc-1/approve", csrf=mark, why=""))[0] == 403
    assert (await door.post("/incidents/inc-1/approve", csrf=mark, why="looked at it"))[0] == 200
    assert (await door.post("/incidents/inc-1/cancel", csrf=mark, why="no"))[0] == 200
    assert (await door.post("/stop", csrf=mark, why="everything burns"))[0] == 200
    assert door.did()[:3] == ["approve", "cancel", "stop"]


@pytest.mark.parametrize(
    ("headers", "mark", "why"),
    [
        ({}, "", "no mark"),
        ({}, "guess", "a wrong mark"),
        ({"Origin": "https://evil.example"}, None, "another origin"),
        ({"Sec-Fetch-Site": "cross-site"}, None, "another site"),
    ],
)
async def test_a_form_of_another_site_orders_nothing(door: Door, headers, mark: str | None, why: str) -> None:
    real = await door.log_in("ann")
    for path in ORDERS:
        form = {"csrf": real if mark is None else mark, "scope": "all", "for": "1 h", "why": why}
        assert (await door.post(filled(path), headers, **form))[0] == 403, path
    assert door.did() == []


async def test_a_token_that_may_only_read_gets_no_forms_and_orders_nothing(door: Door) -> None:
    await door.log_in("eve")
    assert "csrf" not in await door.get("/pauses") + await door.get("/incidents/inc-1")
    for path in ORDERS:
        assert (await door.post(filled(path), csrf="x", scope="all", why="x", **{"for": "1 h"}))[0] == 403
    assert door.did() == []


async def test_a_token_for_one_target_orders_for_no_other(door: Door) -> None:
    mark = await door.log_in("team")
    pause = {"csrf": mark, "for": "1 h", "why": "x"}
    assert (await door.post("/pauses", scope="target/bookstore-web", **pause))[0] == 200
    for scope in ("target/bookstore-api", "group/bookstore", "all"):
        assert (await door.post("/pauses", scope=scope, **pause))[0] == 403, scope
    assert (await door.post("/incidents/inc-1/approve", csrf=mark, why="x"))[0] == 403
    assert (await door.post("/stop", csrf=mark, why="x"))[0] == 403
    assert door.did() == ["pause"]


async def test_a_session_ends_with_its_token_and_by_logging_out(door: Door) -> None:
    mark = await door.log_in("ann")
    await door.post("/logout")
    assert (await door.post("/stop", csrf=mark, why="x"))[0] == 401
    mark = await door.log_in("ann")
    left = [entry for entry in yaml.safe_load(door.file.read_text()) if entry["name"] != "ann"]
    door.file.write_text(yaml.safe_dump(left))
    assert (await door.post("/stop", csrf=mark, why="x"))[0] == 401


async def test_guessing_tokens_is_limited(door: Door) -> None:
    for _ in range(FAILURES):
        assert (await door.post("/login", token="wd_ann_guess"))[0] == 401
    assert (await door.post("/login", token=door.tokens["ann"]))[0] == 429


async def test_the_cookie_is_kept_from_scripts_and_other_sites(door: Door) -> None:
    async with door.session.post(
        door.url + "/login", data={"token": door.tokens["ann"]}, allow_redirects=False
    ) as reply:
        said = reply.headers["Set-Cookie"]
    assert said.startswith(COOKIE)
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in said.split(";")}
    headers = {"X-Forwarded-Proto": "https"}
    async with door.session.post(
        door.url + "/login", data={"token": door.tokens["ann"]}, allow_redirects=False, headers=headers
    ) as reply:
        assert "Secure" in reply.headers["Set-Cookie"]


@pytest.mark.parametrize("door", [True], indirect=True)
async def test_where_reads_are_closed_nothing_is_shown_before_log_in(door: Door) -> None:
    for path in ("/", "/targets/bookstore-api", "/incidents", "/pauses", "/daemon", "/events"):
        text = await door.get(path)
        assert "bookstore" not in text
        assert 'name="token"' in text, path
    await door.log_in("eve")
    assert "bookstore-api" in await door.get("/")


async def test_one_persons_page_is_not_shown_to_another(door: Door) -> None:
    await door.log_in("ann")
    mine = await door.get("/pauses")
    async with aiohttp.ClientSession() as stranger, stranger.get(door.url + "/pauses") as reply:
        theirs = await reply.text()
    assert "csrf" in mine
    assert "csrf" not in theirs
