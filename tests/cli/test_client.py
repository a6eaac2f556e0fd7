"""The client against daemons that are missing, hang, break off, or are none."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Running
from watchdog.cli import client
from watchdog.cli.client import Daemon, place, socket_path
from watchdog.cli.exits import Exit, Failed


@pytest.fixture
def answers(short_directory: Path) -> Iterator[Callable[[bytes], Path]]:
    """A server that reads a request, sends these bytes and hangs up; no bytes = it keeps silent."""
    path = short_directory / "odd.sock"
    ends: list[Callable[[], None]] = []

    def start(reply: bytes) -> Path:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        silent = threading.Event()

        def body() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if reply:
                    connection.sendall(reply)
                else:
                    silent.wait(10)

        thread = threading.Thread(target=body)
        thread.start()

        def end() -> None:
            silent.set()
            thread.join(10)
            listener.close()

        ends.append(end)
        return path

    yield start
    for end in ends:
        end()


def failure(path: Path, answer_s: float = 5.0) -> Failed:
    with pytest.raises(Failed) as caught:
        Daemon(path, answer_s).get("/status")
    return caught.value


def test_no_file_no_listener_and_no_leave_are_told_apart(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    missing = failure(path)
    assert (missing.code, "there is no such file" in missing.message) == (Exit.UNREACHABLE, True)
    assert missing.next_command.startswith("watchdog run")
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    assert "its daemon is dead" in failure(path).message


def test_a_socket_of_another_user_is_no_missing_daemon(short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(socket.socket):
        def connect(self, address: object) -> None:  # as the kernel does for a file of mode 0600, but for root too
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(client.socket, "socket", Closed)
    refused = failure(short_directory / "w.sock")
    assert (refused.code, "belongs to another user" in refused.message) == (Exit.UNREACHABLE, True)
    assert refused.next_command.startswith("ls -l ")


def test_a_path_no_socket_can_have_is_an_error_and_no_traceback(short_directory: Path) -> None:
    assert failure(short_directory / ("x" * 200)).code is Exit.UNREACHABLE


def test_silence_is_unknown_and_not_no(answers: Callable[[bytes], Path]) -> None:
    silent = failure(answers(b""), answer_s=0.05)
    assert (silent.code, "whether it was done is unknown" in silent.message) == (Exit.UNKNOWN, True)


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nOops",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n[]",
    ],
)
def test_an_answer_that_is_none_is_unknown(answers: Callable[[bytes], Path], reply: bytes) -> None:
    assert failure(answers(reply)).code is Exit.UNKNOWN


def test_what_was_chosen_wins_then_the_users_directory_then_the_systems(short_directory: Path) -> None:
    own = short_directory / "watchdog" / "watchdog.sock"
    environ = {"XDG_RUNTIME_DIR": str(short_directory)}
    assert socket_path(environ) == Path("/run/watchdog/watchdog.sock")
    own.parent.mkdir()
    own.touch()
    assert socket_path(environ) == own
    assert socket_path({**environ, "WATCHDOG_SOCKET": "/x"}) == Path("/x")
    assert socket_path({}) == Path("/run/watchdog/watchdog.sock")


def test_each_part_of_a_path_is_one_segment_whatever_is_in_it() -> None:
    assert place("targets", "a/b ?#ü") == "/targets/a%2Fb%20%3F%23%C3%BC"


def test_every_command_that_asks_says_when_nobody_answers(nobody: Running) -> None:
    for args in (
        ("status",), ("explain", "x"), ("describe", "x"), ("check", "x"), ("incidents",), ("history", "x"), ("pauses",),
        ("pause", "--for", "1h", "--reason", "x"), ("resume",), ("stop",), ("arm",), ("rollback", "x"),
        ("approve", "x"), ("cancel", "x"),
    ):  # fmt: skip
        result = nobody(*args)
        assert (result.exit_code, result.stdout) == (4, ""), args
        assert result.stderr.splitlines()[-1].startswith("try:   watchdog run"), args
