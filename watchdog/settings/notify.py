"""Section `notify`: named channels that hear what the watchdog does and refuses to do."""

from __future__ import annotations

from pydantic import Field

from watchdog.settings.section import Later, Section, later


class StdoutSection(Section):
    """Notices as lines on standard output."""


class ChannelSection(Section):
    """One channel. Exactly one kind."""

    stdout: StdoutSection | None = Field(
        default=None, description="Write notices to standard output. None = another kind."
    )
    slack: Later = later("Slack")
    teams: Later = later("Microsoft Teams")
    pagerduty: Later = later("PagerDuty")
    opsgenie: Later = later("Opsgenie")
    webhook: Later = later("webhooks")
    mail: Later = later("mail")
    apprise: Later = later("Apprise")
    statuspage: Later = later("status pages")
