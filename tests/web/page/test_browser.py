"""The page in a real Chromium: it lives, it says when the daemon does not, and anybody can use it.

Needs Debian's `chromium` and the dependency group `browser`; without them these tests are skipped, and fail where
WATCHDOG_TEST_REQUIRE is `all` or lists `browser`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.web.page.conftest import Door, Looked
from tests.web.page.test_page import PATHS
from watchdog.testing.control import signal_row, target_row

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Request

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(90)]


def _missing() -> str:
    if shutil.which("chromium") is None:
        return "chromium is not installed"
    try:
        import axe_playwright_python  # noqa: F401, PLC0415 - only whether they are there
        import playwright  # noqa: F401, PLC0415 - as above
    except ImportError:
        return "the dependency group `browser` is not installed"
    return ""


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    missing = _missing()
    if missing:
        required = set(re.split(r"[\s,]+", os.environ.get("WATCHDOG_TEST_REQUIRE", "")))
        (pytest.fail if required & {"all", "browser"} else pytest.skip)(missing)
    from playwright.async_api import async_playwright  # noqa: PLC0415 - only where it is there

    async with async_playwright() as driver:
        started = await driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield started
        await started.close()


def trouble(page: Page) -> list[str]:
    """Everything that the browser complains of from now on."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("requestfailed", lambda request: found.append(request.url) if _is_trouble(request) else None)
    return found


def _is_trouble(request: Request) -> bool:
    """Not the stream, and not a renewal that the person's next click has taken the page away from."""
    return "/events" not in request.url and request.failure != "net::ERR_ABORTED"


async def opened(context: BrowserContext, look: Looked, path: str = "/") -> tuple[Page, list[str]]:
    page = await context.new_page()
    found = trouble(page)
    await page.goto(look.url + path)
    await page.wait_for_selector("main")
    return page, found


def fill(look: Looked) -> None:
    """A fleet with every state, an open incident and a pause."""
    states = ("needs_human", "responding", "failing", "blind", "suspect", "paused", "inconclusive", "healthy")
    look.control.rows = [
        target_row(f"shop-{state}", state=state, signals=[signal_row("errors", progress=0.62)]) for state in states
    ]
    look.control.rows.append(target_row("bookstore-api"))
    look.control.bad_polls = {2, 3}
    look.control.add_incident("inc-1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_accessible_by_axe_in_both_colour_schemes(browser: Browser, page: Looked, scheme) -> None:
    fill(page)
    context = await browser.new_context(bypass_csp=True, color_scheme=scheme)
    for path in PATHS:
        tab, _ = await opened(context, page, path)
        await assert_accessible(tab, path)


async def test_a_person_logs_in_pauses_a_group_and_ends_it_by_keyboard_alone(browser: Browser, door: Door) -> None:
    context = await browser.new_context(bypass_csp=True)
    tab, found = await opened(context, door, "/login")
    await tab.keyboard.press("Tab")  # the skip link
    await tab.focus("#token")
    await tab.keyboard.type(door.tokens["ann"])
    await tab.keyboard.press("Enter")
    await tab.wait_for_selector("form.out")
    await tab.goto(door.url + "/pauses")
    await assert_accessible(tab, "/pauses")
    await tab.select_option("select[name=scope]", "group/bookstore")
    await tab.focus("form[action='/pauses'] input[name=why]")
    await tab.keyboard.type("database maintenance")
    await tab.keyboard.press("Enter")
    await tab.wait_for_selector(".said:has-text('group/bookstore is paused until')")
    await tab.evaluate("document.querySelector('main').dataset.first = 'yes'")
    await tab.wait_for_selector("main:not([data-first])")  # the page has renewed itself
    assert await tab.is_visible(".said:has-text('group/bookstore is paused until')")
    await tab.focus("form[action='/pauses/p1/end'] button")
    await tab.keyboard.press("Enter")
    await tab.wait_for_selector(".said:has-text('1 pause ended')")
    assert found == []


async def assert_accessible(tab: Page, path: str) -> None:
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 - only where it is there

    rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
    results = await Axe().run(tab, options={"runOnly": rules})
    assert results.violations_count == 0, f"{path}: {results.generate_report()}"


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (640, 400), (360, 740)])
async def test_no_page_scrolls_sideways_on_a_phone_or_at_200_percent_zoom(
    browser: Browser, page: Looked, width: int, height: int
) -> None:
    fill(page)
    context = await browser.new_context(viewport={"width": width, "height": height})
    for path in PATHS:
        tab, found = await opened(context, page, path)
        wide = await tab.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, path
        assert found == [], path


async def test_a_change_of_state_appears_by_itself_and_keeps_place_and_focus(browser: Browser, page: Looked) -> None:
    fill(page)
    tab, found = await opened(await browser.new_context(), page)
    link = tab.locator("a[href='/targets/shop-healthy']")
    await link.focus()
    page.control.rows[7] |= {"state": "failing", "sentence": "errors 31 % of 480"}
    page.control.headline = "PAUSED by ann until 2026-01-01T12:00Z (maintenance)"
    await tab.wait_for_selector("tr.failing:has-text('errors 31 % of 480')", timeout=8000)
    assert "PAUSED by ann" in (await tab.text_content("header .headline") or "")
    assert await tab.evaluate("document.activeElement.getAttribute('href')") == "/targets/shop-healthy"
    assert found == []


async def test_when_the_daemon_is_gone_the_header_turns_grey_and_says_so(browser: Browser, page: Looked) -> None:
    tab, _ = await opened(await browser.new_context(), page)
    await page.faces.stop()
    await tab.wait_for_selector("header.stale", timeout=15000)
    said = await tab.text_content("header .headline") or ""
    assert said.startswith("STALE: no news from the daemon for")
    assert "it was: ARMED" in said


async def test_when_the_engine_stands_still_the_header_says_so(browser: Browser, page: Looked) -> None:
    tab, _ = await opened(await browser.new_context(), page)
    page.control.loops = [{"name": "engine", "last_s": 61.0, "limit_s": 60.0, "state": "running"}]
    await tab.wait_for_selector("header.stale", timeout=8000)
    assert "the engine has not moved for 61 s" in (await tab.text_content("header .headline") or "")


async def test_everything_is_reached_by_keyboard_from_the_skip_link_on(browser: Browser, page: Looked) -> None:
    fill(page)
    tab, _ = await opened(await browser.new_context(), page)
    reached = []
    for _ in range(60):
        await tab.keyboard.press("Tab")
        reached.append(await tab.evaluate("document.activeElement.id || document.activeElement.getAttribute('href')"))
    assert reached[0] == "#main"
    links = await tab.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    assert set(links) | {"q", "group"} <= {str(entry) for entry in reached}


async def test_search_and_filter_stand_in_the_address_and_work_without_scripts(browser: Browser, page: Looked) -> None:
    fill(page)
    tab, _ = await opened(await browser.new_context(java_script_enabled=False), page)
    await tab.fill("#q", "shop-fail")
    await tab.press("#q", "Enter")
    assert "q=shop-fail" in tab.url
    assert await tab.locator("tbody tr").count() == 1
    await tab.click("ul.counts a.failing")
    assert "state=failing" in tab.url
    assert await tab.locator("noscript").count() == 1


async def test_a_thousand_targets_are_a_page_of_a_hundred_that_lives(browser: Browser, page: Looked) -> None:
    page.control.rows = [target_row(f"t{number:04}") for number in range(1000)]
    tab, found = await opened(await browser.new_context(), page)
    assert await tab.locator("tbody tr").count() == 100
    page.control.rows[999]["state"] = "failing"
    await tab.wait_for_selector("tbody tr:first-child:has-text('t0999')", timeout=8000)
    before = await tab.evaluate("document.getElementsByTagName('*').length")
    await tab.wait_for_timeout(6500)
    assert await tab.evaluate("document.getElementsByTagName('*').length") == before
    assert found == []
