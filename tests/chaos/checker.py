"""What was done, told by the API server's audit log and the incidents in the store alone, held against what must never happen.

Neighbours: `story` makes the trouble; nothing here knows how the daemon works. Pure. A violation is a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """A change of the workload's image that was stored, or any template of ours. `version` orders them."""

    version: int
    user: str
    begun: float
    image: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is looked at. Times are UTC seconds; `paused` = from the acknowledgement to the order to resume."""

    writes: tuple[Write, ...]
    incidents: tuple[dict[str, Any], ...]
    live: str
    paused: tuple[tuple[float, float], ...] = ()
    us: str = "watchdog"
    bad: frozenset[str] = field(default_factory=frozenset)
    """Images that users suffer from."""


def writes_of(events: Iterable[Event], name: str, us: str) -> tuple[Write, ...]:
    """The stored changes of one Deployment's image, in the order in which they were stored.

    A template that *we* wrote counts also when it changes no image: that is what doing it twice looks like.
    """
    found: dict[int, Write] = {}
    templates: set[int] = set()
    for event in events:
        about, answer = event.get("objectRef") or {}, event.get("responseObject") or {}
        mine = about.get("resource") == "deployments" and not about.get("subresource")
        stored = event.get("responseStatus", {}).get("code", 0) in (200, 201) and "dryRun" not in event["requestURI"]
        containers = answer.get("spec", {}).get("template", {}).get("spec", {}).get("containers") or []
        if not (mine and stored and containers) or answer["metadata"]["name"] != name:
            continue
        begun = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
        version = int(answer["metadata"]["resourceVersion"])
        found[version] = Write(version, event["user"]["username"], begun, containers[0]["image"])
        asked = event.get("requestObject") or {}
        if event["user"]["username"] == us and (asked.get("spec") or {}).get("template"):
            templates.add(version)
    ordered = [found[version] for version in sorted(found)]
    return tuple(
        one for n, one in enumerate(ordered) if n == 0 or one.image != ordered[n - 1].image or one.version in templates
    )


def violations(evidence: Evidence) -> list[str]:
    """What must never happen and did."""
    return [
        *_overwritten(evidence),
        *_doubled(evidence),
        *_while_paused(evidence),
        *_unended(evidence),
        *_forgotten(evidence),
    ]


def _overwritten(evidence: Evidence) -> list[str]:
    """We take away only what is bad, and put back only what is not."""
    found = []
    for before, write in zip(evidence.writes, evidence.writes[1:], strict=False):
        if write.user == evidence.us and before.image not in evidence.bad:
            found.append(f"{before.image}, which is not bad, was overwritten by {write.image}")
        if write.user == evidence.us and write.image in evidence.bad:
            found.append(f"{write.image}, which is bad, was put back")
    return found


def _doubled(evidence: Evidence) -> list[str]:
    """One rollback for each time that somebody has released."""
    found, since = [], 0
    for write in evidence.writes:
        since = since + 1 if write.user == evidence.us else 0
        if since > 1:
            found.append(f"a second write of ours, {write.image}, with no release between")
    return found


def _while_paused(evidence: Evidence) -> list[str]:
    return [
        f"{write.image} was written while paused"
        for write in evidence.writes
        for begin, end in evidence.paused
        if write.user == evidence.us and begin < write.begun < end
    ]


def _unended(evidence: Evidence) -> list[str]:
    """Every response ended, waits for a person with a reason, or is handed to one."""
    found = []
    for incident in evidence.incidents:
        decision = incident.get("decision") or {}
        waits = decision.get("outcome") in ("hold", "ask", "escalate", "blind")
        if incident["stage"] != "closed" and not incident.get("needs_human") and not waits:
            found.append(f"incident {incident['id']} stands at {incident['stage']}")
        found += [
            f"incident {incident['id']} is closed and the outcome of intent {intent['id']} is not known"
            for intent in incident.get("intents", ())
            if incident["stage"] == "closed" and not intent.get("outcome")
        ]
    return found


def _forgotten(evidence: Evidence) -> list[str]:
    """A bad release that runs is somebody's affair; a write of ours stands in an incident."""
    found = []
    known = images_of(evidence.incidents)
    if evidence.live in evidence.bad and evidence.live not in known:
        found.append(f"{evidence.live} runs, and no incident is about it")
    intents = sum(len(one.get(key, ())) for one in evidence.incidents for key in ("intents", "past_intents"))
    ours = sum(write.user == evidence.us for write in evidence.writes)
    if ours > intents:
        found.append(f"{ours} writes of ours and {intents} stored intents")
    return found


def images_of(incidents: Sequence[dict[str, Any]]) -> set[str]:
    """What the incidents are about."""
    return {image for one in incidents for image in (one.get("blamed") or {}).get("images", {}).values()}
