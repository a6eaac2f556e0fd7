"""Names that must exist: of targets in `control`, `depends_on`, `reference`, groups and pauses, of channels in `notify`.

Role: run on the raw tree, before and apart from validation, so that a broken target still counts as a name and every
dangling name is found at once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from watchdog.settings.access import PLATFORMS
from watchdog.settings.notify import SECRETS
from watchdog.settings.problems import Trail, printable
from watchdog.settings.values import SECRET_WORD
from watchdog.settings.wording import Finding, suggestion


def dangling_names(tree: Mapping[str, Any]) -> Iterator[Finding]:
    """All names that name nothing, or that name what they may not."""
    targets, groups, channels = _section(tree, "targets"), _section(tree, "groups"), _section(tree, "notify")
    for name, body in targets.items():
        for key in ("control", "depends_on"):
            trail = ("targets", name, key)
            yield from _each(trail, _section(targets, name).get(key), targets, "target", itself=name)
        if isinstance(body, dict):
            yield from _each(("targets", name, "notify"), body.get("notify"), channels, "channel")
    yield from _references(tree.get("reference"), targets)
    yield from _groups(groups, targets)
    yield from _scopes(tree.get("pauses"), targets, groups)
    yield from _circles(targets)


def _section(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = tree.get(key)
    return found if isinstance(found, dict) else {}


def _names(trail: Trail, value: Any) -> list[tuple[Trail, str]]:
    if isinstance(value, str):
        return [(trail, value)]
    items = value if isinstance(value, list) else []
    return [((*trail, index), item) for index, item in enumerate(items) if isinstance(item, str)]


def _each(trail: Trail, value: Any, known: Mapping[str, Any], what: str, itself: str = "") -> Iterator[Finding]:
    seen: set[str] = set()
    for place, name in _names(trail, value):
        if itself and name == itself:
            yield Finding(trail=place, message=f"the target names itself in {trail[-1]!r}")
        elif name not in known:
            yield Finding(trail=place, message=f"unknown {what} {printable(name)!r}", hint=_hint(name, known, what))
        elif name in seen:
            yield Finding(trail=place, message=f"names {printable(name)!r} twice")
        seen.add(name)


def _hint(name: str, known: Mapping[str, Any], what: str) -> str:
    return suggestion(name, known) if known else f"there is no {what} in this configuration"


def _references(value: Any, targets: Mapping[str, Any]) -> Iterator[Finding]:
    """Reference probes say whether we are cut off: a workload that is released and rolled back cannot."""
    yield from _each(("reference",), value, targets, "target")
    for place, name in _names(("reference",), value):
        if any(platform in _section(targets, name) for platform in PLATFORMS):
            hint = "a reference is a target without a platform"
            yield Finding(trail=place, message=f"{printable(name)!r} is not watch-only", hint=hint)


def _groups(groups: Mapping[str, Any], targets: Mapping[str, Any]) -> Iterator[Finding]:
    owner: dict[str, str] = {}
    for group in groups:
        trail: Trail = ("groups", group, "order")
        order = _section(groups, group).get("order")
        yield from _each(trail, order, targets, "target")
        for place, name in _names(trail, order):
            if owner.setdefault(name, group) != group:
                yield Finding(trail=place, message=f"{printable(name)!r} is already in the group {owner[name]!r}")


def _scopes(pauses: Any, targets: Mapping[str, Any], groups: Mapping[str, Any]) -> Iterator[Finding]:
    for index, pause in enumerate(pauses if isinstance(pauses, list) else []):
        scope = pause.get("scope") if isinstance(pause, dict) else None
        if isinstance(scope, str) and scope.strip() and scope != "all":
            yield from _scope(("pauses", index, "scope"), scope, targets, groups)


def _scope(trail: Trail, scope: str, targets: Mapping[str, Any], groups: Mapping[str, Any]) -> Iterator[Finding]:
    kind, slash, name = scope.partition("/")
    known = {"target": targets, "group": groups}.get(kind)
    if kind in ("selector", "platform") and slash:
        yield from _covers_nothing(trail, kind, name, targets)
    elif known is None or not slash:
        guess = next(
            (f"{word}/{scope}" for word, names in (("target", targets), ("group", groups)) if scope in names), ""
        )
        hint = (
            f"did you mean {guess}?" if guess else "all, group/NAME, target/NAME, selector/KEY=VALUE or platform/KIND"
        )
        yield Finding(trail=trail, message=f"is no scope: {printable(scope)!r}", hint=hint)
    elif name not in known:
        yield Finding(trail=trail, message=f"unknown {kind} {printable(name)!r}", hint=_hint(name, known, kind))


def _covers_nothing(trail: Trail, kind: str, name: str, targets: Mapping[str, Any]) -> Iterator[Finding]:
    """A pause that covers no target is a slip of the pen, and found out only when it was needed."""
    sections = [_section(targets, target) for target in targets]
    labels = [section.get("labels") for section in sections]
    known = [{f"{key}={value}" for key, value in found.items()} for found in labels if isinstance(found, dict)]
    if kind == "selector" and not any(set(name.split(",")) <= found for found in known):
        every = {label: None for found in known for label in found}
        yield Finding(
            trail=trail, message=f"no target has the labels {printable(name)!r}", hint=_hint(name, every, "label")
        )
    elif kind == "platform" and not any(name in section for section in sections):
        yield Finding(trail=trail, message=f"no target is of the platform {printable(name)!r}", hint="")


def _circles(targets: Mapping[str, Any]) -> Iterator[Finding]:
    """Targets that need each other in a circle: none of them could ever be blamed."""
    needs = {name: [need for _, need in _names((), _section(targets, name).get("depends_on"))] for name in targets}
    for name in targets:
        circle = _way_back(name, needs)
        if circle and name == min(circle):
            text = " -> ".join([*circle, name])
            yield Finding(trail=("targets", name, "depends_on"), message=f"depends on itself: {printable(text, 200)}")


def _way_back(start: str, needs: Mapping[str, list[str]]) -> list[str]:
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop()
        for need in needs.get(way[-1], []):
            if need == start and len(way) > 1:
                return way
            if need not in seen:
                seen.add(need)
                ways.append([*way, need])
    return []


def inline_secrets(tree: Any) -> Iterator[Finding]:
    """Values of the file (not of variables or secret files) that are text under a name that sounds like a secret."""
    targets = _section(tree, "targets") if isinstance(tree, dict) else {}
    for server, body in _section(tree, "prometheus").items() if isinstance(tree, dict) else ():
        here: Trail = ("prometheus", server)
        if isinstance(body, dict):
            yield from _inline(here, {"password": body.get("password")})
            yield from _inline((*here, "headers"), _section(body, "headers"))
    for login, body in _section(tree, "azure").items() if isinstance(tree, dict) else ():
        if isinstance(body, dict):
            yield from _inline(("azure", login), {"client_secret": body.get("client_secret")})
    for channel, body in _section(tree, "notify").items() if isinstance(tree, dict) else ():
        yield from _of_channel(channel, body)
    for target in targets:
        trail: Trail = ("targets", target)
        body = _section(targets, target)
        command = _section(_section(body, "command"), "environment")
        yield from _inline((*trail, "command", "environment"), command)
        signals = _section(body, "signals")
        for signal in signals:
            headers = _section(_section(_section(signals, signal), "http"), "headers")
            yield from _inline((*trail, "signals", signal, "http", "headers"), headers)


def _of_channel(channel: str, body: Any) -> Iterator[Finding]:
    for kind, keys in SECRETS.items():
        section = _section(body, kind) if isinstance(body, dict) else {}
        for key in keys:
            if isinstance(section.get(key), str):
                hint = "write {file: /path} or {env: NAME}"
                trail: Trail = ("notify", channel, kind, key)
                yield Finding(trail=trail, message="a secret may not stand in the file", hint=hint)
        yield from _inline(("notify", channel, kind, "headers"), _section(section, "headers"))


def _inline(trail: Trail, values: Mapping[str, Any]) -> Iterator[Finding]:
    for name, value in values.items():
        if isinstance(value, str) and SECRET_WORD.search(name):
            hint = "write {file: /path} or {env: NAME}"
            yield Finding(trail=(*trail, name), message="a secret may not stand in the file", hint=hint)
