"""The unix socket file: its mode is the credential of everything that can be ordered.

Role: binds the listening socket of the API. Neighbours: `web.server` listens on it. Guarantees: the file never exists with
a mode wider than 0600, not even for a moment; a file left by a dead daemon is replaced; one on which somebody answers, or
which is no socket, is never touched; two daemons that start at once cannot both win.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watchdog.ports import WatchdogError

MODE = 0o600
_PATH_AT_MOST = 100
"""The kernel takes 107 bytes; macOS 103. Said here, because its own message does not name the path."""
_ANSWER_S = 1.0


class SocketRefused(WatchdogError):
    """The socket cannot be made at this path; the message says why and what to do."""


def bind(path: Path) -> socket.socket:
    """A socket that is bound to `path` with mode 0600, ready to listen. Raises SocketRefused.

    A missing directory is made with mode 0700.
    """
    if len(os.fsencode(path)) > _PATH_AT_MOST:
        raise SocketRefused(f"{path} is longer than the {_PATH_AT_MOST} bytes a socket's path may have")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path.parent):
            _clear(path)
            return _bind(path)
    except OSError as error:
        raise SocketRefused(f"cannot make the socket {path}: {error.strerror or error}") from error


def remove(path: Path, identity: tuple[int, int]) -> None:
    """Remove the file if it is still the one we made (`identity_of`), not a successor's."""
    if identity_of(path) == identity:
        path.unlink(missing_ok=True)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file, None when there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, so that looking for a live daemon and binding is one act."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SocketRefused(f"another daemon is starting in {directory}") from error
        yield
    finally:
        os.close(handle)


def _clear(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise SocketRefused(f"{path} exists and is not a socket: it was left alone")
    if _answers(path):
        raise SocketRefused(f"a daemon is already listening on {path}")
    path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_ANSWER_S)
        code = probe.connect_ex(os.fspath(path))
    # Only a refused connection proves that nobody holds it: a full backlog (EAGAIN) is a daemon that is busy.
    return code not in (errno.ECONNREFUSED, errno.ENOENT)


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~MODE)
    try:
        listener.bind(os.fspath(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener
