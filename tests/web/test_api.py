"""The API: every route, its errors, who orders, and what "applied" means."""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path

import pytest

from tests.web.conftest import Served, served_on
from watchdog.model import iso
from watchdog.ports import ControlRefused
from watchdog.web import api
from watchdog.web.api import PREFIX, ROUTES, Api

ME = getpass.getuser()


def test_every_route_has_its_handler_and_only_changing_routes_are_no_gets() -> None:
    for route in ROUTES:
        assert callable(getattr(Api, route.handler, None)) or route.handler == "metrics"
        assert not (route.changes and route.method == "GET"), route
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.asyncio
async def test_the_application_serves_exactly_the_table(served: Served) -> None:
    application = served.faces._api.app
    table = {
        (route.method, route.resource.canonical)
        for route in application.router.routes()
        if route.resource and route.method != "HEAD"
    }
    assert table == {(route.method, PREFIX + route.path.replace(":condemn|clear", "")) for route in ROUTES}


@pytest.mark.asyncio
async def test_questions_are_answered_in_json(served: Served) -> None:
    served.control.add_incident("inc-1")
    for path, key in (
        ("/status", "headline"),
        ("/health", "loops"),
        ("/targets/bookstore-api", "road_back"),
        ("/targets/bookstore-api/explain", "decision"),
        ("/targets/bookstore-api/history", "releases"),
        ("/incidents", "incidents"),
        ("/incidents/inc-1", "report"),
        ("/pauses", "pauses"),
    ):
        status, body = await served.get(path)
        assert (status, key in body) == (200, True), path


@pytest.mark.asyncio
async def test_the_list_of_incidents_can_be_narrowed(served: Served) -> None:
    served.control.add_incident("inc-1")
    await served.get("/incidents?target=bookstore-web&open=true")
    assert served.control.calls == [("incidents", {"target": "bookstore-web", "open_only": True})]
    status, body = await served.get("/incidents?opne=true")
    assert status == 400
    assert "'opne'" in body["detail"]
    assert (await served.get("/incidents?open=perhaps"))[0] == 400


@pytest.mark.asyncio
async def test_a_target_with_a_slash_in_its_name_is_one_path_segment(served: Served) -> None:
    served.control.rows[0]["name"] = "shop/ü web"
    status, body = await served.get("/targets/shop%2F%C3%BC%20web/explain")
    assert (status, body["target"]) == (200, "shop/ü web")


@pytest.mark.asyncio
async def test_a_pause_is_acknowledged_as_applied_with_its_cycle(served: Served) -> None:
    status, body = await served.post("/pauses", {"why": "database move", "for_s": 3600, "scope": "group/bookstore"})
    assert status == 200
    assert (body["applied"], body["cycle"]) == (True, 12)
    assert body["pause"]["who"] == ME
    (name, order), *_ = served.control.calls
    assert (name, order["scope"], order["why"]) == ("pause", "group/bookstore", "database move")
    assert order["until"] - served.clock.now() == pytest.approx(3600, abs=5)


@pytest.mark.asyncio
async def test_a_pause_the_engine_has_not_seen_is_pending(served: Served) -> None:
    served.control.acknowledge = False
    status, body = await served.post("/pauses", {"why": "x", "for_s": 60})
    assert (status, body["applied"]) == (202, False)


@pytest.mark.asyncio
async def test_a_pause_during_a_long_cycle_is_answered_as_pending_and_then_applied(short_directory: Path) -> None:
    async with served_on(short_directory / "w.sock", acknowledged_within_s=0.05) as served:
        served.control.held["pause"] = asyncio.Event()
        status, body = await served.post("/pauses", {"why": "x", "for_s": 60})
        assert (status, body["applied"], body["pending"]) == (202, False, True)
        assert (await served.get("/status"))[1]["headline"] == "ARMED"
        served.control.held["pause"].set()
        await asyncio.sleep(0)
        assert (await served.get("/status"))[1]["headline"].startswith(f"PAUSED by {ME}")


@pytest.mark.asyncio
async def test_an_order_goes_on_when_the_asker_hangs_up(served: Served) -> None:
    served.control.held["pause"] = asyncio.Event()
    asked = asyncio.create_task(served.post("/pauses", {"why": "x", "for_s": 60}))
    while not served.control.calls:
        await asyncio.sleep(0.001)
    asked.cancel()
    await asyncio.wait({asked})
    await asyncio.sleep(0.02)
    served.control.held["pause"].set()
    await asyncio.sleep(0.02)
    assert len((await served.get("/pauses"))[1]["pauses"]) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"for_s": 60}, "why"),
        ({"why": " ", "for_s": 60}, "why"),
        ({"why": "x"}, "exactly one"),
        ({"why": "x", "for_s": 60, "until": "2030-01-01T00:00:00Z"}, "exactly one"),
        ({"why": "x", "for_s": 0}, "for_s"),
        ({"why": "x", "for_s": True}, "for_s"),
        ({"why": "x", "for_s": "1h"}, "for_s"),
        ({"why": "x", "for_s": 1e12}, "within a year"),
        ({"why": "x", "until": "2020-01-01T00:00:00Z"}, "in the future"),
        ({"why": "x", "until": "2030-01-01T00:00:00"}, "no UTC offset"),
        ({"why": "x", "until": "tomorrow"}, "until"),
        ({"why": "x", "for_s": 60, "untill": "x"}, "unknown key 'untill'"),
        ({"why": "a\nb", "for_s": 60}, "printable"),
        ({"why": "x" * 501, "for_s": 60}, "500"),
        ({"why": "x", "for_s": 60, "as": "\x1b[31mroot"}, "printable"),
        ({"why": "x", "for_s": 60, "as": "r" * 81}, "80"),
        ([], "not a JSON object"),
    ],
)
async def test_a_malformed_pause_is_refused_and_changes_nothing(served: Served, body: object, word: str) -> None:
    status, problem = await served.post("/pauses", body)
    assert status == 400
    assert word in problem["detail"]
    assert served.control.calls == []


@pytest.mark.asyncio
@pytest.mark.parametrize("raw", [b"{", b'{"why": "x", "for_s": Infinity}', b"\xff\xfe", b"[" * 60_000])
async def test_a_body_that_is_no_json_is_a_problem_and_no_traceback(served: Served, raw: bytes) -> None:
    async with served.session.post("http://watchdog/api/v1/pauses", data=raw) as reply:
        problem = await reply.json(content_type="application/problem+json")
    assert (reply.status, problem["code"]) == (400, "malformed")
    assert problem["detail"].startswith("the body is not JSON")


@pytest.mark.asyncio
async def test_a_body_above_64_kib_is_refused(served: Served) -> None:
    async with served.session.post("http://watchdog/api/v1/stop", data=b" " * (64 * 1024 + 1)) as reply:
        problem = await reply.json(content_type="application/problem+json")
    assert (reply.status, problem["code"]) == (413, "malformed")
    assert served.control.calls == []


@pytest.mark.asyncio
async def test_a_body_that_never_comes_is_given_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watchdog.web.bodies.BODY_WITHIN_S", 0.05)
    reader, writer = await asyncio.open_unix_connection(str(served.path))
    writer.write(b"POST /api/v1/stop HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\n{")
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()


@pytest.mark.asyncio
async def test_pauses_end_by_id_and_by_scope(served: Served) -> None:
    _, first = await served.post("/pauses", {"why": "x", "for_s": 60})
    await served.post("/pauses", {"why": "y", "for_s": 60, "scope": "target/bookstore-web"})
    status, body = await served.post(f"/pauses/{first['pause']['id']}", method="DELETE")
    assert (status, len(body["ended"])) == (200, 1)
    status, body = await served.post("/pauses/end", {"scope": "target/bookstore-web"})
    assert (status, len(body["ended"])) == (200, 1)
    assert (await served.get("/status"))[1]["pauses"] == []


@pytest.mark.asyncio
async def test_what_the_client_calls_itself_is_added_and_never_believed_instead(served: Served) -> None:
    _, body = await served.post("/pauses", {"why": "x", "for_s": 60, "as": "the release manager"})
    assert body["pause"]["who"] == f"{ME} as the release manager"


@pytest.mark.asyncio
async def test_every_order_carries_who(served: Served) -> None:
    served.control.add_incident("inc-1")
    for path, body, method in (
        ("/stop", {}, "stop"),
        ("/arm", {"target": "bookstore-api"}, "arm"),
        ("/targets/bookstore-api/rollback", {}, "rollback"),
        ("/targets/bookstore-api/drill", {"tell": True}, "drill"),
        ("/incidents/inc-1/approve", {}, "approve"),
        ("/incidents/inc-1/cancel", {}, "cancel"),
        ("/incidents/inc-1/judge", {"verdict": "wrong"}, "judge"),
        ("/targets/bookstore-api/history/f7/condemn", {}, "history_edit"),
        ("/targets/bookstore-api/history/f7/clear", {}, "history_edit"),
    ):
        status, _ = await served.post(path, body | {"as": "Ann"})
        assert status == 200, path
        order = next(arguments for name, arguments in reversed(served.control.calls) if name == method)
        assert order["who"] == f"{ME} as Ann", path


@pytest.mark.asyncio
async def test_a_rollback_hands_over_everything_that_was_said(served: Served) -> None:
    body = {"to": "f6", "dry_run": True, "why": "the bake is wrong", "overrides": ["bake", "budget"]}
    status, answer = await served.post("/targets/bookstore-api/rollback", body)
    assert (status, answer["dry_run"], answer["incident"]) == (200, True, None)
    assert served.control.calls[-1][1] == {"target": "bookstore-api", "who": ME, **body}


@pytest.mark.asyncio
async def test_an_override_needs_a_reason(served: Served) -> None:
    status, problem = await served.post("/targets/bookstore-api/rollback", {"overrides": ["bake"]})
    assert (status, "reason" in problem["detail"]) == (400, True)
    assert served.control.calls == []


@pytest.mark.asyncio
async def test_a_single_look_may_name_its_signal(served: Served) -> None:
    status, body = await served.post("/targets/bookstore-api/check", {"signal": "health"})
    assert (status, [sample["signal"] for sample in body["samples"]]) == (200, ["health"])


@pytest.mark.asyncio
async def test_a_refused_configuration_comes_back_with_its_problems(served: Served) -> None:
    served.control.reload_problems = ["config.yaml:3:1: unknown key"]
    status, body = await served.post("/reload")
    assert (status, body["reloaded"], body["problems"]) == (200, False, ["config.yaml:3:1: unknown key"])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("code", "status"), [("not_found", 404), ("refused", 403), ("conflict", 409), ("unavailable", 503), ("odd", 403)]
)
async def test_a_refusal_says_why_and_what_to_type_next(served: Served, code: str, status: int) -> None:
    served.control.refusals["arm"] = ControlRefused("the store is away", code=code, next_command="watchdog doctor")
    async with served.session.post("http://watchdog/api/v1/arm", json={}) as reply:
        problem = await reply.json(content_type="application/problem+json")
    assert reply.status == status
    assert (problem["detail"], problem["next"], problem["code"]) == ("the store is away", "watchdog doctor", code)
    assert problem["status"] == status


@pytest.mark.asyncio
async def test_unknown_paths_and_methods_are_problems_too(served: Served) -> None:
    assert (await served.get("/stauts"))[1]["code"] == "not_found"
    async with served.session.delete("http://watchdog/api/v1/status") as reply:
        assert (reply.status, "GET" in reply.headers["Allow"]) == (405, True)


@pytest.mark.asyncio
async def test_a_question_without_an_answer_is_unknown_and_no_order_is_cut_off_by_it(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "QUESTION_S", 0.05)
    served.control.held["explain"] = asyncio.Event()
    status, problem = await served.get("/targets/bookstore-api/explain")
    assert (status, problem["code"], problem["next"]) == (504, "unavailable", "watchdog status")


@pytest.mark.asyncio
async def test_an_answer_that_is_not_json_fails_here_and_not_in_a_parser(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.control.rows[0]["signals"][0]["value"] = float("nan")
    async with served.session.get("http://watchdog/api/v1/status") as reply:
        text = await reply.text()
    assert reply.status == 500
    assert "Traceback" not in text
    assert "not JSON compliant" in caplog.text


@pytest.mark.asyncio
async def test_times_go_out_as_they_stand_in_records(served: Served) -> None:
    _, body = await served.get("/status")
    assert body["at"].endswith("Z")
    assert body["at"] >= iso(served.clock.now())[:19]
    json.dumps(body)
