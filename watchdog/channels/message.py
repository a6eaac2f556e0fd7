"""What a person reads, whatever carries it: made once of a notice and its incident.

Role: the words and facts that Slack, Teams, mail and the webhook arrange in their own way. Pure. Guarantees: the first line
fits a lock screen and says what users feel and what the watchdog does; commands stand as they are typed; text is cut where
a service would refuse it; control characters of foreign text are replaced.
"""

from __future__ import annotations

from dataclasses import field

from watchdog.model import Incident, Instant, Notice, iso, record

LINE = 110
OPEN_KINDS = frozenset({"pending", "ask", "rolled_back", "not_acting"})
"""Kinds of notices that leave an incident open."""


@record
class Place:
    """Where this watchdog stands. `base_url` is the address of its page, empty when there is none."""

    environment: str = ""
    base_url: str = ""


@record
class Message:
    """One notice for people. `commands` are lines to type; `facts` (name, value) pairs; `link` empty = none."""

    key: str
    kind: str
    severity: str
    title: str
    paragraphs: tuple[str, ...]
    commands: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    at: Instant
    incident: str = ""
    target: str = ""
    link: str = ""
    resolves: bool = False
    """The incident is over: what was triggered may be resolved."""
    tried: int = 0
    """Failed tries before: a service may have taken it."""
    links: tuple[tuple[str, str], ...] = field(default=())


def message_of(notice: Notice, incident: Incident | None, place: Place) -> Message:
    """The message of a notice."""
    said, commands = _split(notice.body)
    title = _plain(notice.headline)
    where = f"[{place.environment}] " if place.environment else ""
    return Message(
        key=f"{incident.id}/{notice.key}" if incident else notice.key,
        kind=notice.kind,
        severity=notice.severity,
        title=cut(where + title, LINE),
        paragraphs=tuple(_plain(line) for line in said if _plain(line) != title),
        commands=commands,
        facts=() if incident is None else _facts(incident, notice),
        at=notice.owed_at,
        incident=incident.id if incident else "",
        target=incident.target if incident else "",
        link=_link(incident, place),
        resolves=_resolves(notice, incident),
        tried=notice.attempts,
    )


def cut(text: str, limit: int) -> str:
    """Cut to `limit` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def as_text(message: Message) -> str:
    """Plain text of the whole message, without its title."""
    lines = [*message.paragraphs]
    if message.facts:
        lines += ["", *(f"{name}: {value}" for name, value in message.facts)]
    if message.commands:
        lines += ["", *(f"  {command}" for command in message.commands)]
    if message.link:
        lines += ["", message.link]
    return "\n".join(lines).strip()


def _split(body: str) -> tuple[list[str], tuple[str, ...]]:
    """Sentences, and the commands among them: ``watchdog ...``, perhaps behind a word (``Stop it: watchdog cancel``)."""
    said: list[str] = []
    commands: list[str] = []
    for line in body.splitlines():
        before, found, command = line.partition("watchdog ")
        if found and (not before.strip() or before.rstrip().endswith(":")):
            label = before.strip().rstrip(":")
            commands.append(f"watchdog {_plain(command)}" + (f"    # {label}" if label else ""))
        elif line.strip():
            said.append(line)
    return said, tuple(commands)


def _facts(incident: Incident, notice: Notice) -> tuple[tuple[str, str], ...]:
    good = incident.good.label if incident.good else "none known"
    found = [
        ("Release", incident.blamed.label),
        ("Last known good", good),
        ("Since", iso(incident.first_bad if incident.first_bad is not None else incident.opened_at)),
        ("Mode", incident.mode.value),
        ("Incident", incident.id),
    ]
    if incident.countdown_until is not None and notice.kind == "pending":
        found.insert(0, ("At", iso(incident.countdown_until)))
    return tuple((name, cut(_plain(value), 200)) for name, value in found)


def _link(incident: Incident | None, place: Place) -> str:
    if not place.base_url:
        return ""
    return f"{place.base_url.rstrip('/')}/" + (f"incidents/{incident.id}" if incident else "")


def _resolves(notice: Notice, incident: Incident | None) -> bool:
    """A closing notice of an incident that needs nobody any more."""
    if incident is None or notice.kind in OPEN_KINDS:
        return False
    return not incident.open and not incident.needs_human and notice.severity == "info"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
