"""The command as a whole: its help, its errors, its exit codes, its start."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import click
import pytest

from tests.cli.conftest import Running
from watchdog.cli import status as status_module
from watchdog.cli.exits import MEANING, Exit, Failed
from watchdog.cli.main import COMMANDS, cli


def python(*code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *code], capture_output=True, text=True, timeout=30, check=False, env={**os.environ, **environ}
    )


def test_help_begins_with_the_six_of_an_incident_and_ends_with_the_exit_codes(daemon: Running) -> None:
    text = daemon.ok("--help")
    lines = [line.split()[0] for line in text.splitlines() if line.startswith("  ") and line.strip()]
    first = [word for word in lines if word in COMMANDS][:6]
    assert first == ["status", "explain", "approve", "cancel", "stop", "rollback"]
    assert text.index("In an incident:") < text.index("Options:")
    for code, words in MEANING.items():
        assert f"{code.value:>3}  {words}" in text


def test_typing_nothing_shows_the_help(daemon: Running) -> None:
    assert daemon.ok() == daemon.ok("-h")


@pytest.mark.parametrize("name", [name for name in COMMANDS if find_spec(f"watchdog.cli.{COMMANDS[name].module}")])
def test_every_command_is_there_and_its_help_says_what_its_line_promises(daemon: Running, name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert f"Usage: watchdog {name}" in daemon.ok(name, "--help")


def test_every_exit_code_has_its_meaning() -> None:
    assert set(MEANING) == set(Exit)


def test_a_command_that_is_not_there_gets_the_nearest(daemon: Running) -> None:
    result = daemon("statsu")
    assert (result.exit_code, result.stderr) == (2, "error: there is no command 'statsu'\ntry:   watchdog status\n")
    assert daemon("\x1b[2J").stderr.endswith("try:   watchdog --help\n")


@pytest.mark.parametrize("args", [("status", "--colour"), ("explain",), ("status", "-o", "xml"), ("--wat",)])
def test_a_misunderstood_line_ends_with_the_help_to_type(daemon: Running, args: tuple[str, ...]) -> None:
    result = daemon(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    name = f"{args[0]} " if args[0] in COMMANDS else ""
    assert result.stderr.splitlines()[-1] == f"try:   watchdog {name}--help"


def test_a_defect_has_its_own_code_because_one_means_no(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(status_module, "screen", broken)
    result = daemon("status")
    assert result.exit_code == 70
    assert "ZeroDivisionError: odd" in result.stderr
    assert "a defect of watchdog" in result.stderr


def test_ctrl_c_is_no_traceback(daemon: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status_module, "screen", interrupted)
    result = daemon("status")
    assert (result.exit_code, "Traceback" in result.stderr) == (130, False)


def test_inside_another_program_errors_are_raised_and_not_exited(nobody: Running) -> None:
    with pytest.raises(Failed, match="no daemon answers"):
        cli.main(["status"], standalone_mode=False, obj=nobody.terminal())


def test_the_socket_may_stand_before_or_after_the_command(nobody: Running) -> None:
    for args in (("--socket", "/x/first", "status"), ("status", "--socket", "/x/first")):
        assert "no daemon answers on /x/first" in nobody(*args).stderr


def test_a_reader_that_closed_the_pipe_ends_the_command_quietly(daemon: Running) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "watchdog.cli.main", "--socket", str(daemon.path), "status"]
    found = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    os.close(writer)
    assert (found.returncode, found.stderr) == (141, "")


def test_status_imports_nothing_heavy(daemon: Running) -> None:
    code = (
        "import sys; from watchdog.cli.main import cli\n"
        f"try: cli(['--socket', {str(daemon.path)!r}, 'status'])\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'asyncio', 'aiohttp', 'rich', 'yaml', 'pydantic', 'structlog', 'prometheus_client', 'sqlite3', 'logging'}\n"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    found = python("-c", code)
    assert found.stdout.splitlines()[-1] == "0 []", found.stderr


def test_the_installed_command_works_as_a_process(daemon: Running) -> None:
    found = python("-m", "watchdog.cli.main", "status", WATCHDOG_SOCKET=str(daemon.path))
    assert (found.returncode, found.stderr) == (0, "")
    assert "\x1b" not in found.stdout, "colour although it is piped"
    assert "bookstore-api" in found.stdout
    found = python("-m", "watchdog.cli.main", "explain", "nobody", WATCHDOG_SOCKET=str(daemon.path))
    assert found.returncode == 3


def test_the_version_is_that_of_the_distribution(daemon: Running) -> None:
    assert daemon.ok("--version").startswith("watchdog, version 0.")
