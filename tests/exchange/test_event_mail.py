"""Mail: through a real SMTP server with STARTTLS and log-in, without figures, and nothing that a sender wrote in a header."""

from __future__ import annotations

import email
import email.policy
import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from sqlalchemy import Engine

from exchange.database import engine_for
from exchange.errors import SetupError
from exchange.events import TYPES, MailServer
from exchange.events.addresses import TargetError, UndeliveredError
from exchange.events.mail import MailSender
from tests.exchange.receivers import CREATED, SOURCE, SUPPLIER, Mailroom, certified, free_port
from tests.flow.world import START

USER, PASSWORD = "exchange", "hunter2 & more"
SENDER, DESK = "exchange@packtrace.example", "mailto:desk@supplier.example"
EVENT = {
    "id": "019b8d6e-2a00-7c3e-9d1f-3b0a5c7e9f10",
    "source": SOURCE,
    "type": CREATED,
    "subject": "/api/v1/requests/1",
    "time": "2026-01-05T08:00:00.000Z",
    "recipient": SUPPLIER,
    "data": {"request": "secret-of-the-data"},
}


class Post:
    """What the server has taken; `refusal` is answered to a message in its place."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], EmailMessage, bool]] = []
        self.refusal = ""

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        if self.refusal:
            return self.refusal
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append((str(envelope.mail_from), list(envelope.rcpt_tos), message, session.ssl is not None))
        return "250 taken"

    async def handle_RCPT(  # noqa: N802 - its name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user; hunter2"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()))


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certified(tmp_path, "localhost")


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def server(post: Post, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[MailServer]:
    """A server that takes nothing before STARTTLS and log-in."""
    controller = Controller(
        post,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=contexts[0],
        require_starttls=True,
        authenticator=_authenticate,
        auth_required=True,
    )
    controller.start()
    yield MailServer("localhost", controller.port, "starttls", SENDER, USER, PASSWORD)
    controller.stop()


@pytest.fixture
def sender(server: MailServer, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> MailSender:
    return MailSender(server, tls=contexts[1])


def test_a_mail_says_what_happened_and_where_to_look(sender: MailSender, post: Post) -> None:
    sender.send(DESK, EVENT, START)
    ((envelope_from, to, message, encrypted),) = post.got
    assert encrypted
    assert (envelope_from, to) == (SENDER, ["desk@supplier.example"])
    assert (message["From"], message["To"]) == (SENDER, "desk@supplier.example")
    assert message["Subject"] == "packtrace: request created"
    assert message["Message-ID"] == f"<{EVENT['id']}@packtrace.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    text = message.get_content()
    assert text.startswith(f"{TYPES[CREATED]}\r\n")
    for member in ("id", "time", "recipient", "subject", "source"):
        assert str(EVENT[member]) in text
    assert "secret-of-the-data" not in message.as_string()


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_makes_a_mail_of_few_headers(sender: MailSender, post: Post, kind: str) -> None:
    sender.send(DESK, EVENT | {"type": kind}, START)
    message = post.got[0][2]
    assert TYPES[kind] in message.get_content().replace("=\n", "")
    assert not {"Bcc", "Cc", "Reply-To"} & {*message}


@pytest.mark.parametrize("member", ["id", "subject", "source", "recipient", "time"])
def test_a_line_break_in_an_event_makes_no_header(sender: MailSender, post: Post, member: str) -> None:
    with_break = EVENT | {member: "x\r\nBcc: eve@x.example\r\n\r\nbody"}
    with suppress(ValueError):  # the message class refuses what would be a header
        sender.send(DESK, with_break, START)
    for _from, to, message, _encrypted in post.got:
        assert to == ["desk@supplier.example"]
        assert "Bcc" not in message


@pytest.mark.parametrize("target", ["mailto:a@x.example\r\nBcc: b@x.example", "mailto:a@x.example,b@x.example"])
def test_two_addresses_are_none(sender: MailSender, post: Post, target: str) -> None:
    with pytest.raises(TargetError):
        sender.send(target, EVENT, START)
    assert post.got == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda server: replace(server, password="wrong"), "refuses the log-in"),
        (lambda server: replace(server, user=""), "answered 530"),
        (lambda server: replace(server, security="none"), "refuses the log-in"),
        (lambda server: replace(server, port=free_port()), "can't be used"),
        (lambda server: replace(server, host="127.0.0.1"), "certificate is refused"),
    ],
    ids=["wrong password", "nobody logs in", "no encryption", "nobody there", "certificate for another name"],
)
def test_what_the_server_refuses_is_told_without_secrets(
    server: MailServer,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    post: Post,
    change: Callable[[MailServer], MailServer],
    why: str,
) -> None:
    with pytest.raises(UndeliveredError, match=why) as caught:
        MailSender(change(server), tls=contexts[1], seconds=5).send(DESK, EVENT, START)
    assert PASSWORD not in str(caught.value)
    assert post.got == []


def test_a_certificate_of_an_unknown_authority_is_refused(server: MailServer, post: Post) -> None:
    with pytest.raises(UndeliveredError, match="certificate is refused"):
        MailSender(server, tls=ssl.create_default_context()).send(DESK, EVENT, START)
    assert post.got == []


def test_a_refused_address_is_told_without_the_server_s_words(sender: MailSender) -> None:
    with pytest.raises(UndeliveredError, match="refuses the address") as caught:
        sender.send("mailto:nobody@supplier.example", EVENT, START)
    assert "hunter2" not in str(caught.value)


def test_a_server_without_starttls_gets_no_password(
    post: Post, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    said: list[bytes] = []

    class Plain(Post):
        async def handle_AUTH(self, *_arguments: Any) -> str:  # noqa: N802 - its name
            said.append(b"AUTH")
            return "235 OK"

    controller = Controller(Plain(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        plain = MailServer("localhost", controller.port, "starttls", SENDER, USER, PASSWORD)
        with pytest.raises(UndeliveredError, match="SMTPNotSupportedError"):
            MailSender(plain, tls=contexts[1]).send(DESK, EVENT, START)
    finally:
        controller.stop()
    assert said == []


@pytest.mark.parametrize("address", ["", "exchange", "a@x.example\r\nBcc: b@x.example", "Name <a@x.example>"])
def test_a_sender_that_is_no_address_stops_the_start(address: str) -> None:
    with pytest.raises(SetupError, match="PACKTRACE_SMTP_SENDER"):
        MailServer("localhost", 25, "starttls", address)


def test_the_password_is_in_no_representation(server: MailServer) -> None:
    assert PASSWORD not in repr(server)


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    made = engine_for(migrated_url)
    yield made
    made.dispose()


def test_a_mail_is_tried_again_as_a_webhook_is(
    engine: Engine,
    server: MailServer,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    post: Post,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="packtrace")
    room = Mailroom(engine, mail=server, tls=contexts[1])
    found, _ = room.subscriptions.add(SUPPLIER, DESK, [CREATED])
    post.refusal = f"451 try later; {PASSWORD}"
    event = room.emit()
    room.run()
    assert room.states(found.id) == ["pending"]
    assert room.subscription(found.id).trouble == "the mail server answered 451"
    assert PASSWORD not in caplog.text
    assert "desk@" not in caplog.text
    post.refusal = ""
    assert room.run() == 0
    room.clock.advance(13)
    room.run()
    room.close()
    assert room.states(found.id) == ["delivered"]
    assert [message["Message-ID"] for _from, _to, message, _tls in post.got] == [f"<{event}@packtrace.example>"]


def test_mail_that_the_operator_no_longer_sends_waits_as_a_failure(engine: Engine, server: MailServer) -> None:
    before = Mailroom(engine, mail=server)
    found, _ = before.subscriptions.add(SUPPLIER, DESK)
    before.emit()
    after = Mailroom(engine, clock=before.clock)
    after.run()
    assert after.subscription(found.id).trouble == "this exchange sends no mail"
    before.close()
    after.close()
