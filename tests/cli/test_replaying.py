"""`replay`: what would have been rolled back, over a file or over what a source remembers."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web

from tests.cli.conftest import Running
from watchdog.model import Counts, Sample, instant, to_document
from watchdog.testing.clock import NEW_YEAR
from watchdog.testing.prometheus import FakePrometheus

CONFIG = """
prometheus: {{main: {{url: "{url}"}}}}
targets:
  api:
    tolerate_interruption: {tolerate}
    signals:
      health: {{http: "http://api.test/health"}}
      errors: {{prometheus: {{bad: 'requests_total{{job="api",code="500"}}', all: 'requests_total{{job="api"}}'}}}}
"""


def config(path: Path, tolerate: str = "30s", url: str = "http://prometheus.test:9090") -> str:
    path.write_text(CONFIG.format(url=url, tolerate=tolerate))
    return str(path)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """An hour of one release, half an hour of a bad one, half an hour of a good one."""
    chance, rows = random.Random(3), ["time,signal,good,bad,release"]
    for place in range(480):
        at = 15 * (place + 1)
        release, share = ("r1", 0.001) if at <= 3600 else ("r2", 0.15) if at <= 5400 else ("r3", 0.001)
        bad = sum(chance.random() < share for _ in range(60))
        rows.append(f"{NEW_YEAR + at:.0f},errors,{60 - bad},{bad},{release}")
    path = tmp_path / "samples.csv"
    path.write_text("\n".join(rows))
    return path


def test_each_rollout_stands_in_a_row_with_when_it_would_have_been_blamed(
    daemon: Running, tmp_path: Path, recording: Path
) -> None:
    said = daemon.ok("replay", "api", "-c", config(tmp_path / "w.yaml"), "--samples", str(recording))
    assert "api: 2026-01-01 00:00:00 UTC - 2026-01-01 02:00:00 UTC, errors every 15s" in said
    assert "r2 " in said
    assert "after 1m" in said
    assert "no (" in said
    assert "1 of 2 rollouts would have been blamed" in said
    assert "r2: api is failing: errors" in said
    assert "not recorded, so not judged: health" in said


def test_other_settings_are_judged_side_by_side_and_known_bad_releases_are_counted(
    daemon: Running, tmp_path: Path, recording: Path
) -> None:
    here, there = config(tmp_path / "w.yaml"), config(tmp_path / "slow.yaml", tolerate="2m")
    arguments = ("replay", "api", "-c", here, "--samples", str(recording), "--against", there, "--bad", "r2")
    said = daemon.ok(*arguments)
    assert "W.YAML" in said
    assert "SLOW.YAML" in said
    assert "1 of 1 bad releases caught after 1m" in said
    assert "0 of 1 good ones blamed" in said
    answer = json.loads(daemon.ok(*arguments, "-o", "json"))
    first, second = (one["rollouts"][0] for one in answer["settings"])
    assert (first["release"], first["bad"]) == ("r2", True)
    assert first["after_s"] < second["after_s"]
    assert answer["settings"][0]["summary"] == {
        "rollouts": 2, "fired": ["r2"], "bad": 1, "missed": [], "false": [], "median_after_s": first["after_s"],
    }  # fmt: skip


def test_a_picture_shows_each_rollout_with_the_moments_of_blame(
    daemon: Running, tmp_path: Path, recording: Path
) -> None:
    recording.write_text(recording.read_text().replace(",r2", ",<r2&"))
    picture, here, there = (
        tmp_path / "p.svg",
        config(tmp_path / "w.yaml"),
        config(tmp_path / "slow.yaml", tolerate="2m"),
    )
    daemon.ok("replay", "api", "-c", here, "--samples", str(recording), "--against", there, "--svg", str(picture))
    root = ET.fromstring(picture.read_text())
    texts = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if "share of bad" in text] == [
        "<r2&: errors, share of bad events",
        "r3: errors, share of bad events",
    ]
    marked = [text for text in texts if "blames" in text or "began" in text]
    assert marked == ["<r2& began", "w.yaml blames it", "slow.yaml blames it", "r3 began"]
    assert not any("script" in one.tag or "href" in str(one.attrib) for one in root.iter())
    result = daemon("replay", "api", "-c", here, "--samples", str(recording), "--svg", str(tmp_path / "no" / "p.svg"))
    assert (result.exit_code, "cannot be written" in result.stderr) == (3, True)


def test_a_recording_without_releases_needs_to_be_told_when(daemon: Running, tmp_path: Path, recording: Path) -> None:
    path, where = recording, config(tmp_path / "w.yaml")
    path.write_text("\n".join(line.rpartition(",")[0] for line in path.read_text().splitlines()))
    result = daemon("replay", "api", "-c", where, "--samples", str(path))
    assert result.exit_code == 3
    assert "no release began in that time: nothing to judge; say when: --released NAME=TIME" in result.stderr
    said = daemon.ok("replay", "api", "-c", where, "--samples", str(path), "--released", "two=2026-01-01T01:00:00Z")
    assert "1 of 1 rollouts would have been blamed" in said
    assert "two: api is failing" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "when,signal,good,bad\n",
            "s.csv:1: the first line has to name the columns time, signal, good, bad; it lacks time",
        ),
        ("time,signal,good,bad\n", "there is no row"),
        (
            "time,signal,good,bad\nnoon,errors,1,0\n",
            "s.csv:2: time 'noon' is neither ISO 8601 nor seconds since the epoch",
        ),
        ("time,signal,good,bad\n2026-01-01T00:00:00,errors,1,0\n", "s.csv:2: time '2026-01-01T00:00:00' has no offset"),
        ("time,signal,good,bad\n1,errors,1,0\n2,errors,-1,x\n", "s.csv:3: good '-1' is no count of events"),
        ("time,signal,good,bad\n1,errors,1.5,0\n", "good '1.5' is no count of events"),
        ("time,signal,good,bad\n1,errors,nan,0\n", "good 'nan' is no count of events"),
        ("time,signal,good,bad\n1,errors,1\n", "s.csv:2: bad None is no number"),
        ("time,signal,good,bad\n1,,1,0\n", "`signal` is empty"),
        ("time,signal,good,bad\n1,latency,1,0\n", "has a signal 'latency' that api has not; it has: health, errors"),
    ],
)
def test_a_recording_that_is_none_says_where_and_why(daemon: Running, tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    result = daemon("replay", "api", "-c", config(tmp_path / "w.yaml"), "--samples", str(path))
    assert result.exit_code == 3
    assert words in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("other", "--samples", "{file}"), 3, "has no target 'other'; it has: api"),
        (("api", "--samples", "{file}", "--bad", "r9"), 2, "r9 is none of r2, r3"),
        (("api", "--samples", "{file}", "--from", "soon"), 2, "'soon' is no moment"),
        (("api", "--samples", "{file}", "--from", "2030-01-01T00:00:00Z"), 3, "nothing recorded in that time"),
        (("api",), 2, "say from when, --from TIME"),
    ],
)
def test_what_cannot_be_replayed_says_why(
    daemon: Running, tmp_path: Path, recording: Path, arguments, code, words
) -> None:
    filled = [part.format(file=recording) for part in arguments]
    result = daemon("replay", *filled, "-c", config(tmp_path / "w.yaml"))
    assert result.exit_code == code
    assert words in result.stderr


def test_an_incidents_bundle_is_judged_again(daemon: Running, tmp_path: Path) -> None:
    bundle = tmp_path / "inc-1"
    bundle.mkdir()
    lines = []
    for place in range(120):
        at = NEW_YEAR + 5 * place
        for pod in ("a", "b", "c"):
            release, bad = ("r1", 0) if place < 40 else ("r2", int(pod != "c"))
            sample = Sample(
                signal="health",
                start=instant(at),
                end=instant(at + 0.01),
                reading=Counts(good=1 - bad, bad=bad),
                release=release,
                instance=f"{release}-{pod}",
            )
            lines.append(json.dumps(to_document(sample)))
    (bundle / "samples.jsonl").write_text("\n".join(lines))
    said = daemon.ok("replay", "api", "-c", config(tmp_path / "w.yaml"), "--samples", str(bundle))
    assert "1 of 1 rollouts would have been blamed" in said
    assert "health every 5s" in said
    assert "240 " in said  # 80 polls of three pods
    (bundle / "samples.jsonl").write_text("{}\n")
    result = daemon("replay", "api", "-c", config(tmp_path / "w.yaml"), "--samples", str(bundle))
    assert result.exit_code == 3
    assert "samples.jsonl:1:" in result.stderr


@pytest.mark.asyncio
async def test_a_source_that_remembers_is_asked_hour_by_hour(daemon: Running, tmp_path: Path) -> None:
    chance = random.Random(4)

    async def increases(request: web.Request) -> web.Response:
        """240 requests a minute; from 02:00 on a fifth of them fail."""
        asked = request.query if request.method == "GET" else await request.post()
        begin, end, step = (float(str(asked[key]).rstrip("s")) for key in ("start", "end", "step"))
        hours.append((begin, end))
        values = []
        for place in range(int((end - begin) / step) + 1):
            at = begin + step * place
            failed = 48 + chance.randint(-9, 9) if at > NEW_YEAR + 7200 else 0
            values.append([at, str(failed if "500" in str(asked["query"]) else 240)])
        series = {"metric": {}, "values": values}
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": [series]}})

    hours: list[tuple[float, float]] = []
    async with FakePrometheus() as server:
        server.trouble = increases
        where = config(tmp_path / "w.yaml", url=server.url)
        arguments = (
            "--from",
            "2026-01-01T01:00:00Z",
            "--to",
            "2026-01-01T03:00:00Z",
            "--released",
            "2026-01-01T02:00:00Z",
        )
        said = await asyncio.to_thread(daemon.ok, "replay", "api", "-c", where, *arguments)
    assert len(set(hours)) == 3
    assert "errors every 1m" in said
    assert "1 of 1 rollouts would have been blamed" in said


@pytest.mark.asyncio
async def test_a_source_that_does_not_answer_is_said(daemon: Running, tmp_path: Path) -> None:
    async with FakePrometheus() as server:
        server.answer(503, "busy")
        where = config(tmp_path / "w.yaml", url=server.url)
        result = await asyncio.to_thread(daemon, "replay", "api", "-c", where, "--from", "2026-01-01T01:00:00Z")
    assert result.exit_code == 7
    assert "a source cannot be asked" in result.stderr
