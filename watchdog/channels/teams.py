"""Microsoft Teams: an adaptive card through a workflow ("When a Teams webhook request is received").

Role: `ports.Channel` over a workflow's address, which is itself the secret. Source: adaptive cards 1.4, "Post to a channel
when a webhook request is received"; a message larger than 28 KB is refused, so text is cut well below. Guarantees: foreign
text cannot make a card, nor format it. Not guaranteed: a thread an incident, or that a repeat is recognised - a workflow
has no key for either; a repeat is marked as one.
"""

from __future__ import annotations

import json

from watchdog.channels.message import Message, Place, cut, message_of
from watchdog.channels.sending import Posting
from watchdog.clients.post import Poster
from watchdog.model import Incident, JsonObject, Notice

MOST_BYTES = 28_000
MOST_TEXT = 1500
MOST_PARAGRAPHS = 6
COLOUR = {"page": "Attention", "warn": "Warning", "info": "Good"}


class TeamsChannel(Posting):
    """One workflow."""

    def __init__(self, name: str, url: str, poster: Poster, place: Place) -> None:
        """Post to the workflow at `url`."""
        super().__init__(name, poster)
        self._url, self._place = url, place

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Send one card. Raises DeliveryFailed."""
        body = json.dumps(card_of(message_of(notice, incident, self._place))).encode()
        await self.send(self._url, body)


def card_of(message: Message) -> JsonObject:
    """The message with one card in it."""
    again = [_text("(sent again: an earlier try may have arrived)", isSubtle=True)] if message.tried else []
    paragraphs = [_text(cut(line, MOST_TEXT), wrap=True) for line in message.paragraphs[:MOST_PARAGRAPHS]]
    facts = [{"title": name, "value": _escaped(value)} for name, value in message.facts]
    commands = [_text(command, fontType="Monospace", wrap=True) for command in message.commands]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": message.title,
        "body": [
            _text(
                message.title, size="Medium", weight="Bolder", wrap=True, color=COLOUR.get(message.severity, "Default")
            ),
            *again,
            *paragraphs,
            *([{"type": "FactSet", "facts": facts}] if facts else []),
            *commands,
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Incident", "url": message.link}] if message.link else [],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "summary": message.title, "attachments": [attachment]}


def _text(text: str, **more: object) -> JsonObject:
    return {"type": "TextBlock", "text": _escaped(text), **more}


def _escaped(text: str) -> str:
    """Markdown of foreign text says nothing: cards know emphasis, links and lists."""
    return "".join(f"\\{letter}" if letter in "\\*_[]()#`~<>" else letter for letter in text)
