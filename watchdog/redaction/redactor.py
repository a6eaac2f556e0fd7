"""Takes secrets out of text and of Kubernetes-like objects.

Role: `Redactor` stands between everything that was gathered and everything that is kept or sent. Neighbours: `names` and
`patterns` hold the judgement; `incidents` and the log call it. Guarantees: pure; doing it twice changes nothing more;
the shape of an object stays (same places, same lengths), so that two redacted objects can be compared place by place;
input beyond the limits is cut, never passed through unread.
Not guaranteed: a secret that is neither known, nor named, nor of a known form.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from watchdog.redaction.names import is_pointer, is_secret_name
from watchdog.redaction.patterns import EMAIL, PEM_LIMIT, RULES, Rule

TEXT_LIMIT = 2_000_000
"""Longest text in characters that is looked at; the rest is cut."""
DEPTH_LIMIT = 64
"""Deepest nesting of an object that is looked at; what is deeper is cut."""
PIECE = 16_384
"""Characters that are looked at in one go, at least."""
SHORTEST_KNOWN = 4
"""Known values shorter than this are not searched for: they would be found inside ordinary words."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""An annotation that repeats the whole object as text."""


class Redactor:
    """Removes `known` values, values under secret-like names, and what looks like a secret."""

    def __init__(self, known: Sequence[str] = (), *, salt: bytes = b"", emails: bool = False) -> None:
        """`known`: values of configured secrets. `emails`: take out addresses too.

        With a `salt` (at least 16 random bytes, never stored) a mark carries 8 hex digits, so that a reader sees which
        values are equal; without it marks say nothing, since an unsalted digest of a weak password can be guessed.
        """
        self._salt = salt
        self._values = frozenset(known)
        self._known = _alternation(self._values)
        self._rules = (*RULES, EMAIL) if emails else RULES

    def learn(self, known: Iterable[str]) -> None:
        """Take out these values as well from now on: a reload brings new secrets, and old ones stay secret."""
        self._values |= frozenset(known)
        self._known = _alternation(self._values)

    def text(self, text: str) -> tuple[str, Mapping[str, int]]:
        """The text without secrets, and how often each rule took something."""
        counts: Counter[str] = Counter()
        return self._text(text, counts), dict(counts)

    def pieces(self, text: str, counts: Counter[str]) -> Iterator[str]:
        """The same as `text`, bit by bit: about a third of a millisecond a KiB, so a caller may let others run between.

        A piece ends with a line and never inside a private key.
        """
        cut = len(text) - TEXT_LIMIT
        if cut > 0:
            text = text[:TEXT_LIMIT]
        if self._known is not None:  # before the cutting: a known value may have several lines
            text = self._known.sub(lambda found: self._known_taken(found.group(), counts), text)
        start = 0
        while start < len(text):
            end = _piece_end(text, start)
            yield self._ruled(text[start:end], counts)
            start = end
        if cut > 0:
            yield f"«cut: {cut} characters»"

    def json(self, value: Any, counts: Counter[str] | None = None) -> Any:
        """The same object without secrets. Mappings become dicts, sequences lists. `counts` is added to, by rule."""
        return self._value(value, secret=False, depth=0, counts=Counter() if counts is None else counts)

    def mark(self, rule: str, value: str) -> str:
        """What stands in the place of a value. Made so that no rule sees a name or a sign in it."""
        if not self._salt:
            return f"«redacted-{rule}»"
        digest = hmac.new(self._salt, value.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
        return f"«redacted-{rule}-{digest[:8]}»"

    # -- text ------------------------------------------------------------------------------------------------------

    def _text(self, text: str, counts: Counter[str]) -> str:
        return "".join(self.pieces(text, counts))

    def _ruled(self, text: str, counts: Counter[str]) -> str:
        for rule in self._rules:
            text = rule.pattern.sub(lambda found, rule=rule: self._rewritten(rule, found, counts), text)  # type: ignore[misc]
        return text

    def _rewritten(self, rule: Rule, found: re.Match[str], counts: Counter[str]) -> str:
        before = found.group(rule.before) if rule.before else ""
        after = found.group(rule.after) if rule.after else ""
        value = found.group()[len(before) : len(found.group()) - len(after)]
        opening = _OPENING.match(value)
        if opening is not None:  # the closing quote was not matched, the opening one is put back
            before, value = before + opening.group(), value[opening.end() :]
        if not value or _is_mark(value):
            return found.group()
        return before + self._counted(rule.name, value, counts) + after

    def _known_taken(self, value: str, counts: Counter[str]) -> str:
        return value if _is_mark(value) else self._counted("known", value, counts)

    def _counted(self, rule: str, value: str, counts: Counter[str]) -> str:
        counts[rule] += 1
        return self.mark(rule, value)

    # -- objects ---------------------------------------------------------------------------------------------------

    def _value(self, value: Any, *, secret: bool, depth: int, counts: Counter[str]) -> Any:
        if depth > DEPTH_LIMIT:
            return "«cut: too deep»"
        if isinstance(value, Mapping):
            return self._mapping(value, secret=secret, depth=depth, counts=counts)
        if isinstance(value, (list, tuple)):
            return self._sequence(value, secret=secret, depth=depth, counts=counts)
        if secret:
            return self._hidden(value, counts)
        if isinstance(value, str):
            return self._text(value, counts)
        if self._known is not None and not isinstance(value, bool) and self._known.fullmatch(str(value)):
            return self._counted("known", str(value), counts)
        return value

    def _mapping(self, value: Mapping[Any, Any], *, secret: bool, depth: int, counts: Counter[str]) -> dict[str, Any]:
        holder = value.get("kind") == "Secret"
        named = value.get("name", value.get("key"))
        names_its_value = isinstance(named, str) and is_secret_name(named)  # {name: DB_PASSWORD, value: ...}
        result = {}
        for key, item in value.items():
            text = str(key)
            hide = secret or self._hides(text, item, holder=holder, names_its_value=names_its_value)
            result[self._text(text, counts)] = self._value(item, secret=hide, depth=depth + 1, counts=counts)
        return result

    def _hides(self, key: str, item: Any, *, holder: bool, names_its_value: bool) -> bool:
        if holder and key in ("data", "stringData"):
            return True
        if names_its_value and key == "value":
            return True
        if key == LAST_APPLIED:
            return True
        return is_secret_name(key) and not isinstance(item, bool) and not is_pointer(item)

    def _sequence(self, value: Sequence[Any], *, secret: bool, depth: int, counts: Counter[str]) -> list[Any]:
        result, after_flag = [], False
        for item in value:
            hide = secret or (after_flag and isinstance(item, str) and not item.startswith("-"))
            result.append(self._value(item, secret=hide, depth=depth + 1, counts=counts))
            after_flag = isinstance(item, str) and item.startswith("-") and "=" not in item and is_secret_name(item)
        return result

    def _hidden(self, value: Any, counts: Counter[str]) -> Any:
        if value is None or value == "" or (isinstance(value, str) and _is_mark(value)):
            return value
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        return self._counted("secret_name", text, counts)


_OPENING = re.compile(r"\\{0,8}[\"']")
_MARK = re.compile(r"«redacted-[a-z_]{1,20}(?:-[0-9a-f]{8})?»")


def _piece_end(text: str, start: int) -> int:
    """The end of the line in which the piece is full, or of the private key that is open there."""
    end = text.find("\n", start + PIECE)
    if end < 0:
        return len(text)
    opened = text.rfind("-----BEGIN ", start, end)
    if opened >= 0 and text.find("-----END ", opened, end) < 0:
        closed = text.find("-----END ", end, opened + PEM_LIMIT)
        end = text.find("\n", closed if closed >= 0 else min(opened + PEM_LIMIT, len(text)))
    return len(text) if end < 0 else end + 1


def _is_mark(value: str) -> bool:
    return _MARK.fullmatch(value) is not None


def _alternation(known: Iterable[str]) -> re.Pattern[str] | None:
    forms = {form for value in known for form in _forms(value.strip()) if len(form) >= SHORTEST_KNOWN}
    if not forms:
        return None
    longest_first = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
    return re.compile("|".join([_MARK.pattern, *longest_first]))  # a mark is passed over, whatever word stands in it


def _forms(value: str) -> Iterable[str]:
    """The value as it is, in a URL, inside JSON, and as base64 of itself."""
    if len(value) < SHORTEST_KNOWN:
        return
    yield value
    yield quote(value, safe="")
    yield quote(value)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield base64.b64encode(value.encode(errors="surrogatepass")).decode().rstrip("=")
