"""Keys and the text form of documents, shared by the stores that keep documents as JSON text.

Role: one place that says what a key may be and what a document may hold. Neighbours: `memory` and `sqlite`.
Guarantees: what `decode` gives back equals what `encode` was given; a document that JSON cannot carry exactly (NaN,
objects of Python) is refused before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from watchdog.model import JsonObject

KEY_LIMIT = 1024
"""Longest key in characters: room for long names, and none for a document put in the wrong place by mistake."""


def check_key(key: str) -> str:
    """The key itself. Raises ValueError for what is not ``kind/rest`` in printable characters."""
    kind, _, rest = key.partition("/")
    if not kind or not rest or len(key) > KEY_LIMIT or not key.isprintable():
        raise ValueError(f"{key[:80]!r} is no key: expected kind/rest")
    return key


def encode(document: JsonObject) -> str:
    """Compact JSON in ASCII, which also carries half characters. Raises ValueError or TypeError for what JSON cannot."""
    return json.dumps(document, allow_nan=False, separators=(",", ":"), default=_as_dict)


def decode(text: str) -> JsonObject:
    """The document of a text. Raises ValueError for what is no JSON object."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one error for every text that is no document
    return document


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a document cannot hold a {type(value).__name__}")
