"""A real PostgreSQL on the loopback: its own cluster in a new directory, started once for the tests of this room."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.components import free_port, needed
from watchdog.clients.postgres import Postgres, PostgresAccess

PASSWORD = "secret-of-the-watchdog"


@dataclass
class Server:
    """`process` is the postmaster."""

    port: int
    process: subprocess.Popen[bytes]

    def access(self, database: str, **changes: Any) -> PostgresAccess:
        known = {"user": "watchdog", "password": PASSWORD, **changes}
        return PostgresAccess(host="127.0.0.1", port=self.port, database=database, **known)

    def postgres(self, database: str, **changes: Any) -> Postgres:
        return Postgres(self.access(database, **changes))

    async def run(self, database: str, *statements: str) -> None:
        """As the owner of everything."""
        owner = await asyncpg.connect(host="127.0.0.1", port=self.port, user="owner", database=database)
        try:
            for statement in statements:
                await owner.execute(statement)
        finally:
            await owner.close()

    def freeze(self) -> None:
        """No process of the server goes on."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        for process in (self.process.pid, *map(int, children.split())):
            with suppress(ProcessLookupError):  # one that ended meanwhile
                os.kill(process, number)


def _not_root() -> Mapping[str, Any]:
    """PostgreSQL does not run as root: then as the user that its package brings, else as nobody."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise AssertionError("no user to run PostgreSQL as")


def _program(name: str) -> str:
    """Debian keeps the server's programs off PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else needed(name, "postgres")


@contextmanager
def running(directory: Path) -> Iterator[Server]:
    user = _not_root()
    if user:
        os.chown(directory, user["user"], user["group"])
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": directory, **user}
    data, port = directory / "data", free_port()
    made = [_program("initdb"), "-D", str(data), "-U", "owner", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"]
    subprocess.run(made, check=True, timeout=60, **quiet)
    (data / "pg_hba.conf").write_text(
        "host all owner 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n", encoding="ascii"
    )
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    process = subprocess.Popen([_program("postgres"), "-D", str(data), *options], **quiet)
    try:
        _wait(process, port)
        yield Server(port, process)
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=20)
        shutil.rmtree(directory, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 30
    asked = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asked, check=False, timeout=10).returncode != 0:
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail("PostgreSQL does not come up")
        time.sleep(0.05)
