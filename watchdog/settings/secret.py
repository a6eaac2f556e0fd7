"""Secrets: named in the file by where they lie, never written into it.

Role: `Secret` is the type of every value that may be one; it is read while the configuration is validated, so a missing
file is a configuration error at its line. Neighbours: `settings.loader` passes the environment and collects the files
that were read. Guarantees: masked in ``repr``, in JSON and in ``config show``, which tells its origin only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, SecretStr, ValidationInfo, WithJsonSchema
from pydantic.functional_validators import PlainValidator

from watchdog.settings.values import kind_of, refused

MOST_BYTES = 64 * 1024


class Secret(SecretStr):
    """A text that may be secret. `origin` is ``file /path``, ``env NAME`` or empty for a text that stood in the file."""

    def __init__(self, value: str, origin: str = "") -> None:
        """Keep the value masked and its origin open."""
        super().__init__(value)
        self.origin = origin


class SecretReader:
    """Reads what ``{file: ...}`` and ``{env: ...}`` point at, and remembers the files, for the hash of the source."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """`environ` is the environment that ``env:`` names."""
        self._environ = environ
        self.files: dict[Path, bytes] = {}

    def from_file(self, path: Any) -> Secret:
        """The content of a file without the line end at its end. Raises PydanticCustomError."""
        if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
            raise refused("file: expects an absolute path")
        try:
            content = _read(Path(path))
        except OSError as error:
            raise refused(f"the secret's file {path!r} cannot be read: {error.strerror or error}") from None
        self.files[Path(path)] = content
        return Secret(_decoded(content, f"the secret's file {path!r}"), f"file {path}")

    def from_env(self, name: Any) -> Secret:
        """The value of an environment variable. Raises PydanticCustomError."""
        if not isinstance(name, str):
            raise refused("env: expects the name of an environment variable")
        if name not in self._environ:
            raise refused(f"the environment variable {name!r} is not set")
        return Secret(_decoded(self._environ[name].encode("utf-8", "surrogateescape"), name), f"env {name}")


def _read(path: Path) -> bytes:
    if not path.is_file():
        path.stat()  # raises with the right reason when it is not there
        raise OSError(0, "it is not a regular file")
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _decoded(content: bytes, what: str) -> str:
    if len(content) > MOST_BYTES:
        raise refused(f"{what} is larger than 64 KiB")
    try:
        text = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise refused(f"{what} is not UTF-8 text") from None
    if not text:
        raise refused(f"{what} is empty")
    if not text.isprintable():
        raise refused(f"{what} holds control characters or several lines")
    return text


def _resolve(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, str):
        if not value.isprintable() or not value:
            raise refused("may hold only printable characters and may not be empty")
        return Secret(value)
    reader = (info.context or {}).get("secrets")
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(reader, SecretReader):
        what = "a number or true/false" if isinstance(value, bool | int | float) else kind_of(value)
        raise refused(f"expected text, {{file: /path}} or {{env: NAME}}, found {what}")
    if "file" in value:
        return reader.from_file(value["file"])
    if "env" in value:
        return reader.from_env(value["env"])
    raise refused("expected text, {file: /path} or {env: NAME}")


_REFERENCE = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        "file": {"type": "string", "description": "Absolute path of a file that holds the value."},
        "env": {"type": "string", "description": "Name of the environment variable that holds the value."},
    },
}
SecretText = Annotated[
    Secret,
    PlainValidator(_resolve),
    PlainSerializer(str, return_type=str),  # masked
    WithJsonSchema({"anyOf": [{"type": "string"}, _REFERENCE], "x-unit": "secret"}),
]
"""Type of a header's value."""
