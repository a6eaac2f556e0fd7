"""Slack, Teams, PagerDuty, webhooks and mail: what they are sent, and what becomes of every answer."""

from __future__ import annotations

import asyncio
import base64
import email
import hashlib
import hmac
import ssl
from dataclasses import replace
from email import policy as mail_policy

import pytest
import pytest_asyncio
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.channels.test_channel_contract import INCIDENT, NOTICE
from tests.components import free_port
from watchdog.channels.mail import MailChannel, MailServer
from watchdog.channels.message import Message, Place, message_of
from watchdog.channels.pagerduty import PagerDutyChannel
from watchdog.channels.severity import AtLeast
from watchdog.channels.slack import SlackAppChannel, SlackWebhookChannel
from watchdog.channels.teams import TeamsChannel
from watchdog.channels.webhook import WebhookChannel
from watchdog.cli.previewing import example
from watchdog.clients.post import Poster
from watchdog.model import CloseReason, Stage
from watchdog.ports import DeliveryFailed
from watchdog.testing.channels import RecordingChannel
from watchdog.testing.clock import WorldClock
from watchdog.testing.services import FakeServices

PLACE = Place(environment="production", base_url="https://watchdog.example/")
KINDS = ["pending", "ask", "rolled_back", "recovered", "not_recovered", "not_acting"]
HUGE = replace(
    NOTICE, headline="x" * 400, body="\n".join(["y" * 9000, "<!channel> *bold* [link](http://evil) `tick`"] * 40)
)


@pytest_asyncio.fixture
async def services():
    async with FakeServices() as made:
        yield made


@pytest_asyncio.fixture
async def poster():
    made = Poster()
    yield made
    await made.close()


def channel_of(kind, services, poster):
    url = services.url
    return {
        "slack": lambda: SlackWebhookChannel("team", f"{url}/slack/secret-path", poster, PLACE),
        "app": lambda: SlackAppChannel("team", "xoxb-good", "C1", poster, PLACE, url=f"{url}/api"),
        "teams": lambda: TeamsChannel("team", f"{url}/teams/secret-path", poster, PLACE),
        "pagerduty": lambda: PagerDutyChannel("team", "secret-key", poster, PLACE, url=url),
        "webhook": lambda: WebhookChannel("team", f"{url}/hook/secret-path", poster, WorldClock(), PLACE, secret="shh"),
    }[kind]()


POSTING = ["slack", "app", "teams", "pagerduty", "webhook"]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", POSTING)
@pytest.mark.parametrize("what", KINDS)
async def test_every_message_is_one_that_the_service_takes(services, poster, kind, what):
    await channel_of(kind, services, poster).deliver(*example(what))


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", POSTING)
@pytest.mark.parametrize("incident", [INCIDENT, None])
async def test_huge_and_hostile_text_is_cut_and_escaped_and_still_taken(services, poster, kind, incident):
    await channel_of(kind, services, poster).deliver(HUGE, incident)
    body = services.got[-1].body.decode()
    if kind in ("slack", "app"):
        assert "<!channel>" not in body
    if kind == "teams":
        assert "[link](" not in body


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", POSTING)
@pytest.mark.parametrize(
    ("status", "headers", "permanent", "wait"),
    [
        (429, {"Retry-After": "7"}, False, 7.0),
        (500, {}, False, None),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, False, None),
        (400, {}, True, None),
        (401, {}, True, None),
        (404, {}, True, None),
        (302, {"Location": "http://127.0.0.1:9/"}, True, None),
    ],
)
async def test_every_refusal_says_whether_to_try_again_and_when_and_names_no_secret(
    services, poster, kind, status, headers, permanent, wait
):
    services.trouble = [(status, headers, "no such thing as secret-path" if status == 404 else "refused")] * 2
    with pytest.raises(DeliveryFailed) as caught:
        await channel_of(kind, services, poster).deliver(NOTICE, replace(INCIDENT) if kind != "app" else None)
    assert (caught.value.permanent, caught.value.retry_after) == (permanent, wait)
    assert str(status) in str(caught.value)
    assert services.url not in str(caught.value)
    assert "secret-key" not in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", POSTING)
async def test_a_service_that_is_not_there_fails_for_now_and_one_that_hangs_can_be_cancelled(services, poster, kind):
    channel = channel_of(kind, services, poster)
    services.hang = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await channel.deliver(NOTICE, None)
    services.url = "http://127.0.0.1:9"
    with pytest.raises(DeliveryFailed) as caught:
        await channel_of(kind, services, poster).deliver(NOTICE, None)
    assert not caught.value.permanent
    assert "127.0.0.1" not in str(caught.value)


# -- what each of them can do ----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_incident_is_one_thread_in_slack_also_after_a_restart(services, poster):
    first, second = channel_of("app", services, poster), channel_of("app", services, poster)
    other = replace(INCIDENT, id="other-1")
    await first.deliver(NOTICE, INCIDENT)
    await first.deliver(NOTICE, other)
    await first.deliver(NOTICE, INCIDENT)
    await second.deliver(NOTICE, INCIDENT)
    roots = [post["ts"] for post in services.posts if "thread_ts" not in post]
    assert len(roots) == 2
    assert [post.get("thread_ts") for post in services.posts] == [None, None, roots[0], roots[0]]
    assert all(post["reply_broadcast"] for post in services.posts if "thread_ts" in post)


@pytest.mark.asyncio
@pytest.mark.parametrize(("token", "channel"), [("xoxb-bad", "C1"), ("xoxb-good", "C9")])
async def test_what_slack_will_never_take_is_not_tried_again(services, poster, token, channel):
    made = SlackAppChannel("team", token, channel, poster, PLACE, url=f"{services.url}/api")
    with pytest.raises(DeliveryFailed) as caught:
        await made.deliver(NOTICE, None)
    assert caught.value.permanent
    assert token not in str(caught.value)


@pytest.mark.asyncio
async def test_an_incident_is_one_alert_in_pagerduty_and_is_resolved_when_nobody_is_needed(services, poster):
    channel = channel_of("pagerduty", services, poster)
    for kind in ("pending", "ask", "rolled_back"):
        await channel.deliver(*example(kind))
    assert services.alerts == {"bookstore-api-1f0e9d": "triggered"}
    await channel.deliver(*example("not_recovered"))
    assert services.alerts == {"bookstore-api-1f0e9d": "triggered"}
    await channel.deliver(*example("recovered"))
    assert services.alerts == {"bookstore-api-1f0e9d": "resolved"}


@pytest.mark.asyncio
async def test_information_alerts_nobody(services, poster):
    await channel_of("pagerduty", services, poster).deliver(replace(NOTICE, severity="info"), INCIDENT)
    assert services.got == []


@pytest.mark.asyncio
async def test_a_webhook_is_a_signed_cloudevent_with_the_same_id_in_every_try(services, poster):
    channel = channel_of("webhook", services, poster)
    await channel.deliver(NOTICE, INCIDENT)
    await channel.deliver(replace(NOTICE, attempts=1), INCIDENT)
    first, second = services.got
    headers = {name.lower(): value for name, value in first.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + first.body
    proof = base64.b64encode(hmac.new(b"shh", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{proof}"
    assert headers["content-type"].startswith("application/cloudevents+json")
    event = first.json
    assert (event["specversion"], event["id"], event["type"]) == (
        "1.0", "books-api-12ab/books-1/rolled_back", "dev.rollback-watchdog.notice.rolled_back",
    )  # fmt: skip
    assert event["data"]["link"] == "https://watchdog.example/incidents/books-api-12ab"
    assert second.json["id"] == event["id"]
    assert (event["data"]["repeated"], second.json["data"]["repeated"]) == (False, True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_line_fits_a_lock_screen_and_commands_stand_as_they_are_typed(kind):
    notice, incident = example(kind)
    message = message_of(notice, incident, PLACE)
    assert len(message.title) <= 110
    assert message.title.startswith("[production] bookstore-api: ")
    assert all(command.startswith("watchdog ") for command in message.commands)
    assert not any(line.startswith("watchdog ") for line in message.paragraphs)


def test_a_message_that_ends_an_incident_says_so_unless_a_person_is_needed():
    assert message_of(*example("recovered"), PLACE).resolves
    for kind in ("pending", "ask", "rolled_back", "not_acting", "not_recovered"):
        assert not message_of(*example(kind), PLACE).resolves


def test_a_repeat_is_marked_where_no_key_tells_it():
    message: Message = message_of(replace(NOTICE, attempts=2), INCIDENT, PLACE)
    assert message.tried == 2


@pytest.mark.asyncio
async def test_a_channel_for_pages_hears_of_pages_and_of_the_end_of_what_it_heard():
    inner = RecordingChannel("oncall")
    channel = AtLeast(inner, "page")
    await channel.deliver(replace(NOTICE, severity="warn"), INCIDENT)
    assert inner.delivered == []
    await channel.deliver(NOTICE, INCIDENT)
    closed = replace(INCIDENT, stage=Stage.CLOSED, reason=CloseReason.RECOVERED)
    await channel.deliver(replace(NOTICE, severity="info", key="end"), closed)
    assert len(inner.delivered) == 1, "nothing of this incident was told here"
    await channel.deliver(replace(NOTICE, severity="info", key="end"), replace(closed, notices=(NOTICE,)))
    assert len(inner.delivered) == 2
    await channel.close()
    assert inner.closed


# -- mail ------------------------------------------------------------------------------------------------------------


class Box:
    def __init__(self):
        self.mails = []
        self.answer = "250 taken"

    async def handle_DATA(self, server, session, envelope):
        if self.answer.startswith("250"):
            self.mails.append(email.message_from_bytes(envelope.content, policy=mail_policy.default))
        return self.answer


@pytest.fixture
def authority(tmp_path):
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    return made, str(tmp_path / "ca.pem")


@pytest.fixture
def post_office(authority):
    box, (ca, _) = Box(), authority
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)

    def log_in(server, session, envelope, mechanism, data):
        good = data.login == b"watchdog" and data.password == b"of the night"
        return AuthResult(success=good, handled=False)

    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), tls_context=context, authenticator=log_in, auth_require_tls=True
    )
    controller.start()
    yield box, controller.port
    controller.stop()


def mailer(port, ca_file, **changes):
    values = {"tls": "starttls", "user": "watchdog", "password": "of the night", "ca_file": ca_file, **changes}
    server = MailServer(host="127.0.0.1", port=port, **values)
    return MailChannel("oncall", server, "watchdog@shop.test", ("ann@shop.test", "ben@shop.test"), PLACE)


@pytest.mark.asyncio
async def test_mails_of_an_incident_are_one_thread_and_a_repeat_has_the_same_id(post_office, authority):
    box, port = post_office
    channel = mailer(port, authority[1])
    pending, incident = example("pending")
    ended, closed = example("recovered")
    await channel.deliver(pending, incident)
    await channel.deliver(replace(pending, attempts=1), incident)
    await channel.deliver(ended, closed)
    first, again, last = box.mails
    assert first["Message-ID"] == again["Message-ID"] != last["Message-ID"]
    assert first["References"] == last["References"]
    assert first["To"] == "ann@shop.test, ben@shop.test"
    assert first["Subject"].startswith("[production] bookstore-api: rolling back")
    text = first.get_body(("plain",)).get_content()
    assert "watchdog cancel bookstore-api-1f0e9d" in text and "https://watchdog.example/incidents/" in text
    assert "<h2" in first.get_body(("html",)).get_content()


@pytest.mark.asyncio
async def test_foreign_text_makes_no_header_and_no_markup(post_office, authority):
    box, port = post_office
    await mailer(port, authority[1]).deliver(replace(NOTICE, headline="a\r\nBcc: evil@x <b>"), INCIDENT)
    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert "<b>" not in mail.get_body(("html",)).get_content()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("changes", "answer", "permanent"),
    [
        ({}, "451 later", False),
        ({}, "554 never", True),
        ({"password": "wrong"}, "250 taken", True),
        ({"ca_file": ""}, "250 taken", False),
        ({"tls": "tls"}, "250 taken", False),
    ],
)
async def test_every_refusal_of_a_mail_server_is_told_and_no_password_with_it(
    post_office, authority, changes, answer, permanent
):
    box, port = post_office
    box.answer = answer
    with pytest.raises(DeliveryFailed) as caught:
        await mailer(port, changes.pop("ca_file", authority[1]), **changes).deliver(NOTICE, INCIDENT)
    assert caught.value.permanent is permanent
    assert "night" not in str(caught.value) and "wrong" not in str(caught.value)
    assert box.mails == []
