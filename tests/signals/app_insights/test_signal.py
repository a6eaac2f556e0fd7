"""What Application Insights says, when, and whose it is - by Azure's real client, against a server that evaluates the queries."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.signals.app_insights.world import counts, reason, world
from watchdog.clients.azure import AzureLogs, Login, Place
from watchdog.model import Unknown, instant
from watchdog.ports import PollContext, Unavailable
from watchdog.signals.app_insights import AppInsightsSignal, Question, Workspace
from watchdog.signals.app_insights.kql import CLASSIC, WORKSPACE, quoted, requests
from watchdog.testing.clock import WorldClock
from watchdog.testing.log_analytics import FakeLogAnalytics, Request

pytestmark = pytest.mark.asyncio


async def test_each_minute_is_given_out_once_when_it_is_old_enough_and_two_reads_agree(monkeypatch):
    async with world(monkeypatch) as shop:
        signal = shop.signal()
        assert await signal.poll(shop.context) == []
        samples = await shop.polled(signal, times=12)
        ends = [one.end for one in samples]
        assert ends == sorted(set(ends)) and len(ends) >= 10
        assert all(one.end - one.start == 60.0 and one.reading.events == 10 for one in samples)
        assert all(shop.clock.now() - one.end >= 120.0 for one in samples)


async def test_failures_are_server_errors_and_no_answer_and_never_a_scanners_404(monkeypatch):
    async with world(monkeypatch) as shop:
        signal = shop.signal()
        samples = await shop.polled(signal)
        for code in ("404", "503", "", "0", "200"):
            samples += await shop.polled(signal, times=3, code=code)
        samples += await shop.polled(signal, times=8)
        assert counts(samples)[(None, None)][1] == 3 * 3 * 10


async def test_a_bad_minute_is_bad_and_weighted_by_the_sampling(monkeypatch):
    async with world(monkeypatch) as shop:
        signal = shop.signal()
        await shop.polled(signal)
        bad = [Request(at=shop.clock.now() + 10, arrived=shop.clock.now() + 50, code="500", weight=7)]
        shop.server.rows += bad
        found = counts(await shop.polled(signal, times=8))
        events, failed = found[(None, None)]
        assert failed == 7
        assert events % 10 == 7


async def test_slow_requests_are_counted_for_each_limit_of_each_target(monkeypatch):
    async with world(monkeypatch) as shop:
        quick, slow = shop.signal(Question("api", 800.0), "quick"), shop.signal(Question("api", 2000.0), "slow")
        for signal in (quick, slow):
            await shop.polled(signal, times=3)
        one, other = [], []
        for _ in range(6):
            shop.report(ms=1000.0)
            one += await quick.poll(shop.context)
            other += await slow.poll(shop.context)
        assert counts(one)[(None, None)][1] > 0
        assert counts(other)[(None, None)][1] == 0


async def test_instances_that_are_known_tell_releases_apart_and_else_versions_do(monkeypatch):
    async with world(monkeypatch) as shop:
        signal = shop.signal()
        await shop.polled(signal)
        for _ in range(6):
            shop.report(instance="api-1-a")
            shop.report(instance="api-2-b", code="500")
            await signal.poll(shop.context)
        found = counts(await shop.polled(signal, times=4, instance="api-1-a"))
        assert found[("api-2-b", "bad")][1] == found[("api-2-b", "bad")][0] > 0
        assert found[("api-1-a", "good")][1] == 0
        await shop.polled(signal, times=5, version="1.9.0", instance="gone")
        by_version = counts(await shop.polled(signal, times=5, version="1.8.0"))
        assert set(by_version) <= {(None, shop.state.release.fingerprint), (None, "version 1.8.0")}


async def test_late_rows_are_waited_for_and_change_no_minute_that_was_given_out(monkeypatch):
    async with world(monkeypatch) as shop:
        signal = shop.signal()
        await shop.polled(signal, times=10, late=200.0)
        samples = await shop.polled(signal, times=10, late=200.0)
        assert samples
        assert all(one.reading.events == 10 for one in samples)


async def test_no_rows_of_the_role_while_others_report_is_no_traffic(monkeypatch):
    async with world(monkeypatch) as shop:
        signal, other = shop.signal(), shop.signal(Question("cart"), "cart")
        await shop.polled(signal)
        await other.poll(shop.context)
        samples = await shop.polled(signal, times=10, role="cart")
        assert samples[-1].reading.events == 0


async def test_a_workspace_in_which_nobody_reports_is_unknown(monkeypatch):
    async with world(monkeypatch) as shop:
        signal = shop.signal()
        await signal.poll(shop.context)
        shop.clock.step(900.0)
        shop.workspace._kept = None
        assert "no telemetry of any role since" in reason(await signal.poll(shop.context))
        shop.server.rows.clear()
        shop.workspace._kept = shop.workspace._late = None
        assert "no telemetry of any role for an hour" in reason(await signal.poll(shop.context))


async def test_many_targets_on_one_workspace_ask_in_one_query(monkeypatch):
    async with world(monkeypatch) as shop:
        signals = [shop.signal(Question(f"role-{n}"), f"s{n}") for n in range(200)]
        await asyncio.gather(*(signal.poll(shop.context) for signal in signals))
        assert shop.workspace.queries == 2
        assert len(shop.server.queries) == 2


async def test_a_query_is_made_of_quoted_text_and_always_bounded():
    kql = requests(WORKSPACE, ['a"; drop table', "b\\"], [800.0], instant(0), instant(60))
    assert '"a\\"; drop table", "b\\\\"' in kql
    assert "| take " in kql and "slow_0=sumif(ItemCount, DurationMs > 800)" in kql
    assert quoted("x") == '"x"'
    assert requests(CLASSIC, ["a"], [], instant(0), instant(60)).startswith("requests\n| where timestamp")


async def test_classic_tables_are_asked_where_they_are_said(monkeypatch):
    clock = WorldClock()
    async with FakeLogAnalytics(clock.now, table="requests") as server:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.url}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        logs = AzureLogs("prod", Login(kind="managed_identity", endpoint=server.url))
        place = Place(resource="/subscriptions/s/resourceGroups/g/providers/microsoft.insights/components/shop")
        signal = AppInsightsSignal("f", Question("api"), Workspace("prod", place, logs, clock, classic=True), clock)
        server.rows += [Request(at=clock.now() - n, arrived=clock.now()) for n in range(600)]
        assert await signal.poll(PollContext()) == []
        assert all(query.startswith("requests\n") for query in server.queries)
        await logs.close()


async def test_the_hour_before_is_known_at_first_sight(monkeypatch):
    async with world(monkeypatch) as shop:
        shop.report(20)
        signal = shop.signal()
        now = shop.clock.now()
        found = await signal.minutes(instant(now - 3600), now)
        assert len(found) >= 25
        assert all(one.reading.events in (9, 10, 11) and one.end <= now - 600 for one in found)
        shop.server.trouble = (503, {}, "{}")
        with pytest.raises(Unavailable):
            await signal.minutes(instant(now - 3600), now)


# -- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "body", "words"),
    [
        (400, {}, '{"error":{"code":"BadArgumentError","message":"bad","innererror":{"code":"S","message":"near |"}}}', "refused the query (400)"),
        (401, {}, '{"error":{"code":"Unauthorized","message":"x"}}', "needs Log Analytics Reader"),
        (403, {}, '{"error":{"code":"InsufficientAccessError","message":"x"}}', "does not let us ask (403)"),
        (404, {}, '{"error":{"code":"PathNotFoundError","message":"x"}}', "no such workspace"),
        (429, {"Retry-After": "17"}, '{"error":{"code":"Throttled","message":"x"}}', "asked too often (429), again in 17 s"),
        (500, {}, '{"error":{"code":"Oops","message":"boom"}}', "refused the query (500)"),
        (502, {"Content-Type": "text/html"}, "<html>gateway</html>", "no JSON: perhaps a proxy"),
        (200, {"Content-Type": "text/html"}, "<html>log in</html>", "prod"),
    ],
)  # fmt: skip
async def test_every_refusal_is_unknown_with_its_reason(monkeypatch, status, headers, body, words):
    async with world(monkeypatch) as shop:
        shop.server.trouble = (status, headers, body)
        said = reason(await shop.signal().poll(shop.context))
        assert words in said
        assert "Bearer" not in said and shop.server.url not in said


async def test_a_partial_result_is_unknown(monkeypatch):
    async with world(monkeypatch) as shop:
        shop.server.partial = "query ran out of memory"
        assert "partial: query ran out of memory" in reason(await shop.signal().poll(shop.context))


async def test_a_lateness_that_is_no_number_is_the_most_cautious_one(monkeypatch):
    async with world(monkeypatch) as shop:
        shop.server.late = "NaN"
        signal = shop.signal()
        samples = await shop.polled(signal, times=12)
        assert all(shop.clock.now() - one.end >= 600.0 for one in samples)


async def test_a_service_that_hangs_costs_its_deadline_and_is_not_asked_again_by_everybody(monkeypatch):
    monkeypatch.setattr("watchdog.signals.app_insights.workspace.DEADLINE_S", 0.3)
    async with world(monkeypatch) as shop:
        shop.server.hang = True
        signals = [shop.signal(name=f"s{n}") for n in range(20)]
        async with asyncio.timeout(2.0):
            found = await asyncio.gather(*(signal.poll(shop.context) for signal in signals))
        assert all("no answer within 0.3 s" in reason(samples) for samples in found)
        assert shop.workspace.queries == 1


async def test_credentials_are_chosen_by_name_and_what_is_missing_is_said(monkeypatch, tmp_path):
    clock = WorldClock()
    for variable in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    cases = [
        (Login(kind="workload_identity"), "workload_identity is not complete"),
        (Login(kind="cli"), "logging in failed"),
    ]
    for login, words in cases:
        logs = AzureLogs("prod", replace(login, endpoint="http://127.0.0.1:9"))
        with pytest.raises(Unavailable) as caught:
            await logs.query(Place(workspace="w"), "x", instant(0), clock.now(), deadline_s=5.0)
        assert words in str(caught.value)
        await logs.close()


async def test_the_identity_is_asked_for_the_clouds_audience_and_no_secret_is_shown(monkeypatch):
    async with world(monkeypatch) as shop:
        await shop.signal().poll(shop.context)
        assert shop.server.tokens == ["https://api.loganalytics.io"]
    assert "hunter2" not in repr(Login(kind="client_secret", secret="hunter2"))


async def test_unknown_is_all_that_trouble_ever_gives(monkeypatch):
    async with world(monkeypatch) as shop:
        signal = shop.signal()
        await shop.polled(signal)
        shop.server.trouble = (503, {}, "{}")
        samples = await shop.polled(signal, times=5)
        assert samples and all(isinstance(one.reading, Unknown) for one in samples)
        shop.server.trouble = None
        later = await shop.polled(signal, times=6)
        assert later and all(one.reading.events == 10 for one in later if not isinstance(one.reading, Unknown))


async def test_a_persons_look_shows_the_newest_minute_and_takes_nothing_from_the_judgement(monkeypatch):
    async with world(monkeypatch) as shop:
        signal = shop.signal()
        before = await shop.polled(signal)
        (sample,) = await signal.apart().poll(shop.context)
        assert sample.reading.events == 10
        assert shop.clock.now() - sample.end < 240
        after = await shop.polled(signal, times=3)
        ends = [one.end for one in (*before, *after)]
        assert ends == [ends[0] + 60.0 * n for n in range(len(ends))]
