"""The client of the daemon's API, over its unix socket, or over the network with a token.

Role: the only module of the command line that talks to a daemon. Neighbours: `web.api` at the other end. On the standard
library, because an HTTP stack would take longer to import than the answer takes. Guarantees: every request has a bound;
"no daemon", "refused", "pending" and "unknown" are told apart, each with its own exit code.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from watchdog.cli.exits import Exit, Failed

PREFIX = "/api/v1"
FILE_NAME = "watchdog.sock"
SYSTEM_DIRECTORY = Path("/run/watchdog")

ANSWER_S = 40.0
"""Longer than the daemon's own bound of 30 s, so that its answer wins."""

ANSWER_AT_MOST = 64 * 1024 * 1024
_ACCEPTED = 202
_ERROR = 400
_NO_FILE = "there is no such file"


def socket_path(environ: Mapping[str, str]) -> Path:
    """Where the daemon listens when nobody said so.

    WATCHDOG_SOCKET, else the file in the user's run directory if there is one, else the system's.
    """
    if chosen := environ.get("WATCHDOG_SOCKET"):
        return Path(chosen)
    if own := environ.get("XDG_RUNTIME_DIR"):
        path = Path(own) / "watchdog" / FILE_NAME
        if path.exists():
            return path
    return SYSTEM_DIRECTORY / FILE_NAME


def place(*parts: str) -> str:
    """A path of the API; each part is one segment, whatever is in it."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


@dataclass(frozen=True)
class Reply:
    """The daemon's answer. `pending` = it was taken but is not acknowledged (202)."""

    body: dict[str, Any]
    pending: bool


@dataclass(frozen=True)
class Daemon:
    """A daemon behind a socket file. Every method raises Failed with the exit code that fits."""

    path: Path
    answer_s: float = ANSWER_S

    def get(self, path: str) -> dict[str, Any]:
        """Ask."""
        return self._request("GET", path, None).body

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Order. None values are left out."""
        return self._request("POST", path, body or {})

    def delete(self, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Order an end."""
        return self._request("DELETE", path, body or {})

    @property
    def where(self) -> str:
        """What is asked, for people."""
        return str(self.path)

    def connection(self) -> http.client.HTTPConnection:
        """A connection that is not open yet."""
        return _UnixConnection(self.path, self.answer_s)

    @property
    def credentials(self) -> Mapping[str, str]:
        """Headers that say who asks: the socket file's mode is enough."""
        return {}

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Reply:
        connection = self.connection()
        try:
            status, raw = self._exchange(connection, method, path, body)
        finally:
            connection.close()
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if status >= _ERROR:
            raise _refused(status, answer)
        if not isinstance(answer, dict):
            raise Failed(f"{self.where} does not answer like a watchdog", Exit.UNKNOWN, "watchdog doctor")
        return Reply(answer, status == _ACCEPTED)

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Mapping[str, Any] | None
    ) -> tuple[int, bytes]:
        try:
            connection.connect()
        except OSError as error:
            raise self._unreachable(error) from error
        headers = {"Content-Type": "application/json", "Connection": "close", **self.credentials}
        content = None if body is None else json.dumps({k: v for k, v in body.items() if v is not None})
        try:
            connection.request(method, PREFIX + path, body=content, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read(ANSWER_AT_MOST)
        except TimeoutError as error:
            said = f"no answer within {self.answer_s:g} s on {self.where}: whether it was done is unknown"
            raise Failed(said, Exit.UNKNOWN, "watchdog status") from error
        except (OSError, http.client.HTTPException) as error:
            said = f"the daemon on {self.where} broke off ({error}): whether it was done is unknown"
            raise Failed(said, Exit.UNKNOWN, "watchdog status") from error

    def _unreachable(self, error: OSError) -> Failed:
        reason = {FileNotFoundError: _NO_FILE, ConnectionRefusedError: "nobody listens: its daemon is dead"}
        words = reason.get(type(error), error.strerror or str(error))
        said = f"no daemon answers on {self.path} ({words})"
        if isinstance(error, PermissionError):
            # The file's mode is the credential: this is a refusal, though not by the daemon.
            return Failed(f"{said}: the socket belongs to another user", Exit.UNREACHABLE, f"ls -l {self.path}")
        return Failed(said, Exit.UNREACHABLE, "watchdog run --config FILE    (or --socket PATH, WATCHDOG_SOCKET)")


@dataclass(frozen=True)
class RemoteDaemon(Daemon):
    """A daemon behind ``http(s)://host:port``, asked with a token."""

    url: str = ""
    token: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        """The address."""
        return self.url

    @property
    def credentials(self) -> Mapping[str, str]:
        """The token as bearer."""
        return {"Authorization": f"Bearer {self.token}"}

    def connection(self) -> http.client.HTTPConnection:
        """TLS as the address says; certificates are checked against the system's (SSL_CERT_FILE)."""
        parts = urlsplit(self.url)
        made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return made(parts.hostname or "", parts.port, timeout=self.answer_s)

    def _unreachable(self, error: OSError) -> Failed:
        said = f"no daemon answers on {self.url} ({error.strerror or error})"
        return Failed(said, Exit.UNREACHABLE, f"curl -v {self.url}/daemon")


def remote(url: str, token_file: str | None) -> RemoteDaemon:
    """The daemon at an address. Raises Failed for an address or a file that cannot be meant."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise Failed(f"{url!r}: an address such as https://watchdog.example:9470", Exit.USAGE)
    if not token_file:
        raise Failed(
            "a token is needed: --token-file FILE, or WATCHDOG_TOKEN_FILE", Exit.USAGE, "watchdog token --help"
        )
    try:
        token = Path(token_file).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise Failed(f"{token_file}: {error}", Exit.USAGE) from error
    return RemoteDaemon(Path(), url=url.rstrip("/"), token=token)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: Path, answer_s: float) -> None:
        super().__init__("watchdog", timeout=answer_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def _refused(status: int, answer: Any) -> Failed:
    """The problem document as an error; an answer without one is a defect of the daemon."""
    if not isinstance(answer, dict) or "detail" not in answer:
        return Failed(f"the daemon failed to answer (HTTP {status}): see its log", Exit.UNKNOWN, "watchdog status")
    code = {"unavailable": Exit.UNKNOWN, "malformed": Exit.USAGE}.get(str(answer.get("code")), Exit.REFUSED)
    return Failed(str(answer["detail"]), code, str(answer.get("next") or ""))
