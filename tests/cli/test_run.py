"""`watchdog run` as a real process, beside real commands."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from watchdog.cli.composition import Assembly
from watchdog.engine.daemon import LeaseLost


@pytest.fixture
def configuration(short_directory: Path) -> Path:
    program = short_directory / "api"
    program.write_text(
        '#!/bin/sh\ncase "$1" in\n'
        """current) echo '{"release":"r2","in_progress":false,"complete":true}';;\n"""
        """history) echo '[{"release":"r2","at":"2025-12-01T00:00:00Z"}]';;\n*) exit 3;;\nesac\n"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = short_directory / "watchdog.yaml"
    path.write_text(
        f"mode: observe\nstate: {{sqlite: {short_directory}/state.db}}\nbundles: {short_directory}/bundles\n"
        f"api: {{socket: {short_directory}/w.sock, metrics: {{host: 127.0.0.1, port: 0}}}}\n"
        "targets:\n  bookstore-api:\n    data: none\n"
        f"    command: {{current: [{program}, current], history: [{program}, history], rollback: [{program}, rollback]}}\n"
        "    signals: {health: {http: 'http://127.0.0.1:9/health'}}\n"
        "notify: {team: {stdout: {}}}\n"
    )
    return path


@contextmanager
def running(configuration: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "watchdog.cli.main", "run", "-c", str(configuration)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ)) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def until_it_answers(process: subprocess.Popen[bytes], nobody: Running) -> str:
    end = time.monotonic() + 30
    while True:
        result = nobody("status")
        if result.exit_code == 0:
            return result.stdout
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < end, result.stderr
        time.sleep(0.05)


def test_a_daemon_is_asked_paused_and_ended_by_a_signal(nobody: Running, configuration: Path) -> None:
    with running(configuration) as process:
        assert until_it_answers(process, nobody).startswith("OBSERVE")
        assert stat.S_IMODE(nobody.path.stat().st_mode) == 0o600
        assert "applied in cycle" in nobody.ok("pause", "--for", "1h", "--reason", "test")
        assert nobody.ok("status").startswith("PAUSED by")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0, log
    assert not nobody.path.exists()
    assert nobody("status").exit_code == 4


def test_a_second_daemon_beside_the_first_is_refused_in_a_sentence(nobody: Running, configuration: Path) -> None:
    with running(configuration) as process:
        until_it_answers(process, nobody)
        with running(configuration) as second:
            _, log = second.communicate(timeout=30)
        assert second.returncode == 3, log
        assert b"Traceback" not in log
        assert log.splitlines()[-1].startswith(b"try:   watchdog doctor")
        assert nobody("status").exit_code == 0
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def test_a_lost_lease_ends_it_with_a_sentence_and_is_no_defect(
    configuration: Path, nobody: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(assembly: Assembly) -> None:
        await assembly.close()
        raise LeaseLost("the lease is lost: another holds it now")

    monkeypatch.setattr("watchdog.cli.serving.serve", lost)
    result = nobody("run", "-c", str(configuration))
    assert (result.exit_code, "defect" in result.output) == (3, False)
    assert "error: the lease is lost: another holds it now" in result.stderr
