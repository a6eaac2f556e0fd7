"""What a container does, as the tag of its image says: `bookstore:2.0-err30-slow200`.

A tag is a version and any number of options, each a word and, where it has one, a number. The options of one
tag add up. Pure: no clock, no network; `bookstore` and `kubelet` carry it out.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

DEPENDENCY_DOWN = "dependency_down"
"""The flag of the node that stands for the failure of a service that many others need."""


class UnknownBehaviourError(ValueError):
    """A tag has an option that is not in the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a container does; times are seconds since its start."""

    error_share: float = 0.0
    """Share of the requests, on all paths but those of health and metrics, that are answered with 500."""
    error_from: float = 0.0
    error_until: float = inf
    delay: float = 0.0
    """Seconds before each answer, on the same paths."""
    ready_after: float = 0.0
    """Until then, and for ever if infinite, /ready and every readiness probe get 503."""
    healthy: bool = True
    """Whether /health says 200."""
    listens: bool = True
    """Whether anything listens at the port of the container."""
    depends_on: str | None = None
    """The flag of the node that makes it answer 503, on the same paths as `error_share`."""
    ends_after: float = inf
    exit_code: int = 0
    exit_reason: str = "Completed"
    never_starts: str | None = None
    """The reason for which the container waits for ever."""


_Fields = dict[str, Any]


def _ending(seconds: float, code: int, reason: str) -> _Fields:
    return {"ends_after": seconds, "exit_code": code, "exit_reason": reason}


OPTIONS: Mapping[str, tuple[float, Callable[[float], _Fields]]] = {
    # word: (number where the tag gives none, what it changes)
    "err": (100, lambda percent: {"error_share": percent / 100}),
    "after": (30, lambda seconds: {"error_from": seconds}),
    "until": (30, lambda seconds: {"error_until": seconds}),
    "blip": (10, lambda seconds: {"error_share": 1.0, "error_until": seconds}),
    "slow": (500, lambda milliseconds: {"delay": milliseconds / 1000}),
    "dep": (0, lambda _: {"depends_on": DEPENDENCY_DOWN}),
    "unready": (0, lambda _: {"ready_after": inf}),
    "slowready": (5, lambda seconds: {"ready_after": seconds}),
    "sick": (0, lambda _: {"healthy": False}),
    "deaf": (0, lambda _: {"listens": False}),
    "crash": (2, lambda seconds: _ending(seconds, 1, "Error")),
    "oom": (2, lambda seconds: _ending(seconds, 137, "OOMKilled")),
    "done": (1, lambda seconds: _ending(seconds, 0, "Completed")),
    "pull": (0, lambda _: {"never_starts": "ImagePullBackOff"}),
    "config": (0, lambda _: {"never_starts": "CreateContainerConfigError"}),
}

_IMAGE = re.compile(r"(?P<name>[^:@]+(?::\d+/[^:@]+)?)(?::(?P<tag>[^@]+))?(?:@(?P<digest>.+))?")
_OPTION = re.compile(r"(?P<word>[a-z]+)(?P<number>\d+(?:\.\d+)?)?")


def tag_of(image: str) -> str:
    """The tag of an image, `latest` if it has none."""
    match = _IMAGE.fullmatch(image)
    return (match and match["tag"]) or "latest"


def version_of(image: str) -> str:
    """The version that a tag begins with."""
    return tag_of(image).partition("-")[0]


def image_id(image: str) -> str:
    """What a container runtime would report: the repository and the digest of what was pulled."""
    match = _IMAGE.fullmatch(image)
    name = match["name"] if match else image
    digest = (match and match["digest"]) or f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first:
        name = f"docker.io/{name}"
    return f"{name}@{digest}"


def behaviour_of(image: str) -> Behaviour:
    """The behaviour of an image; UnknownBehaviourError for an option that is not in the table."""
    behaviour = Behaviour()
    for option in tag_of(image).split("-")[1:]:
        match = _OPTION.fullmatch(option)
        if match is None or match["word"] not in OPTIONS:
            raise UnknownBehaviourError(f"no behaviour {option!r} in {image}; known: {', '.join(OPTIONS)}")
        default, change = OPTIONS[match["word"]]
        behaviour = replace(behaviour, **change(float(match["number"] or default)))
    return behaviour
