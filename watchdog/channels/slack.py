"""Slack: through an incoming webhook, or as an app with one thread an incident.

Role: `ports.Channel`. Source: Slack's "Incoming webhooks", ``chat.postMessage``, ``conversations.history``; Block Kit limits
(header 150, section 3000, 10 fields of 2000, 50 blocks); a 200 with ``ok: false`` is a refusal. Guarantees: foreign text can
neither mention anybody nor format anything; as an app the first message of an incident is in the channel and all others
are in its thread, also after a restart (the thread is found again by the message's metadata); the answers that end an
incident are broadcast to the channel. Not guaranteed: that a repeat is recognised by a webhook; it is marked as one.
"""

from __future__ import annotations

import json
from typing import Any

from watchdog.channels.message import Message, Place, cut, message_of
from watchdog.channels.sending import JSON, Posting, words
from watchdog.clients.post import Poster
from watchdog.model import Incident, JsonObject, Notice
from watchdog.ports import DeliveryFailed

API = "https://slack.com/api"
EVENT = "rollback_watchdog_incident"
MOST_HEADER, MOST_SECTION, MOST_FIELD, MOST_FIELDS = 150, 3000, 2000, 10
MOST_THREADS = 500
PERMANENT = frozenset({
    "account_inactive", "channel_not_found", "invalid_auth", "invalid_blocks", "is_archived", "missing_scope",
    "no_permission", "not_authed", "not_in_channel", "token_expired", "token_revoked",
})  # fmt: skip
"""Slack's words for what no further try passes."""
SIGN = {"page": "\N{LARGE RED CIRCLE}", "warn": "\N{LARGE ORANGE CIRCLE}", "info": "\N{LARGE GREEN CIRCLE}"}


class SlackWebhookChannel(Posting):
    """One incoming webhook; its address is the secret."""

    def __init__(self, name: str, url: str, poster: Poster, place: Place) -> None:
        """Post to `url`."""
        super().__init__(name, poster)
        self._url, self._place = url, place

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Send one message. Raises DeliveryFailed."""
        body = content_of(message_of(notice, incident, self._place))
        await self.send(self._url, json.dumps(body).encode())


class SlackAppChannel(Posting):
    """A bot in one channel. Needs the scopes chat:write, and channels:history (groups:history) to find threads again."""

    def __init__(self, name: str, token: str, channel: str, poster: Poster, place: Place, *, url: str = API) -> None:
        """Write to `channel` (its id)."""
        super().__init__(name, poster)
        self._channel, self._place, self._url = channel, place, url.rstrip("/")
        self._headers = (*JSON, ("Authorization", f"Bearer {token}"))
        self._threads: dict[str, str] = {}

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Send one message, into the incident's thread when there is one. Raises DeliveryFailed."""
        message = message_of(notice, incident, self._place)
        body: dict[str, Any] = {**content_of(message), "channel": self._channel, "unfurl_links": False}
        thread = await self._thread(message.incident) if message.incident else None
        if thread is not None:
            body |= {"thread_ts": thread, "reply_broadcast": message.resolves or message.severity == "page"}
        elif message.incident:
            body |= {"metadata": {"event_type": EVENT, "event_payload": {"incident": message.incident}}}
        answer = await self._call("chat.postMessage", body)
        if thread is None and message.incident:
            self._remember(message.incident, str(answer.get("ts", "")))

    def _remember(self, incident: str, ts: str) -> None:
        while len(self._threads) >= MOST_THREADS:
            self._threads.pop(next(iter(self._threads)))
        self._threads[incident] = ts

    async def _thread(self, incident: str) -> str | None:
        """Where the incident's thread begins. A restart has forgotten it: then the channel's history is read."""
        if incident in self._threads:
            return self._threads[incident]
        body = {"channel": self._channel, "limit": 200, "include_all_metadata": True}
        try:
            answer = await self._call("conversations.history", body)
        except DeliveryFailed as error:
            if not error.permanent:
                raise
            return None  # may not read: a second thread is better than silence
        for one in answer.get("messages") or ():
            meta = one.get("metadata") or {}
            if meta.get("event_type") == EVENT and (meta.get("event_payload") or {}).get("incident") == incident:
                self._remember(incident, str(one.get("ts")))
                return self._threads[incident]
        return None

    async def _call(self, method: str, body: JsonObject) -> dict[str, Any]:
        posted = await self.send(f"{self._url}/{method}", json.dumps(body).encode(), self._headers)
        try:
            answer = json.loads(posted.body)
        except ValueError:
            raise DeliveryFailed(f"{method}: answered no JSON") from None
        if not isinstance(answer, dict) or not answer.get("ok"):
            said = words(str(answer.get("error") if isinstance(answer, dict) else "").encode()) or "refused"
            raise DeliveryFailed(f"{method}: {said}", permanent=said in PERMANENT, retry_after=posted.retry_after_s)
        return answer


def content_of(message: Message) -> JsonObject:
    """Text for notifications, and blocks."""
    blocks: list[JsonObject] = [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": cut(f"{SIGN.get(message.severity, '')} {message.title}", MOST_HEADER),
            },
        }
    ]
    if message.tried:
        blocks.append({"type": "context", "elements": [_mrkdwn("Sent again: an earlier try may have arrived.")]})
    if message.paragraphs:
        blocks.append({"type": "section", "text": _mrkdwn(cut(escaped("\n".join(message.paragraphs)), MOST_SECTION))})
    if message.facts:
        fields = [_mrkdwn(cut(f"*{escaped(name)}*\n{escaped(value)}", MOST_FIELD)) for name, value in message.facts]
        blocks.append({"type": "section", "fields": fields[:MOST_FIELDS]})
    if message.commands:
        lines = escaped("\n".join(message.commands)).replace("`", "'")
        blocks.append({"type": "section", "text": _mrkdwn(f"```{cut(lines, MOST_SECTION - 6)}```")})
    if message.link:
        blocks.append({"type": "section", "text": _mrkdwn(f"<{message.link}|Open the incident>")})
    return {"text": escaped(message.title), "blocks": blocks}


def escaped(text: str) -> str:
    """Slack's own three, and the signs that format: foreign text mentions nobody and looks as it is."""
    for sign, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, safe)
    return "".join(f"\N{ZERO WIDTH SPACE}{letter}" if letter in "*_~" else letter for letter in text)


def _mrkdwn(text: str) -> JsonObject:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
