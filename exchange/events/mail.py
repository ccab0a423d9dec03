"""Mail about events, in plain text: what happened in a sentence, and where to look. No figures, no names, nothing of the event's data.

What goes into a header is of our own making or was checked: the subject is the catalogue's, addresses have one plain form, and the
message class refuses line breaks.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final, Literal

from exchange.errors import SetupError
from exchange.events.addresses import MAILTO, TargetError, UndeliveredError, parse_mail
from exchange.events.catalogue import TYPES

SECONDS: Final = 10.0
Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """The operator's SMTP server; `security` is how the connection is encrypted. `sender` is a plain mail address."""

    host: str
    port: int
    security: Security
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Raises SetupError for a sender that is no plain mail address."""
        try:
            parse_mail(f"{MAILTO}{self.sender}")
        except TargetError as error:
            remedy = "give an address such as exchange@host"
            raise SetupError(error.what, where="PACKTRACE_SMTP_SENDER", remedy=remedy) from None


class MailSender:
    """Mails events through one server."""

    def __init__(self, server: MailServer, *, tls: ssl.SSLContext, seconds: float = SECONDS) -> None:
        self._server = server
        self._tls = tls
        self._seconds = seconds

    def send(self, target: str, event: Mapping[str, Any], now: datetime) -> None:
        """Mail one event (a CloudEvent's members) to a mailto URI. Raises UndeliveredError unless the server takes it."""
        message = _message(event, self._server.sender, parse_mail(target), now)
        try:
            with self._connected() as connection:
                if self._server.security == "starttls":
                    connection.starttls(context=self._tls)
                self._log_in(connection)
                connection.send_message(message)
        except smtplib.SMTPResponseException as error:
            # Its text may quote what was sent to it.
            raise UndeliveredError(f"the mail server answered {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused:
            raise UndeliveredError("the mail server refuses the address") from None
        except ssl.SSLCertVerificationError as error:
            raise UndeliveredError(f"the mail server's certificate is refused: {error.verify_message}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise UndeliveredError(f"the mail server can't be used: {type(error).__name__}") from None

    def _log_in(self, connection: smtplib.SMTP) -> None:
        if self._server.user:
            try:
                connection.login(self._server.user, self._server.password)
            except smtplib.SMTPException:
                raise UndeliveredError("the mail server refuses the log-in") from None

    def _connected(self) -> smtplib.SMTP:
        host, port = self._server.host, self._server.port
        if self._server.security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=self._seconds, context=self._tls)
        return smtplib.SMTP(host, port, timeout=self._seconds)


def _message(event: Mapping[str, Any], sender: str, address: str, now: datetime) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = address
    message["Subject"] = f"packtrace: {event['type'].removeprefix('packtrace.').replace('.', ' ')}"
    message["Date"] = format_datetime(now)
    # Of the event, so that a mail program shows it once when it comes twice.
    message["Message-ID"] = f"<{event['id']}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"{TYPES[event['type']]}\n\n"
        f"Event:         {event['id']}\n"
        f"Time:          {event['time']}\n"
        f"Organisation:  {event['recipient']}\n"
        f"Where to look: {event['subject']}\n"
        f"Exchange:      {event['source']}; sign in there as you always do.\n"
    )
    return message
