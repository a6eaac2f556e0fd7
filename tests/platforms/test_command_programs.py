"""Programs that hang, flood, fork or fail are ended with all they started, and said."""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
import time

import pytest

from watchdog.platforms.programs import run


def python(text: str) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", text]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def pid_in(path: pathlib.Path) -> int:
    async with asyncio.timeout(5):
        while not path.exists() or not path.read_text():
            await asyncio.sleep(0.01)
    return int(path.read_text())


async def gone(pid: int) -> bool:
    """Killed by us, and reaped by whoever inherited it."""
    for _ in range(200):
        if not alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


FORKING = """
import os, pathlib, sys, time
if os.fork() == 0:
    pathlib.Path({path!r}).write_text(str(os.getpid()))
    time.sleep(60)
time.sleep({wait})
"""


@pytest.mark.asyncio
async def test_output_and_exit_code_are_handed_over():
    done = await run(python("print('out'); import sys; print('why', file=sys.stderr); sys.exit(7)"), deadline_s=10)
    assert (done.code, done.stdout, done.tail, done.trouble) == (7, b"out\n", "why", "")
    assert done.words == "exit code 7: why"


@pytest.mark.asyncio
async def test_a_hung_program_is_killed_at_its_deadline_with_all_its_children(tmp_path):
    began = time.monotonic()
    running = asyncio.create_task(run(python(FORKING.format(path=str(tmp_path / "pid"), wait=60)), deadline_s=1.0))
    child = await pid_in(tmp_path / "pid")
    done = await running
    assert (done.code, done.started) == (None, True)
    assert "killed after 1 s" in done.words
    assert await gone(child)
    assert time.monotonic() - began < 5


@pytest.mark.asyncio
async def test_cancelling_ends_the_whole_group_before_the_cancellation_is_done(tmp_path):
    running = asyncio.create_task(run(python(FORKING.format(path=str(tmp_path / "pid"), wait=60)), deadline_s=60))
    child = await pid_in(tmp_path / "pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await gone(child)


@pytest.mark.asyncio
async def test_a_child_left_behind_is_ended_and_does_not_hold_the_answer(tmp_path):
    text = FORKING.format(path=str(tmp_path / "pid"), wait=0)
    done = await run(python(text + "\nprint('done', flush=True)"), deadline_s=30)
    child = await pid_in(tmp_path / "pid")
    assert (done.code, done.stdout) == (0, b"done\n")
    assert await gone(child)


@pytest.mark.asyncio
async def test_a_child_that_left_the_group_holds_neither_the_answer_nor_our_descriptors(tmp_path):
    text = f"""
import os, pathlib, time
if os.fork() == 0:
    os.setsid()
    pathlib.Path({str(tmp_path / "pid")!r}).write_text(str(os.getpid()))
    time.sleep(20)
print("done", flush=True)
"""
    before = len(list(pathlib.Path("/proc/self/fd").iterdir()))
    done = await run(python(text), deadline_s=30)
    child = await pid_in(tmp_path / "pid")
    await asyncio.sleep(0.05)
    try:
        assert (done.code, done.stdout) == (0, b"done\n")
        assert len(list(pathlib.Path("/proc/self/fd").iterdir())) <= before + 1
    finally:
        os.kill(child, 9)


@pytest.mark.asyncio
async def test_a_flood_of_output_is_cut_and_the_program_killed():
    done = await run(python("while True: print('x' * 65536)"), deadline_s=30, cap=100_000)
    assert done.code is None
    assert "more than 100000 bytes" in done.words
    assert len(done.stdout) < 300_000


@pytest.mark.asyncio
async def test_a_short_flood_is_noticed_although_the_program_has_ended():
    done = await run(python("print('x' * 2000)"), deadline_s=30, cap=1000)
    assert done.code is None


@pytest.mark.asyncio
async def test_only_the_end_of_the_errors_is_kept_and_configured_values_are_masked():
    text = "import os, sys; sys.stderr.write('early ' * 100000 + 'the token is ' + os.environ['TOKEN'])"
    done = await run(python(text), deadline_s=30, environment={"TOKEN": "canary-4711"})
    assert "canary-4711" not in done.words
    assert "the token is" in done.tail
    assert len(done.tail) <= 1000


@pytest.mark.asyncio
async def test_the_environment_holds_nothing_but_path_home_lang_and_what_is_configured(monkeypatch):
    monkeypatch.setenv("AWS_SECRET", "canary-4711")
    text = "import os; print(sorted(set(os.environ) - {'LC_CTYPE', '__CF_USER_TEXT_ENCODING'}))"
    done = await run(python(text), deadline_s=30, environment={"APP": "1"})
    names = set(eval(done.stdout.decode()))
    assert "APP" in names
    assert names <= {"PATH", "HOME", "LANG", "APP"}


@pytest.mark.asyncio
async def test_there_is_no_shell_and_no_standard_input(tmp_path):
    done = await run(
        [*python("import sys; print(sys.argv[1:], sys.stdin.read())"), "$HOME; touch x", "*"], deadline_s=30
    )
    assert done.stdout.decode().strip() == "['$HOME; touch x', '*']"


@pytest.mark.asyncio
@pytest.mark.parametrize("argv", [["/no/such/program"], ["/"], ["bad\0name"]])
async def test_what_cannot_be_started_was_never_run_and_says_why(argv):
    done = await run(argv, deadline_s=10)
    assert (done.started, done.code) == (False, None)
    assert "cannot be started" in done.words


@pytest.mark.asyncio
async def test_a_program_ended_by_a_signal_says_which():
    done = await run(python("import os; os.kill(os.getpid(), 15)"), deadline_s=30)
    assert done.code == -15
    assert done.words == "ended by signal 15"
