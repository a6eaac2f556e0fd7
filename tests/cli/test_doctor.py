"""`watchdog doctor`: what would fail when it matters, without changing anything."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import NOON, Running
from watchdog.cli import examination
from watchdog.cli.examination import Examined, ask_sources, examine
from watchdog.cli.exits import Exit
from watchdog.cli.findings import code_of
from watchdog.engine.board import Watch, WatchedSignal
from watchdog.model import Counts, Finding, Owner, Ownership, Sample, TargetPolicy, Unknown
from watchdog.ports import Platform, PollContext, Unavailable
from watchdog.safety.permits import PermitOffice
from watchdog.testing.clock import WorldClock
from watchdog.testing.platforms import FakePlatform, FakeUnit, FakeWorld


class Saying:
    """A signal that says one reading, or hangs or fails."""

    counts_users = False

    def __init__(self, name: str, *readings: Counts | Unknown) -> None:
        self.name = name
        self.readings = readings
        self.contexts: list[PollContext] = []

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        self.contexts.append(context)
        return [
            Sample(signal=self.name, start=NOON, end=NOON, reading=reading, detail="503 in 3 ms")
            for reading in self.readings
        ]

    async def close(self) -> None:
        return


GOOD = Counts(good=1, bad=0)


def watch(platform: Platform | None, *signals: Saying) -> Watch:
    watched = tuple(WatchedSignal(signal, 5.0, 0.05) for signal in signals)
    return Watch(policy=TargetPolicy(target="api"), signals=watched, rules=(), platform=platform)


def unit_and_platform() -> tuple[FakeUnit, FakePlatform]:
    world = FakeWorld(WorldClock())
    unit = world.add("api")
    unit.deploy("r2")
    unit.settle()
    platform, _ = world.connect("api", PermitOffice(b"0123456789abcdef"))
    return unit, platform


async def answers(watched: Watch, known_good: dict[str, str] | None = None) -> dict[str, tuple[bool | None, str]]:
    lines = await examine([watched], {"api": "revision 6"} if known_good is None else known_good)
    return {line.question: (line.ok, line.sentence) for line in lines}


@pytest.mark.asyncio
async def test_a_target_in_order_has_nothing_but_good_lines() -> None:
    _, platform = unit_and_platform()
    signal = Saying("health", GOOD)
    found = await answers(watch(platform, signal))
    assert {question: ok for question, (ok, _) in found.items()} == {
        "readable": True, "owner": True, "history": True, "last known good": True, "signal health": True,
    }  # fmt: skip
    assert found["last known good"][1] == "revision 6"
    assert signal.contexts[0].state is not None, "the signal was not told what it looks at"


@pytest.mark.asyncio
async def test_a_platform_that_cannot_be_read_is_said_with_its_reason() -> None:
    unit, platform = unit_and_platform()
    unit.fail_reads("forbidden: cannot get deployments")
    found = await answers(watch(platform))
    assert found["readable"] == (False, "forbidden: cannot get deployments")
    assert "history" not in found


@pytest.mark.asyncio
async def test_a_platform_that_hangs_costs_its_deadline_and_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "QUESTION_S", 0.05)
    unit, platform = unit_and_platform()
    unit.fail_reads(hang=True)
    found = await answers(watch(platform, Saying("health", GOOD)))
    assert found["readable"][0] is False
    assert "no answer within" in found["readable"][1]
    assert found["signal health"][0] is True


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("finding", "ok"),
    [
        (Finding(name="patch", sentence="not allowed to patch", blocks=True), False),
        (Finding(name="secrets", sentence="not allowed, not needed"), True),
        (Finding(name="patch", sentence="cannot ask", unknown=True), None),
        (None, True),
    ],
)
async def test_rights_are_missing_unneeded_or_unknown(finding: Finding | None, ok: bool | None) -> None:
    _, platform = unit_and_platform()

    class Asking(FakePlatform):
        async def check_permissions(self) -> Sequence[Finding]:
            return () if finding is None else (finding,)

    platform.__class__ = Asking
    assert (await answers(watch(platform)))["permissions"][0] is ok


@pytest.mark.asyncio
async def test_rights_that_cannot_be_asked_for_are_unknown() -> None:
    _, platform = unit_and_platform()

    class Asking(FakePlatform):
        async def check_permissions(self) -> Sequence[Finding]:
            raise Unavailable("the API server is away")

    platform.__class__ = Asking
    assert (await answers(watch(platform)))["permissions"] == (None, "the API server is away")


@pytest.mark.asyncio
@pytest.mark.parametrize(("owner", "ok"), [(Owner.NOBODY, True), (Owner.HELM, False), (Owner.UNKNOWN, None)])
async def test_another_owner_is_a_finding(monkeypatch: pytest.MonkeyPatch, owner: Owner, ok: bool | None) -> None:
    _, platform = unit_and_platform()

    async def owned() -> Ownership:
        return Ownership(owner=owner, sentence=f"owned by {owner}")

    monkeypatch.setattr(platform, "detect_owner", owned)
    assert (await answers(watch(platform)))["owner"] == (ok, f"owned by {owner}")


@pytest.mark.asyncio
async def test_a_single_release_is_no_road_back(monkeypatch: pytest.MonkeyPatch) -> None:
    _, platform = unit_and_platform()
    only = (await platform.history())[:1]

    async def short() -> Sequence[object]:
        return only

    monkeypatch.setattr(platform, "history", short)
    assert (await answers(watch(platform)))["history"][0] is False


@pytest.mark.asyncio
@pytest.mark.parametrize(("known", "ok"), [({"api": "r1"}, True), ({"api": ""}, False), ({}, None)])
async def test_the_last_known_good_is_the_daemons_word(known: dict[str, str], ok: bool | None) -> None:
    _, platform = unit_and_platform()
    assert (await answers(watch(platform), known))["last known good"][0] is ok


@pytest.mark.asyncio
async def test_without_a_daemon_the_last_known_good_is_unknown_and_not_missing() -> None:
    _, platform = unit_and_platform()
    lines = await examine([watch(platform)], None)
    line = next(line for line in lines if line.question == "last known good")
    assert (line.ok, line.next_command) == (None, "watchdog run")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("readings", "ok", "words"),
    [
        ((GOOD,), True, "503 in 3 ms"),
        ((Counts(good=0, bad=1),), True, "tells, and is bad now: 503 in 3 ms"),
        ((GOOD, Unknown(reason="TLS: unknown authority")), False, "cannot tell: TLS: unknown authority"),
        ((), None, "nothing to say yet"),
    ],
)
async def test_a_source_that_tells_bad_news_works_and_one_that_cannot_tell_does_not(
    readings: tuple[Counts | Unknown, ...], ok: bool | None, words: str
) -> None:
    assert (await answers(watch(None, Saying("health", *readings))))["signal health"] == (ok, words)


class TellingLater(Saying):
    """What is counted takes two looks."""

    async def poll(self, context: PollContext) -> Sequence[Sample]:
        told = await super().poll(context)
        return told if len(self.contexts) > 1 else []


class Scraped(Saying):
    """Of which the interval between scrapes is known once it was asked."""

    @property
    def learned_s(self) -> float | None:
        return 15.0 if self.contexts else None


@pytest.mark.asyncio
async def test_a_source_that_compares_two_looks_is_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "AGAIN_S", 0.01)
    assert (await answers(watch(None, TellingLater("errors", GOOD))))["signal errors"] == (True, "503 in 3 ms")


@pytest.mark.asyncio
async def test_live_asks_sources_and_nothing_else() -> None:
    _, platform = unit_and_platform()
    lines = await ask_sources(
        [watch(platform, Saying("health", GOOD), Saying("errors", Unknown(reason="nothing matches")))], {}
    )
    assert {line.question: line.ok for line in lines} == {
        "readable": True,
        "signal health": True,
        "signal errors": False,
    }


@pytest.mark.asyncio
@pytest.mark.parametrize(("window", "said"), [(20.0, True), (30.0, False), (None, False)])
async def test_live_says_when_a_rule_looks_at_less_than_two_scrapes(window: float | None, said: bool) -> None:
    windows = {} if window is None else {("api", "errors"): window}
    lines = await ask_sources([watch(None, Scraped("errors", GOOD), Saying("health", GOOD))], windows)
    found = [line for line in lines if line.question == "signal errors rule"]
    assert bool(found) is said
    if said:
        assert (found[0].ok, found[0].next_command) == (False, "write for: 30s, or more")


def test_the_exit_code_is_the_worst_line_and_unknown_is_not_missing() -> None:
    def line(ok: bool | None) -> Examined:
        return Examined(subject="api", question="x", ok=ok, sentence="")

    assert code_of([]) is Exit.OK
    assert code_of([line(True)]) is Exit.OK
    assert code_of([line(True), line(None)]) is Exit.UNKNOWN
    assert code_of([line(None), line(False)]) is Exit.NEGATIVE


@pytest.fixture
def configuration(short_directory: Path) -> Callable[[], Path]:
    """A configuration whose target is a command pair that answers."""
    program = short_directory / "api"
    program.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        """current) echo '{"release":"r2","in_progress":false,"complete":true}';;\n"""
        """history) echo '[{"release":"r2","at":"2025-12-01T00:00:00Z"},{"release":"r1","at":"2025-11-01T00:00:00Z"}]';;\n"""
        '*) echo "$@" >> "$0.written";;\n'
        "esac\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = short_directory / "watchdog.yaml"
    path.write_text(
        f"mode: enforce\nstate: {{sqlite: {short_directory}/state.db}}\nbundles: {short_directory}/bundles\n"
        "targets:\n  bookstore-api:\n    data: none\n"
        f"    command: {{current: [{program}, current], history: [{program}, history], rollback: [{program}, rollback]}}\n"
        "    signals: {health: {http: 'http://127.0.0.1:9/health'}}\n"
    )
    return lambda: path


def test_doctor_examines_a_configuration_beside_a_running_daemon_and_writes_nothing(
    daemon: Running, configuration: Callable[[], Path]
) -> None:
    path = configuration()
    before = {entry.name for entry in path.parent.iterdir()}
    result = daemon("doctor", "-c", str(path))
    assert result.exit_code == 0, result.output
    assert "bookstore-api   last known good   ok       revision 7 (bookstore:1.7)" in result.stdout
    assert "2 releases are remembered" in result.stdout
    assert {entry.name for entry in path.parent.iterdir()} == before
    found = json.loads(daemon("doctor", "-c", str(path), "-o", "json").stdout)["findings"]
    assert {line["question"] for line in found} >= {"readable", "owner", "history", "signal health"}


def test_doctor_without_a_daemon_says_what_it_cannot_know(nobody: Running, configuration: Callable[[], Path]) -> None:
    result = nobody("doctor", "-c", str(configuration()))
    assert result.exit_code == 7, result.output
    assert "no daemon answers: only it knows" in result.stdout
    assert "  watchdog run" in result.stdout


def test_config_check_live_asks_each_source_and_changes_nothing(
    nobody: Running, configuration: Callable[[], Path]
) -> None:
    path = configuration()
    before = {entry.name for entry in path.parent.iterdir()}
    result = nobody("config", "check", "--live", str(path))
    assert result.exit_code == 0, result.output
    assert "valid, 1 target, mode enforce" in result.stdout
    assert "tells, and is bad now" in result.stdout  # the port is refused: the source works
    assert {entry.name for entry in path.parent.iterdir()} == before
    answer = json.loads(nobody("config", "check", "--live", str(path), "-o", "json").stdout)
    assert {line["question"] for line in answer["findings"]} == {"readable", "signal health"}


def test_config_check_live_says_what_does_not_tell(nobody: Running, configuration: Callable[[], Path]) -> None:
    path = configuration()
    text = path.read_text().replace(
        "{http: 'http://127.0.0.1:9/health'}", "{scrape: {preset: requests_total, port: 9}}"
    )
    path.write_text(text)
    result = nobody("config", "check", "--live", str(path))
    assert result.exit_code == 1, result.output
    assert "cannot tell: no instance has an address" in result.stdout


def test_doctor_refuses_a_bad_configuration_as_check_does(nobody: Running, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("mod: ask\n")
    assert nobody("doctor", "-c", str(path)).exit_code == 5
    assert nobody("run", "-c", str(path)).exit_code == 5
