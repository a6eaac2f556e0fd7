"""Section `notify`: named channels that hear what the watchdog does and refuses to do."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from watchdog.settings.http_check import header_name
from watchdog.settings.problems import printable
from watchdog.settings.secret import SecretText
from watchdog.settings.section import Later, Section, later
from watchdog.settings.values import AbsolutePath, Text, Url, Whole, refused

_ADDRESS = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise refused(f"{printable(value)!r} is not a mail address", "write somebody@example.com")
    return value


def _addresses(value: object) -> tuple[str, ...]:
    """One or a list; all or none, so that no notice goes to half of the people."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not items or not all(isinstance(item, str) for item in items):
        raise refused("expected a mail address or a list of them")
    return tuple(_address(item) for item in items)


Mail = Annotated[str, AfterValidator(_address)]
_TEXT = {"type": "string"}
Mails = Annotated[
    tuple[str, ...],
    PlainValidator(_addresses),
    WithJsonSchema({"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}),
]


class StdoutSection(Section):
    """Notices as lines on standard output."""


class WebhookSection(Section):
    """A CloudEvent a notice, POSTed to an address of yours."""

    url: SecretText = Field(description="Where to POST: text, {file: /path} or {env: NAME}.")
    secret: SecretText | None = Field(
        default=None,
        description="Key of the signature (webhook-signature, HMAC-SHA256), by file or env. None = events are not signed.",
    )
    headers: dict[Annotated[str, AfterValidator(header_name)], SecretText] = Field(
        default_factory=dict, description="Headers to send. Secrets only by file or env."
    )
    ca_file: AbsolutePath | None = Field(
        default=None, description="PEM file of the authorities to trust. None = those of the system."
    )


class SlackSection(Section):
    """Slack: `webhook`, or an app with `token` and `channel`."""

    webhook: SecretText | None = Field(
        default=None, description="Address of an incoming webhook, by file or env. None = an app."
    )
    token: SecretText | None = Field(
        default=None,
        description="Bot token (xoxb-) of an app with chat:write and channels:history, by file or env: one thread an incident. "
        "None = a webhook.",
    )
    channel: Text | None = Field(default=None, description="Id of the channel the app writes to. None = a webhook.")


class TeamsSection(Section):
    """Microsoft Teams, by a workflow."""

    webhook: SecretText = Field(
        description="Address of the workflow (When a Teams webhook request is received), by file or env."
    )


class PagerDutySection(Section):
    """PagerDuty, by Events API v2."""

    routing_key: SecretText = Field(description="Integration key of the service, by file or env.")
    url: Url = Field(default="https://events.pagerduty.com", description="Of another region. Default: the US one.")


class Tls(StrEnum):
    """How mail is protected on its way."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class MailSection(Section):
    """Mail over SMTP."""

    host: Text = Field(description="The mail server.")
    port: Annotated[int, Whole(least=1, most=65535)] = Field(default=587, description="Its port. Default 587.")
    tls: Tls = Field(
        default=Tls.STARTTLS, description="starttls, tls (port 465) or none. Default starttls: never silently without."
    )
    from_: Mail = Field(alias="from", description="Sender's address.")
    to: Mails = Field(description="One address or a list.")
    user: Text | None = Field(default=None, description="User to log in with. None = no log-in.")
    password: SecretText | None = Field(default=None, description="Its password, by file or env. None = no log-in.")
    ca_file: AbsolutePath | None = Field(
        default=None, description="PEM file of the authorities to trust. None = those of the system."
    )


class Severity(StrEnum):
    """How urgent a notice is."""

    INFO = "info"
    WARN = "warn"
    PAGE = "page"


class ChannelSection(Section):
    """One channel. Exactly one kind."""

    stdout: StdoutSection | None = Field(
        default=None, description="Write notices to standard output. None = another kind."
    )
    slack: SlackSection | None = Field(default=None, description="Slack. None = another kind.")
    teams: TeamsSection | None = Field(default=None, description="Microsoft Teams. None = another kind.")
    pagerduty: PagerDutySection | None = Field(default=None, description="PagerDuty. None = another kind.")
    webhook: WebhookSection | None = Field(default=None, description="A webhook of yours. None = another kind.")
    mail: MailSection | None = Field(default=None, description="Mail. None = another kind.")
    opsgenie: Later = later("Opsgenie")
    apprise: Later = later("Apprise")
    statuspage: Later = later("status pages")

    at_least: Severity = Field(
        default=Severity.INFO,
        description="info, warn or page: what is less urgent is not sent there, except the end of what was. Default info: all.",
    )


KINDS = ("stdout", "slack", "teams", "pagerduty", "webhook", "mail")
SECRETS = {
    "slack": ("webhook", "token"),
    "teams": ("webhook",),
    "pagerduty": ("routing_key",),
    "webhook": ("secret",),
    "mail": ("password",),
}
"""Keys of each kind whose values may never stand in the file."""
