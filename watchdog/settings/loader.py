"""From a file, the environment and secret files to settings, or to everything that is wrong with them.

Role: the one road into `Settings`. Neighbours: `document` reads YAML with places, `layers` lays variables and secret files
over it, pydantic validates, `references` and `crosscheck` look at what holds between keys. Guarantees: all problems at
once; nothing but ConfigurationRefused is raised, for any bytes; the same content gives the same hash.

To find *all* problems: what pydantic refuses is taken out and the rest is validated again, so that checks between keys
still run; a problem that only exists because something was taken out is dropped.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from watchdog.model import record
from watchdog.settings.crosscheck import contradictions, doubts
from watchdog.settings.document import Document, Unreadable, read_document
from watchdog.settings.layers import SECRETS_DIR, Layer, environment_layer, merged, secrets_layer
from watchdog.settings.problems import ConfigurationRefused, Problem, Trail, spelled
from watchdog.settings.references import dangling_names, inline_secrets
from watchdog.settings.root import Settings
from watchdog.settings.secret import SecretReader
from watchdog.settings.wording import Finding, finding_of, trail_in

MOST_BYTES = 1024 * 1024
_ROUNDS = 40
"""Validations at most: each takes out at least one value, and a few levels of parents are all there is."""


@record
class Loaded:
    """Settings that were taken, and what they were made from."""

    settings: Settings
    source_hash: str
    """SHA-256 over the contents of `files`; `hash_of` gives the same as long as nothing changed."""
    warnings: tuple[Problem, ...]
    files: tuple[Path, ...]
    """The file itself and every secret file that was read."""


def load(path: str | Path, environ: Mapping[str, str], *, secrets_dir: str | Path | None = None) -> Loaded:
    """Read, lay over, validate. Raises ConfigurationRefused with every problem.

    `secrets_dir` defaults to the variable WATCHDOG_SECRETS_DIR; without either there is no such layer.
    """
    path = Path(path)
    directory = secrets_dir if secrets_dir is not None else environ.get(SECRETS_DIR) or None
    try:
        content = _content(path)
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise ConfigurationRefused([_at_file(str(path), message)], files=(path,)) from None
    return _Loading(path, str(path), environ, Path(directory) if directory is not None else None).load(content)


def load_text(text: str | bytes, environ: Mapping[str, str], *, name: str = "configuration") -> Loaded:
    """The same for a text that is in no file."""
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return _Loading(Path(name), name, environ, None).load(content)


def hash_of(files: Iterable[Path]) -> str:
    """The hash of the present contents of some files, in their order; a file that is gone counts as such."""
    contents: list[bytes | None] = []
    for path in files:
        try:
            contents.append(_content(path))
        except OSError:
            contents.append(None)
    return _hash(contents)


def _hash(contents: Iterable[bytes | None]) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(b"-" if content is None else b"%d:" % len(content) + content)
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    """At most one byte more than is allowed. Raises OSError; a pipe or a device is not waited for."""
    if "\0" in str(path):
        raise OSError(0, "the path holds a zero byte")
    path.stat()
    if path.is_dir():
        raise OSError(0, "it is a directory")
    if not path.is_file():
        raise OSError(0, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _at_file(file: str, message: str, hint: str = "", line: int = 0, column: int = 0) -> Problem:
    return Problem(file=file, line=line, column=column, path="", message=message, hint=hint)


@dataclass
class _Loading:
    """One load, from bytes to settings."""

    path: Path
    file: str
    environ: Mapping[str, str]
    secrets_dir: Path | None
    problems: list[Problem] = field(default_factory=list)
    document: Document = field(default_factory=Document)
    labels: dict[Trail, str] = field(default_factory=dict)
    removed: set[Trail] = field(default_factory=set)

    def load(self, content: bytes) -> Loaded:
        layers = [secrets_layer(self.secrets_dir), environment_layer(self.environ)]
        secrets = SecretReader(self.environ)
        tree = self._tree(content, layers)
        settings = self._validated(tree, secrets) if tree is not None else None
        files = {self.path: content, **layers[0].files, **secrets.files}
        source_hash = _hash(files.values())
        if settings is not None:
            self._between(settings, tree or {})
        if self.problems or settings is None:
            raise ConfigurationRefused(self.problems, source_hash=source_hash, files=tuple(files))
        found = [self._problem(finding) for finding in doubts(settings)]
        warnings = (*found, *(warning for layer in layers for warning in layer.warnings))
        return Loaded(settings=settings, source_hash=source_hash, warnings=warnings, files=tuple(files))

    def _tree(self, content: bytes, layers: list[Layer]) -> dict[str, Any] | None:
        """The merged tree of all layers; None when the file has no readable one."""
        try:
            self.document = read_document(_decoded(content))
        except Unreadable as error:
            line, column = error.mark
            self.problems.append(_at_file(self.file, error.message, error.hint, line, column))
            return None
        tree = self.document.tree
        for trail, (line, column), message, hint in self.document.flaws:
            self.problems.append(
                Problem(file=self.file, line=line, column=column, path=spelled(trail), message=message, hint=hint)
            )
        self.removed.update(self.document.unusable)
        if not isinstance(tree, dict):
            self._no_mapping(tree)
            return None
        self.problems.extend(self._problem(finding) for finding in inline_secrets(tree))
        for layer in layers:
            self.problems.extend(layer.problems)
            self.labels.update(layer.labels)
            tree = merged(tree, layer.tree)
        return dict(tree)

    def _no_mapping(self, tree: Any) -> None:
        if self.problems:
            return
        if tree is None:
            hint = "`watchdog config schema` lists the keys"
            self.problems.append(_at_file(self.file, "the file is empty", hint, 1, 1))
        else:
            line, column = self.document.mark(())
            kind = "a list" if isinstance(tree, list) else "one value"
            self.problems.append(_at_file(self.file, f"expected a mapping of sections, found {kind}", "", line, column))

    def _validated(self, tree: dict[str, Any], secrets: SecretReader) -> Settings | None:
        """The settings of what is left after everything refused was taken out; None when nothing is."""
        left = copy.deepcopy(tree)
        for _ in range(_ROUNDS):
            try:
                return Settings.model_validate(left, context={"secrets": secrets})
            except ValidationError as error:
                if not self._take_out(error, left):
                    return None
        return None

    def _take_out(self, error: ValidationError, left: dict[str, Any]) -> bool:
        """Note each error and take its value out. False when the root itself cannot be helped."""
        found = [
            (finding_of(detail, left), trail_in(left, detail["loc"])) for detail in error.errors(include_url=False)
        ]
        for finding, trail in found:
            if not any(removed[: len(trail)] == trail for removed in self.removed):
                self.problems.append(self._problem(finding))
        if any(not trail for _, trail in found):
            return False
        for _, trail in found:
            self._remove(left, trail)
        return True

    def _remove(self, left: dict[str, Any], trail: Trail) -> None:
        """Take a value out; of a list the whole list, so that indices keep their meaning."""
        cut = next((index for index, part in enumerate(trail) if isinstance(part, int)), len(trail))
        self.removed.add(trail)
        self.removed.add(trail[:cut])
        node: Any = left
        for part in trail[: cut - 1]:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(trail[cut - 1], None)

    def _between(self, settings: Settings, tree: dict[str, Any]) -> None:
        """Everything that holds between keys."""
        for finding in (*dangling_names(tree), *contradictions(settings)):
            grounds = (finding.trail, *finding.involves)
            if not any(ground[: len(removed)] == removed for removed in self.removed for ground in grounds):
                self.problems.append(self._problem(finding))

    def _problem(self, finding: Finding) -> Problem:
        trail = finding.trail
        label = self._label(trail)
        line, column = (0, 0) if label else self.document.mark(trail, at_key=finding.at_key)
        return Problem(
            file=label or self.file,
            line=line,
            column=column,
            path=spelled(trail),
            message=finding.message,
            hint=finding.hint,
        )

    def _label(self, trail: Trail) -> str:
        """Where the value came from, or the nearest part around it, when that was not the file."""
        around = [trail[:end] for end in range(len(trail), 0, -1)]
        for part in around:
            if part in self.labels:
                return self.labels[part]
        for part in around:
            if part in self.document.keys:
                return ""
            inside = [label for known, label in self.labels.items() if known[: len(part)] == part]
            if inside:
                return inside[0]
        return ""


def _decoded(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise Unreadable((1, 1), "is larger than 1 MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode("utf-8", "replace")) + 1
        message = f"is not UTF-8 text: byte 0x{content[error.start]:02x}"
        raise Unreadable((before.count(b"\n") + 1, column), message, "save the file as UTF-8") from None
