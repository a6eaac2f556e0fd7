"""The generic webhook: one CloudEvent a notice, signed.

Role: `ports.Channel` for everything that has no channel of its own. Source of the forms: CloudEvents 1.0 (structured JSON),
Standard Webhooks (headers ``webhook-id``, ``webhook-timestamp``, ``webhook-signature`` = ``v1,`` and base64 of
HMAC-SHA256 over ``id.timestamp.body``). Guarantees: `id` is the same in every try of one notice, so a receiver can tell
repeats; the signature covers the bytes that are sent. Not guaranteed: exactly once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from watchdog.channels.message import Message, Place, message_of
from watchdog.channels.sending import Headers, Posting
from watchdog.clients.post import Poster
from watchdog.model import Incident, JsonObject, Notice, iso
from watchdog.ports import Clock

TYPE = "dev.rollback-watchdog.notice."


class WebhookChannel(Posting):
    """POSTs to one address."""

    def __init__(
        self,
        name: str,
        url: str,
        poster: Poster,
        clock: Clock,
        place: Place,
        *,
        secret: str = "",
        headers: Headers = (),
    ) -> None:
        """With `secret`, every event is signed."""
        super().__init__(name, poster)
        self._url, self._clock, self._place = url, clock, place
        self._secret, self._headers = secret, headers

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Send one event. Raises DeliveryFailed."""
        message = message_of(notice, incident, self._place)
        body = json.dumps(event_of(message, self._place), ensure_ascii=True, separators=(",", ":")).encode()
        headers: Headers = (("Content-Type", "application/cloudevents+json; charset=utf-8"), *self._headers)
        if self._secret:
            headers = (*headers, *signature(self._secret, message.key, int(self._clock.now()), body))
        await self.send(self._url, body, headers)


def event_of(message: Message, place: Place) -> JsonObject:
    """The CloudEvent. `data` only ever gains keys."""
    return {
        "specversion": "1.0",
        "id": message.key,
        "source": f"rollback-watchdog/{place.environment}" if place.environment else "rollback-watchdog",
        "type": TYPE + message.kind,
        "subject": message.target,
        "time": iso(message.at),
        "datacontenttype": "application/json",
        "data": {
            "severity": message.severity,
            "headline": message.title,
            "text": list(message.paragraphs),
            "commands": list(message.commands),
            "facts": dict(message.facts),
            "incident": message.incident or None,
            "target": message.target or None,
            "link": message.link or None,
            "resolves": message.resolves,
            "repeated": message.tried > 0,
        },
    }


def signature(secret: str, key: str, at: int, body: bytes) -> Headers:
    """Headers that prove where an event comes from."""
    signed = b".".join((key.encode(), str(at).encode(), body))
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (
        ("webhook-id", key),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", "v1," + base64.b64encode(digest).decode()),
    )
