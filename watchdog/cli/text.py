r"""Text from outside, made harmless for a terminal, and its width.

Role: everything that came over the socket passes `plain` before it is printed. Guarantees: no control character, no
direction override, no invisible character and no lone surrogate reaches the terminal; they are shown as ``\x1b``.
"""

from __future__ import annotations

import re
import unicodedata

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def plain(value: object) -> str:
    """One line; None is empty."""
    if value is None:
        return ""
    text = str(value).replace("\t", " ").replace("\r\n", " ").replace("\n", " ")
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def lines(value: object) -> list[str]:
    """Each line of a longer text, made harmless."""
    return [plain(line) for line in str(value).split("\n")]


def width(text: str) -> int:
    """Columns that `text` takes in a terminal; our own colours take none."""
    text = _COLOUR.sub("", text)
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def cut(text: str, columns: int) -> str:
    """At most `columns` wide, with … where something was left out. For text without colours."""
    if width(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += _columns(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept) + "…" if columns > 0 else ""


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _HARMFUL:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - sizes of escapes


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
