"""Which names make their value a secret.

Role: one judgement about names, for environment variables, keys of objects and command-line flags. Guarantees: denies by
default - a name that merely contains one of the words counts. Exempt are only names that Kubernetes itself gives to
things that point at secrets without holding them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "connection", "connstr", "cookie",
    "private", "signature", "dsn", "jwt", "apikey", "salt", "authorization", "dockercfg", "dockerconfig",
)  # fmt: skip
"""A name that contains one of these, in any case and with any punctuation, is secret-like."""

POINTERS = frozenset({
    "secretname", "secretref", "secretkeyref", "secretnamespace", "imagepullsecrets", "imagepullsecret", "tokenrequests",
    "serviceaccounttoken", "automountserviceaccounttoken", "tokenexpirationseconds", "nodepublishsecretref",
    "maxconnections", "connectiontimeout", "connectiontimeoutseconds", "topologykey", "configmapkeyref", "matchlabelkeys",
    "mismatchlabelkeys", "keys", "key",
})  # fmt: skip
"""Names that point at a secret or count something: their value is no secret."""

POINTER_KEYS = frozenset({"name", "namespace", "key", "items", "optional", "secretName", "defaultMode"})
"""An object that has only these keys says where a secret is, not what it is."""

_PUNCTUATION = re.compile(r"[^a-z0-9]")


def is_secret_name(name: str) -> bool:
    """Whether the value under this environment variable, flag or key is a secret. ``KEY`` counts within longer names."""
    # "pass" and "auth" are too common inside words (bypass is worth the mistake, author is not)
    plain = _PUNCTUATION.sub("", name.lower())
    if plain in POINTERS:
        return False
    return "key" in plain or plain.endswith(("pass", "auth")) or any(word in plain for word in WORDS)


def is_pointer(item: Any) -> bool:
    """Whether an object, or every object of a list, only points at secrets."""
    if isinstance(item, Mapping):
        return bool(item) and set(item) <= POINTER_KEYS
    return isinstance(item, (list, tuple)) and bool(item) and all(is_pointer(entry) for entry in item)
