"""Relative paths of evidence: what a file may be called, and the folder of an incident.

Role: shared by the directory, the capture and the report. Guarantees: a checked path stays below its root on every
system; `tidy` never gives a path that `check` refuses.
"""

from __future__ import annotations

import hashlib
import re

SEGMENT_LIMIT = 120
"""Longest name of one segment in characters: below the 255 bytes of filesystems, also in UTF-8 and with a suffix."""

_STRANGE = re.compile(r"[^A-Za-z0-9._@=+-]")


def check(path: str) -> str:
    """The path itself. Raises ValueError for what is not a relative path of plain names."""
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments) or not path.isprintable() or "\\" in path:
        raise ValueError(f"{path[:200]!r} is no relative path of plain names")
    return path


def tidy(path: str) -> str:
    """The path with strange characters replaced and long names cut. Raises ValueError for ``..`` and empty segments."""
    return "/".join(_tidy(segment) for segment in check(path).split("/"))


def folder(incident_id: str) -> str:
    """The folder of an incident: one segment."""
    return _tidy(incident_id.lstrip(".") or "incident")


def _tidy(name: str) -> str:
    plain = _STRANGE.sub("-", name)
    if plain == name and len(name) <= SEGMENT_LIMIT:
        return name
    mark = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]  # two names never become one
    stem, dot, suffix = plain.rpartition(".")
    if not dot or not stem or len(suffix) > 8:  # noqa: PLR2004 - .jsonl and the like
        stem, dot, suffix = plain, "", ""
    return f"{stem[: SEGMENT_LIMIT - 18]}-{mark}{dot}{suffix}"
