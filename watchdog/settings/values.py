"""The scalar types of the configuration: one marker a kind, which reads, bounds, describes and prints its values.

Role: used as ``Annotated[float, Duration(least=1)]``. Neighbours: `settings.units` parses; `settings.effective` prints with
the same marker; `settings.schema` shows its pattern. Guarantees: a wrong value gives one sentence and, where one can be
guessed, what was probably meant. YAML's numbers and the text of environment variables are both read.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

import jmespath
import regex
from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from watchdog.model import Instant, iso, parse_instant
from watchdog.settings import units
from watchdog.settings.problems import printable

MINUTE, DAY = 60.0, 86_400.0
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_KUBERNETES_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
SECRET_WORD = re.compile(
    r"authorization|cookie|token|secret|passw|credential|signature|api[-_]?key|^key$|^sig$", re.IGNORECASE
)
"""Names whose values are secrets: of headers and of query parameters."""


def refused(message: str, hint: str = "") -> PydanticCustomError:
    """The error of a value that cannot be taken."""
    return PydanticCustomError("settings", "{message}", {"message": message, "hint": hint})


class Scalar(ABC):
    """Base of the markers: reads with `read`, prints with `show`."""

    @abstractmethod
    def read(self, value: Any) -> Any:
        """The value in the form the code uses. Raises PydanticCustomError."""

    @abstractmethod
    def json_schema(self) -> JsonSchemaValue:
        """Its JSON Schema."""

    def show(self, value: Any) -> Any:
        """The value as people type it."""
        return value

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return self.json_schema()


def _parsed(parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return parse(value)
    except units.NotUnderstood as error:
        raise refused(str(error), error.hint) from None


@dataclass(frozen=True, slots=True)
class Duration(Scalar):
    """Seconds, typed with a unit. `least` and `most` are seconds and allowed themselves."""

    least: float = 0.0
    most: float = 366 * DAY

    def read(self, value: Any) -> float:
        """Seconds."""
        seconds: float = _parsed(units.parse_duration, value)
        if seconds < self.least:
            raise refused(f"must be at least {units.format_duration(self.least)}")
        if seconds > self.most:
            raise refused(f"must be at most {units.format_duration(self.most)}")
        return seconds

    def show(self, value: Any) -> Any:
        """``30s``."""
        return None if value is None else units.format_duration(value)

    def json_schema(self) -> JsonSchemaValue:
        """Text with a unit."""
        return {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$", "x-unit": "duration", "examples": ["30s"]}


@dataclass(frozen=True, slots=True)
class Rate(Scalar):
    """A share of one, typed as ``5%`` or ``0.05``; more than nothing."""

    def read(self, value: Any) -> float:
        """A share of one."""
        share: float = _parsed(units.parse_rate, value)
        if share == 0:
            raise refused("must be more than 0%")
        return share

    def show(self, value: Any) -> Any:
        """``5%``."""
        return None if value is None else units.format_rate(value)

    def json_schema(self) -> JsonSchemaValue:
        """A percentage, or a number below one."""
        percent = {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}
        number = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
        return {"anyOf": [percent, number], "x-unit": "rate", "examples": ["5%"]}


@dataclass(frozen=True, slots=True)
class Per(Scalar):
    """An allowance: ``3 per 10m``."""

    def read(self, value: Any) -> units.Allowance:
        """Count and window; a window under a minute would be no bound."""
        allowance: units.Allowance = _parsed(units.parse_allowance, value)
        if not MINUTE <= allowance.window_s <= 366 * DAY:
            raise refused("the window must be between 1m and 366d")
        return allowance

    def show(self, value: Any) -> Any:
        """``3 per 10m``."""
        return None if value is None else units.format_allowance(value)

    def json_schema(self) -> JsonSchemaValue:
        """Text."""
        return {"type": "string", "pattern": r"^\d+ per \S+$", "x-unit": "allowance", "examples": ["3 per 10m"]}


@dataclass(frozen=True, slots=True)
class Whole(Scalar):
    """A whole number within bounds; no booleans, no fractions."""

    least: int = 0
    most: int = 1_000_000

    def read(self, value: Any) -> int:
        """The number."""
        if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9]\d{0,11})", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise refused(f"expected a whole number, found {kind_of(value)}")
        if not self.least <= value <= self.most:
            raise refused(f"must be between {self.least} and {self.most}")
        return value

    def json_schema(self) -> JsonSchemaValue:
        """Bounded integer."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


_TRUE = frozenset({"yes", "y", "on", "1"})
_FALSE = frozenset({"no", "n", "off", "0"})


@dataclass(frozen=True, slots=True)
class Factor(Scalar):
    """How many times as much: a plain number of at least one."""

    most: float = 1000.0

    def read(self, value: Any) -> float:
        """A number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refused(f"expected a number such as 3, found {kind_of(value)}")
        if not 1 <= value <= self.most:
            raise refused(f"must be between 1 and {self.most:g}")
        return float(value)

    def show(self, value: Any) -> Any:
        """``3``."""
        return value if value is None or value != int(value) else int(value)

    def json_schema(self) -> JsonSchemaValue:
        """A number."""
        return {"type": "number", "minimum": 1, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Number(Scalar):
    """A plain finite number."""

    def read(self, value: Any) -> float:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise refused(f"expected a number, found {kind_of(value)}")
        return float(value)

    def show(self, value: Any) -> Any:
        """``3`` or ``0.5``."""
        return value if value is None or value != int(value) else int(value)

    def json_schema(self) -> JsonSchemaValue:
        """A number."""
        return {"type": "number"}


@dataclass(frozen=True, slots=True)
class Share(Scalar):
    """A number between 0 and 1, neither of them: ``0.95``."""

    def read(self, value: Any) -> float:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise refused(f"expected a number between 0 and 1 such as 0.95, found {kind_of(value)}")
        return float(value)

    def json_schema(self) -> JsonSchemaValue:
        """A number."""
        return {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}


@dataclass(frozen=True, slots=True)
class Flag(Scalar):
    """True or false and nothing that merely looks like it: a mistyped safety switch is refused, not guessed."""

    def read(self, value: Any) -> bool:
        """The boolean."""
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if isinstance(value, str) and value in ("true", "false"):
            return value == "true"
        guess = "true" if word in _TRUE | {"true"} else "false" if word in _FALSE | {"false"} else ""
        hint = f"did you mean {guess}?" if guess else ""
        raise refused(f"expected true or false, found {kind_of(value)}", hint)

    def json_schema(self) -> JsonSchemaValue:
        """Boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Moment(Scalar):
    """A moment with its UTC offset: ``2026-03-01T02:00:00Z``."""

    def read(self, value: Any) -> Instant:
        """UTC seconds."""
        if not isinstance(value, str):
            raise refused(f"expected a time such as 2026-03-01T02:00:00Z, found {kind_of(value)}")
        try:
            return parse_instant(value)
        except (ValueError, OverflowError) as error:
            if "UTC offset" in str(error):
                zoned = f"did you mean {printable(value, 25)}Z?" if "T" in value or ":" in value else ""
                raise refused("the time has no UTC offset", zoned) from None
            raise refused(f"{printable(value)!r} is not a time such as 2026-03-01T02:00:00Z") from None

    def show(self, value: Any) -> Any:
        """ISO 8601 in UTC."""
        return None if value is None else iso(value)

    def json_schema(self) -> JsonSchemaValue:
        """RFC 3339."""
        return {"type": "string", "format": "date-time"}


StatusRange = tuple[int, int]
_HTTP_STATUS = range(100, 600)


@dataclass(frozen=True, slots=True)
class StatusSet(Scalar):
    """HTTP statuses: ``200``, ``[200, 204]``, ``"200-299"`` or a list that mixes them."""

    def read(self, value: Any) -> tuple[StatusRange, ...]:
        """Closed ranges in the order given."""
        items = value if isinstance(value, list) else [value]
        if not items:
            raise refused("names no status")
        return tuple(self._range(item) for item in items)

    def _range(self, item: Any) -> StatusRange:
        found = re.fullmatch(r"(\d{3})(?:\s*-\s*(\d{3}))?", str(item)) if isinstance(item, int | str) else None
        if found is None or isinstance(item, bool):
            shown = printable(str(item)) if isinstance(item, int | str) else kind_of(item)
            lazy = re.fullmatch(r"([1-5])xx", str(item), re.IGNORECASE)
            hint = f'did you mean "{lazy.group(1)}00-{lazy.group(1)}99"?' if lazy else ""
            raise refused(f'expected a status such as 200, [200, 204] or "200-299", found {shown}', hint)
        low, high = int(found.group(1)), int(found.group(2) or found.group(1))
        if low not in _HTTP_STATUS or high not in _HTTP_STATUS:
            raise refused("a status lies between 100 and 599")
        if low > high:
            raise refused(f"the range {low}-{high} is empty", f'did you mean "{high}-{low}"?')
        return (low, high)

    def show(self, value: Any) -> Any:
        """Each range as typed."""
        return [low if low == high else f"{low}-{high}" for low, high in value]

    def json_schema(self) -> JsonSchemaValue:
        """A number, a range as text, or a list of both."""
        one = [{"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string", "pattern": r"^\d{3}(-\d{3})?$"}]
        return {"anyOf": [*one, {"type": "array", "items": {"anyOf": one}, "minItems": 1}], "x-unit": "status"}


def kind_of(value: Any) -> str:
    """What a value is, in the words of the file: for "expected X, found Y". Never shows long or nested content."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {printable(str(value))}"
    if isinstance(value, str):
        return f"the text {printable(value)!r}"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def _text(value: str) -> str:
    if not value.strip():
        raise refused("may not be empty")
    if not value.isprintable():
        raise refused("may hold only printable characters")
    if len(value) > 500:  # noqa: PLR2004 - a bound against accidents, not a knob
        raise refused("is longer than 500 characters")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        tidy = re.sub(r"[^a-z0-9.-]+", "-", value.lower()).strip("-.")[:63]
        hint = f"did you mean {tidy}?" if _NAME.fullmatch(tidy) else ""
        raise refused("a name has lower-case letters, digits, '-' and '.', at most 63", hint)
    return value


def _kubernetes_name(value: str) -> str:
    if not _KUBERNETES_NAME.fullmatch(value):
        raise refused(f"{printable(value)!r} cannot be the name of a Kubernetes object")
    return value


def _label(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]{0,127}", value):
        raise refused(f"{printable(value)!r} cannot be the name of a label")
    return value


def _jmespath(value: str) -> str:
    try:
        jmespath.compile(value)
    except jmespath.exceptions.JMESPathError as error:
        place = getattr(error, "lex_position", None)
        where = f" at column {place + 1} of it" if isinstance(place, int) else ""
        raise refused(f"is no JMESPath expression{where}", "literals stand in backticks: length(@) > `0`") from None
    return value


def _pattern(value: str) -> str:
    try:
        regex.compile(value)
    except regex.error as error:
        raise refused(f"is no regular expression: {printable(str(error))}") from None
    return value


def _absolute(value: str) -> str:
    if not value.startswith("/"):
        raise refused(f"expected an absolute path, found {printable(value)!r}")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, user, _port = parts.hostname, parts.username, parts.port
    except ValueError as error:
        raise refused(f"is not a URL: {printable(str(error))}") from None
    if user is not None or "@" in parts.netloc:
        raise refused("holds credentials: no secret may stand in the file", "send a header from {file: /path}")
    if parts.scheme not in ("http", "https"):
        guess = f"did you mean http://{printable(value)}?" if "://" not in value else ""
        raise refused("must begin with http:// or https://", guess)
    if not host or any(character.isspace() for character in value):
        raise refused("is not a URL with a host")
    if any(SECRET_WORD.search(key) for key, _ in parse_qsl(parts.query)):
        raise refused(
            "holds a secret in its query: no secret may stand in the file", "send a header from {file: /path}"
        )
    return value


def _route(value: str) -> str:
    if not value.startswith("/") or any(character.isspace() for character in value):
        raise refused("must begin with / and hold no spaces", f"did you mean /{printable(value.strip().lstrip('/'))}?")
    return value


Text = Annotated[str, AfterValidator(_text)]
Name = Annotated[str, AfterValidator(_name)]
"""Of targets, groups, signals, channels."""
KubernetesName = Annotated[str, AfterValidator(_kubernetes_name)]
JmesPath = Annotated[str, AfterValidator(_text), AfterValidator(_jmespath)]
Pattern = Annotated[str, AfterValidator(_text), AfterValidator(_pattern)]
LabelName = Annotated[str, AfterValidator(_label)]
"""Of Prometheus."""
AbsolutePath = Annotated[str, AfterValidator(_text), AfterValidator(_absolute)]
Url = Annotated[str, AfterValidator(_text), AfterValidator(_url)]
Route = Annotated[str, AfterValidator(_text), AfterValidator(_route)]
"""The path of a URL: ``/api/books``."""
