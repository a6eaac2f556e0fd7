"""YAML text to plain data, with the place of every key and value.

Role: the reading half of `settings.loader`. Works on PyYAML's events, not on its objects, so that places survive and
nothing is constructed but mappings, lists, text, numbers, true, false and nothing. Guarantees: bounded in depth, count and
alias expansion; a syntax error ends the reading with one problem, everything else (duplicate keys, tags, keys without a
value) is collected; no input raises anything but `Unreadable`.

The scalars are those of YAML 1.2's core schema: ``no``, ``on`` and ``1:30`` are text, not booleans or sexagesimals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from watchdog.settings.problems import Trail, printable

MOST_DEPTH = 32
MOST_VALUES = 50_000

Mark = tuple[int, int]
"""Line and column, from 1."""


class Unreadable(Exception):
    """The text is no YAML that we take."""

    def __init__(self, mark: Mark, message: str, hint: str = "") -> None:
        """Keep the place and what to do."""
        super().__init__(message)
        self.mark = mark
        self.message = message
        self.hint = hint


@dataclass
class Document:
    """Plain data and where each part of it stands."""

    tree: Any = None
    keys: dict[Trail, Mark] = field(default_factory=dict)
    """Place of the key (or list item) that leads to the value."""
    values: dict[Trail, Mark] = field(default_factory=dict)
    """Place of a scalar value."""
    flaws: list[tuple[Trail, Mark, str, str]] = field(default_factory=list)
    """What is wrong besides syntax: trail, place, message, hint."""
    unusable: set[Trail] = field(default_factory=set)
    """Trails that were left out of the tree because of a flaw."""

    def mark(self, trail: Trail, *, at_key: bool = False) -> Mark:
        """The place of a value (or of its key); of its nearest parent that has one when it does not stand in the text."""
        for end in range(len(trail), -1, -1):
            part = trail[:end]
            scalar = None if at_key and end == len(trail) else self.values.get(part)
            found = scalar or self.keys.get(part)
            if found is not None:
                return found
        return (1, 1)


@dataclass(frozen=True)
class _Scalar:
    text: str
    plain: bool
    mark: Mark
    flaw: str = ""


@dataclass(frozen=True)
class _Pairs:
    mark: Mark
    items: list[tuple[Any, Any]] = field(default_factory=list)
    flaw: str = ""


@dataclass(frozen=True)
class _Items:
    mark: Mark
    items: list[Any] = field(default_factory=list)
    flaw: str = ""


_Node = _Scalar | _Pairs | _Items


def read_document(text: str) -> Document:
    """The document of a YAML text. Raises Unreadable."""
    root = _Composer().compose(_events(text))
    document = Document()
    if root is not None:
        _Builder(document).build(root)
    return document


# -- events to nodes -------------------------------------------------------------------------------------------------


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        before = text[: int(error.position)]
        mark = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise Unreadable(mark, "holds a control character or one that YAML does not allow") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text) from None
    except (yaml.YAMLError, ValueError, OverflowError, IndexError, RecursionError) as error:
        raise Unreadable((1, 1), f"is not YAML: {printable(str(error))}") from None


def _mark(mark: Any) -> Mark:
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, text: str) -> Unreadable:
    mark = _mark(error.problem_mark or error.context_mark)
    lines = text.splitlines()
    line = lines[mark[0] - 1] if mark[0] <= len(lines) else ""
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or "'\\t'" in (error.problem or ""):
        return Unreadable((mark[0], line.find("\t") + 1), "a tab where YAML wants spaces", "indent with spaces")
    problem = printable(error.problem or "not understood", 120)
    context = error.context or ""
    return Unreadable(mark, f"is not YAML: {problem}", _syntax_hint(problem, context, error.context_mark))


def _syntax_hint(problem: str, context: str, begun: Any) -> str:
    since = f" that begins at line {begun.line + 1}" if begun is not None else ""
    if "mapping values are not allowed" in problem:
        return "put text that holds ': ' in quotes, and check the indentation"
    if "quoted scalar" in context:
        return f"close the quotes{since}"
    if "flow" in context:
        return f"close the bracket{since}"
    if "cannot start any token" in problem:
        return "put the text in quotes"
    if "expected <block end>" in problem:
        return "check the indentation: a list and a mapping cannot be mixed"
    if "could not find expected ':'" in problem:
        return "a key is followed by ': '"
    return ""


class _Composer:
    """Builds nodes from events without recursion."""

    def __init__(self) -> None:
        self._open: list[tuple[_Pairs | _Items, str, list[_Node]]] = []
        self._anchors: dict[str, _Node] = {}
        self._root: _Node | None = None
        self._count = 0

    def compose(self, events: Iterable[yaml.Event]) -> _Node | None:
        documents = 0
        for event in events:
            mark = _mark(event.start_mark)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Unreadable(mark, "a second document begins: the configuration is one document")
            elif isinstance(event, yaml.NodeEvent):
                self._node(event, mark)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
        return self._root

    def _node(self, event: yaml.NodeEvent, mark: Mark) -> None:
        self._count += 1
        if self._count > MOST_VALUES:
            raise Unreadable(mark, f"holds more than {MOST_VALUES} values")
        if isinstance(event, yaml.AliasEvent):
            self._add(self._alias(event.anchor or "", mark))
            return
        tag, anchor = getattr(event, "tag", None), event.anchor or ""
        flaw = "" if tag is None else f"the tag {printable(tag)} is not supported"
        if isinstance(event, yaml.ScalarEvent):
            node = _Scalar(event.value, plain=event.style is None, mark=mark, flaw=flaw)
            if anchor:
                self._anchors[anchor] = node
            self._add(node)
            return
        collection = _Pairs(mark, flaw=flaw) if isinstance(event, yaml.MappingStartEvent) else _Items(mark, flaw=flaw)
        self._open.append((collection, anchor, []))
        if len(self._open) > MOST_DEPTH:
            raise Unreadable(mark, f"is nested deeper than {MOST_DEPTH} levels")

    def _alias(self, name: str, mark: Mark) -> _Node:
        if name not in self._anchors:
            raise Unreadable(mark, f"the alias *{printable(name)} has no anchor &{printable(name)} before it")
        return self._anchors[name]

    def _close(self) -> None:
        collection, anchor, children = self._open.pop()
        if isinstance(collection, _Pairs):
            collection.items.extend(zip(children[::2], children[1::2], strict=True))
        else:
            collection.items.extend(children)
        if anchor:
            self._anchors[anchor] = collection
        self._add(collection)

    def _add(self, node: _Node) -> None:
        if self._open:
            self._open[-1][2].append(node)
        else:
            self._root = node


# -- nodes to plain data ---------------------------------------------------------------------------------------------


class _Builder:
    """Builds the tree of a document; recursion is bounded by depth and by the number of values."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0

    def build(self, root: _Node) -> None:
        self._document.keys[()] = root.mark
        self._document.tree = self._value(root, ())

    def _value(self, node: _Node, trail: Trail) -> Any:
        self._count += 1
        if self._count > MOST_VALUES:
            raise Unreadable(node.mark, f"its aliases expand to more than {MOST_VALUES} values")
        if len(trail) > MOST_DEPTH:
            raise Unreadable(node.mark, f"its aliases are nested deeper than {MOST_DEPTH} levels")
        if node.flaw:
            return self._flawed(trail, node.mark, node.flaw)
        if isinstance(node, _Scalar):
            return self._scalar(node, trail)
        if isinstance(node, _Items):
            return self._list(node, trail)
        return self._mapping(node, trail)

    def _flawed(self, trail: Trail, mark: Mark, message: str, hint: str = "") -> None:
        self._document.flaws.append((trail, mark, message, hint))
        self._document.unusable.add(trail)

    def _scalar(self, node: _Scalar, trail: Trail) -> Any:
        self._document.values[trail] = node.mark
        if any("\ud800" <= character <= "\udfff" for character in node.text):
            return self._flawed(trail, node.mark, "holds half a character (a lone surrogate)")
        value = _plain(node.text) if node.plain else node.text
        if value is None and trail:
            return self._flawed(trail, node.mark, "has no value", "write {} for an empty section, or leave the key out")
        return value

    def _list(self, node: _Items, trail: Trail) -> list[Any]:
        for index, item in enumerate(node.items):
            self._document.keys[(*trail, index)] = item.mark
        return [self._value(item, (*trail, index)) for index, item in enumerate(node.items)]

    def _mapping(self, node: _Pairs, trail: Trail) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[_Pairs] = []
        first: dict[str, Mark] = {}
        for key, item in node.items:
            if isinstance(key, _Scalar) and key.plain and key.text == "<<":
                merged.extend(self._merged(item, trail))
                continue
            name = self._key(key, trail)
            if name in first:
                seen = f"first at line {first[name][0]}"
                message = f"the key {printable(name)!r} stands here twice"
                self._document.flaws.append(((*trail, name), key.mark, message, seen))
            elif name:
                first[name] = key.mark
                self._put(result, trail, key, item)
        self._merge(merged, result, trail)
        return result

    def _put(self, result: dict[str, Any], trail: Trail, key: _Scalar, item: _Node) -> None:
        below = (*trail, key.text)
        self._document.keys[below] = key.mark
        value = self._value(item, below)
        if below not in self._document.unusable:
            result[key.text] = value

    def _key(self, key: _Node, trail: Trail) -> str:
        text = key.text if isinstance(key, _Scalar) and not key.flaw else ""
        if not text or any("\ud800" <= character <= "\udfff" for character in text):
            self._document.flaws.append((trail, key.mark, "a key must be text", ""))
            return ""
        return text

    def _merged(self, item: _Node, trail: Trail) -> list[_Pairs]:
        parts = item.items if isinstance(item, _Items) else [item]
        if not all(isinstance(part, _Pairs) for part in parts):
            self._document.flaws.append(((*trail, "<<"), item.mark, "<< merges mappings only", ""))
            return []
        return [part for part in parts if isinstance(part, _Pairs)]

    def _merge(self, merged: list[_Pairs], result: dict[str, Any], trail: Trail) -> None:
        """Keys of ``<<`` mappings that do not stand in the mapping itself; the first one that has a key wins."""
        for part in merged:
            for key, item in part.items:
                name = key.text if isinstance(key, _Scalar) else ""
                if name == "<<":
                    self._document.flaws.append((trail, key.mark, "a merged mapping may not merge another one", ""))
                elif name and (*trail, name) not in self._document.keys:
                    self._put(result, trail, key, item)


_WHOLE = re.compile(r"[-+]?(0|[1-9]\d{0,17})")
_FRACTION = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d{1,3})?")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def _plain(text: str) -> Any:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    # A number with a leading zero (0080, 007) is nobody's number: it stays text, and a number field says so.
    if _FRACTION.fullmatch(text) and not re.match(r"[-+]?0\d", text) and ("." in text or "e" in text.lower()):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
