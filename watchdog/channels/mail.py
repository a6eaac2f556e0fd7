"""Mail over SMTP: one thread an incident, text and HTML.

Role: `ports.Channel` over aiosmtplib. Source: RFC 5322 (Message-ID, References), RFC 3834 (Auto-Submitted). Guarantees: the
Message-ID is the same in every try of a notice, so mail clients show a repeat once; headers hold no line break of foreign
text; STARTTLS, where it is asked for, is not silently left out. Not guaranteed: delivery beyond the first server.
"""

from __future__ import annotations

import hashlib
import html
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from watchdog.channels.message import Message, Place, as_text, message_of
from watchdog.model import Incident, Notice
from watchdog.ports import DeliveryFailed

TIMEOUT_S = 10.0
PERMANENT_CLASS = 5
COLOUR = {"page": "#b3261e", "warn": "#a15c00", "info": "#1b6e3c"}


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. `tls` is ``starttls``, ``tls`` or ``none``."""

    host: str
    port: int
    tls: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""


class MailChannel:
    """Mails to fixed addresses."""

    def __init__(self, name: str, server: MailServer, sender: str, to: tuple[str, ...], place: Place) -> None:
        """One connection a mail: notices are rare."""
        self.name = name
        self._server, self._sender, self._to, self._place = server, sender, to, place
        self._closed = False

    async def deliver(self, notice: Notice, incident: Incident | None) -> None:
        """Send one mail. Raises DeliveryFailed."""
        if self._closed:
            raise DeliveryFailed("the channel is closed", permanent=True)
        mail = mail_of(message_of(notice, incident, self._place), self._sender, self._to)
        server = self._server
        try:
            context = ssl.create_default_context(cafile=server.ca_file or None) if server.tls != "none" else None
            await aiosmtplib.send(
                mail,
                hostname=server.host,
                port=server.port,
                username=server.user or None,
                password=server.password or None,
                use_tls=server.tls == "tls",
                start_tls=server.tls == "starttls",
                tls_context=context,
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPResponseException as error:
            permanent = error.code // 100 == PERMANENT_CLASS
            raise DeliveryFailed(f"the server answered {error.code}", permanent=permanent) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = sorted({refused.code for refused in error.recipients})
            permanent = all(code // 100 == PERMANENT_CLASS for code in codes)
            raise DeliveryFailed(f"all recipients were refused ({codes})", permanent=permanent) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(f"the mail server did not take it ({type(error).__name__})") from None

    async def close(self) -> None:
        """Send nothing more."""
        self._closed = True


def mail_of(message: Message, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The mail. Mails of one incident refer to a root that need not exist: clients thread by it."""
    domain = Address(addr_spec=sender).domain or "localhost"
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Subject"] = message.title
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
    mail["Message-ID"] = f"<{_digest(message.key)}@{domain}>"
    if message.incident:
        root = f"<{_digest(message.incident)}@{domain}>"
        mail["References"], mail["In-Reply-To"] = root, root
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Priority"] = "1" if message.severity == "page" else "3"
    mail.set_content(as_text(message) + "\n")
    mail.add_alternative(_page(message), subtype="html")
    return mail


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _page(message: Message) -> str:
    said = "".join(f"<p>{html.escape(line)}</p>" for line in message.paragraphs)
    rows = "".join(
        f'<tr><td style="padding-right:1em;color:#555">{html.escape(name)}</td><td>{html.escape(value)}</td></tr>'
        for name, value in message.facts
    )
    commands = "".join(f"<pre>{html.escape(command)}</pre>" for command in message.commands)
    link = f'<p><a href="{html.escape(message.link)}">Open the incident</a></p>' if message.link else ""
    colour = COLOUR.get(message.severity, "#333")
    return (
        '<html><body style="font-family:sans-serif;max-width:42em">'
        f'<h2 style="color:{colour}">{html.escape(message.title)}</h2>{said}'
        f"<table>{rows}</table>{commands}{link}</body></html>\n"
    )
