"""Section `http` of a signal: a request that is made from outside, to one URL or to every pod of the target."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from watchdog.settings.secret import SecretText
from watchdog.settings.section import Section
from watchdog.settings.values import (
    AbsolutePath,
    Duration,
    Flag,
    JmesPath,
    Pattern,
    Route,
    StatusRange,
    StatusSet,
    Text,
    Url,
    Whole,
    refused,
)

_TOKEN = frozenset("!#$%&'*+-.^_`|~abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})


def header_name(name: str) -> str:
    """The name of a header that may be sent. Raises PydanticCustomError."""
    if not name or not set(name) <= _TOKEN:
        raise refused("is not the name of a header")
    if name.lower() == "host":
        raise refused("is set by `host`", "write host: beside headers:")
    if name.lower() in _OURS:
        raise refused("is set by the check itself")
    return name


class Method(StrEnum):
    """Methods that change nothing."""

    GET = "GET"
    HEAD = "HEAD"


class Scheme(StrEnum):
    """Of requests to pods."""

    HTTP = "http"
    HTTPS = "https"


class Redirects(StrEnum):
    """What a redirect means."""

    FOLLOW = "follow"
    REFUSE = "refuse"


class Connection(StrEnum):
    """Whether connections are kept between polls."""

    KEEP = "keep"
    FRESH = "fresh"


class PodsSection(Section):
    """Every pod (or instance of a command) by its own address, so that samples carry their release."""

    tcp: Annotated[int | None, Whole(least=1, most=65535)] = Field(
        default=None,
        alias="port",
        description="TCP port of the container. None = the port that the platform names for each instance (the first "
        "containerPort; the `port` of a command's instances).",
    )
    path: Route = Field(default="/", description='Path of the request. Default "/".')
    scheme: Scheme = Field(
        default=Scheme.HTTP, description="http or https. Default http: pods rarely hold certificates for their address."
    )


class ExpectSection(Section):
    """What a good answer looks like."""

    status: Annotated[tuple[StatusRange, ...], StatusSet()] = Field(
        default=((200, 299),), description='Statuses that are good: 200, [200, 204], "200-299". Default "200-299".'
    )
    redirects: Redirects = Field(
        default=Redirects.REFUSE,
        description="refuse = a redirect is judged by its own status; follow = the page at its end is judged. Default "
        "refuse: a health page that redirects (to a login, say) does not tell its health.",
    )
    max_redirects: Annotated[int, Whole(least=1, most=20)] = Field(
        default=5, description="How many redirects are followed before the check fails. Default 5."
    )
    within: Annotated[float | None, Duration(least=0.001, most=60)] = Field(
        default=None,
        description="Seconds from the request to the last byte read above which an answer is bad. None = only `timeout` bounds it.",
    )
    json_: JmesPath | None = Field(
        default=None,
        alias="json",
        description="JMESPath expression on the JSON of the body that must be true: length(@) > `0`. None = no condition.",
    )
    body: Pattern | None = Field(
        default=None, description="Regular expression that the body must match somewhere. None = no condition."
    )


def _or_url(shown: dict[str, Any]) -> None:
    """The short form, in the JSON Schema."""
    long_form = dict(shown)
    shown.clear()
    url = {"type": "string", "pattern": "^https?://", "description": "Short for {url: ...}."}
    shown |= {"description": long_form.get("description", ""), "anyOf": [url, long_form]}


class HttpSection(Section):
    """A request; ``http: "https://..."`` is short for ``http: {url: ...}``. Exactly one of `url` and `pods`."""

    model_config = ConfigDict(json_schema_extra=_or_url)

    url: Url | None = Field(default=None, description="Where to ask. None = `pods` says where.")
    pods: PodsSection | None = Field(
        default=None, description="Ask every instance of the target by its own address. None = `url` says where."
    )
    method: Method = Field(
        default=Method.GET, description="GET or HEAD. Default GET: HEAD is often answered elsewhere."
    )
    expect: ExpectSection = Field(default_factory=ExpectSection, description="What a good answer looks like.")
    headers: dict[Annotated[str, AfterValidator(header_name)], SecretText] = Field(
        default_factory=dict,
        description="Headers to send; a value is text, {file: /path} or {env: NAME}. Secrets only by file or env.",
    )
    host: Text | None = Field(default=None, description="Host header and TLS server name. None = the URL's host.")
    timeout: Annotated[float | None, Duration(least=0.05, most=300)] = Field(
        default=None,
        description="Seconds for the whole check, shorter than `every`. None = 3 s, or 60 % of `every` when that is less: "
        "people have left by then.",
    )
    connection: Connection = Field(
        default=Connection.FRESH,
        description="fresh = a new connection each time, so that DNS, TCP, TLS and every instance behind a balancer are "
        "seen; keep = reuse it (a failure on a reused one is repeated once on a fresh one), for half the cost. Default "
        "fresh: a kept connection can stay with one old instance.",
    )
    ca_file: AbsolutePath | None = Field(
        default=None, description="PEM file of the authorities to trust. None = those of the system."
    )
    verify: Annotated[bool, Flag()] = Field(
        default=True, description="false = take any certificate. Default true: a broken certificate breaks users too."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str) else value
