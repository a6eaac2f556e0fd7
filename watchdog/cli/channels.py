"""From configured channels to channels that deliver.

Role: the composition root's part for notices; used by `run` and by ``watchdog notify test``. Guarantees: one pool of connections
for each set of trusted authorities; libraries of a kind are imported only when it is configured.
"""

from __future__ import annotations

import sys

from watchdog.channels.message import Place
from watchdog.channels.severity import AtLeast
from watchdog.channels.stdout import StdoutChannel
from watchdog.clients.post import Poster
from watchdog.ports import Channel, Clock
from watchdog.settings import Settings
from watchdog.settings.notify_access import ConfiguredChannel, channels_of


class Channels:
    """Makes channels; `posters` are shared and closed by their owner."""

    def __init__(self, clock: Clock, posters: dict[str, Poster]) -> None:
        """`posters` by the file of authorities they trust."""
        self._clock, self._posters = clock, posters

    def all_of(self, settings: Settings, *, json_lines: bool) -> dict[str, Channel]:
        """Every configured channel by name."""
        place = Place(environment=settings.environment or "", base_url=settings.base_url or "")
        made = {entry.name: self._made(entry, place, json_lines=json_lines) for entry in channels_of(settings)}
        least = {entry.name: entry.at_least for entry in channels_of(settings)}
        return {name: one if least[name] == "info" else AtLeast(one, least[name]) for name, one in made.items()}

    def _made(self, entry: ConfiguredChannel, place: Place, *, json_lines: bool) -> Channel:
        if entry.kind == "stdout":
            return StdoutChannel(sys.stdout, name=entry.name, json_lines=json_lines)
        if entry.kind == "mail":
            return _mail(entry, place)
        poster = self._posters.setdefault(entry.ca_file, Poster(ca_file=entry.ca_file))
        return self._posting(entry, poster, place)

    def _posting(self, entry: ConfiguredChannel, poster: Poster, place: Place) -> Channel:
        from watchdog.channels.pagerduty import PagerDutyChannel  # noqa: PLC0415 - only when configured
        from watchdog.channels.slack import SlackAppChannel, SlackWebhookChannel  # noqa: PLC0415
        from watchdog.channels.teams import TeamsChannel  # noqa: PLC0415
        from watchdog.channels.webhook import WebhookChannel  # noqa: PLC0415

        name = entry.name
        if entry.kind == "pagerduty":
            return PagerDutyChannel(name, entry.secret, poster, place, url=entry.url)
        if entry.kind == "teams":
            return TeamsChannel(name, entry.url, poster, place)
        if entry.kind == "slack" and entry.secret:
            return SlackAppChannel(name, entry.secret, entry.channel, poster, place)
        if entry.kind == "slack":
            return SlackWebhookChannel(name, entry.url, poster, place)
        return WebhookChannel(name, entry.url, poster, self._clock, place, secret=entry.secret, headers=entry.headers)


def _mail(entry: ConfiguredChannel, place: Place) -> Channel:
    from watchdog.channels.mail import MailChannel, MailServer  # noqa: PLC0415 - only when configured

    server = MailServer(
        host=entry.host,
        port=entry.port,
        tls=entry.tls,
        user=entry.user,
        password=entry.secret,
        ca_file=entry.ca_file,
    )
    return MailChannel(entry.name, server, entry.sender, entry.to, place)
