"""PagerDuty: one alert an incident, resolved when nobody is needed any more.

Role: `ports.Channel` over Events API v2. Source: PagerDuty's "Send an alert event" (routing_key, dedup_key <= 255
characters, summary <= 1024, severity critical | error | warning | info; 202 = taken, 429 = slow down).
Guarantees: the dedup key is the incident's, so no try and no restart makes a second alert; what is only information makes
no alert at all. Not guaranteed: that a resolve reaches an alert that a person has merged elsewhere.
"""

from __future__ import annotations

import json

from watchdog.channels.message import Message, Place, as_text, cut, message_of
from watchdog.channels.sending import Posting
from watchdog.clients.post import Poster
from watchdog.model import Incident, JsonObject, Notice, iso

EVENTS = "https://events.pagerduty.com"
SEVERITY = {"page": "critical", "warn": "warning"}
MOST_SUMMARY, MOST_KEY, MOST_DETAILS = 1024, 255, 4000


class PagerDutyChannel(Posting):
    """One integration of one PagerDuty service."""

    def __init__(self, name: str, routing_key: str, poster: Poster, place: Place, *, url: str = EVENTS) -> None:
        """`url` differs for PagerDuty's EU region."""
        super().__init__(name, poster)
        self._key, self._place = routing_key, place
        self._url = f"{url.rstrip('/')}/v2/enqueue"

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Trigger, resolve, or nothing where nobody must be alerted. Raises DeliveryFailed."""
        event = event_of(message_of(notice, incident, self._place), self._place)
        if event is not None:
            await self.send(self._url, json.dumps({"routing_key": self._key, **event}).encode())


def event_of(message: Message, place: Place) -> JsonObject | None:
    """The event without its routing key; None where there is nothing to trigger or resolve."""
    dedup = cut(message.incident or message.key, MOST_KEY)
    if message.resolves:
        return {"event_action": "resolve", "dedup_key": dedup}
    if message.severity not in SEVERITY:
        return None
    links = [{"href": message.link, "text": "Incident"}] if message.link else []
    return {
        "event_action": "trigger",
        "dedup_key": dedup,
        "client": "rollback-watchdog",
        "links": links,
        "payload": {
            "summary": cut(message.title, MOST_SUMMARY),
            "source": place.environment or message.target or "rollback-watchdog",
            "severity": SEVERITY[message.severity],
            "timestamp": iso(message.at),
            "component": message.target or "watchdog",
            "class": message.kind,
            "custom_details": {"text": cut(as_text(message), MOST_DETAILS), **dict(message.facts)},
        },
    }
