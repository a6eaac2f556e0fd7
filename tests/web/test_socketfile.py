"""The socket file is the credential: its mode, and who may replace it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from pathlib import Path

import pytest

from watchdog.web import socketfile
from watchdog.web.socketfile import SocketRefused


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_socket_is_readable_and_writable_for_its_owner_only_even_under_a_wide_umask(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    before = os.umask(0)
    try:
        with socketfile.bind(path):
            assert mode_of(path) == 0o600
            assert os.umask(0) == 0, "the umask of the process was not put back"
    finally:
        os.umask(before)


def test_the_mode_is_narrow_at_the_moment_of_binding_and_not_repaired_after_it(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = short_directory / "w.sock"
    seen: list[int] = []

    class Watched(socket.socket):
        def bind(self, address) -> None:
            super().bind(address)
            seen.append(mode_of(Path(address)))

    monkeypatch.setattr(socketfile.socket, "socket", Watched)
    socketfile.bind(path).close()
    assert seen == [0o600]


def test_a_missing_directory_is_made_for_the_owner_only(short_directory: Path) -> None:
    with socketfile.bind(short_directory / "run" / "w.sock"):
        assert mode_of(short_directory / "run") == 0o700


def test_a_socket_left_by_a_dead_daemon_is_replaced(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    path.chmod(0o666)
    with socketfile.bind(path) as alive, socket.socket(socket.AF_UNIX) as client:
        alive.listen()
        client.connect(str(path))
        assert mode_of(path) == 0o600


def test_a_socket_on_which_a_daemon_listens_is_refused_and_stays(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    with socketfile.bind(path) as live:
        live.listen()
        identity = socketfile.identity_of(path)
        with pytest.raises(SocketRefused, match="already listening"):
            socketfile.bind(path)
        assert socketfile.identity_of(path) == identity


def test_a_daemon_that_is_too_busy_to_accept_counts_as_alive(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    with socketfile.bind(path) as live:
        live.listen(0)
        waiting = []
        for _ in range(50):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            if client.connect_ex(str(path)) == errno.EAGAIN:
                break
        else:
            pytest.fail("the backlog never filled: the test shows nothing")
        with pytest.raises(SocketRefused, match="already listening"):
            socketfile.bind(path)
        for client in waiting:
            client.close()


def test_a_file_that_is_no_socket_is_left_alone(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    path.write_text("somebody's notes")
    with pytest.raises(SocketRefused, match="not a socket"):
        socketfile.bind(path)
    assert path.read_text() == "somebody's notes"


def test_a_symbolic_link_is_not_followed(short_directory: Path) -> None:
    (short_directory / "elsewhere").write_text("x")
    path = short_directory / "w.sock"
    path.symlink_to(short_directory / "elsewhere")
    with pytest.raises(SocketRefused, match="not a socket"):
        socketfile.bind(path)


def test_two_daemons_that_start_at_once_cannot_both_look_and_bind(short_directory: Path) -> None:
    handle = os.open(short_directory, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(SocketRefused, match="another daemon is starting"):
            socketfile.bind(short_directory / "w.sock")
    finally:
        os.close(handle)
    socketfile.bind(short_directory / "w.sock").close()


def test_a_path_longer_than_the_kernel_takes_is_named_instead_of_cut(short_directory: Path) -> None:
    with pytest.raises(SocketRefused, match="longer than the 100 bytes"):
        socketfile.bind(short_directory / ("x" * 100))


def test_a_directory_that_cannot_be_made_is_said_with_its_path(short_directory: Path) -> None:
    (short_directory / "file").write_text("")
    with pytest.raises(SocketRefused, match=r"cannot make the socket .*file/w\.sock"):
        socketfile.bind(short_directory / "file" / "w.sock")


def test_only_our_own_file_is_removed_at_the_end(short_directory: Path) -> None:
    path = short_directory / "w.sock"
    socketfile.bind(path).close()
    ours = socketfile.identity_of(path)
    assert ours is not None
    keep = path.rename(short_directory / "ours")  # keeps the inode in use, so that the successor gets another
    successor = socketfile.bind(path)
    socketfile.remove(path, ours)
    assert path.exists(), "the successor's socket was removed"
    successor.close()
    socketfile.remove(keep, ours)
    assert not keep.exists()
