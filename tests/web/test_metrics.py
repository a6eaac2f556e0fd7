"""What Prometheus gets: the same facts as people, unknown ones absent."""

from __future__ import annotations

import threading

import aiohttp
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.web.conftest import Served
from watchdog.testing.control import signal_row, target_row
from watchdog.web import metrics


async def scrape(served: Served, accept: str = "") -> tuple[str, str]:
    url = f"http://127.0.0.1:{served.faces.tcp_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Accept": accept}) as reply:
        return reply.headers["Content-Type"], await reply.text()


def at(*words: str) -> frozenset[str]:
    return frozenset(words)


async def values(served: Served) -> dict[frozenset[str], float]:
    """Every sample, under its name and the values of its labels."""
    _, text = await scrape(served)
    return {
        at(sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.asyncio
async def test_states_verdicts_loops_and_counters_are_there(served: Served) -> None:
    served.control.rows[0].update(state="suspect", incident="inc-1")
    served.control.rows[0]["signals"] = [signal_row("errors", health="failing", progress=0.5, value=0.3)]
    found = await values(served)
    assert found[at("watchdog_target_state", "bookstore-api", "suspect")] == 1
    assert found[at("watchdog_target_state", "bookstore-api", "healthy")] == 0
    assert found[at("watchdog_target_incident_open", "bookstore-api")] == 1
    assert found[at("watchdog_target_incident_open", "bookstore-web")] == 0
    assert found[at("watchdog_signal_health", "bookstore-api", "errors", "failing")] == 1
    assert found[at("watchdog_signal_evidence_ratio", "bookstore-api", "errors")] == 0.5
    assert found[at("watchdog_signal_value", "bookstore-api", "errors")] == 0.3
    assert found[at("watchdog_signal_data_age_seconds", "bookstore-api", "errors")] == 2
    assert found[at("watchdog_loop_last_progress_seconds", "engine")] == 0.4
    assert found[at("watchdog_loop_limit_seconds", "engine")] == 60
    assert found[at("watchdog_polls_total")] == 480
    assert found[at("watchdog_mode", "enforce")] == 1
    assert found[at("watchdog_mode", "observe")] == 0


@pytest.mark.asyncio
async def test_troubles_of_the_daemon_itself_show(served: Served) -> None:
    before = await values(served)
    assert before[at("watchdog_config_reload_failed")] == 0
    assert (before[at("watchdog_live")], before[at("watchdog_store_ok")], before[at("watchdog_pauses")]) == (1, 1, 0)
    served.control.config["error"] = "config.yaml:3: unknown key"
    served.control.store["ok"] = False
    served.control.live = False
    served.control.outbox["depth"] = 3
    await served.post("/pauses", {"why": "x", "for_s": 60})
    after = await values(served)
    assert after[at("watchdog_config_reload_failed")] == 1
    assert (after[at("watchdog_live")], after[at("watchdog_store_ok")], after[at("watchdog_pauses")]) == (0, 0, 1)
    assert after[at("watchdog_outbox_depth")] == 3


@pytest.mark.asyncio
async def test_what_is_unknown_is_absent_and_never_zero(served: Served) -> None:
    served.control.rows[0]["signals"] = [signal_row("errors", health="blind", value=None, data_age_s=None)]
    served.control.outbox["depth"] = None
    found = await values(served)
    assert at("watchdog_signal_value", "bookstore-api", "errors") not in found
    assert at("watchdog_signal_data_age_seconds", "bookstore-api", "errors") not in found
    assert at("watchdog_outbox_depth") not in found
    assert found[at("watchdog_signal_health", "bookstore-api", "errors", "blind")] == 1


@pytest.mark.asyncio
async def test_hostile_names_stay_inside_their_label(served: Served) -> None:
    name = 'a"} 1\nwatchdog_live 1\\'
    served.control.rows.append(target_row(name))
    found = await values(served)
    assert found[at("watchdog_target_state", name, "healthy")] == 1


@pytest.mark.asyncio
async def test_the_scraper_gets_the_form_it_asks_for(served: Served) -> None:
    kind, text = await scrape(served, "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert list(parse_openmetrics(text))


@pytest.mark.asyncio
async def test_the_socket_serves_the_same_metrics(served: Served) -> None:
    async with served.session.get("http://watchdog/api/v1/metrics") as reply:
        assert "watchdog_target_state" in await reply.text()


@pytest.mark.asyncio
async def test_the_text_is_made_outside_the_event_loop(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    collect = metrics.Snapshot.collect

    def watched(self):
        threads.append(threading.current_thread().name)
        return collect(self)

    monkeypatch.setattr(metrics.Snapshot, "collect", watched)
    await scrape(served)
    assert threads
    assert all(name.startswith("watchdog-metrics") for name in threads)
