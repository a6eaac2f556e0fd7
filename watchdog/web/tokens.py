"""Tokens: who may ask and order over TCP, kept as hashes in a file of the operator's.

Role: `Tokens` finds the principal of a token; `web.access` demands it before each route. Neighbours: ``watchdog token`` makes
them. Guarantees: the file holds scrypt hashes only (RFC 7914), so reading it gives nobody access; it is read anew when its
content changed (rotation without a restart), and one that cannot be understood lets nobody in and says why; a token that
nobody has takes as long as one that somebody has. Not guaranteed: secrecy on the wire - that is TLS.

The file is a YAML list: ``[{name: ci, hash: "scrypt:...", scopes: [read, pause], targets: [bookstore-api]}]``. `scopes` are of
`SCOPES`; without `targets` a token may order for all of them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from pathlib import Path
from typing import Any

import structlog
import yaml

from watchdog.model import record
from watchdog.ports import WatchdogError

SCOPES = ("read", "pause", "approve", "act")
"""Ask; pause, resume and stop; approve and cancel; roll back, arm, condemn, clear and reload."""

PREFIX = "wd"
_COST, _BLOCK, _PARALLEL, _KEY = 2**14, 8, 1, 32
_MEMORY = 64 * 1024 * 1024
MOST_BYTES = 256 * 1024
REMEMBERED = 500

_log = structlog.get_logger("watchdog.web")


class TokensRefused(WatchdogError):
    """The file of tokens cannot be used; the message says where and why."""


@record
class Principal:
    """Who a token stands for."""

    name: str
    scopes: frozenset[str]
    targets: frozenset[str] = frozenset()
    """Empty = all."""
    mark: str = field(default="", repr=False)
    """Changes with the token: a session ends when its token does."""

    def may(self, scope: str) -> bool:
        """Whether the scope was given."""
        return scope in self.scopes

    def may_order(self, target: str) -> bool:
        """Whether orders for this target were given; ``""`` = for everything at once."""
        return not self.targets or target in self.targets


@record
class _Entry:
    principal: Principal
    salt: bytes
    key: bytes


def make_token(name: str) -> tuple[str, str]:
    """A fresh token and the hash that goes into the file. The token is never seen again."""
    token = f"{PREFIX}_{name}_{secrets.token_urlsafe(32)}"
    salt = secrets.token_bytes(16)
    return token, f"scrypt:{_text(salt)}:{_text(_hashed(token, salt))}"


class Tokens:
    """The tokens of one file."""

    def __init__(self, path: Path) -> None:
        """Read `path`. Raises TokensRefused."""
        self._path = path
        self._content = b""
        self._entries: Mapping[str, _Entry] = {}
        self._known: OrderedDict[bytes, Principal] = OrderedDict()
        self._nobody = _Entry(principal=Principal(name="", scopes=frozenset()), salt=secrets.token_bytes(16), key=b"")
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="watchdog-tokens")
        self._load(_read(path))

    async def find(self, token: str) -> Principal | None:
        """Who the token stands for, None for nobody. A token that was seen before costs no second hash."""
        self._renew()
        mark = hashlib.sha256(token.encode()).digest()
        if mark in self._known:
            return self._known[mark]
        entry = self._entries.get(_name_of(token), self._nobody)
        key = await asyncio.get_running_loop().run_in_executor(self._pool, _hashed, token, entry.salt)
        if not hmac.compare_digest(key, entry.key):
            return None
        self._known[mark] = entry.principal
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return entry.principal

    def stands(self, principal: Principal) -> bool:
        """Whether the file still says the same of it: a session ends with its token."""
        self._renew()
        entry = self._entries.get(principal.name)
        return entry is not None and entry.principal == principal

    def close(self) -> None:
        """Let the thread go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _renew(self) -> None:
        try:
            content = _read(self._path)
            if content != self._content:
                self._load(content)
        except TokensRefused as error:
            if self._entries:
                _log.error("no token is valid any more", action="tokens_refused", reason=str(error))
            self._entries, self._content = {}, b""
            self._known.clear()

    def _load(self, content: bytes) -> None:
        self._entries = _parsed(content, str(self._path))
        self._content = content
        self._known.clear()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise TokensRefused(f"{path}: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise TokensRefused(f"{path} is larger than {MOST_BYTES // 1024} KiB")
    return content


def _parsed(content: bytes, where: str) -> dict[str, _Entry]:
    try:
        listed = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TokensRefused(f"{where} is not YAML: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(listed, list):
        raise TokensRefused(f"{where}: expected a list of {{name, hash, scopes, targets}}")
    found: dict[str, _Entry] = {}
    for number, entry in enumerate(listed, 1):
        parsed = _entry(entry, f"{where}, entry {number}")
        if parsed.principal.name in found:
            raise TokensRefused(f"{where}, entry {number}: {parsed.principal.name!r} stands there twice")
        found[parsed.principal.name] = parsed
    return found


def _entry(entry: Any, where: str) -> _Entry:
    if not isinstance(entry, dict) or set(entry) - {"name", "hash", "scopes", "targets"}:
        raise TokensRefused(f"{where}: expected {{name, hash, scopes, targets}}")
    name, scopes, targets = entry.get("name"), entry.get("scopes"), entry.get("targets", [])
    if not valid_name(name):
        raise TokensRefused(f"{where}: name: letters, digits, dots and hyphens")
    if not _texts(scopes) or not scopes or set(scopes) - set(SCOPES):
        raise TokensRefused(f"{where}: scopes: some of {', '.join(SCOPES)}")
    if not _texts(targets):
        raise TokensRefused(f"{where}: targets: a list of names")
    try:
        kind, salt, key = str(entry.get("hash")).split(":")
        salt_bytes, key_bytes = base64.b64decode(salt, validate=True), base64.b64decode(key, validate=True)
    except ValueError:
        kind, salt_bytes, key_bytes = "", b"", b""
    if kind != "scrypt" or len(key_bytes) != _KEY:
        raise TokensRefused(f"{where}: hash: what `watchdog token` printed")
    mark = hashlib.sha256(key_bytes).hexdigest()
    principal = Principal(name=str(name), scopes=frozenset(scopes), targets=frozenset(targets), mark=mark)
    return _Entry(principal=principal, salt=salt_bytes, key=key_bytes)


def valid_name(name: Any) -> bool:
    """A name that fits into a token and a log line."""
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9.-]{1,60}", name) is not None


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _name_of(token: str) -> str:
    parts = token.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == PREFIX else ""  # noqa: PLR2004 - prefix, name, secret


def _hashed(token: str, salt: bytes) -> bytes:
    return hashlib.scrypt(token.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, maxmem=_MEMORY, dklen=_KEY)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
