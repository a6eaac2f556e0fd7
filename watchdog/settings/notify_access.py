"""What the builders get of the section `notify`: one record a channel, secrets revealed.

Role: the part of `settings.access` that knows channels. Pure. Guarantees: exactly one kind each (``crosscheck`` refuses others).
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from watchdog.model import record
from watchdog.settings.notify import KINDS, ChannelSection
from watchdog.settings.root import Settings
from watchdog.settings.secret import Secret


@record
class ConfiguredChannel:
    """One channel. `kind` is one of `KINDS`; what belongs to another kind is empty. Secrets are not in repr."""

    name: str
    kind: str
    at_least: str
    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    """Signing key, bot token, routing key or password."""
    channel: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: str = ""
    host: str = ""
    port: int = 0
    tls: str = ""
    user: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()


def channels_of(settings: Settings) -> tuple[ConfiguredChannel, ...]:
    """All channels, in the order of the file."""
    return tuple(_channel(name, section) for name, section in settings.notify.items())


def _channel(name: str, section: ChannelSection) -> ConfiguredChannel:
    kind = next(kind for kind in KINDS if getattr(section, kind) is not None)
    return ConfiguredChannel(name=name, kind=kind, at_least=section.at_least.value, **_of_kind(section))


def _of_kind(section: ChannelSection) -> dict[str, Any]:
    if section.webhook is not None:
        hook = section.webhook
        headers = tuple((key, _open(value)) for key, value in hook.headers.items())
        return {"url": _open(hook.url), "secret": _open(hook.secret), "headers": headers, "ca_file": hook.ca_file or ""}
    if section.slack is not None:
        slack = section.slack
        return {"url": _open(slack.webhook), "secret": _open(slack.token), "channel": slack.channel or ""}
    if section.teams is not None:
        return {"url": _open(section.teams.webhook)}
    if section.pagerduty is not None:
        return {"url": section.pagerduty.url, "secret": _open(section.pagerduty.routing_key)}
    if section.mail is not None:
        mail = section.mail
        return {
            "host": mail.host,
            "port": mail.port,
            "tls": mail.tls.value,
            "user": mail.user or "",
            "secret": _open(mail.password),
            "sender": mail.from_,
            "to": mail.to,
            "ca_file": mail.ca_file or "",
        }
    return {}


def _open(secret: Secret | None) -> str:
    return secret.get_secret_value() if secret else ""
