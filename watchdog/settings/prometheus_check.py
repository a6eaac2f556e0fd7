"""What of the sections `prometheus` does not fit together.

Role: the part of `crosscheck` that knows Prometheus; each shape of a question has its own keys. Pure. PromQL itself is read
by the server alone: ``watchdog config check --live`` asks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from watchdog.settings.presets import knows_namespace
from watchdog.settings.problems import Trail
from watchdog.settings.prometheus import Preset, PrometheusSection
from watchdog.settings.prometheus_access import INTERVAL, source_of
from watchdog.settings.root import Settings
from watchdog.settings.wording import Finding, suggestion

_SELECTOR = re.compile(r'\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(\{(?:[^"{}]|"(?:\\.|[^"\\])*")*\})?\s*')
_OF_PRESET = ("app", "namespace", "status_label", "labels")
_SHAPES = "bad and all, a preset, a histogram, or a value"


def servers(settings: Settings) -> Iterator[Finding]:
    """The servers: credentials that exclude each other."""
    for name, server in settings.prometheus.items():
        trail: Trail = ("prometheus", name)
        if (server.user is None) != (server.password is None):
            missing = "password" if server.password is None else "user"
            yield Finding(trail=trail, message=f"basic authentication needs user and password: {missing} is not said")
        if server.user is not None and server.token_file is not None:
            yield Finding(trail=(*trail, "token_file"), message="a server is told either a token or user and password")
        if server.key_file is not None and server.cert_file is None:
            yield Finding(trail=(*trail, "key_file"), message="a key without `cert_file` is of no use")


def question(settings: Settings, trail: Trail, section: PrometheusSection) -> Iterator[Finding]:
    """One question of a signal; `trail` leads to its section."""
    yield from _source(settings, trail, section)
    shapes = [name for name in ("preset", "all", "histogram", "value") if _said(section, name)]
    if len(shapes) != 1:
        found = f"found {' and '.join(shapes)}" if shapes else "found none"
        involves = tuple((*trail, key) for key in ("preset", "bad", "good", "all", "histogram", "value"))
        yield Finding(trail=trail, message=f"asks for exactly one of: {_SHAPES}; {found}", involves=involves)
        return
    yield from _strangers(trail, section, shapes[0])
    if shapes[0] == "all":
        yield from _counters(trail, section)
    elif shapes[0] == "preset":
        yield from _preset(trail, section)
    elif shapes[0] == "histogram":
        yield from _histogram(trail, section)
    elif (section.above is None) == (section.below is None):
        yield Finding(trail=(*trail, "value"), message="needs exactly one of `above` and `below`")


def _said(section: PrometheusSection, key: str) -> bool:
    return getattr(section, "every_" if key == "all" else key) is not None


def _source(settings: Settings, trail: Trail, section: PrometheusSection) -> Iterator[Finding]:
    if source_of(settings, section) is not None:
        return
    names = list(settings.prometheus)
    if not names:
        hint = "write prometheus: {main: {url: http://prometheus:9090}} at the top"
        yield Finding(trail=trail, message="no Prometheus server is configured", hint=hint)
    elif section.source is None:
        message = f"must say its `source`: {', '.join(names)} are configured"
        yield Finding(trail=trail, message=message)
    else:
        message = f"there is no Prometheus server {section.source!r}"
        yield Finding(trail=(*trail, "source"), message=message, hint=suggestion(section.source, names))


def _strangers(trail: Trail, section: PrometheusSection, shape: str) -> Iterator[Finding]:
    """Keys that belong to another shape."""
    own = {
        "all": ("bad", "good"),
        "preset": _OF_PRESET,
        "histogram": ("within", "quantile", "min_events"),
        "value": ("above", "below"),
    }
    for other, keys in own.items():
        for key in keys:
            if other != shape and key in section.model_fields_set:
                yield Finding(trail=(*trail, key), message=f"says nothing beside `{shape}`: it belongs to `{other}`")


def _counters(trail: Trail, section: PrometheusSection) -> Iterator[Finding]:
    if (section.bad is None) == (section.good is None):
        yield Finding(trail=trail, message="`all` needs exactly one of `bad` and `good`")
        return
    key = "bad" if section.bad is not None else "good"
    part, every = section.bad or section.good or "", section.every_ or ""
    expressions = [INTERVAL in query for query in (part, every)]
    if any(expressions) and section.good is not None:
        yield Finding(trail=(*trail, "good"), message="an expression gives bad events: write `bad`")
    for name, query, counted in ((key, part, expressions[0]), ("all", every, expressions[1])):
        if any(expressions) and not counted:
            message = f"must be an expression over {INTERVAL} as the other is"
            yield Finding(trail=(*trail, name), message=message, involves=((*trail, key), (*trail, "all")))
        elif not any(expressions) and not _is_selector(query):
            message = f"is neither a plain selector nor an expression over {INTERVAL}"
            hint = f"write {name}: requests_total{{...}}, or sum(increase(requests_total{{...}}[{INTERVAL}]))"
            yield Finding(trail=(*trail, name), message=message, hint=hint)


def _is_selector(query: str) -> bool:
    found = _SELECTOR.fullmatch(query)
    return found is not None and bool(found[1] or found[2])


def _preset(trail: Trail, section: PrometheusSection) -> Iterator[Finding]:
    assert section.preset is not None  # noqa: S101 - its shape was found by it
    if section.app is None:
        yield Finding(trail=(*trail, "preset"), message="needs `app`: the service's name in these metrics")
    if section.namespace is not None and not knows_namespace(section.preset):
        yield Finding(trail=(*trail, "namespace"), message=f"the metrics of {section.preset.value} name no namespace")
    if section.status_label is not None and section.preset is not Preset.REQUESTS_TOTAL:
        yield Finding(trail=(*trail, "status_label"), message="belongs to the preset requests_total")


def _histogram(trail: Trail, section: PrometheusSection) -> Iterator[Finding]:
    name = _SELECTOR.fullmatch(section.histogram or "")
    if name is None or not name[1]:
        yield Finding(trail=(*trail, "histogram"), message="must be a metric: http_request_duration_seconds{...}")
    elif name[1].endswith(("_bucket", "_count", "_sum")):
        stem = name[1].rpartition("_")[0]
        yield Finding(trail=(*trail, "histogram"), message="is named without its suffix", hint=f"did you mean {stem}?")
    if section.within is None:
        yield Finding(trail=(*trail, "histogram"), message="needs `within`: what is slower is bad")
    if section.quantile is None and "min_events" in section.model_fields_set:
        yield Finding(trail=(*trail, "min_events"), message="belongs to `quantile`: single requests need no minimum")
