"""The command platform: what programs may answer, and how a rollback ends."""

from __future__ import annotations

import json
import sys

import pytest
import pytest_asyncio

from tests.platforms.appctl import Appctl
from tests.platforms.contract import Sink, bad_release, execute, intent_of, permit_for
from watchdog.model import Issue, Progress, Release, Resolution
from watchdog.platforms.command import CommandPlatform, Commands, Malformed, read_current, read_history
from watchdog.ports import Unavailable
from watchdog.testing.clock import WorldClock

GOOD = {"release": "1.2", "in_progress": False, "complete": True}


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-E", "-c", text)


@pytest_asyncio.fixture
async def outside(tmp_path):
    made = Appctl(tmp_path)
    await made.deploy("one")
    await made.settle()
    return made


def platform(current: str = "", **changes) -> CommandPlatform:
    commands = Commands(
        **{"current": python(current), "history": python("print('[]')"), "rollback": ("true",), **changes}
    )
    return CommandPlatform("shop", commands, WorldClock())


# -- what the programs write -----------------------------------------------------------------------------------------


def test_the_optional_parts_of_current_are_read():
    current = read_current(
        {
            **GOOD,
            "started": "2026-01-01T12:00:00+01:00",
            "completed": "2026-01-01T11:00:05Z",
            "instances": [
                {"name": "a", "address": "127.0.0.1:8080", "release": "1.2", "ready": True},
                {"name": "b", "address": "[::1]:81", "ready": False},
                {"name": "c", "address": "::1", "port": 82, "ready": False},
                {"name": "d", "ready": False},
            ],
            "intent": "i-1",
            "actor": "ci",
        }
    )
    assert current.completed - current.started == 5.0
    assert [(each.address, each.port) for each in current.instances] == [
        ("127.0.0.1", 8080),
        ("::1", 81),
        ("::1", 82),
        ("", None),
    ]
    assert (current.intent, current.actor, current.instances[0].release) == ("i-1", "ci", "1.2")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "current: expected an object"),
        ({}, "current.in_progress: expected true or false"),
        ({**GOOD, "complete": "yes"}, "current.complete: expected true or false"),
        ({**GOOD, "in_progress": 1}, "current.in_progress"),
        ({**GOOD, "in_progress": True}, "contradict"),
        ({**GOOD, "release": None}, "current.release: expected a text"),
        ({**GOOD, "release": ""}, "no name of a release"),
        ({**GOOD, "release": "a\nb"}, "no name of a release"),
        ({**GOOD, "release": " a"}, "no name of a release"),
        ({**GOOD, "release": "x" * 201}, "no name of a release"),
        ({**GOOD, "release": "--force"}, "read as an option"),
        ({**GOOD, "relaese": "1"}, "unknown key 'relaese'"),
        ({**GOOD, "started": "yesterday"}, "current.started"),
        ({**GOOD, "started": "2026-01-01T12:00:00"}, "no UTC offset"),
        ({**GOOD, "started": 5}, "current.started: expected a text"),
        ({**GOOD, "instances": {}}, "current.instances: expected a list"),
        ({**GOOD, "instances": ["a"]}, r"current.instances\[0\]: expected an object"),
        ({**GOOD, "instances": [{"name": "a"}]}, r"current.instances\[0\].ready"),
        ({**GOOD, "instances": [{"name": "a", "ready": True, "port": 0}]}, "1 to 65535"),
        ({**GOOD, "instances": [{"name": "a", "ready": True, "port": True}]}, "1 to 65535"),
        ({**GOOD, "intent": 1}, "current.intent"),
    ],
)
def test_a_current_that_breaks_the_contract_is_refused_with_its_place(document, words):
    with pytest.raises(Malformed, match=words):
        read_current(document)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "expected a list"),
        ([1], r"history\[0\]: expected an object"),
        ([{"release": "1"}], r"history\[0\].at is missing"),
        ([{"release": "1", "at": "x"}], r"history\[0\].at"),
        ([{"release": "-1", "at": "2026-01-01T00:00:00Z"}], "read as an option"),
        ([{"release": "1", "at": "2026-01-01T00:00:00Z", "by": "me"}], "unknown key 'by'"),
    ],
)
def test_a_history_that_breaks_the_contract_is_refused_with_its_place(document, words):
    with pytest.raises(Malformed, match=words):
        read_history(document)


def test_the_history_is_sorted_newest_first_and_a_release_that_came_back_stands_once():
    days = {"1.1": 1, "1.2": 2, "1.3": 3}
    document = [{"release": name, "at": f"2026-01-0{day}T00:00:00Z"} for name, day in days.items()]
    history = read_history([*document, {"release": "1.1", "at": "2026-01-04T00:00:00Z"}])
    assert [release.fingerprint for release in history] == ["1.1", "1.3", "1.2"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('no server')", "the current command failed: exit code 1: no server"),
        ("print('{')", "wrote no JSON"),
        ("print('[' * 100000)", "wrote no JSON"),
        ("print('{}')", "current.in_progress"),
        ("import os; os.write(1, b'\\xff')", "wrote no JSON"),
        ("import time; time.sleep(60)", "killed after 0.5 s"),
        ("print('x' * (2 << 20))", "killed after more than 1048576 bytes"),
    ],
)
async def test_whatever_current_does_instead_of_answering_is_unavailable_and_said(program, words):
    reading = platform(program, read_s=0.5 if "sleep" in program else 20.0)
    with pytest.raises(Unavailable, match="^" + words if words.startswith("the") else words):
        await reading.read_state()


def test_an_empty_command_is_refused():
    with pytest.raises(ValueError, match="the history command is empty"):
        Commands(current=("a",), history=(), rollback=("a",))


def test_values_of_the_environment_are_not_in_the_repr():
    commands = Commands(current=("a",), history=("a",), rollback=("a",), environment=(("TOKEN", "canary-4711"),))
    assert "canary-4711" not in repr(commands)


@pytest.mark.asyncio
async def test_instances_are_counted_and_the_version_is_the_release():
    instances = [{"name": "a", "ready": True, "release": "1.2"}, {"name": "b", "ready": False, "release": "1.1"}]
    document = json.dumps({"release": "1.2", "in_progress": True, "complete": False, "instances": instances})
    state = await platform(f"print({document!r})").read_state()
    assert (state.wanted, state.ready, state.updated, state.version) == (2, 1, 1, "1.2")
    assert state.release.label == "revision 1.2"


# -- rolling back ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("program", "issue", "words"),
    [
        ("pass", Issue.ISSUED, "set one"),
        ("import sys; sys.exit(3)", Issue.PRECONDITION_FAILED, "refused: two is not current"),
        ("import sys; sys.exit('disk full')", Issue.UNKNOWN, "exit code 1: disk full"),
        ("import sys; sys.exit(2)", Issue.UNKNOWN, "exit code 2"),
        ("import os; os.kill(os.getpid(), 9)", Issue.UNKNOWN, "ended by signal 9"),
        ("import time; time.sleep(60)", Issue.UNKNOWN, "killed after 1 s"),
        ("while True: print('x' * 65536)", Issue.UNKNOWN, "more than 1048576 bytes"),
    ],
)
async def test_how_the_rollback_command_ends_decides_what_is_known(outside, program, issue, words):
    outside.connect(rollback=python(program), rollback_s=1.0 if "sleep" in program else 20.0)
    _, _, plan = await bad_release(outside)
    outcome = await execute(outside, intent_of(plan))
    assert outcome.issue is issue
    assert words in outcome.sentence


@pytest.mark.asyncio
async def test_a_rollback_command_that_cannot_be_started_is_a_definite_no(outside):
    outside.connect(rollback=("/no/such/program",))
    _, _, plan = await bad_release(outside)
    outcome = await execute(outside, intent_of(plan))
    assert outcome.issue is Issue.REFUSED
    assert "cannot be started" in outcome.sentence


@pytest.mark.asyncio
async def test_the_command_gets_from_to_and_the_intents_id_as_arguments(outside, tmp_path):
    outside.connect(rollback=python(f"import sys; open({str(tmp_path / 'argv')!r}, 'w').write(repr(sys.argv[1:]))"))
    _, _, plan = await bad_release(outside)
    await execute(outside, intent_of(plan, name="intent"))
    assert (tmp_path / "argv").read_text() == "['two', 'one', 'intent-1']"


@pytest.mark.asyncio
async def test_an_unclear_end_after_the_switch_is_resolved_by_current_as_issued(outside):
    _, _, plan = await bad_release(outside)
    real = outside.program.read_text()
    crashing = real.replace("            rollback(state, *words)\n            save(state)\n", "CRASH")
    assert "CRASH" in crashing
    outside.program.write_text(
        crashing.replace(
            "CRASH", "            rollback(state, *words)\n            save(state)\n            os.abort()\n"
        )
    )
    intent = intent_of(plan)
    outcome = await execute(outside, intent)
    assert outcome.issue is Issue.UNKNOWN
    assert await outside.platform.resolve(intent) is Resolution.ISSUED


@pytest.mark.asyncio
async def test_nothing_is_run_when_current_cannot_be_read_right_before(outside, tmp_path):
    _, state, plan = await bad_release(outside)
    intent = intent_of(plan)
    outside.program.write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('x'); raise SystemExit(1)")
    outcome = await execute(outside, intent)
    assert outcome.issue is Issue.PRECONDITION_FAILED
    assert "nothing was run" in outcome.sentence
    assert (tmp_path / "ran").read_text() == "x"  # current, and never rollback
    assert state.release.fingerprint == "two"


@pytest.mark.asyncio
async def test_a_command_changed_after_the_plan_is_not_run(outside, tmp_path):
    _, _, plan = await bad_release(outside)
    outside.connect(rollback=python(f"open({str(tmp_path / 'ran')!r}, 'w')"))
    outcome = await execute(outside, intent_of(plan))
    assert outcome.issue is Issue.REFUSED
    assert not (tmp_path / "ran").exists()


@pytest.mark.asyncio
async def test_a_release_overwritten_by_a_careless_command_is_said(outside, tmp_path):
    careless = f"""
import os, subprocess, sys
os.environ["APP_HOME"] = {str(tmp_path)!r}
argv = [sys.executable, {str(outside.program)!r}, "deploy"]
subprocess.run([*argv, "three"], check=True)  # somebody deploys after the watchdog has looked
subprocess.run([*argv, "one"], check=True)  # and the command does not look
"""
    outside.connect(rollback=python(careless))
    _, _, plan = await bad_release(outside)
    outcome = await execute(outside, intent_of(plan))
    assert outcome.issue is Issue.ISSUED
    assert "WARNING: three had been deployed in between and was overwritten" in outcome.sentence
    assert outcome.overwrote == "three"


@pytest.mark.asyncio
async def test_a_clean_rollback_warns_of_nothing(outside):
    _, _, plan = await bad_release(outside)
    assert "WARNING" not in (await execute(outside, intent_of(plan))).sentence


@pytest.mark.asyncio
async def test_the_deadline_of_the_write_bounds_the_rollback_command(outside):
    outside.connect(rollback=python("import time; time.sleep(60)"))
    _, _, plan = await bad_release(outside)
    intent = intent_of(plan)
    began = outside.clock.monotonic()
    outcome = await outside.writer.execute(intent.step, intent, permit_for(outside, intent), deadline_s=2.0)
    assert outcome.issue is Issue.UNKNOWN
    assert outside.clock.monotonic() - began < 4


@pytest.mark.asyncio
async def test_there_is_no_plan_to_a_release_that_could_be_an_option(outside):
    state = await outside.platform.read_state()
    with pytest.raises(ValueError, match="read as an option"):
        await outside.platform.plan(state, Release(fingerprint="--all"), "incident-1")


@pytest.mark.asyncio
async def test_preflight_blocks_a_release_the_history_does_not_list(outside):
    (finding,) = await outside.platform.preflight(Release(fingerprint="zero"))
    assert finding.blocks
    outside.connect(history=python("raise SystemExit(1)"))
    (finding,) = await outside.platform.preflight(Release(fingerprint="one"))
    assert (finding.blocks, finding.unknown) == (False, True)


@pytest.mark.asyncio
async def test_a_rehearsal_says_that_there_is_no_dry_run(outside):
    _, _, plan = await bad_release(outside)
    assert "no dry run" in (await outside.writer.rehearse(plan.steps[0], deadline_s=20)).sentence


@pytest.mark.asyncio
async def test_a_rollout_that_will_not_end_is_confirmed_as_stuck(outside):
    _, _, plan = await bad_release(outside)
    answer = {"release": "one", "in_progress": False, "complete": False, "stuck": "no disk"}
    outside.connect(current=python(f"print({json.dumps(answer)!r})"))
    confirmation = await outside.platform.confirm(intent_of(plan))
    assert (confirmation.progress, confirmation.sentence) == (Progress.STUCK, "no disk")


@pytest.mark.asyncio
async def test_evidence_that_cannot_be_had_is_named(outside):
    outside.connect(history=python("raise SystemExit('no server')"))
    sink = Sink()
    await outside.platform.gather(sink, type("Incident", (), {"target": "shop", "id": "i"})())
    assert list(sink.files) == ["command/current.json"]
    assert sink.missed == [("output of the history command for shop", "exit code 1: no server")]
